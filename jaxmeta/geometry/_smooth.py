"""The surface of a periodic cell for the eye: the shape behind the steps of its voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import ArrayLike, Shaped

from . import _checks
from ._surfaces import as_mesh, capped, check_spacing, cut_level

if TYPE_CHECKING:
    import trimesh

_BLUR = 1.0


def smooth_surface(
    density: Shaped[ArrayLike, "nx ny nz"],
    shape: Sequence[int] | None = None,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    repeat: Sequence[int] = (1, 1, 1),
) -> trimesh.Trimesh:
    """The closed surface of a periodic cell without the steps of its voxels, with outward normals.

    The density is blurred a little (periodically), sampled on a grid of nodes that includes the cell's faces, and cut
    at the level that keeps the solid's share of the volume, so that thin walls do not vanish in the blur. Where the
    solid meets the faces of the cell flat caps close the surface, with sharp edges.

    Args:
        density: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        shape: (mx, my, mz), steps of the sampling along each axis; those of the density if None.
        spacing: Edges of a voxel of the density, in the unit of length of the result.
        repeat: Copies of the cell along each axis.

    Returns:
        A watertight `trimesh.Trimesh`; its `volume` is nearly that of the solid voxels.

    Raises:
        ValueError: The cell does not have three axes, is traced or not finite, or has no solid.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> bar = np.zeros((8, 8, 8))
        >>> bar[:, 2:6, 2:6] = 1.0
        >>> mesh = geometry.smooth_surface(bar, (32, 32, 32))
        >>> bool(mesh.is_watertight), round(float(mesh.volume / bar.sum()), 2)
        (True, 0.97)
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    lengths = check_spacing(spacing)
    values = _checks.concrete(density, "density")
    _checks.grid_rank(values, "density")
    share = float(np.mean(values > 0.5))
    if share == 0:
        raise ValueError("Argument `density` must be solid somewhere, but no value is above 1/2.")
    steps = values.shape if shape is None else _checks.shape_of(shape)
    blur = [_BLUR * max(1.0, n / m) for n, m in zip(values.shape, steps, strict=True)]
    blurred = gaussian_filter(values.astype(np.float32), blur, mode="wrap")
    # Voxel centres stand at whole numbers, the cell's lower face at -1/2.
    axes = [np.arange(m, dtype=np.float32) * (n / m) - 0.5 for n, m in zip(values.shape, steps, strict=True)]
    nodes = map_coordinates(blurred, np.meshgrid(*axes, indexing="ij"), order=3, mode="grid-wrap", output=np.float32)
    level = float(np.clip(np.quantile(nodes, 1 - share, method="hazen"), 0.05, 0.95))
    nodes, cut = cut_level(nodes, level)
    copies = _checks.shape_of(repeat, "repeat")
    field = np.pad(np.tile(nodes, copies), [(0, 1)] * 3, mode="wrap")
    counts = zip(values.shape, steps, copies, strict=True)
    vertices, faces = capped(field, cut, [np.arange(m * c + 1) * (n / m) for n, m, c in counts])
    return as_mesh(vertices * lengths, faces)
