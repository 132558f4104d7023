r"""The surface of a binary cell without the steps of its voxels, which stays on its side of every voxel's centre.

Marching cubes puts one vertex on every edge between a solid and a void voxel centre, halfway. Here each vertex slides
along its edge by $s \in [-0.4, 0.4]$ voxels, to where its four neighbours in the contours on the faces of the cubes
want it: a smoothing that keeps flat faces where they are, and the connections of the triangles as they were. No line
through voxel centres is crossed elsewhere than before, so that voxels filled from the surface are those of the cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import ArrayLike, Float, Float32, Int, Shaped

from ._connectivity import solid_mask
from ._surfaces import as_mesh, check_spacing, cut_level, march, triangles

if TYPE_CHECKING:
    import trimesh

_GREY = 1e-3
_REACH = 0.4  # of a voxel
_STEPS = 20
_SHRINK, _GROW = 0.5, -0.53  # Taubin's pair: what is longer than some eight voxels keeps its size


def smooth_surface(
    density: Shaped[ArrayLike, "nx ny nz"],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    repeat: Sequence[int] = (1, 1, 1),
) -> trimesh.Trimesh:
    """The closed surface of a periodic cell of zeros and ones without the steps of its voxels, with outward normals.

    It has the triangles of `surface`, with its caps, and no vertex is further than half a voxel from there. `voxelize`
    on the grid of the cell gives the cell back. Files, pictures and reports all show this surface. A density that is
    grey somewhere says itself where its surface is: it has that of `surface`.

    Args:
        density: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        spacing: Edges of a voxel, in the unit of length of the result.
        repeat: Copies of the cell along each axis.

    Returns:
        A watertight `trimesh.Trimesh`; its `volume` is nearly that of the solid voxels.

    Raises:
        ValueError: The density does not have three axes, is traced or not finite, or has no solid.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> ball = np.asarray(geometry.sphere((16, 16, 16), radius=0.4)) > 0.5
        >>> mesh = geometry.smooth_surface(ball, (1 / 16, 1 / 16, 1 / 16))
        >>> mesh.is_watertight, round(float(mesh.volume / ball.mean()), 2)
        (True, 0.98)

    References:
        Gibson, MICCAI 1998: constrained elastic surface nets. Taubin, SIGGRAPH 1995: smoothing that does not shrink.
    """
    return as_mesh(*smooth_triangles(density, spacing, repeat))


def smooth_triangles(
    density: Shaped[ArrayLike, "nx ny nz"],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    repeat: Sequence[int] = (1, 1, 1),
) -> tuple[Float[np.ndarray, "vertices 3"], Int[np.ndarray, "faces 3"]]:
    """Vertices and faces of `smooth_surface`, without the second that trimesh takes to be loaded.

    Args:
        density: As in `smooth_surface`, and so are the others.
        spacing: Edges of a voxel.
        repeat: Copies of the cell along each axis.

    Returns:
        Positions, and indices of the three corners of each triangle, counter-clockwise from outside.

    Raises:
        ValueError: As `smooth_surface`.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> vertices, faces = geometry.smooth_triangles(np.ones((2, 2, 2)))
        >>> vertices.max(axis=0), faces.shape[1]
        (array([2., 2., 2.]), 3)
    """
    lengths = check_spacing(spacing)
    solid = solid_mask(density, "density")
    if np.any(np.abs(np.asarray(density, float) - solid) > _GREY):
        return triangles(density, 0.5, spacing, repeat)
    vertices, faces = triangles(solid, 0.5, (1.0, 1.0, 1.0), repeat)
    slides = _relaxed(solid)
    vertices = np.round(2 * vertices) / 2  # halfway, without the little by which the level is raised
    ends = np.array(solid.shape) * np.array(repeat)
    # Only along the axis of its edge is a vertex on a whole number; those of the caps are on a face besides.
    along = (vertices % 1 == 0) & (vertices > 0) & (vertices < ends)
    vertex, axis = np.nonzero(along)
    place = np.where(along[vertex], vertices[vertex] - 1, np.floor(vertices[vertex])).astype(np.int64)
    i, j, k = (np.clip(place, 0, ends - 1) % solid.shape).T
    vertices[vertex, axis] += slides[axis, i, j, k]
    return vertices * lengths, faces


def _relaxed(solid: np.ndarray) -> Float32[np.ndarray, "3 nx ny nz"]:
    """How far each vertex slides along its edge, from voxel (i, j, k) to the next along each axis; 0 where none is."""
    from scipy.sparse import csr_array

    slides = np.zeros((3, *solid.shape), np.float32)
    vertices, faces = march(np.pad(solid, (0, 1), mode="wrap").astype(np.float64), cut_level(solid, 0.5)[1])
    if not len(faces):
        return slides
    points = np.round(2 * vertices).astype(np.int64)  # in half voxels
    axis = np.argmax(points % 2, axis=1)
    key = np.ravel_multi_index((axis, *((points // 2) % solid.shape).T), slides.shape)
    keys, index = np.unique(key, return_inverse=True)
    # Neighbours are joined within a face of a cube, where both are on the same whole number of some axis. Two triangles
    # meet in each such side, once in either direction; on the ends of the period one does at either end.
    a, b = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T
    flat = ((points[a] == points[b]) & (points[a] % 2 == 0)).any(axis=1)
    a, b = a[flat], b[flat]
    pull = (points[b, axis[a]] - points[a, axis[a]]) / 2  # along the edge of a
    count = np.bincount(index[a], minlength=len(keys))
    mean = np.bincount(index[a], pull, len(keys)) / count
    same = np.where(axis[a] == axis[b], 1.0, 0.0) / count[index[a]]
    neighbours = csr_array((same, (index[a], index[b])), shape=(len(keys), len(keys)))
    slide = np.zeros(len(keys))
    for _ in range(_STEPS):
        for part in (_SHRINK, _GROW):
            slide = np.clip(slide + part * (mean + neighbours @ slide - slide), -_REACH, _REACH)
    slides.ravel()[keys] = slide
    return slides
