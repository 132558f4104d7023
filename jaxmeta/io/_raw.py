"""Plain binary voxels without a header, as scanners and `numpy.ndarray.tofile` write them."""

import math
import operator
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ._errors import Path, brief, file_error
from ._limits import Check
from ._open import open_binary


def read_raw(path: Path, shape: Sequence[int] | None, dtype: Any, order: Literal["C", "F"], check: Check) -> np.ndarray:
    """Reads voxels whose shape and type the caller knows.

    Args:
        path: The file.
        shape: (nx, ny, nz).
        dtype: Anything `numpy.dtype` takes.
        order: "C": z runs fastest, as `tofile` writes; "F": x runs fastest, as most scanners write.
        check: Called with place, shape and type before the data are read.

    Returns:
        The array of shape (nx, ny, nz).

    Raises:
        FileError: If the file's size does not fit.
        ValueError: If shape or type are missing or wrong.
    """
    if shape is None or dtype is None:
        raise ValueError("Arguments `shape` and `dtype` must be given for a .raw file, which has no header.")
    if order not in ("C", "F"):
        raise ValueError(f"Argument `order` must be 'C' or 'F', but is {order!r}.")
    try:
        kind = np.dtype(dtype)
    except TypeError:
        raise ValueError(f"Argument `dtype` must name a type of number, but is {brief(dtype)}.") from None
    try:
        edges = tuple(operator.index(edge) for edge in shape)
    except TypeError:
        raise ValueError(f"Argument `shape` must be three whole numbers, but is {brief(shape)}.") from None
    with open_binary(path) as (file, size):
        check("the shape and type given", edges, kind)
        expected = math.prod(edges) * kind.itemsize
        if size != expected:
            wanted = f"{expected} bytes for shape {edges} and type {kind.name}"
            raise file_error(path, "size", wanted, f"the file has {size}")
        array = np.fromfile(file, kind)
    if array.size != math.prod(edges):
        raise file_error(path, f"byte {array.nbytes}", f"{expected} bytes", "the file ends")
    return array.reshape(edges, order=order)
