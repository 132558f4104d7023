"""Mutual energies of several loads: the entries of the effective stiffness."""

from __future__ import annotations

from jax import Array
from jaxtyping import Float

from ._fields import MaterialField, is_known
from ._kernel import energy_sums
from ._voxel_ops import energies


def mutual_energies(
    material: MaterialField,
    spacing: Float[Array, "3"],
    displacements: Float[Array, "loads 3 x y z"],
    macros: Float[Array, "loads 6"],
    whole: bool = True,
) -> Float[Array, "loads loads"]:
    """Mean over the grid of (ε⁰_i + B u_i)ᵀ C (ε⁰_j + B u_j) for all pairs of loads.

    A diagonal entry is a sum over elements of energies, none of which is negative; nothing is subtracted.

    Args:
        material: moduli in every voxel.
        spacing: edges of a voxel, in units of length.
        displacements: nodal displacements of every load on all corners of the voxels, in units of length.
        macros: uniform strain of every load, Voigt with engineering shear.
        whole: whether the grid is all here, none of it on another device.

    Returns:
        Symmetric matrix, in units of stress.
    """
    if is_known(material) and whole:
        sums = energies(material, spacing, displacements, macros)
    else:
        sums = energy_sums(material, spacing, displacements, macros)
    return sums / material.diagonal[0].size
