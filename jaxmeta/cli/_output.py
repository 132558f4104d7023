"""The folder of a result: claimed before the work begins; and what moves meanwhile."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from .._texts import duration
from ._errors import UsageError


@contextmanager
def claimed(folder: Path | None, overwrite: bool) -> Iterator[None]:
    """Makes sure that a folder can be written, before hours of work; leaves no empty folder behind when they fail.

    Args:
        folder: The folder, or None for no output.
        overwrite: Whether it may hold files already.

    Raises:
        UsageError: If it is no folder, cannot be written, or is not empty.
    """
    if folder is None:
        yield
        return
    made = not folder.exists()
    _claim(folder, overwrite)
    try:
        yield
    except BaseException:
        if made:
            with suppress(OSError):
                folder.rmdir()
        raise


def written(folder: Path, files: Mapping[str, str]) -> list[str]:
    """One line for each file: its path, and what is in it.

    Args:
        folder: Of the files.
        files: Name to content.
    """
    width = max(len(str(folder / name)) for name in files)
    return [f"{folder / name!s:<{width}}  {content}" for name, content in files.items()]


def spent(seconds: Mapping[str, float]) -> str:
    """Where the time went.

    Args:
        seconds: Phase to seconds.
    """
    return ", ".join(f"{what} {duration(value)}" for what, value in seconds.items())


def _claim(folder: Path, overwrite: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        count = len(os.listdir(folder))
        probe = folder / f".{secrets.token_hex(6)}.tmp"
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or "it is not").lower()
        raise UsageError(f"Argument `output` must be a folder that can be written, but {folder}: {reason}.") from None
    if count and not overwrite:
        raise UsageError(
            f"Argument `output` must be a new or empty folder, but {folder} holds {count} file{'s' * (count > 1)}: add "
            "`overwrite` to replace those of an earlier run."
        )


def spinner(text: str) -> Any:
    """Something that moves on a terminal while the work takes its time."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(f"{text} …")
