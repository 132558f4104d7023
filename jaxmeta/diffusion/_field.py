"""Cells as smooth fields, in which a network works, and back."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, ArrayLike, Bool, Float

from .._arguments import real_array, truth_values
from .._numbers import refused, whole_number
from ..geometry import threshold

REACH = 4
"""Voxels of a 32³ octant from the interface at which the distance is cut off."""
DEVIATION = 2.6
"""Root of the mean square of the distance in the library that ships, to two digits."""


def to_field(octant: Bool[ArrayLike, "m m m"]) -> Float[Array, "m m m"]:
    """The signed distance of voxels to the interface of a cell, positive in the solid, of about unit deviation.

    A voxel is as far from the interface as from the nearest voxel of the other kind, less half a voxel; beyond four
    voxels all are alike. The mirror images of the octant count. The sign tells the voxels exactly.

    Args:
        octant: (m, m, m), solid or void.

    Returns:
        (m, m, m), distances in units of `DEVIATION` voxels, in JAX's default dtype.

    Raises:
        ValueError: the octant has not three axes or holds other numbers than 0 and 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.diffusion import to_field
        >>> layers = jnp.zeros((4, 4, 4), bool).at[:, :, 2:].set(True)
        >>> [round(2.6 * float(distance), 3) for distance in to_field(layers)[0, 0]]
        [-1.5, -0.5, 0.5, 1.5]
    """
    solid = truth_values("octant", octant)
    if solid.ndim != 3:
        raise refused("octant", "have shape (m, m, m)", f"has shape {solid.shape}")
    return distance_field(squared_distance(solid))


@jax.jit
def squared_distance(solid: Bool[Array, "m m m"]) -> Array:
    """Squared distance to the nearest voxel of the other kind, at most (REACH + 1)², negative in the void: int8."""
    inside, outside = (_squared(~kind) for kind in (solid, ~solid))
    return jnp.where(solid, inside, -outside).astype(jnp.int8)


def _squared(targets: Array) -> Array:
    """Squared distance of every voxel to the nearest target, one axis after the other."""
    far = (REACH + 1) ** 2
    squared = jnp.where(targets, 0, far).astype(jnp.int8)
    for axis in range(3):
        size = squared.shape[axis]
        wide = jnp.pad(squared, [(REACH, REACH) if other == axis else (0, 0) for other in range(3)], mode="symmetric")
        moved = [
            jnp.minimum(jax.lax.slice_in_dim(wide, shift, shift + size, axis=axis), far - (shift - REACH) ** 2)
            + jnp.int8((shift - REACH) ** 2)
            for shift in range(2 * REACH + 1)
        ]
        squared = jnp.stack(moved).min(axis=0)
    return squared


def distance_field(squared: Array, dtype: DTypeLike | None = None) -> Float[Array, "..."]:
    """The field of squared distances, of any shape."""
    magnitude = jnp.abs(squared).astype(dtype or jnp.zeros(()).dtype)
    return jnp.sign(squared).astype(magnitude.dtype) * jnp.minimum(jnp.sqrt(magnitude) - 0.5, REACH) / DEVIATION


def from_field(
    field: Float[ArrayLike, "m m m"],
    volume_fraction: float | Float[ArrayLike, ""] | None = None,
    refine: int = 1,
) -> Bool[Array, "n n n"]:
    """The cell of a field: solid above a level.

    Args:
        field: (m, m, m), as of `to_field`.
        volume_fraction: share of solid voxels that the level is chosen for, met to half the images of a voxel; where
            it is None, the level is zero.
        refine: times as many voxels along an edge, by cubic interpolation across the mirrors of the octant.

    Returns:
        (refine m,)³, True in the solid.

    Raises:
        ValueError: the field has not three axes, or an argument is out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.diffusion import from_field, to_field
        >>> octant = jnp.zeros((8, 8, 8), bool).at[:3, :3, :3].set(True)
        >>> bool((from_field(to_field(octant)) == octant).all())
        True
        >>> from_field(to_field(octant), 0.2, refine=2).shape
        (16, 16, 16)
    """
    values = real_array("field", field)
    if values.ndim != 3:
        raise refused("field", "have shape (m, m, m)", f"has shape {values.shape}")
    if whole_number("refine", refine, least=1) > 1:
        values = refined(values, refine)
    return values > 0 if volume_fraction is None else threshold(values, volume_fraction)


def refined(field: Float[Array, "m m m"], times: int) -> Float[Array, "..."]:
    """A field on a grid so many times finer, by cubic interpolation across the mirrors of the octant."""
    edge = 2  # reach of the interpolation
    wide = jnp.pad(field, edge, mode="symmetric")
    fine = jax.image.resize(
        wide, tuple(side * times for side in wide.shape), "cubic", precision=jax.lax.Precision.HIGHEST
    )
    inner = slice(edge * times, -edge * times)
    return fine[inner, inner, inner]
