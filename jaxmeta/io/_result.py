"""What `.npz` and `.h5` results have in common."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped


def check_spacing(spacing: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """Returns three positive lengths.

    Args:
        spacing: Voxel edges, shape (3,), in the user's unit of length.

    Returns:
        The same as floats.

    Raises:
        ValueError: If there are not three of them, or one is not positive and finite.
    """
    values = np.asarray(spacing, dtype=float)
    if values.shape != (3,) or not np.all(np.isfinite(values)) or not np.all(values > 0):
        raise ValueError(f"Argument `spacing` must be three positive lengths, but is {spacing!r}.")
    return float(values[0]), float(values[1]), float(values[2])


def check_cell(density: Shaped[np.ndarray, "nx ny nz"], argument: str = "density") -> np.ndarray:
    """Returns a density as an array that can be stored: real, three axes, not empty.

    Args:
        density: Shape (nx, ny, nz), no unit.
        argument: The argument's name in an error.

    Returns:
        The array; bool becomes uint8.

    Raises:
        ValueError: If the shape or type is wrong.
    """
    array = np.asarray(density)
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"Argument `{argument}` must have shape (nx, ny, nz), but has shape {array.shape}.")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"Argument `{argument}` must hold real numbers, but has type {array.dtype}.")
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def check_result(
    density: Shaped[np.ndarray, "nx ny nz"] | None,
    stiffness: Shaped[np.ndarray, "6 6"] | None,
    spacing: Sequence[float],
) -> dict[str, np.ndarray]:
    """Returns the arrays of a result by name.

    Args:
        density: Shape (nx, ny, nz), no unit, or None.
        stiffness: Shape (6, 6), in the user's unit of stress, or None.
        spacing: Voxel edges, three lengths.

    Returns:
        `density` and `spacing` if there is a density, `stiffness` if there is one.

    Raises:
        ValueError: If both are None or a shape is wrong.
    """
    arrays: dict[str, np.ndarray] = {}
    if density is not None:
        arrays["density"] = check_cell(density)
        arrays["spacing"] = np.asarray(check_spacing(spacing))
    if stiffness is not None:
        matrix = np.asarray(stiffness)
        if matrix.shape != (6, 6):
            raise ValueError(f"Argument `stiffness` must have shape (6, 6), but has shape {matrix.shape}.")
        arrays["stiffness"] = matrix
    if not arrays:
        raise ValueError("Arguments `density` and `stiffness` are both None, but one of them must be given.")
    return arrays
