"""The folder of a run: what the run was given, and who is at work in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from ..io import FileError, file_error, system_text, write_bytes

SETTINGS = "run.json"


def settle(folder: Path, settings: Mapping[str, Any]) -> str:
    """Keep the settings of a run in its folder; where some are kept already, tell what differs.

    The versions of jaxmeta and JAX and the precision of JAX's numbers are settings of every run.

    Args:
        folder: of the run.
        settings: what the run is, by name, as JSON can hold it.

    Returns:
        Names of what differs, with both values where they are short; nothing for the same run.

    Raises:
        FileError: the settings cannot be written, or what stands there is no JSON.
    """
    stated = json.dumps({**settings, **surroundings()}, indent=1, sort_keys=True).encode()
    path = folder / SETTINGS
    if not path.exists():
        try:
            write_bytes(path, stated, overwrite=False)
        except FileError:
            if not path.exists():  # another process may have been first
                raise
    try:
        kept = json.loads(path.read_bytes())
    except ValueError as error:
        raise file_error(path, "contents", "the settings of a run in JSON", system_text(error)) from None
    return _difference(kept, json.loads(stated))


def surroundings() -> dict[str, Any]:
    """What else the results depend on."""
    versions = {name: version(name) for name in ("jaxmeta", "jax", "jaxlib")}
    switches = {"x64": "jax_enable_x64", "matmul precision": "jax_default_matmul_precision"}
    return versions | {name: switch(flag) for name, flag in switches.items()}


def switch(flag: str) -> Any:
    """How a switch of JAX stands in this thread."""
    import jax  # here, for a command line has the options of this package, and is to answer before it needs JAX

    return getattr(jax.config, flag)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    def told(name: str) -> str:
        values = [json.dumps(settings.get(name)) for settings in (before, now)]
        return f"{name} ({values[0]}, not {values[1]})" if max(map(len, values)) <= 40 else name

    return ", ".join(told(name) for name in sorted({*before, *now}) if before.get(name) != now.get(name))


def locked(path: Path) -> BaseFileLock | None:
    """A lock that the system lets go when this process ends, however it ends; None while another holder has it.

    Args:
        path: a file for the lock, made if it is not there.

    Raises:
        FileError: the file cannot be made, or its file system has no locks.
    """
    # Not a soft lock where there is no real one: that would outlive a process that is killed.
    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    except OSError as error:
        raise file_error(
            path, "locking", "a folder that can be written to, with file locks", system_text(error)
        ) from None
    return lock
