"""Opening a file for reading, with one kind of error."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader

from ._errors import Path, file_error, system_text


@contextmanager
def open_binary(path: Path) -> Iterator[tuple[BufferedReader, int]]:
    """Opens a regular file and gives it with its size in bytes.

    Args:
        path: The file.

    Yields:
        The open file and its size.

    Raises:
        FileError: If it cannot be opened or is a folder, a pipe or a device.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            found = "it is a folder" if stat.S_ISDIR(mode) else "it is a pipe or a device"
            raise file_error(path, "opening", "a regular file", found)
        file = open(path, "rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise file_error(path, "opening", "a readable file", system_text(error)) from None
    with file:
        yield file, os.fstat(file.fileno()).st_size
