"""The surface of a periodic cell as it is drawn: the one that is written to files, with normals."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Shaped

from jaxmeta import geometry


class Mesh(NamedTuple):
    """Triangles for drawing.

    Attributes:
        vertices: Shape (vertices, 3), in units of the cell's longest edge.
        normals: Shape (vertices, 3), unit length, outward.
        faces: Shape (faces, 3), indices of vertices, counter-clockwise from outside.
        values: Shape (vertices,), what the colour shows, or None.
        coarse: Voxels of the cell along an edge of a voxel that is drawn; with 1 this is the surface of `cells.write`.
    """

    vertices: Float32[np.ndarray, "vertices 3"]
    normals: Float32[np.ndarray, "vertices 3"]
    faces: Int32[np.ndarray, "faces 3"]
    values: Float32[np.ndarray, "vertices"] | None = None
    coarse: int = 1


def cell_mesh(
    cell: Shaped[np.ndarray, "nx ny nz"],
    *,
    tile: int = 1,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    limit: int = 60_000,
) -> Mesh:
    """Makes the surface of a periodic cell, `geometry.smooth_surface`, ready to be drawn.

    Args:
        cell: Density, shape (nx, ny, nz), no unit; solid above 1/2.
        tile: Number of copies along each axis.
        spacing: Voxel edges, three lengths; only their ratios matter.
        limit: Largest number of vertices; a cell that has more is drawn from blocks of voxels, which may open or close
            what is thinner than a block.

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
    drawn, coarse = density, 1
    while True:
        vertices, faces = geometry.smooth_triangles(drawn, (edges / drawn.shape).tolist(), (tile,) * 3)
        halved = _halved(drawn)
        if len(vertices) <= limit or halved is None:
            return _with_normals(vertices, faces, tile * edges, coarse)
        drawn, coarse = halved, 2 * coarse


def _halved(density: np.ndarray) -> np.ndarray | None:
    """Half as many voxels along every axis, solid where half of a block is; None where that would not be a cell."""
    if any(side % 2 for side in density.shape) or max(density.shape) < 16:
        return None
    nx, ny, nz = (side // 2 for side in density.shape)
    solid = (density.reshape(nx, 2, ny, 2, nz, 2).mean(axis=(1, 3, 5)) >= 0.5).astype(np.float32)
    return solid if solid.any() else None


def _with_normals(vertices: np.ndarray, faces: np.ndarray, ends: np.ndarray, coarse: int) -> Mesh:
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
    points, triangles = vertices[keys // 7].astype(np.float32), index.reshape(-1, 3).astype(np.int32)
    return Mesh(points, normals.astype(np.float32), triangles, coarse=coarse)
