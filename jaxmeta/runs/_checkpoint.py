"""Checkpoints of a loop: its whole state and its history, in the folder of a run."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..io import file_error, system_text, write_bytes
from ._folder import SETTINGS, locked, settle

_LOCK, _STATES, _SECONDS = "lock", "states", "seconds.json"
_WRITTEN = re.compile(r"\d+(\.orbax.*)?")
"""A state, or one whose writing was cut short."""


@runtime_checkable
class Stepped(Protocol):
    """A state of a loop: a pytree that says how many steps led to it."""

    @property
    def step(self) -> Any: ...


State = TypeVar("State", bound=Stepped)


class Checkpoint:
    """The folder of a run that is a loop: its last two states.

    Args:
        folder: made if it does not exist.
        settings: what the run is, as JSON can hold it; a folder that holds the state of another run is refused. What
            cannot be written so goes in as its `digest` or `function_digest`.
        every: seconds between two saves.

    Raises:
        ValueError: the folder cannot be written, holds another run, or another process is at work in it.

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

        path = Path(folder).absolute()
        try:
            (path / _STATES).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"Argument `checkpoint` must be a folder that can be written, but {path} is not: {system_text(error)}."
            ) from None
        lock = locked(path / _LOCK)
        if lock is None:
            raise ValueError(f"Argument `checkpoint` must be a folder where no run is at work, but {path} has one.")
        if saved_step(path) is None:
            for name in (SETTINGS, _SECONDS):  # of a run that did not come to its first save
                (path / name).unlink(missing_ok=True)
        changed = settle(path, settings)
        self._path, self._lock, self._every = path, lock, every
        if changed:
            lock.release()
            raise self._other(changed)
        self._ocp = ocp
        self._saved = self._began = time.monotonic()
        self._before = spent_seconds(path)
        self._manager = ocp.CheckpointManager(
            path / _STATES, options=ocp.CheckpointManagerOptions(max_to_keep=2, create=False)
        )

    def restore(self, like: State) -> tuple[State, dict[str, list]] | None:
        """The last saved state and history, or None in a new folder.

        Args:
            like: a state with the shapes and dtypes of the run.

        Raises:
            ValueError: the folder holds another kind of state.
        """
        import jax

        step = self._manager.latest_step()
        if step is None:
            return None
        args = self._ocp.args
        meta = self._manager.restore(step, args=args.Composite(meta=args.JsonRestore()))["meta"]
        if meta["shapes"] != _shapes(like):
            raise self._other("state")
        flat, structure = jax.tree.flatten(like)
        names = {f"leaf{i}": leaf for i, leaf in enumerate(flat)}
        saved = self._manager.restore(step, args=args.Composite(state=args.StandardRestore(names)))["state"]
        return jax.tree.unflatten(structure, [saved[name] for name in names]), meta["history"]

    def save(self, state: Stepped, history: Mapping[str, list], force: bool = False) -> None:
        """Save if the time has come, and wait until it is on disk.

        Args:
            state: the whole of it; what follows must follow from it alone.
            history: what is to be seen of the steps so far, as JSON can hold it.
            force: save now.
        """
        import jax

        if not force and time.monotonic() - self._saved < self._every:
            return
        step = int(state.step)
        if self._manager.latest_step() == step:
            return
        args = self._ocp.args
        leaves = {f"leaf{i}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
        meta = {"shapes": _shapes(state), "history": history}
        self._manager.save(step, args=args.Composite(state=args.StandardSave(leaves), meta=args.JsonSave(meta)))
        self._manager.wait_until_finished()
        keep_seconds(self._path, self.seconds)
        self._saved = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken, with those of the parts before this one."""
        return self._before + time.monotonic() - self._began

    def close(self) -> None:
        """Release the folder."""
        try:
            keep_seconds(self._path, self.seconds)
        finally:
            self._manager.close()
            self._lock.release()

    def _other(self, changed: str) -> ValueError:
        return ValueError(
            f"Argument `checkpoint` must be a folder of this same run, but {self._path} holds one with another "
            f"{changed}."
        )


def saved_step(folder: Path) -> int | None:
    """Steps that led to the last saved state in a folder, None where there is no state."""
    states = folder / _STATES
    steps = [int(entry.name) for entry in states.iterdir() if entry.name.isdigit()] if states.is_dir() else []
    return max(steps, default=None)


def spent_seconds(folder: Path) -> float:
    """Seconds that the parts of a run took which were at work in a folder."""
    try:
        return float(json.loads((folder / _SECONDS).read_bytes()))
    except (OSError, ValueError, TypeError):
        return 0.0


def keep_seconds(folder: Path, seconds: float) -> None:
    """Keep the seconds that a run has taken, if it has come to its first save."""
    if saved_step(folder) is not None:
        write_bytes(folder / _SECONDS, json.dumps(seconds).encode(), overwrite=True)


def clear_checkpoint(folder: Path) -> None:
    """Remove a checkpoint, unless there is something else in its folder.

    Raises:
        FileError: something else is there, or a run is at work.
    """
    if not folder.exists():
        return
    kept = {folder / name for name in (SETTINGS, _LOCK, _STATES, _SECONDS)}
    states = folder / _STATES
    foreign = {*folder.iterdir()} - kept
    if states.is_dir():
        foreign |= {entry for entry in states.iterdir() if not _WRITTEN.fullmatch(entry.name)}
    strange = foreign | {path for path in (folder, *kept) if path.is_symlink()}
    if strange:
        raise file_error(folder, "removing the checkpoint", "nothing else there", f"there is {min(strange)}")
    lock = locked(folder / _LOCK)
    if lock is None:
        raise file_error(folder, "removing the checkpoint", "that no run is at work there", "there is one")
    try:
        if states.exists():
            shutil.rmtree(states)
        for name in (SETTINGS, _SECONDS):
            (folder / name).unlink(missing_ok=True)
    finally:
        lock.release()


def _shapes(state: Any) -> list[str]:
    import jax

    return [f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(state)]
