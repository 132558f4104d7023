"""A smooth surface of a periodic cell, for the eye.

Voxels are steps; the eye wants the shape behind them. The density is blurred a little (periodically), sampled on a grid
of nodes that includes the cell's faces, and cut at the level that keeps the solid's share of the volume, so that thin
walls do not vanish in the blur. Where material meets the cell's faces it is closed by flat caps with sharp edges.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Shaped

_BLUR = 1.0
_FINEST, _LARGEST = 64, 192


class Mesh(NamedTuple):
    """Triangles for drawing.

    Attributes:
        vertices: Shape (vertices, 3), in units of the cell's longest edge.
        normals: Shape (vertices, 3), unit length, outward.
        faces: Shape (faces, 3), indices of vertices, counter-clockwise from outside.
        values: Shape (vertices,), what the colour shows, or None.
    """

    vertices: Float32[np.ndarray, "vertices 3"]
    normals: Float32[np.ndarray, "vertices 3"]
    faces: Int32[np.ndarray, "faces 3"]
    values: Float32[np.ndarray, "vertices"] | None = None


def cell_mesh(
    cell: Shaped[np.ndarray, "nx ny nz"],
    *,
    tile: int = 1,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    limit: int = 60_000,
) -> Mesh:
    """Makes a smooth surface of a periodic cell.

    Args:
        cell: Density, shape (nx, ny, nz), no unit; solid above 1/2.
        tile: Number of copies along each axis.
        spacing: Voxel edges, three lengths; only their ratios matter.
        limit: Largest number of vertices; the sampling is coarsened until it holds.

    Returns:
        The surface; it spans 0 to 1 for each copy along the longest edge.

    Raises:
        ValueError: If the cell has the wrong shape, or is empty.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.render import cell_mesh
        >>> cell_mesh(np.ones((4, 4, 4))).vertices.max()
        np.float32(1.0)
    """
    density = np.asarray(cell, dtype=np.float32)
    if density.ndim != 3 or 0 in density.shape:
        raise ValueError(f"Argument `cell` must have shape (nx, ny, nz), but has shape {density.shape}.")
    if tile < 1:
        raise ValueError(f"Argument `tile` must be at least 1, but is {tile}.")
    if not np.any(density > 0.5):
        raise ValueError("Argument `cell` must be solid somewhere, but no density is above 1/2.")
    longest = max(density.shape)
    # No finer than a picture can show, whatever the number of copies.
    factor = min(max(1.0, _FINEST / longest), _LARGEST / (tile * longest))
    while True:
        vertices, faces = _extract(density, tile, factor)
        if len(vertices) <= limit or factor * longest <= 8:
            break
        factor *= 0.95 * (limit / len(vertices)) ** 0.5
    edges = np.asarray(density.shape) * np.asarray(spacing, dtype=float)
    vertices *= (edges / edges.max()).astype(np.float32)
    return _with_normals(vertices, faces, tile * (edges / edges.max()).astype(np.float32))


def _extract(density: np.ndarray, tile: int, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns vertices in units of cells and faces."""
    from scipy.ndimage import gaussian_filter, map_coordinates
    from skimage.measure import marching_cubes

    counts = [max(2, round(factor * edge)) for edge in density.shape]
    blur = [_BLUR * max(1.0, edge / count) for edge, count in zip(density.shape, counts, strict=True)]
    smooth = gaussian_filter(density, blur, mode="wrap")
    # Voxel centres stand at whole numbers, the cell's lower face at -1/2.
    axes = [np.arange(m, dtype=np.float32) * (n / m) - 0.5 for n, m in zip(density.shape, counts, strict=True)]
    nodes = map_coordinates(smooth, np.meshgrid(*axes, indexing="ij"), order=3, mode="grid-wrap", output=np.float32)
    level = float(np.clip(np.quantile(nodes, 1 - np.mean(density > 0.5)), 0.05, 0.95))
    field = np.pad(np.tile(nodes, (tile,) * 3), [(0, 1)] * 3, mode="wrap")
    # So far below the level that the caps come to lie on the cell's faces.
    field = np.pad(field, 1, constant_values=-1e3)
    vertices, faces, _, _ = marching_cubes(field, level, gradient_direction="ascent")
    ends = np.array(counts, np.float32) * tile
    vertices = np.clip(vertices.astype(np.float32) - 1, 0, ends) / np.array(counts, np.float32)
    return vertices, faces.astype(np.int64)


def _with_normals(vertices: np.ndarray, faces: np.ndarray, ends: np.ndarray) -> Mesh:
    """Adds normals, smooth within the curved part and within each cap; a vertex on an edge is doubled."""
    corners = vertices[faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    part = np.zeros(len(faces), np.int64)
    for axis in range(3):
        for side, position in enumerate((0.0, ends[axis])):
            flat = np.all(np.abs(corners[:, :, axis] - position) < 1e-6, axis=1)
            part[flat] = 1 + 2 * axis + side
    keys, index = np.unique((faces * 7 + part[:, None]).ravel(), return_inverse=True)
    normals = np.zeros((len(keys), 3))
    for column in range(3):
        normals[:, column] = np.bincount(index, np.repeat(area[:, column], 3), len(keys))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    # Slivers without any area have no normal of their own; nobody sees which one they get.
    normals = np.where(length > 0, normals / np.where(length > 0, length, 1), (0.0, 0.0, 1.0))
    return Mesh(vertices[keys // 7], normals.astype(np.float32), index.reshape(-1, 3).astype(np.int32))
