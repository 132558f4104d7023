"""The element kernel: forces, energy and nodal blocks of trilinear hexahedra, from sums and differences of corners.

On the reference cube, ξ, η, ζ ∈ [−1, 1], a displacement component with corner values u_abc (a, b, c ∈ {0, 1}) reads

    u = ⅛ Σ_pqr m_pqr ξᵖ ηᵠ ζʳ,     p, q, r ∈ {0, 1},

where the *mode* m_pqr is built one axis at a time: the sum of the two values where the exponent is 0, their
difference where it is 1. The three derivatives, for example ∂u/∂x = (1/4hx) Σ_qr m_1qr ηᵠ ζʳ, are combinations of the
seven polynomials 1, ξ, η, ζ, ηζ, ξζ, ξη, which are orthogonal on the cube with mean squares 1, 1/3 and 1/9. So the
energy of an element is a sum over seven constant strains,

    ½ V Σ_k w_k ε_kᵀ C ε_k,

and this equals full 2×2×2 Gauss integration. Forces on the modes are w_k B_kᵀ C ε_k; forces on the nodes are the same
sums and differences transposed.

**Layout.** Displacements are (3, X, Y, Z): all nodes of a block *and one layer of ghost nodes* around those whose
forces are wanted. Material fields are on the (X−1, Y−1, Z−1) elements between. Forces come back on the (X−2, Y−2,
Z−2) inner nodes. What the ghosts hold is the boundary condition (see `_boundary.py`); the kernel has none, only
contiguous slices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.experimental.xla_metadata import set_xla_metadata
from jaxtyping import Float

from ._fields import MaterialField, Strain

P = ParamSpec("P")
T = TypeVar("T")

Spacing = tuple[float, float, float] | Float[Array, "3"]
Mode = tuple[int, int, int]
Term = tuple[int, Mode, int]
"""A term of one strain component: displacement component, mode, axis of the derivative."""


def _strain_tables() -> list[tuple[float, list[list[Term]]]]:
    """For each of the seven polynomials: its mean square, and the terms of its six strain components."""
    derivatives = [[(0, 0)], [(1, 1)], [(2, 2)], [(1, 2), (2, 1)], [(0, 2), (2, 0)], [(0, 1), (1, 0)]]
    tables = []
    for polynomial in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0)]:
        components: list[list[Term]] = []
        for pairs in derivatives:
            terms: list[Term] = []
            for component, axis in pairs:
                if polynomial[axis] == 0:  # d/dξ takes one power of ξ away, so the mode has it and the polynomial not
                    mode = tuple(1 if a == axis else polynomial[a] for a in range(3))
                    terms.append((component, (mode[0], mode[1], mode[2]), axis))
            components.append(terms)
        tables.append((3.0 ** -sum(polynomial), components))
    return tables


_TABLES = _strain_tables()


def _ends(values: Array, axis: int) -> tuple[Array, Array]:
    axis += values.ndim
    size = values.shape[axis]
    return lax.slice_in_dim(values, 0, size - 1, axis=axis), lax.slice_in_dim(values, 1, size, axis=axis)


def _modes(component: Array) -> dict[Mode, Array]:
    """Sums and differences of the corner values of every element, axis by axis."""
    modes: dict[tuple[int, ...], Array] = {(): component}
    for axis in (-3, -2, -1):
        split = {}
        for key, values in modes.items():
            low, high = _ends(values, axis)
            split[(*key, 0)], split[(*key, 1)] = low + high, high - low
        modes = split
    return {(key[0], key[1], key[2]): values for key, values in modes.items()}


def _strains(displacement: Array, spacing: Spacing, macro: Array | None) -> list[tuple[float, Strain]]:
    """Weight and strain of each of the seven polynomials; `macro` (6,) adds a uniform strain to the first."""
    modes = [_modes(displacement[c]) for c in range(3)]
    strains = []
    for k, (weight, components) in enumerate(_TABLES):
        strain: list[Array | None] = []
        for i, terms in enumerate(components):
            parts = [modes[c][mode] * (0.25 / spacing[axis]) for c, mode, axis in terms]
            if k == 0 and macro is not None:
                parts.append(macro[i])
            strain.append(sum(parts[1:], parts[0]) if parts else None)
        strains.append((weight, strain))
    return strains


def _mode_forces(
    displacement: Array, material: MaterialField, spacing: Spacing, macro: Array | None
) -> list[dict[Mode, Array]]:
    """Forces on the modes of every element: V w_k B_kᵀ C ε_k."""
    volume = spacing[0] * spacing[1] * spacing[2]
    forces: list[dict[Mode, Array]] = [{}, {}, {}]
    for (weight, strain), (_, components) in zip(_strains(displacement, spacing, macro), _TABLES, strict=True):
        for stress, terms in zip(material.stress(strain), components, strict=True):
            for c, mode, axis in terms:
                if stress is not None:
                    force = stress * (weight * volume * 0.25 / spacing[axis])
                    forces[c][mode] = forces[c][mode] + force if mode in forces[c] else force
    return forces


def _node_forces(forces: list[dict[Mode, Array]]) -> Array:
    """Transpose of `_modes`: every node collects its eight elements."""
    out = []
    for component in forces:
        fields: dict[tuple[int, ...], Array] = {**component}
        for axis in (-1, -2, -3):
            collected: dict[tuple[int, ...], Array] = {}
            for key in sorted({k[:-1] for k in fields}):
                total, difference = (*key, 0), (*key, 1)
                # The node is the high corner of the element before it (+) and the low corner of the one after (−).
                if difference not in fields:
                    before, after = _ends(fields[total], axis)
                elif total not in fields:
                    before, after = _ends(fields[difference], axis)[0], -_ends(fields[difference], axis)[1]
                else:
                    before = _ends(fields[total] + fields[difference], axis)[0]
                    after = _ends(fields[total] - fields[difference], axis)[1]
                collected[key] = before + after
            fields = collected
        out.append(fields[()])
    return jnp.stack(out)


def _kept_apart(function: Callable[P, T]) -> Callable[P, T]:
    """Compile `function` as a unit, so that XLA stores its results once instead of recomputing them at every use.

    XLA's CPU compiler fuses a whole expression into one loop for each output and recomputes every shared sum. Storing
    the mode forces in between takes a quarter of the kernel's time, storing the strains half of the mutual energies'.
    Other compilers see the plain expression.
    """
    compiled = jax.jit(function)

    def stored(*args: P.args, **kwargs: P.kwargs) -> T:
        with set_xla_metadata(inlineable="false"):
            return compiled(*args, **kwargs)

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return lax.platform_dependent(*args, **kwargs, cpu=stored, default=compiled)

    return call


_mode_forces_apart = _kept_apart(_mode_forces)
_node_forces_apart = _kept_apart(_node_forces)


def internal_force(
    displacement: Float[Array, "3 X Y Z"],
    material: MaterialField,
    spacing: Spacing,
    macro: Float[Array, "6"] | None = None,
) -> Float[Array, "3 X-2 Y-2 Z-2"]:
    """Nodal forces Bᵀ C (ε⁰ + B u) of a block with ghost nodes.

    Args:
        displacement: nodal displacements with one ghost layer, (3, X, Y, Z), in units of length.
        material: moduli of the (X−1, Y−1, Z−1) elements.
        spacing: edges of a voxel, (hx, hy, hz), in units of length.
        macro: uniform strain ε⁰ added to that of the displacement, (6,), Voigt with engineering shear; none if omitted.

    Returns:
        Forces on the inner nodes, (3, X−2, Y−2, Z−2), in units of stress × length².
    """

    return _node_forces_apart(_mode_forces_apart(displacement, material, spacing, macro))


@_kept_apart
def _nonzero_strains(displacement: Array, spacing: Spacing, macro: Array | None) -> Array:
    return jnp.stack([e for _, strain in _strains(displacement, spacing, macro) for e in strain if e is not None])


def strains_and_stresses(
    displacement: Float[Array, "3 X Y Z"],
    material: MaterialField,
    spacing: Spacing,
    macro: Float[Array, "6"] | None = None,
) -> tuple[Float[Array, "30 X-1 Y-1 Z-1"], Float[Array, "30 X-1 Y-1 Z-1"]]:
    """The polynomial coefficients of the strain ε⁰ + B u that are not zero, and w C ε beside each.

    The sum over the thirty of stress × strain is the mean of εᵀ C ε over the element.

    Args:
        displacement: nodal displacements without ghosts, (3, X, Y, Z), in units of length.
        material: moduli of the elements between.
        spacing: edges of a voxel, in units of length.
        macro: uniform strain ε⁰, (6,).

    Returns:
        Strains, and stresses times the mean square of their polynomial, (30, X−1, Y−1, Z−1) each.
    """
    strains = _nonzero_strains(displacement, spacing, macro)
    stored, stresses = iter(strains), []
    for weight, components in _TABLES:
        strain = [next(stored) if terms else None for terms in components]
        for e, s in zip(strain, material.stress(strain), strict=True):
            if e is not None:
                stresses.append(jnp.zeros_like(e) if s is None else weight * s)
    return strains, jnp.stack(stresses)


def energy_sums(
    material: MaterialField,
    spacing: Spacing,
    displacements: Float[Array, "loads 3 X Y Z"],
    macros: Float[Array, "loads 6"],
) -> Float[Array, "loads loads"]:
    """Sum over the voxels of the mean of (ε⁰_i + B u_i)ᵀ C (ε⁰_j + B u_j) in each, for all pairs of loads.

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
    return 0.5 * (sums + sums.T)


def element_strains(spacing: Spacing) -> tuple[np.ndarray, Float[Array, "7 6 24"]]:
    """Mean squares (7,) of the polynomials, and B_k, from the corner values of one voxel to its strains.

    The 24 corner values are ordered by component, then by corner, the last axis fastest.

    Args:
        spacing: edges of a voxel.
    """
    corners = np.eye(24).reshape(24, 3, 2, 2, 2)
    tables = np.zeros((3, 7, 6, 24))
    for k, (_, components) in enumerate(_TABLES):
        for i, terms in enumerate(components):
            for c, mode, axis in terms:
                weights = np.ones((2, 2, 2))
                for a in range(3):
                    weights = weights * np.array([-1.0 if mode[a] else 1.0, 1.0]).reshape(np.roll([2, 1, 1], a))
                tables[axis, k, i] += (corners[:, c] * weights).sum((1, 2, 3))
    slopes = 0.25 / jnp.stack([spacing[axis] for axis in range(3)])
    weights = np.array([weight for weight, _ in _TABLES])
    return weights, jnp.einsum("akij,a->kij", jnp.asarray(tables, slopes.dtype), slopes, precision="highest")


_VOIGT = ((0, 5, 4), (5, 1, 3), (4, 3, 2))
"""Voigt index of a pair of axes."""
BLOCK = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Rows and columns of the six entries of a symmetric 3×3 block."""


def nodal_blocks(material: MaterialField, spacing: Spacing) -> Float[Array, "6 x y z"]:
    """Diagonal 3×3 blocks of the stiffness matrix at the inner nodes of a block of elements.

    With N the shape function of a corner at s ∈ {−1, 1}³, ∫ ∂_a N ∂_a N = V/(9 h_a²) and, for a ≠ b, ∫ ∂_a N ∂_b N =
    s_a s_b V/(12 h_a h_b). So an entry K_ij = Σ_ab C_(ia)(jb) ∫ ∂_a N ∂_b N is a sum over the eight elements of a node
    in which those of the second kind change sign across the planes a and b.

    Args:
        material: moduli of the elements around and between the nodes.
        spacing: edges of a voxel.

    Returns:
        Entries 11, 22, 33, 23, 13, 12 on the nodes between the elements, in units of stress × length.
    """
    volume = spacing[0] * spacing[1] * spacing[2]
    one = jnp.ones_like(material.diagonal[0])
    columns = [material.stress([one if k == j else None for k in range(6)]) for j in range(6)]

    def entry(i: int, j: int) -> Array:
        shares: dict[frozenset[int], Array] = {}
        for a in range(3):
            for b in range(3):
                modulus = columns[_VOIGT[j][b]][_VOIGT[i][a]]
                if modulus is not None:
                    signed = frozenset((a, b)) if a != b else frozenset()
                    share = modulus * (volume / ((9 if a == b else 12) * spacing[a] * spacing[b]))
                    shares[signed] = shares[signed] + share if signed in shares else share
        collected = [_collect(share, signed) for signed, share in shares.items()]
        return sum(collected[1:], collected[0])

    return jnp.stack([entry(i, j) for i, j in BLOCK])


def _collect(values: Array, signed: frozenset[int]) -> Array:
    """Sum over the eight elements of every inner node, with a change of sign across the planes of some axes."""
    for axis in range(3):
        low, high = _ends(values, axis - 3)
        values = low - high if axis in signed else low + high
    return values
