"""Where what was compiled is kept between processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs


def cache_folder(name: str) -> Path | None:
    """A folder in the user's cache folder, which nobody else can write to: programs are read from it.

    Args:
        name: of the folder.

    Returns:
        The folder, which exists then; or None where there is none to be had: the user has no home, or the folder
        cannot be written, or belongs to somebody else.
    """
    try:
        root = platformdirs.user_cache_path("jaxmeta", appauthor=False)
    except (RuntimeError, LookupError, ValueError):  # no home is known
        return None
    if not root.is_absolute():
        return None
    folder = root / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return None
    if sys.platform != "win32" and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
        return None
    return folder if os.access(folder, os.R_OK | os.W_OK | os.X_OK) else None
