"""Reading the triangles of an STL file, binary or text, and the voxels inside them."""

import operator
import re
from codecs import BOM_UTF8
from collections.abc import Sequence

import numpy as np

from ._errors import Path, brief, file_error
from ._limits import Check, physical_memory
from ._open import open_binary

RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")])
_VERTEX = re.compile(rb"\bvertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)
_NAME = re.compile(rb"^\s*(?:end)?solid\b.*?(?=\bfacet\s+normal\b|$)", re.IGNORECASE | re.MULTILINE)
_FACET = re.compile(rb"\bendfacet\b", re.IGNORECASE)


def read_stl(path: Path, resolution: int | Sequence[int] | None, check: Check) -> tuple[np.ndarray, np.ndarray]:
    """Fills closed surfaces with voxels (`geometry.voxelize`); the grid is their bounding box.

    Args:
        path: The file.
        resolution: Voxels along the longest edge, or along x, y and z.
        check: Called with place, shape and type before the voxels are made.

    Returns:
        The density of zeros and ones, shape (nx, ny, nz), float32, and the voxel edges, shape (3,).

    Raises:
        FileError: If the file is damaged, or `geometry.voxelize` refuses its surface.
        ValueError: If there is no resolution.
    """
    from ..geometry import SurfaceError, voxelize

    counts = _resolution(resolution)
    corners = read_triangles(path)
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    size = high - low
    if not np.all(size > 0):
        raise file_error(path, "triangles", "a surface around a volume", f"its size is {brief(tuple(size.tolist()))}")
    if len(counts) == 1:
        counts = tuple(max(1, round(counts[0] * float(edge / size.max()))) for edge in size)
    check("resolution", counts, np.dtype(np.float32))
    spacing = size / np.array(counts)
    try:
        return voxelize(corners, low, spacing, counts), spacing
    except SurfaceError as error:
        raise file_error(path, "triangles", error.expected, error.found) from None


def _resolution(resolution: int | Sequence[int] | None) -> tuple[int, ...]:
    if resolution is None:
        raise ValueError(
            "Argument `resolution` must be given for a .stl file: the number of voxels along its longest edge."
        )
    try:
        counts = tuple(operator.index(count) for count in np.atleast_1d(np.asarray(resolution)).tolist())
    except TypeError:
        counts = ()
    if len(counts) not in (1, 3) or any(count < 1 for count in counts):
        raise ValueError(f"Argument `resolution` must be one or three positive whole numbers, but is {resolution!r}.")
    return counts


def read_triangles(path: Path) -> np.ndarray:
    """Reads the triangles' corners.

    Args:
        path: The file.

    Returns:
        Shape (triangles, 3, 3): triangle, corner, coordinate; float64, in the file's unit of length.

    Raises:
        FileError: If the file is truncated, foreign or empty, or a coordinate is not finite.
    """
    with open_binary(path) as (file, size):
        head = file.read(84)
        count = int.from_bytes(head[80:84], "little")
        if len(head) == 84 and size == 84 + RECORD.itemsize * count:
            with np.errstate(invalid="ignore"):  # NaN is refused below, with its place
                corners = np.frombuffer(file.read(), RECORD)["corners"].astype(np.float64)
        elif head.removeprefix(BOM_UTF8).lstrip()[:5].lower() == b"solid":
            memory = physical_memory()
            if memory is not None and 4 * size > memory:
                raise file_error(path, "size", "a text file that fits into memory", f"the file has {size} bytes")
            corners = _parse_text(path, (head + file.read()).removeprefix(BOM_UTF8))
        elif len(head) < 84:
            raise file_error(path, "header", "84 bytes of binary STL or text", f"the file has {size} bytes")
        else:
            wanted = f"{84 + RECORD.itemsize * count} bytes for {count} triangles"
            raise file_error(path, "header, byte 80", wanted, f"the file has {size}")
    if not len(corners):
        raise file_error(path, "triangles", "some", "there are none")
    bad = ~np.isfinite(corners).all(axis=(1, 2))
    if bad.any():
        raise file_error(path, f"triangle {int(np.argmax(bad))}", "finite coordinates", "some are not")
    return corners


def _parse_text(path: Path, text: bytes) -> np.ndarray:
    whole = b"endsolid" in text[-1024:].lower()
    text = _NAME.sub(b"", text)  # names may hold any word
    facets = len(_FACET.findall(text))
    triples = _VERTEX.findall(text)
    if len(triples) != 3 * facets or not whole:
        found = f"there are {len(triples)} for {facets} facets, or the end is missing"
        raise file_error(path, "text", "three vertices per facet up to 'endsolid'", found)
    try:
        values = np.array([float(word) for triple in triples for word in triple])
    except ValueError:
        raise file_error(path, "text", "numbers after every 'vertex'", "some are none") from None
    return values.reshape(-1, 3, 3)
