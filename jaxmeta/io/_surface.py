"""The closed surface of a density."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped

from ._result import check_cell, check_spacing


def surface(
    density: Shaped[np.ndarray, "nx ny nz"],
    *,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    level: float = 0.5,
) -> tuple[Float[np.ndarray, "vertices 3"], Int[np.ndarray, "faces 3"]]:
    """Finds where a density passes through a level, by marching cubes.

    The density is taken at voxel centres, (i + 1/2) × spacing, and padded with void, so the surface is closed also
    where material touches the block's faces. Normals point out of the material.

    Args:
        density: Shape (nx, ny, nz), no unit.
        spacing: Voxel edges, three lengths.
        level: Density on the surface, between the smallest and the largest one.

    Returns:
        Vertices, shape (vertices, 3), in the unit of `spacing`, and faces, shape (faces, 3), as indices of vertices.

    Raises:
        ValueError: If nothing is above the level, or the level is not positive.

    References:
        W. E. Lorensen and H. E. Cline (1987), Marching cubes; T. Lewiner and others (2003) for the closed variant.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import surface
        >>> vertices, faces = surface(np.ones((2, 2, 2)))
        >>> float(vertices.min()), float(vertices.max())
        (0.0, 2.0)
    """
    from skimage.measure import marching_cubes

    cell = check_cell(density)
    edges = np.asarray(check_spacing(spacing))
    if not level > 0:
        raise ValueError(f"Argument `level` must be positive, but is {level}.")
    if not np.max(cell) > level:
        raise ValueError(f"Argument `density` must exceed {level} somewhere, but its largest value is {np.max(cell)}.")
    padded = np.pad(cell.astype(np.float32, copy=False), 1)
    vertices, faces, _, _ = marching_cubes(padded, level, gradient_direction="ascent")
    # Index 1 of the padded grid is the centre of the first voxel.
    return (vertices.astype(np.float64) - 0.5) * edges, faces.astype(np.int64)
