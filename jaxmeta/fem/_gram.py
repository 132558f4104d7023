"""Mutual energies of several loads: the entries of the effective stiffness."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from ._fields import MaterialField
from ._kernel import strains_and_stresses


def mutual_energies(
    material: MaterialField,
    spacing: Float[Array, "3"],
    displacements: Float[Array, "loads 3 x y z"],
    macros: Float[Array, "loads 6"],
) -> Float[Array, "loads loads"]:
    """Mean over the grid of (ε⁰_i + B u_i)ᵀ C (ε⁰_j + B u_j) for all pairs of loads.

    A diagonal entry is a sum over elements of energies, none of which is negative; nothing is subtracted.

    Args:
        material: moduli in every voxel.
        spacing: edges of a voxel, in units of length.
        displacements: nodal displacements of every load on all corners of the voxels, in units of length.
        macros: uniform strain of every load, Voigt with engineering shear.

    Returns:
        Symmetric matrix, in units of stress.
    """
    shape = material.diagonal[0].shape

    @jax.checkpoint
    def plane(first: Array) -> Array:
        """Sum over one plane of voxels: its strains stay in the cache."""
        part = material.map(lambda field: lax.dynamic_slice_in_dim(field, first, 1, 0))
        nodal = lax.dynamic_slice_in_dim(displacements, first, 2, 2)
        strains, stresses = jax.vmap(lambda u, e: strains_and_stresses(u, part, spacing, e))(nodal, macros)
        loads = macros.shape[0]
        return jnp.matmul(stresses.reshape(loads, -1), strains.reshape(loads, -1).T, precision="highest")

    sums = lax.map(plane, jnp.arange(shape[0])).sum(0)
    return 0.5 * (sums + sums.T) / (shape[0] * shape[1] * shape[2])
