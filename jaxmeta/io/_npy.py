"""NumPy's `.npy` and `.npz`: the header is read and checked first, and nothing is ever unpickled."""

import io
import math
import warnings
import zipfile

import numpy as np

from ._errors import FileError, Path, brief, file_error, system_text
from ._limits import Check, check_edges
from ._open import open_binary

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 10_000
_CHUNK = 1 << 24


def read_npy(path: Path, check: Check) -> np.ndarray:
    """Reads one `.npy` file.

    Args:
        path: The file.
        check: Called with place, shape and type before the data are read.

    Returns:
        The array, in the file's type and shape.

    Raises:
        FileError: If the file is not what `check` allows, is truncated or is no `.npy` file.
    """
    with open_binary(path) as (file, size):
        return _read_stream(path, "header", file, size, check)


def read_npz(path: Path, name: str | None, default: str, check: Check) -> tuple[np.ndarray, str, np.ndarray | None]:
    """Reads one array of an `.npz` archive, and its `spacing` when there is one.

    Args:
        path: The file.
        name: The array's name, or None for `default` or else the only array there is.
        default: The name looked for when none is given.
        check: Called with place, shape and type before the data are read.

    Returns:
        The array, its name, and the three numbers of `spacing` or None.

    Raises:
        FileError: If the archive or the array is not as expected.
    """
    with open_binary(path) as (file, _):
        try:
            with zipfile.ZipFile(file) as archive:
                names = [entry.removesuffix(".npy") for entry in archive.namelist() if entry.endswith(".npy")]
                chosen = choose_name(path, names, name, default, "an array")
                array = _read_member(path, archive, chosen, check)
                spacing = None
                if "spacing" in names and chosen != "spacing":
                    spacing = _read_member(path, archive, "spacing", check_edges(path))
                return array, chosen, spacing
        except FileError:
            raise
        except Exception as error:  # damage, encryption and unknown compression all raise something else
            raise file_error(path, "archive", "a whole .npz archive", system_text(error)) from None


def choose_name(path: Path, names: list[str], name: str | None, default: str, kind: str) -> str:
    """Picks an array by name: the one asked for, else the default, else the only one."""
    if name is not None:
        if name not in names:
            raise file_error(path, "contents", f"{kind} named {brief(name)}", f"there are {_listing(names)}")
        return name
    if default in names:
        return default
    if len(names) == 1:
        return names[0]
    raise file_error(path, "contents", f"{kind} named '{default}' or a name to choose", f"there are {_listing(names)}")


def _listing(names: list[str]) -> str:
    return (", ".join(brief(name, 30) for name in names[:8]) + (", ..." if len(names) > 8 else "")) or "none"


def _read_member(path: Path, archive: zipfile.ZipFile, name: str, check: Check) -> np.ndarray:
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as file:
        # `file_size` is what the archive claims; the reader below never takes more than that.
        return _read_stream(path, f"array {brief(name)}", file, member.file_size, check)  # pyright: ignore[reportArgumentType]


def _read_stream(path: Path, place: str, file: io.BufferedIOBase, size: int, check: Check) -> np.ndarray:
    shape, fortran, dtype, offset = _read_header(path, place, file)
    check(place, shape, dtype)
    expected = math.prod(shape) * dtype.itemsize
    if size - offset != expected:
        found = f"there are {size - offset}"
        raise file_error(path, f"{place}, data from byte {offset}", f"{expected} bytes for shape {shape}", found)
    data = np.empty(expected, np.uint8)
    filled = 0
    while filled < expected:
        chunk = file.read(min(_CHUNK, expected - filled))
        if not chunk:
            raise file_error(path, f"{place}, byte {offset + filled}", f"{expected} bytes of data", "the file ends")
        data[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        filled += len(chunk)
    return data.view(dtype).reshape(shape, order="F" if fortran else "C")


def _read_header(path: Path, place: str, file: io.BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    start = file.read(8)
    if len(start) < 8 or start[:6] != _MAGIC:
        raise file_error(path, f"{place}, byte 0", "the start of a .npy file", f"the bytes are {brief(start)}")
    width = {1: 2, 2: 4}.get(start[6])
    if width is None:
        raise file_error(path, f"{place}, byte 6", "version 1 or 2 of the .npy format", f"it is version {start[6]}")
    length = file.read(width)
    count = int.from_bytes(length, "little")
    if len(length) < width or count > _MAX_HEADER:
        raise file_error(path, f"{place}, byte 8", f"a header of at most {_MAX_HEADER} bytes", f"its length is {count}")
    text = file.read(count)
    if len(text) < count:
        raise file_error(path, place, f"a header of {count} bytes", f"the file ends after {len(text)}")
    try:
        parse = np.lib.format.read_array_header_1_0 if width == 2 else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about text that is odd but can be read, which the checks below judge
            shape, fortran, dtype = parse(io.BytesIO(length + text), max_header_size=_MAX_HEADER)
    except Exception:  # text in place of the dictionary makes NumPy's parser fail in many ways
        found = f"it reads {brief(text)}"
        raise file_error(path, place, "a dictionary of shape, order and type", found) from None
    if not all(isinstance(edge, int) and not isinstance(edge, bool) and edge >= 0 for edge in shape):
        raise file_error(path, place, "a shape of whole numbers", f"it is {brief(shape)}")
    return shape, fortran, dtype, 8 + width + count
