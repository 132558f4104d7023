"""The closed surface of a density, as arrays for `write_stl`."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped


def surface(
    density: Shaped[np.ndarray, "nx ny nz"],
    *,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    level: float = 0.5,
) -> tuple[Float[np.ndarray, "vertices 3"], Int[np.ndarray, "faces 3"]]:
    """Finds the closed surface of a density with `jaxmeta.geometry.surface`.

    Args:
        density: Shape (nx, ny, nz), no unit.
        spacing: Voxel edges, three lengths.
        level: Density on the surface.

    Returns:
        Vertices, shape (vertices, 3), in the unit of `spacing`, and faces, shape (faces, 3), as indices of vertices.

    Raises:
        ValueError: If the density does not have three axes or nowhere exceeds the level, or a spacing is not positive.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import surface
        >>> vertices, faces = surface(np.ones((2, 2, 2)))
        >>> float(vertices.min()), float(vertices.max())
        (0.0, 2.0)
    """
    from .. import geometry  # loads JAX, which files need for nothing else

    mesh = geometry.surface(density, level, spacing)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)
