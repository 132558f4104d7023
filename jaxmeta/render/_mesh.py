"""The surface of a periodic cell as it is drawn: smooth, with normals and no more triangles than are seen."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Shaped

from jaxmeta import geometry

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
    edges = np.asarray(density.shape) * np.asarray(spacing, dtype=float)
    edges /= edges.max()
    longest = max(density.shape)
    # No finer than a picture can show, whatever the number of copies.
    factor = min(max(1.0, _FINEST / longest), _LARGEST / (tile * longest))
    while True:
        counts = [max(2, round(factor * side)) for side in density.shape]
        mesh = geometry.smooth_surface(density, counts, (edges / density.shape).tolist(), (tile,) * 3)
        if len(mesh.vertices) <= limit or factor * longest <= 8:
            break
        factor *= 0.95 * (limit / len(mesh.vertices)) ** 0.5
    return _with_normals(np.asarray(mesh.vertices), np.asarray(mesh.faces), tile * edges)


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
    return Mesh(
        vertices[keys // 7].astype(np.float32), normals.astype(np.float32), index.reshape(-1, 3).astype(np.int32)
    )
