"""Simple exact bodies: hand-made baselines and cells with known answers.

A voxel is solid where its centre lies in the body; centres are at (i + 1/2)/n in the cell [0, 1]³ and lengths are in
units of the cell edge. Distances are computed in float64 on the host, so a body does not depend on the dtype asked for.
"""

import itertools
import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Num

from . import _checks
from ._starts import threshold

# Centres this close to the boundary of a body count as inside, so that rounding does not break its symmetry.
_TIE = 1e-9

PLATE_FAMILIES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "100": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "110": ((1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1)),
    "111": ((1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)),
}
"""Normals of the plate families that `plates` knows."""


def _centres(sides: tuple[int, int, int]) -> list[np.ndarray]:
    return list(np.meshgrid(*((np.arange(side) + 0.5) / side for side in sides), indexing="ij", sparse=True))


def _solid(mask: np.ndarray | Array, dtype: object) -> Array:
    return jnp.asarray(mask).astype(_checks.float_dtype(dtype))


def laminate(
    shape: Sequence[int], volume_fraction: float, axis: int = 0, dtype: object = None
) -> Float[Array, "nx ny nz"]:
    """Layers normal to one axis: the first voxels along it are solid, the others void.

    Args:
        shape: (nx, ny, nz) of the result.
        volume_fraction: Fraction of solid, between 0 and 1, rounded to a whole number of voxels.
        axis: The axis normal to the layers: 0, 1 or 2.
        dtype: Floating dtype; JAX's default one when None.

    Returns:
        (nx, ny, nz), zeros and ones.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> import jaxmeta.geometry as geometry
        >>> geometry.laminate((4, 1, 1), 0.5)[:, 0, 0].tolist()
        [1.0, 1.0, 0.0, 0.0]
    """
    sides = _checks.shape_of(shape)
    _checks.fraction(volume_fraction)
    if axis not in (0, 1, 2):
        raise ValueError(f"Argument `axis` must be 0, 1 or 2, but is {axis}.")
    inside = _centres(sides)[axis] * sides[axis] < round(volume_fraction * sides[axis])
    return _solid(np.broadcast_to(inside, sides), dtype)


def sphere(shape: Sequence[int], radius: float, hole: bool = False, dtype: object = None) -> Float[Array, "nx ny nz"]:
    """A ball in the middle of the cell.

    Args:
        shape: (nx, ny, nz) of the result.
        radius: Radius of the ball in units of the cell edge; above 1/2 it meets its periodic images.
        hole: Whether the ball is void in a solid cell.
        dtype: Floating dtype; JAX's default one when None.

    Returns:
        (nx, ny, nz), zeros and ones.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> import math
        >>> import jaxmeta.geometry as geometry
        >>> ball = geometry.sphere((32, 32, 32), 0.4)
        >>> abs(float(ball.mean()) - 4 / 3 * math.pi * 0.4**3) < 2e-3
        True
    """
    sides = _checks.shape_of(shape)
    _checks.positive(radius, "radius")
    x, y, z = _centres(sides)
    inside = (x - 0.5) ** 2 + (y - 0.5) ** 2 + (z - 0.5) ** 2 <= radius**2 + _TIE
    return _solid(inside != hole, dtype)


def superellipsoid_hole(
    shape: Sequence[int], exponent: float, volume_fraction: float, dtype: object = None
) -> Float[Array, "nx ny nz"]:
    r"""A solid cell with a hole $|x|^p + |y|^p + |z|^p < c^p$ about its middle.

    p = 2 is a sphere and p → ∞ a cube; a rounded cube, p = 8, comes close to the upper bound of the bulk modulus. The
    size c follows from the volume fraction and is rounded to whole orbits of equivalent voxels.

    Args:
        shape: (nx, ny, nz) of the result.
        exponent: The exponent p, positive; `math.inf` gives a box.
        volume_fraction: Fraction of **solid**, between 0 and 1.
        dtype: Floating dtype; JAX's default one when None.

    Returns:
        (nx, ny, nz), zeros and ones.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> import jaxmeta.geometry as geometry
        >>> walls = geometry.superellipsoid_hole((32, 32, 32), exponent=8.0, volume_fraction=0.3)
        >>> abs(float(walls.mean()) - 0.3) < 5e-3
        True
    """
    sides = _checks.shape_of(shape)
    if not exponent > 0.0:
        raise ValueError(f"Argument `exponent` must be positive, but is {exponent:g}.")
    x, y, z = (np.abs(2.0 * centre - 1.0) for centre in _centres(sides))
    largest = np.maximum(np.maximum(x, y), z)
    if math.isinf(exponent):
        norm = largest
    else:
        # Scaled by the largest coordinate, the powers neither overflow nor vanish.
        safe = np.maximum(largest, np.finfo(float).tiny)
        norm = largest * ((x / safe) ** exponent + (y / safe) ** exponent + (z / safe) ** exponent) ** (1.0 / exponent)
    return _solid(threshold(_field(norm, sides), volume_fraction), dtype)


def _field(values: np.ndarray, sides: tuple[int, int, int]) -> Array:
    return jnp.asarray(np.broadcast_to(values, sides), _checks.float_dtype())


def plates(
    shape: Sequence[int],
    families: Sequence[str],
    thickness: float | Sequence[float] | None = None,
    volume_fraction: float | None = None,
    dtype: object = None,
) -> Float[Array, "nx ny nz"]:
    r"""Flat plates along families of lattice planes.

    The planes with normal $\mathbf h$ are $\mathbf h \cdot \mathbf x \in \mathbb Z$; a voxel is solid where

    $$\big|\mathbf h \cdot \mathbf x - \mathrm{round}(\mathbf h \cdot \mathbf x)\big| / |\mathbf h| \le t/2$$

    for one of the normals. {100} are the walls of a box, {110} the planes of a body-centred and {111} those of a
    face-centred cubic lattice.

    Args:
        shape: (nx, ny, nz) of the result.
        families: Names among "100", "110" and "111".
        thickness: Thickness t in units of the cell edge, one for all or one per family.
        volume_fraction: Instead of `thickness`: the fraction of solid, between 0 and 1, with equal thickness. It is
            met as closely as whole layers of voxels allow.
        dtype: Floating dtype; JAX's default one when None.

    Returns:
        (nx, ny, nz), zeros and ones.

    Raises:
        ValueError: A family is unknown, a number is out of range, or not exactly one of `thickness` and
            `volume_fraction` is given.

    Example:
        >>> import jaxmeta.geometry as geometry
        >>> float(geometry.plates((8, 8, 8), ["100"], thickness=0.25).mean())
        0.578125

    References:
        Berger, Wadley and McMeeking, Nature 543, 533 (2017); Tancogne-Dejean and others, Advanced Materials 30,
        1803334 (2018).
    """
    sides = _checks.shape_of(shape)
    if not families:
        raise ValueError("Argument `families` must name at least one family of planes, but is empty.")
    for family in families:
        _checks.one_of(family, tuple(PLATE_FAMILIES), "families")
    if (thickness is None) == (volume_fraction is None):
        raise ValueError("Exactly one of the arguments `thickness` and `volume_fraction` must be given.")
    distances = [_plane_distance(sides, family) for family in families]
    if volume_fraction is not None:
        nearest = np.minimum.reduce(distances)
        return _solid(threshold(_field(-nearest, sides), volume_fraction), dtype)
    widths = np.atleast_1d(np.asarray(thickness, float))
    if widths.shape not in ((1,), (len(families),)):
        raise ValueError(
            f"Argument `thickness` must be one number or one per family, {len(families)}, but has shape {widths.shape}."
        )
    mask = np.zeros(sides, bool)
    for distance, width in zip(distances, np.broadcast_to(widths, (len(families),)), strict=True):
        _checks.positive(width, "thickness")
        mask |= distance <= width / 2.0 + _TIE
    return _solid(mask, dtype)


def _plane_distance(sides: tuple[int, int, int], family: str) -> np.ndarray:
    """Distance of every voxel centre from the nearest plane of the family, in cell units."""
    x, y, z = _centres(sides)
    nearest = np.full(sides, np.inf)
    for h in PLATE_FAMILIES[family]:
        height = h[0] * x + h[1] * y + h[2] * z
        nearest = np.minimum(nearest, np.abs(height - np.round(height)) / math.hypot(*h))
    return nearest


def lattice_struts(
    shape: Sequence[int],
    edges: Num[ArrayLike, "struts 2 3"] | Sequence[Sequence[Sequence[float | int]]],
    radius: float,
    dtype: object = None,
) -> Float[Array, "nx ny nz"]:
    """Round struts along straight segments, repeated periodically.

    A voxel is solid where its centre lies within `radius` of a segment or of one of its periodic images.

    Args:
        shape: (nx, ny, nz) of the result.
        edges: (struts, 2, 3), the end points of the segments in cell units; they may leave the cell.
        radius: Radius of the struts in units of the cell edge.
        dtype: Floating dtype; JAX's default one when None.

    Returns:
        (nx, ny, nz), zeros and ones.

    Raises:
        ValueError: The edges do not have shape (struts, 2, 3), or an argument is out of range.

    Example:
        >>> import jaxmeta.geometry as geometry
        >>> simple_cubic = [[(0, 0, 0), (1, 0, 0)], [(0, 0, 0), (0, 1, 0)], [(0, 0, 0), (0, 0, 1)]]
        >>> cell = geometry.lattice_struts((40, 40, 40), simple_cubic, radius=0.1)
        >>> round(float(cell.mean()), 4)
        0.0855

    References:
        Dong, Tang and Zhao, J. Eng. Mater. Technol. 141, 011005 (2019): the simple cubic lattice of the example.
    """
    sides = _checks.shape_of(shape)
    _checks.positive(radius, "radius")
    segments = np.asarray(edges, float)
    if segments.ndim != 3 or segments.shape[1:] != (2, 3) or not np.all(np.isfinite(segments)):
        raise ValueError(f"Argument `edges` must have shape (struts, 2, 3) and be finite, but has {segments.shape}.")
    mask = np.zeros(sides, bool)
    for start, end in segments:
        low, high = np.minimum(start, end) - radius, np.maximum(start, end) + radius
        # An image shifted by whole cells matters when its bounding box meets the cell.
        shifts = [range(math.ceil(-b), math.floor(1.0 - a) + 1) for a, b in zip(low, high, strict=True)]
        for shift in itertools.product(*shifts):
            _add_strut(mask, start + shift, end + shift, radius)
    return _solid(mask, dtype)


def _add_strut(mask: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float) -> None:
    """Marks the voxels within the radius of one segment, looking only at its bounding box."""
    low, high = np.minimum(start, end) - radius, np.maximum(start, end) + radius
    box, offsets = [], []
    for axis, side in enumerate(mask.shape):
        first, last = max(math.floor(low[axis] * side), 0), min(math.ceil(high[axis] * side), side)
        box.append(slice(first, max(first, last)))
        reach = (np.arange(first, max(first, last)) + 0.5) / side - start[axis]
        offsets.append(reach.reshape([-1 if d == axis else 1 for d in range(3)]))
    direction = end - start
    squared_length = float(direction @ direction)
    along = sum(offset * component for offset, component in zip(offsets, direction, strict=True))
    along = np.clip(along / squared_length, 0.0, 1.0) if squared_length > 0.0 else np.zeros_like(along)
    squares = [(offset - along * component) ** 2 for offset, component in zip(offsets, direction, strict=True)]
    mask[tuple(box)] |= squares[0] + squares[1] + squares[2] <= radius**2 + _TIE
