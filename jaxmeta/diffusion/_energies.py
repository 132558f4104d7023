"""C11, C12, C44 of a binary cubic cell, and the energy densities of its solid, which are their derivatives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..elasticity import Isotropic
from ..homogenization import SIMP, homogenize

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
