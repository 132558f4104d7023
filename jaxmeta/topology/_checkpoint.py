"""Checkpoints of a design run: the whole state of the loop, its history and the settings it belongs to."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..design import State


class Checkpoint:
    """A folder that holds the last two states of a run.

    Args:
        folder: made if it does not exist.
        settings: what the run is; a folder that holds another run is refused.
        every: seconds between two saves.
    """

    def __init__(self, folder: str | Path, settings: dict[str, Any], every: float = 20.0):
        import orbax.checkpoint as ocp  # takes a second to import, and only runs with checkpoints need it

        self._ocp = ocp
        self._settings = json.loads(json.dumps(settings))
        self._every = every
        self._saved = time.monotonic()
        path = Path(folder).absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(path, options=ocp.CheckpointManagerOptions(max_to_keep=2))
        except OSError as error:
            raise ValueError(
                f"Argument `checkpoint` must be a folder that can be written, but {path} is not: {error.strerror}."
            ) from None
        self._path = path

    def restore(self, like: State) -> tuple[State, dict[str, list]] | None:
        """The last saved state and history, or None in a new folder.

        Args:
            like: a state with the shapes and dtypes of the run.

        Raises:
            ValueError: the folder holds a run with other settings.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        args = self._ocp.args
        meta = self._manager.restore(step, args=args.Composite(meta=args.JsonRestore()))["meta"]
        if meta["settings"] != self._settings:
            changed = sorted(
                k for k in {*self._settings, *meta["settings"]} if self._settings.get(k) != meta["settings"].get(k)
            )
            raise ValueError(
                f"Argument `checkpoint` must be a folder of this same run, but {self._path} holds one with another "
                f"{', '.join(changed)}."
            )
        flat, structure = jax.tree.flatten(like)
        names = {f"leaf{i}": leaf for i, leaf in enumerate(flat)}
        saved = self._manager.restore(step, args=args.Composite(state=args.StandardRestore(names)))["state"]
        return jax.tree.unflatten(structure, [saved[name] for name in names]), meta["history"]

    def save(self, state: State, history: dict[str, list], force: bool = False) -> None:
        """Save if the time has come, and wait until it is on disk."""
        if not force and time.monotonic() - self._saved < self._every:
            return
        step = int(np.asarray(state.step))
        if self._manager.latest_step() == step:
            return
        args = self._ocp.args
        leaves = {f"leaf{i}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
        meta = {"settings": self._settings, "history": history}
        self._manager.save(step, args=args.Composite(state=args.StandardSave(leaves), meta=args.JsonSave(meta)))
        self._manager.wait_until_finished()
        self._saved = time.monotonic()

    def close(self) -> None:
        """Release the folder."""
        self._manager.close()
