"""The element kernel written with its matrices: what `_kernel.py` computes, for grids of a few hundred voxels.

The strain of a voxel is Σ_k ε_k φ_k with ε_k = B_k u, u being its 24 corner values and φ_k the seven orthogonal
polynomials of `_kernel.py`. So the forces on the corners are V Σ_k w_k B_kᵀ C B_k u: products with small matrices. On a
few hundred voxels they take no longer than sums and differences, which are six times as many operations to compile.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Shaped

from ._fields import MaterialField
from ._kernel import BLOCK, Spacing, element_strains

_CORNERS = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]


def _weighted_strains(spacing: Spacing) -> tuple[Array, Array]:
    """B_k and V w_k B_k, (7, 6, 24) each."""
    weights, strains = element_strains(spacing)
    volume = spacing[0] * spacing[1] * spacing[2]
    return strains, volume * jnp.asarray(weights, strains.dtype)[:, None, None] * strains


def _stress(material: MaterialField, strain: Array) -> Array:
    """σ = C ε for a strain (6, x, y, z)."""
    stress = material.stress(list(strain))
    return jnp.stack([jnp.zeros_like(strain[0]) if s is None else s for s in stress])


def corners(nodal: Shaped[Array, "3 X Y Z"]) -> Shaped[Array, "24 X-1 Y-1 Z-1"]:
    """Values of a nodal field at the corners of every voxel, ordered by component, then by corner."""
    x, y, z = (n - 1 for n in nodal.shape[1:])
    return jnp.stack([nodal[:, a : a + x, b : b + y, c : c + z] for a, b, c in _CORNERS], 1).reshape(24, x, y, z)


def _collected(forces: Array) -> Array:
    """Sum over the eight corners that meet at every inner node, from (m, 8, x, y, z) on the voxels."""
    x, y, z = (n - 1 for n in forces.shape[-3:])
    parts = [
        forces[:, i, 1 - a : 1 - a + x, 1 - b : 1 - b + y, 1 - c : 1 - c + z] for i, (a, b, c) in enumerate(_CORNERS)
    ]
    return sum(parts[1:], parts[0])


def internal_force(
    displacement: Float[Array, "3 X Y Z"], material: MaterialField, spacing: Spacing, macro: Float[Array, "6"]
) -> Float[Array, "3 X-2 Y-2 Z-2"]:
    """As `_kernel.internal_force`."""
    strains, weighted = _weighted_strains(spacing)
    strain = jnp.einsum("kia,axyz->kixyz", strains, corners(displacement), precision="highest")
    strain = strain.at[0].add(macro.reshape(6, 1, 1, 1))
    stress = jax.vmap(lambda e: _stress(material, e))(strain)
    forces = jnp.einsum("kia,kixyz->axyz", weighted, stress, precision="highest")
    return _collected(forces.reshape(3, 8, *forces.shape[1:]))


def element_matrices(material: MaterialField, spacing: Spacing) -> Float[Array, "24 24 x y z"]:
    """Stiffness matrix V Σ_k w_k B_kᵀ C B_k of every voxel.

    Args:
        material: moduli of the voxels, (x, y, z).
        spacing: edges of a voxel.

    Returns:
        Rows and columns in the order of `corners`, in units of stress × length.
    """
    shape = material.diagonal[0].shape
    units = jnp.eye(6, dtype=material.diagonal[0].dtype).reshape(6, 6, 1, 1, 1)
    moduli = jax.vmap(lambda e: _stress(material, jnp.broadcast_to(e, (6, *shape))))(units)
    strains, weighted = _weighted_strains(spacing)
    pairs = jnp.einsum("kia,kjb->abij", strains, weighted, precision="highest")
    return jnp.einsum("abij,jixyz->abxyz", pairs, moduli, precision="highest")


def nodal_blocks(material: MaterialField, spacing: Spacing) -> Float[Array, "6 x y z"]:
    """As `_kernel.nodal_blocks`."""
    matrices = element_matrices(material, spacing)
    own = jnp.diagonal(matrices.reshape(3, 8, 3, 8, *matrices.shape[2:]), axis1=1, axis2=3)
    own = jnp.moveaxis(own, -1, 2)
    return _collected(jnp.stack([own[i, j] for i, j in BLOCK]))
