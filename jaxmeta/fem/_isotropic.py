"""Forces and energies of isotropic voxels: three operations that are each other's derivatives.

With ε(u) = ε⁰ + B u, over a grid of voxels of volume V:

- **force** f(λ, μ; u, ε⁰) = Σ_e V Bᵀ C ε(u), linear in (λ, μ) and in (u, ε⁰);
- **energies** G_ij(λ, μ; u) = Σ_e ε(u_i)ᵀ C ε(u_j), the mean over each voxel understood, linear in (λ, μ);
- **slopes** S(W; u) = Σ_ij W_ij (∂G_ij/∂λ, ∂G_ij/∂μ) in every voxel, linear in W.

What is linear is its own derivative. For the transposes, ⟨w, f(λ, μ; u)⟩ = V G_12(λ, μ; w, u): f is symmetric in u and
w, and its transpose in (λ, μ) is V S of these two loads with ½ for each mixed weight; G and S are each other's
transpose. By the spacing, and G and S by u, the derivative is that of the plain expressions.

A CPU runs the kernels of `cpu`, any other device the expressions of `_kernel.py`. Forces are told which axes of the
displacement are periodic; along the others its block is free. That of energies is given on all corners. Operands have
a leading axis of cells (see `_cells.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.interpreters import ad
from jaxtyping import Float

from . import _kernel
from ._blocks import plain_product
from ._boundary import Block
from ._cells import CPUKernel, of_cells, of_one, operation
from ._fields import IsotropicField
from ._form import form


def force(
    material: IsotropicField,
    spacing: Float[Array, "3"],
    displacement: Float[Array, "3 x y z"],
    macro: Float[Array, "6"],
    periodic: tuple[bool, ...],
) -> Float[Array, "3 x y z"]:
    """Nodal forces of a block with nothing held under a displacement and a uniform strain.

    Args:
        material: moduli in every voxel.
        spacing: edges of a voxel, in units of length.
        displacement: of every node, in units of length.
        macro: uniform strain, Voigt with engineering shear.
        periodic: which axes are periodic.
    """
    return of_one(_FORCE, displacement, material.lmbda, material.mu, spacing, macro, periodic=periodic)


def energies(
    material: IsotropicField,
    spacing: Float[Array, "3"],
    displacements: Float[Array, "loads 3 x y z"],
    macros: Float[Array, "loads 6"],
) -> Float[Array, "loads loads"]:
    """Mutual energies of all pairs of loads, summed over the voxels and divided by the volume of one.

    Args:
        material: moduli in every voxel.
        spacing: edges of a voxel, in units of length.
        displacements: of every load on all corners of the voxels, in units of length.
        macros: uniform strain of every load, Voigt with engineering shear.
    """
    return of_one(_ENERGIES, displacements, material.lmbda, material.mu, spacing, macros)


def residual_force(
    material: IsotropicField,
    spacing: Float[Array, "3"],
    displacement: Float[Array, "3 x y z"],
    load: Float[Array, "3 x y z"],
    periodic: tuple[bool, ...],
) -> Float[Array, "3 x y z"]:
    """What a load exceeds the forces of a displacement by. It has no derivative."""
    operands = displacement, material.lmbda, material.mu, spacing, jnp.zeros(6, displacement.dtype), load
    return of_one(_RESIDUAL, *operands, periodic=periodic)


def swept(
    material: IsotropicField,
    spacing: Float[Array, "3"],
    displacement: Float[Array, "3 x y z"],
    load: Float[Array, "3 x y z"],
    blocks: Float[Array, "6 x y z"],
    periodic: tuple[bool, ...],
) -> Float[Array, "3 x y z"]:
    """u + D (f − K u), with D the symmetric 3×3 `blocks` of the nodes. It has no derivative."""
    operands = displacement, material.lmbda, material.mu, spacing, jnp.zeros(6, displacement.dtype), load, blocks
    return of_one(_SWEEP, *operands, periodic=periodic)


# The plain expressions, of one cell.


def _plain_force(
    u: Array, lmbda: Array, mu: Array, spacing: Array, macro: Array, *, periodic: tuple[bool, ...]
) -> Array:
    boundary = Block.of(periodic)
    field = IsotropicField(lmbda, mu).map(boundary.ghost_elements)
    return form(field).internal_force(boundary.ghosts(u), field, spacing, macro)


def _plain_energies(u: Array, lmbda: Array, mu: Array, spacing: Array, macro: Array) -> Array:
    return _kernel.energy_sums(IsotropicField(lmbda, mu), spacing, u, macro)


def _plain_slopes(u: Array, lmbda: Array, mu: Array, spacing: Array, macro: Array, weights: Array) -> Array:
    _, transposed = jax.vjp(lambda l, m: _plain_energies(u, l, m, spacing, macro), lmbda, mu)
    return jnp.stack(transposed(weights))


def _plain_residual(*operands: Array, periodic: tuple[bool, ...]) -> Array:
    *others, load = operands
    return load - _plain_force(*others, periodic=periodic)


def _plain_sweep(*operands: Array, periodic: tuple[bool, ...]) -> Array:
    *others, blocks = operands
    return operands[0] + plain_product(blocks, _plain_residual(*others, periodic=periodic))


# Derivatives.


def _pair(first: Array, second: Array) -> Array:
    """Two lists of loads as one: operands (cells, loads, …)."""
    cells = max(first.shape[0], second.shape[0])
    both = [jnp.broadcast_to(x, (cells, *x.shape[1:])) for x in (first, second)]
    return jnp.concatenate(both, 1)


def _sum_tangents(tangents: list[Array], primal: Array) -> Array | ad.Zero:
    total = sum(tangents[1:], tangents[0]) if tangents else None
    return ad.Zero(jax.typeof(primal).to_tangent_aval()) if total is None else total


def _or_zeros(tangent: Array | ad.Zero) -> Array:
    return ad.instantiate_zeros(tangent)


def _present(*tangents: Array | ad.Zero) -> bool:
    return any(not isinstance(tangent, ad.Zero) for tangent in tangents)


def _by_others(plain: Callable[..., Array], operands: tuple, tangents: tuple, places: tuple[int, ...]) -> list[Array]:
    """The derivative by some operands, through the plain expression; none if nothing changes."""
    moving = [k for k in places if not isinstance(tangents[k], ad.Zero)]
    if not moving:
        return []

    def function(*given: Array) -> Array:
        every = list(operands)
        for k, value in zip(moving, given, strict=True):
            every[k] = value
        return of_cells(plain)(*every)

    return [jax.jvp(function, tuple(operands[k] for k in moving), tuple(tangents[k] for k in moving))[1]]


def _force_jvp(operands, tangents, *, periodic):
    u, lmbda, mu, spacing, macro = operands
    d_u, d_lmbda, d_mu, _, d_macro = tangents
    force = partial(_FORCE.bind, periodic=periodic)
    parts = _by_others(partial(_plain_force, periodic=periodic), operands, tangents, (3,))
    if _present(d_lmbda, d_mu):
        parts.append(force(u, _or_zeros(d_lmbda), _or_zeros(d_mu), spacing, macro))
    if _present(d_u, d_macro):
        parts.append(force(_or_zeros(d_u), lmbda, mu, spacing, _or_zeros(d_macro)))
    value = force(*operands)
    return value, _sum_tangents(parts, value)


def _energies_jvp(operands, tangents):
    u, lmbda, mu, spacing, macro = operands
    _, d_lmbda, d_mu, _, _ = tangents
    parts = _by_others(_plain_energies, operands, tangents, (0, 3, 4))
    if _present(d_lmbda, d_mu):
        parts.append(_ENERGIES.bind(u, _or_zeros(d_lmbda), _or_zeros(d_mu), spacing, macro))
    value = _ENERGIES.bind(*operands)
    return value, _sum_tangents(parts, value)


def _slopes_jvp(operands, tangents):
    *others, weights = operands
    parts = _by_others(_plain_slopes, operands, tangents, (0, 3, 4))
    if _present(tangents[5]):
        parts.append(_SLOPES.bind(*others, tangents[5]))
    value = _SLOPES.bind(*operands)
    return value, _sum_tangents(parts, value)


def _shared(cotangent: Array, operand: ad.UndefinedPrimal) -> Array:
    """The sum over the cells if the operand is one that they share."""
    alone = operand.aval.shape[0] == 1 and cotangent.shape[0] > 1
    return cotangent.sum(0, keepdims=True) if alone else cotangent


def _force_transpose(cotangent, u, lmbda, mu, spacing, macro, *, periodic):
    if ad.is_undefined_primal(lmbda) or ad.is_undefined_primal(mu):  # the other one may be constant
        return _force_transpose_of_moduli(cotangent, u, lmbda, mu, spacing, macro, periodic)
    force = partial(_FORCE.bind, periodic=periodic)
    by_u = by_macro = None
    if ad.is_undefined_primal(u):
        by_u = _shared(force(cotangent, lmbda, mu, spacing, jnp.zeros((1, 6), cotangent.dtype)), u)
    if ad.is_undefined_primal(macro):
        nothing = jnp.zeros((1, *cotangent.shape[1:]), cotangent.dtype)
        unit = jnp.eye(6, dtype=cotangent.dtype)
        loads = [force(nothing, lmbda, mu, spacing, unit[i : i + 1]) for i in range(6)]
        by_macro = _shared(jnp.stack([(cotangent * load).sum((1, 2, 3, 4)) for load in loads], 1), macro)
    return by_u, None, None, None, by_macro


def _force_transpose_of_moduli(cotangent, u, lmbda, mu, spacing, macro, periodic):
    shape = (lmbda.aval if ad.is_undefined_primal(lmbda) else mu.aval).shape[1:]
    cotangent, u = (Block.of(periodic).corners(field) for field in (cotangent, u))
    loads = _pair(cotangent[:, None], u[:, None])
    macros = _pair(jnp.zeros((1, 1, 6), macro.dtype), macro[:, None])
    half = jnp.array([[[0.0, 0.5], [0.5, 0.0]]], cotangent.dtype)
    weights = spacing.prod(1)[:, None, None] * half
    # Only the shape of the moduli counts.
    nothing = jnp.zeros((1, *shape), cotangent.dtype)
    by_both = _SLOPES.bind(loads, nothing, nothing, spacing, macros, weights)
    by_lmbda, by_mu = (
        _shared(by_both[:, k], operand) if ad.is_undefined_primal(operand) else None
        for k, operand in enumerate((lmbda, mu))
    )
    return None, by_lmbda, by_mu, None, None


def _energies_transpose(cotangent, u, lmbda, mu, spacing, macro):
    nothing = jnp.zeros((1, *lmbda.aval.shape[1:]), cotangent.dtype)
    by_both = _SLOPES.bind(u, nothing, nothing, spacing, macro, cotangent)
    return None, _shared(by_both[:, 0], lmbda), _shared(by_both[:, 1], mu), None, None


def _slopes_transpose(cotangent, u, lmbda, mu, spacing, macro, weights):
    by_weights = _ENERGIES.bind(u, cotangent[:, 0], cotangent[:, 1], spacing, macro)
    return None, None, None, None, None, _shared(by_weights, weights)


def _like(u: Any, *_: Any, **__: Any) -> tuple[int, ...]:
    return u.shape


def _nodes(u: Array, *_: Array, **__: Any) -> tuple[int, int]:
    return u.shape[2], u.shape[3] * u.shape[4]


def _voxels(u: Array, lmbda: Array, *_: Array) -> tuple[int, int]:
    return lmbda.shape[1], lmbda.shape[2] * lmbda.shape[3]


_FORCE = operation("isotropic_force", _plain_force, _like, CPUKernel("forces", 0, _nodes), _force_jvp, _force_transpose)
_RESIDUAL = operation("isotropic_residual", _plain_residual, _like, CPUKernel("forces", 1, _nodes))
_SWEEP = operation("isotropic_sweep", _plain_sweep, _like, CPUKernel("forces", 2, _nodes))
_ENERGIES = operation(
    "isotropic_energies",
    _plain_energies,
    lambda u, *_: (u.shape[0], u.shape[0]),
    CPUKernel("energies", 0, _voxels, by_planes=True),
    _energies_jvp,
    _energies_transpose,
)
_SLOPES = operation(
    "isotropic_slopes",
    _plain_slopes,
    lambda u, lmbda, *_: (2, *lmbda.shape),
    CPUKernel("energies", 1, _voxels),
    _slopes_jvp,
    _slopes_transpose,
)
