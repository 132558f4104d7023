"""C11, C12, C44 of a binary cubic cell, the energy densities of its solid, which are their derivatives, and what a
movement of its interface changes them by."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..elasticity import Isotropic
from ..homogenization import SIMP, homogenize
from ._field import DEVIATION

EIGENVALUES = ((1, 2, 0), (1, -1, 0), (0, 0, 1))
"""Three times the bulk modulus, twice the shear modulus C', and C44, of (C11, C12, C44)."""
_SHARPNESS = 3.0
"""Of the passage from void to solid, per voxel."""
_REACH = 0.5
"""Of the region around the interface that moves with it, per voxel."""
_SOLID = 1e-2
"""Share of solid around a voxel below which no energy density is continued to it."""


def stiffness(density: Array, start: Array, steps: int) -> tuple[Float[Array, "3"], Float[Array, "3 m m m"], Array]:
    """C11, C12, C44 after so many steps of the solver, their derivatives by the density, and the displacements."""

    def constants(density: Array) -> tuple[Array, Array]:
        h = homogenize(
            density, Isotropic(1.0, 0.3), interpolation=SIMP(1.0, 1e-9), symmetry="cubic", start=start, steps=steps
        )
        return h.stiffness[jnp.array([0, 0, 3]), jnp.array([0, 1, 3])], h.displacement

    found, back, displacement = jax.vjp(constants, density, has_aux=True)
    return found, jax.vmap(lambda unit: back(unit)[0])(jnp.eye(3, dtype=density.dtype)), displacement


def continued(energies: Float[Array, "3 m m m"], solid: Bool[Array, "m m m"]) -> Float[Array, "3 m m m"]:
    """The mean energies of the solid voxels around each voxel; zero where there are none."""
    density = solid.astype(energies.dtype)
    around = _smoothed(density) + _SOLID
    return jax.vmap(lambda energy: _smoothed(density * energy) / around)(energies)


def _smoothed(field: Float[Array, "m m m"]) -> Float[Array, "m m m"]:
    """The mean over neighbours with the weights (1, 2, 1)/4 along each axis, across the mirrors of the octant."""
    for axis in range(3):
        first, last = (jax.lax.slice_in_dim(field, *ends, axis=axis) for ends in ((0, -1), (1, None)))
        start, end = (jax.lax.slice_in_dim(field, *ends, axis=axis) for ends in ((0, 1), (-1, None)))
        before, after = (jnp.concatenate(parts, axis) for parts in ((start, first), (last, end)))
        field = (before + 2 * field + after) / 4
    return field


def eigenvalues(constants: Float[Array, "3"]) -> Float[Array, "3"]:
    """C11 + 2 C12, C11 − C12 and C44."""
    return jnp.dot(jnp.asarray(EIGENVALUES, constants.dtype), constants, precision="highest")


def gains_of(
    field: Float[Array, "m m m"], solid: Bool[Array, "m m m"], energies: Float[Array, "3 m m m"], now: Float[Array, "3"]
) -> tuple[Float[Array, "m m m"], Float[Array, "m m m"], Float[Array, "3 m m m"]]:
    """How near voxels are to the interface; their shares of it, w over its sum; and what ln λ gains there by a movement
    of the interface by a voxel, g: Δ ln λᵢ = Σ w gᵢ δ / Σ w.

    Args:
        field: whose zero is the interface.
        solid: the cell.
        energies: of its solid.
        now: its eigenvalues.
    """
    distance = DEVIATION * field
    near = _bump(_REACH * distance)
    weight = near * _bump(_SHARPNESS * distance)
    area = _SHARPNESS / 4 * weight.sum()
    mixed = jnp.asarray(EIGENVALUES, field.dtype) / now[:, None]
    return near, weight / weight.sum(), area * jnp.tensordot(mixed, continued(energies, solid), 1)


def _bump(x: Array) -> Array:
    """Four times the slope of the logistic function: one at zero, a half at 1.76."""
    passage = jax.nn.sigmoid(x)
    return 4 * passage * (1 - passage)
