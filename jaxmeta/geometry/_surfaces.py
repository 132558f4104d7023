r"""Triangulated surfaces of a cell: smooth by marching cubes, or blocky and exact.

Coordinates are those of the cell: voxel (i, j, k) has its centre at ((i + 1/2) hx, (j + 1/2) hy, (k + 1/2) hz), with
h the spacing. Closed surfaces have caps on the faces of the cell, with sharp edges, and their normals point from solid
to void. Files, pictures and reports all have their surfaces from `surface`. These functions run on the host.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import ArrayLike, Float, Int, Shaped

from . import _checks
from ._connectivity import solid_mask

if TYPE_CHECKING:
    import trimesh

# The level is raised by this part of the range: see `cut_level`.
_NUDGE = 1e-4


def surface(
    density: Shaped[ArrayLike, "nx ny nz"],
    level: float = 0.5,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    repeat: Sequence[int] = (1, 1, 1),
) -> "trimesh.Trimesh":
    r"""The closed surface of the solid by marching cubes, with outward normals.

    The density is taken as linear between voxel centres, and as constant from the outermost ones to the faces of the
    cell, where flat caps close the surface. Inner edges of a binary cell come out bevelled by half a voxel.

    Args:
        density: (nx, ny, nz), the whole cell or any block.
        level: The density at the surface.
        spacing: Edges of a voxel, in the unit of length of the result.
        repeat: Copies of the cell along each axis.

    Returns:
        A watertight `trimesh.Trimesh`; its `volume` is positive.

    Raises:
        ValueError: The density does not have three axes, is traced or not finite, or nowhere exceeds the level.

    Example:
        >>> import jaxmeta.geometry as geometry
        >>> mesh = geometry.surface(geometry.sphere((16, 16, 16), radius=0.4), spacing=(1 / 16, 1 / 16, 1 / 16))
        >>> mesh.is_watertight, round(float(mesh.volume), 2)
        (True, 0.26)

    References:
        Lewiner and others, Journal of Graphics Tools 8, 1 (2003): marching cubes without ambiguous faces.
    """
    return as_mesh(*triangles(density, level, spacing, repeat))


def triangles(
    density: Shaped[ArrayLike, "nx ny nz"], level: float, spacing: Sequence[float], repeat: Sequence[int]
) -> tuple[Float[np.ndarray, "vertices 3"], Int[np.ndarray, "faces 3"]]:
    """Vertices and faces of `surface`: trimesh, of which that is made, takes most of a second to be loaded."""
    lengths = check_spacing(spacing)
    values, cut = cut_level(density, level)
    values = np.tile(values, _checks.shape_of(repeat, "repeat"))
    if not values.max() > cut:
        raise ValueError(f"Argument `density` must exceed the level {level:g} somewhere, but has no solid.")
    places = [np.concatenate([[0], np.arange(side) + 0.5, [side]]) for side in values.shape]
    vertices, faces = capped(np.pad(values, 1, mode="edge"), cut, places)
    return vertices * lengths, faces


def capped(
    values: np.ndarray, level: float, places: Sequence[np.ndarray]
) -> tuple[Float[np.ndarray, "vertices 3"], Int[np.ndarray, "faces 3"]]:
    """The closed surface of samples whose outermost layers lie on the faces of a block, with flat caps there.

    A layer of void is put around them, at no distance: what closes the surface on the way to it comes to lie on the
    face. On the edges of the block, where two such ways begin at one sample, their vertices become one, and the slivers
    between them vanish.

    Args:
        values: (nx, ny, nz).
        level: Of the surface; no sample lies on it, and one above it.
        places: Of the samples along each axis, growing.
    """
    vertices, faces = march(np.pad(values, 1, constant_values=2.0 * level - values.max()), level)
    beyond = np.zeros(len(vertices), bool)
    for axis, along in enumerate(places):
        index = vertices[:, axis] - 1
        beyond |= (index < 0) | (index > len(along) - 1)
        vertices[:, axis] = np.interp(index, np.arange(len(along)), along)
    capping = np.flatnonzero(beyond)
    _, first, index = np.unique(vertices[capping], axis=0, return_index=True, return_inverse=True)
    joined = np.arange(len(vertices))
    joined[capping] = capping[first[index.ravel()]]
    faces = joined[faces]
    faces = faces[np.all(faces != np.roll(faces, 1, axis=1), axis=1)]
    used, index = np.unique(faces, return_inverse=True)
    return vertices[used], index.reshape(-1, 3)


def voxel_surface(cell: Shaped[ArrayLike, "nx ny nz"], spacing: Sequence[float] = (1.0, 1.0, 1.0)) -> "trimesh.Trimesh":
    """The closed surface made of the faces of the solid voxels, with outward normals.

    Its volume is exactly that of the solid voxels. Where the cell has hinges (see `count_hinges`) four faces meet in
    an edge, and the surface, though closed, is not a manifold there.

    Args:
        cell: (nx, ny, nz), the whole cell or any block; solid where it exceeds one half.
        spacing: Edges of a voxel, in the unit of length of the result.

    Returns:
        A `trimesh.Trimesh` with two triangles for each face of a voxel between solid and void.

    Raises:
        ValueError: The cell does not have three axes, is traced, or has no solid.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> mesh = geometry.voxel_surface(np.ones((2, 1, 1)))
        >>> round(float(mesh.volume), 6), round(float(mesh.area), 6)
        (2.0, 10.0)
    """
    lengths = check_spacing(spacing)
    solid = np.pad(solid_mask(cell), 1)
    if not solid.any():
        raise ValueError("Argument `cell` must have a voxel above one half, but has no solid.")
    quads = []
    for axis in range(3):
        u, v = np.eye(3, dtype=int)[(axis + 1) % 3], np.eye(3, dtype=int)[(axis + 2) % 3]
        for outward in (1, -1):
            voxels = np.argwhere(solid & ~np.roll(solid, -outward, axis)) - 1
            # Counter-clockwise as seen from outside: u × v points along +axis.
            corners = [0 * u, u, u + v, v] if outward == 1 else [0 * u, v, u + v, u]
            base = voxels + np.eye(3, dtype=int)[axis] * (outward == 1)
            quads.append(np.stack([base + corner for corner in corners], axis=1))
    points = np.concatenate(quads)
    vertices, index = np.unique(points.reshape(-1, 3), axis=0, return_inverse=True)
    index = index.reshape(-1, 4)
    faces = np.concatenate([index[:, [0, 1, 2]], index[:, [0, 2, 3]]])
    return as_mesh(vertices * lengths, faces)


def volume(
    density: Shaped[ArrayLike, "nx ny nz"], level: float = 0.5, spacing: Sequence[float] = (1.0, 1.0, 1.0)
) -> float:
    """The volume enclosed by the smooth closed surface of one cell; see `surface`.

    Args:
        density: (nx, ny, nz), the whole cell or any block.
        level: The density at the surface.
        spacing: Edges of a voxel.

    Returns:
        The volume, in the cube of the unit of the spacing; 0 without solid.

    Raises:
        ValueError: The density does not have three axes, or is traced or not finite.

    Example:
        >>> import jaxmeta.geometry as geometry
        >>> ball = geometry.sphere((32, 32, 32), radius=0.4)
        >>> abs(geometry.volume(ball) / float(ball.sum()) - 1) < 0.01
        True
    """
    values, cut = cut_level(density, level)
    if not np.any(values > cut):
        check_spacing(spacing)
        return 0.0
    return float(surface(density, level, spacing).volume)


def surface_area(
    density: Shaped[ArrayLike, "nx ny nz"],
    level: float = 0.5,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    periodic: bool = True,
) -> float:
    """The area of the smooth surface of the solid in one cell.

    Marching cubes on a binary cell makes steps of its facets: a curved surface comes out several per cent too large,
    however fine the voxels. A grey density that is smooth across the surface does not have this error.

    Args:
        density: (nx, ny, nz), the whole cell or any block.
        level: The density at the surface.
        spacing: Edges of a voxel.
        periodic: Whether the cell repeats, so that only the interface between solid and void counts; else the caps on
            the faces of the cell count too, as in `surface`.

    Returns:
        The area per cell, in the square of the unit of the spacing; 0 without an interface.

    Raises:
        ValueError: The density does not have three axes, or is traced or not finite.

    Example:
        >>> import jaxmeta.geometry as geometry
        >>> layers = geometry.laminate((8, 4, 4), 0.5)
        >>> round(geometry.surface_area(layers), 3), round(geometry.surface_area(layers[:4], periodic=True), 3)
        (32.0, 0.0)
    """
    lengths = check_spacing(spacing)
    values, cut = cut_level(density, level)
    if not periodic:
        return float(surface(density, level, spacing).area) if np.any(values > cut) else 0.0
    # One more layer closes the period: n intervals between n + 1 centres along each axis.
    vertices, faces = march(np.pad(values, ((0, 1),) * 3, mode="wrap"), cut)
    corners = (vertices * lengths)[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.sum(np.linalg.norm(normals, axis=-1)) / 2.0)


def check_spacing(spacing: Sequence[float]) -> np.ndarray:
    edges = np.asarray(spacing, float)
    if edges.shape != (3,) or not (np.all(np.isfinite(edges)) and np.all(edges > 0.0)):
        raise ValueError(f"Argument `spacing` must be three positive lengths, but is {tuple(spacing)}.")
    return edges


def cut_level(density: ArrayLike, level: float) -> tuple[np.ndarray, float]:
    """Samples on the host, and a level slightly above the one asked for from which all of them keep a distance.

    Two things make marching cubes leave holes: a sample exactly on the level gives triangles without area, and the
    test which resolves an ambiguous face is a tie for zeros and ones at one half. Raising the level by a ten-thousandth
    of the range ends both, and separates voxels which touch in an edge only, as connectivity does.
    """
    values = _checks.concrete(density, "density")
    _checks.grid_rank(values, "density")
    values = values.astype(np.float64)
    if not np.all(np.isfinite(values)):
        raise ValueError("Argument `density` must be finite, but holds NaN or infinity.")
    margin = _NUDGE * max(float(np.max(np.abs(values - level))), float(np.finfo(np.float32).tiny))
    close = (values > level) & (values < level + 2.0 * margin)
    return np.where(close, level + 2.0 * margin, values), level + margin


def march(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices in units of samples and faces, with normals towards small values."""
    if not values.min() < level < values.max():
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    from skimage.measure import marching_cubes

    vertices, faces, _, _ = marching_cubes(values, level, gradient_direction="ascent")
    return vertices.astype(np.float64), faces.astype(np.int64)


def as_mesh(vertices: np.ndarray, faces: np.ndarray) -> "trimesh.Trimesh":
    import trimesh

    # The vertices are shared already; trimesh's merging by rounded coordinates could join what should stay apart.
    return trimesh.Trimesh(vertices, faces, process=False)
