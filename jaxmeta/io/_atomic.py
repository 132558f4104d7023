"""Writing a file whole or not at all, and never over an existing one unasked."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path as _Path

from ._errors import FileError, Path, file_error, system_text


@contextmanager
def atomic_path(path: Path, overwrite: bool) -> Iterator[_Path]:
    """Gives a temporary file in the target's folder, and puts it in the target's place when the block ends well.

    Args:
        path: The target.
        overwrite: Whether an existing target may be replaced.

    Yields:
        The temporary file; it exists and is empty.

    Raises:
        FileError: If the target exists and `overwrite` is False, or if it cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from jaxmeta.io import atomic_path
        >>> with atomic_path("numbers.txt", overwrite=True) as temporary:
        ...     _ = temporary.write_text("1 2 3")
        >>> Path("numbers.txt").read_text()
        '1 2 3'
    """
    target = _Path(path)
    if target.is_dir():
        raise file_error(path, "writing", "a file name", "it is a folder")
    if not overwrite and os.path.lexists(target):
        raise _exists(path)
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        # Not `tempfile`: its files are closed to others, while this mode follows the user's umask.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise file_error(path, "writing", "a folder that can be written to", system_text(error)) from None
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        _publish(temporary, target, overwrite)
    except FileError:
        raise
    except OSError as error:
        raise file_error(path, "writing", "room and permission for the file", system_text(error)) from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)


@contextmanager
def together(folder: Path, overwrite: bool) -> Iterator[_Path]:
    """Gives a temporary folder within another one, and puts its files into that one when the block ends well.

    So either all of them are written, or none is.

    Args:
        folder: where the files go; it exists.
        overwrite: whether existing files may be replaced.

    Yields:
        The temporary folder.

    Raises:
        FileError: a file exists and `overwrite` is False, or the folder cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from jaxmeta.io import together, write_bytes
        >>> with together(".", overwrite=True) as place:
        ...     write_bytes(place / "a.txt", b"1", overwrite=False)
        ...     write_bytes(place / "b.txt", b"2", overwrite=False)
        >>> Path("a.txt").exists(), Path("b.txt").exists(), place.exists()
        (True, True, False)
    """
    whole = _Path(folder)
    temporary = whole / f".{secrets.token_hex(6)}.tmp"
    try:
        temporary.mkdir()
    except OSError as error:
        raise file_error(folder, "writing", "a folder that can be written to", system_text(error)) from None
    try:
        yield temporary
        targets = [whole / path.name for path in sorted(temporary.iterdir())]
        for target in targets:
            if not overwrite and os.path.lexists(target):
                raise _exists(target)
        for target in targets:
            _publish(temporary / target.name, target, overwrite)
    except FileError as error:
        raise FileError(str(error).replace(f"{temporary.name}{os.sep}", "")) from None
    except OSError as error:
        raise file_error(folder, "writing", "room and permission for the files", system_text(error)) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _publish(temporary: _Path, target: _Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, target)
        return
    try:
        # A hard link fails if somebody made the target meanwhile; a replacement would not.
        os.link(temporary, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise _exists(target) from None
        os.replace(temporary, target)


def _exists(path: Path) -> FileError:
    return file_error(path, "writing", "a new file name or overwrite=True", "the file exists already")


def write_bytes(path: Path, content: bytes, overwrite: bool) -> None:
    """Writes a whole file at once.

    Args:
        path: The file.
        content: All of its bytes.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from jaxmeta.io import write_bytes
        >>> write_bytes("numbers.bin", bytes(3), overwrite=True)
        >>> Path("numbers.bin").stat().st_size
        3
    """
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(content)
