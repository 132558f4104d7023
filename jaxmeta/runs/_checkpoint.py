"""Checkpoints of a loop: its whole state, its history and the settings it belongs to."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar

import jax
import numpy as np


class Stepped(Protocol):
    """A state of a loop: a pytree that says how many steps led to it."""

    @property
    def step(self) -> Any: ...


State = TypeVar("State", bound=Stepped)


class Checkpoint:
    """A folder that holds the last two states of a run.

    Args:
        folder: made if it does not exist.
        settings: what the run is, by name; a folder that holds another run is refused. What does not survive a round
            trip through JSON goes in as its `digest`, or its `function_digest`. The versions of JAX and jaxmeta and the
            precision of JAX's numbers are added.
        every: seconds between two saves.

    Raises:
        ValueError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from typing import NamedTuple
        >>> import jax.numpy as jnp
        >>> from jaxmeta.runs import Checkpoint
        >>> class State(NamedTuple):
        ...     step: jnp.ndarray
        ...     value: jnp.ndarray
        >>> start = State(jnp.zeros((), int), jnp.zeros(3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = Checkpoint(folder, {"rate": 0.1})
        ...     first.save(State(start.step + 1, start.value + 0.1), {"seen": [0.5]}, force=True)
        ...     first.close()
        ...     second = Checkpoint(folder, {"rate": 0.1})
        ...     state, history = second.restore(start)
        ...     second.close()
        >>> int(state.step), history
        (1, {'seen': [0.5]})
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any], every: float = 20.0):
        import orbax.checkpoint as ocp  # takes a second to import, and only runs with checkpoints need it

        self._ocp = ocp
        self._settings = json.loads(json.dumps({**settings, **_surroundings()}))
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
            ValueError: the folder holds a run with other settings, or another kind of state.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        args = self._ocp.args
        meta = self._manager.restore(step, args=args.Composite(meta=args.JsonRestore()))["meta"]
        changed = _changed(meta["settings"] | {"state": meta.get("state")}, self._settings | {"state": _shapes(like)})
        if changed:
            raise ValueError(
                f"Argument `checkpoint` must be a folder of this same run, but {self._path} holds one with another "
                f"{changed}."
            )
        flat, structure = jax.tree.flatten(like)
        names = {f"leaf{i}": leaf for i, leaf in enumerate(flat)}
        saved = self._manager.restore(step, args=args.Composite(state=args.StandardRestore(names)))["state"]
        return jax.tree.unflatten(structure, [saved[name] for name in names]), meta["history"]

    def save(self, state: Stepped, history: Mapping[str, list], force: bool = False) -> None:
        """Save if the time has come, and wait until it is on disk."""
        if not force and time.monotonic() - self._saved < self._every:
            return
        step = int(np.asarray(state.step))
        if self._manager.latest_step() == step:
            return
        args = self._ocp.args
        leaves = {f"leaf{i}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
        meta = {"settings": self._settings, "state": _shapes(state), "history": history}
        self._manager.save(step, args=args.Composite(state=args.StandardSave(leaves), meta=args.JsonSave(meta)))
        self._manager.wait_until_finished()
        self._saved = time.monotonic()

    def close(self) -> None:
        """Release the folder."""
        self._manager.close()


def _surroundings() -> dict[str, Any]:
    """What else a step depends on."""
    found: dict[str, Any] = {name: version(name) for name in ("jaxmeta", "jax", "jaxlib")}
    found["x64"] = bool(jax.config.jax_enable_x64)
    found["matmul precision"] = jax.config.jax_default_matmul_precision
    return found


def _shapes(state: Any) -> list[str]:
    return [f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(state)]


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Names of what differs, with both values where they are short."""

    def told(name: str) -> str:
        values = [json.dumps(settings.get(name)) for settings in (before, now)]
        return f"{name} ({values[0]}, not {values[1]})" if max(map(len, values)) <= 40 else name

    return ", ".join(told(name) for name in sorted({*before, *now}) if before.get(name) != now.get(name))
