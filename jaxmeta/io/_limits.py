"""Sizes are checked here before memory is taken."""

import math
import os
from collections.abc import Callable, Sequence

import numpy as np

from ._errors import Path, brief, file_error

MAX_VOXELS = 2**31

# Called by a reader with (place, shape, dtype) as soon as a header is known and before any data is read.
Check = Callable[[str, tuple[int, ...], np.dtype], None]


def physical_memory() -> int | None:
    """Returns the machine's memory in bytes, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def check_numbers(path: Path, place: str, dtype: np.dtype) -> None:
    """Refuses everything but plain real numbers: objects (pickles), records, text, complex numbers."""
    if dtype.hasobject:
        raise file_error(path, place, "numbers", "the data are pickled Python objects, which are never loaded")
    if dtype.kind not in "biuf" or dtype.shape:
        raise file_error(path, place, "real numbers", f"the type is {brief(str(dtype))}")


def check_size(path: Path, place: str, shape: Sequence[int], dtype: np.dtype) -> None:
    """Refuses empty shapes, shapes beyond `MAX_VOXELS`, and data that cannot fit into memory."""
    if any(edge < 1 for edge in shape):
        raise file_error(path, place, "at least one voxel along every axis", f"the shape is {brief(tuple(shape))}")
    count = math.prod(shape)
    if count > MAX_VOXELS:
        found = f"the shape {brief(tuple(shape))} has {count:.3g}"
        raise file_error(path, place, f"at most {MAX_VOXELS} voxels", found)
    memory = physical_memory()
    if memory is not None and count * dtype.itemsize > memory:
        found = f"the data need {count * dtype.itemsize / 2**30:.1f} GiB"
        raise file_error(path, place, f"data that fit into memory ({memory / 2**30:.1f} GiB)", found)


def check_density(path: Path) -> Check:
    """Returns the check for a density: three axes of real numbers, not too many."""

    def check(place: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        check_numbers(path, place, dtype)
        if not voxel_shape(shape):
            raise file_error(path, place, "a density of shape (nx, ny, nz)", f"the shape is {brief(shape)}")
        check_size(path, place, shape, dtype)

    return check


def check_edges(path: Path) -> Check:
    """Returns the check for voxel edges: three numbers in whatever shape, as a row of a matrix may be."""

    def check(place: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        check_shape(path, (3,))(place, (3,) if math.prod(shape) == 3 else shape, dtype)

    return check


def voxel_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape without axes of length 1 before and after the three of a density; () if these are not clear."""
    starts = range(len(shape) - 2)
    found = {shape[start : start + 3] for start in starts if set(shape[:start] + shape[start + 3 :]) <= {1}}
    return found.pop() if len(found) == 1 else ()


def check_shape(path: Path, expected: tuple[int, ...]) -> Check:
    """Returns the check for an array of one known shape."""

    def check(place: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        check_numbers(path, place, dtype)
        if shape != expected:
            raise file_error(path, place, f"an array of shape {expected}", f"the shape is {brief(shape)}")

    return check
