"""Forces and energies of voxels: three operations that are each other's derivatives.

With ε(u) = ε⁰ + B u, over a grid of voxels of volume V and the constants c, of which C is made (λ and μ of isotropic
voxels, three constants of cubic ones, twenty-one of general ones):

- **force** f(c; u, ε⁰) = Σ_e V Bᵀ C ε(u), linear in c and in (u, ε⁰);
- **energies** G_ij(c; u) = Σ_e ε(u_i)ᵀ C ε(u_j), the mean over each voxel understood, linear in c;
- **slopes** S(W; u) = Σ_ij W_ij ∂G_ij/∂c in every voxel, linear in W.

What is linear is its own derivative. For the transposes, ⟨w, f(c; u)⟩ = V G_12(c; w, u): f is symmetric in u and w, and
its transpose in c is V S of these two loads with ½ for each mixed weight; G and S are each other's transpose. By the
spacing, and G and S by u, the derivative is that of the plain expressions.

A CPU runs the kernels of `cpu`, any other device the expressions of `_kernel.py`. Forces are told which axes of the
displacement are periodic; along the others its block is free. That of energies is given on all corners. Operands have
a leading axis of cells (see `_cells.py`); the last ones are the constants, whose number says what kind they are.
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
from ._cells import CPUKernel, Shaped, of_cells, of_one, operation
from ._fields import Known, constants, of_constants
from ._form import form


def force(
    material: Known,
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
    return of_one(_FORCE, displacement, spacing, macro, *constants(material), periodic=periodic)


def energies(
    material: Known,
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
    return of_one(_ENERGIES, displacements, spacing, macros, *constants(material))


def residual_force(
    material: Known,
    spacing: Float[Array, "3"],
    displacement: Float[Array, "3 x y z"],
    load: Float[Array, "3 x y z"],
    periodic: tuple[bool, ...],
) -> Float[Array, "3 x y z"]:
    """What a load exceeds the forces of a displacement by. It has no derivative."""
    operands = displacement, spacing, jnp.zeros(6, displacement.dtype), load
    return of_one(_RESIDUAL, *operands, *constants(material), periodic=periodic)


def swept(
    material: Known,
    spacing: Float[Array, "3"],
    displacement: Float[Array, "3 x y z"],
    load: Float[Array, "3 x y z"],
    blocks: Float[Array, "6 x y z"],
    periodic: tuple[bool, ...],
) -> Float[Array, "3 x y z"]:
    """u + D (f − K u), with D the symmetric 3×3 `blocks` of the nodes. It has no derivative."""
    operands = displacement, spacing, jnp.zeros(6, displacement.dtype), load, blocks
    return of_one(_SWEEP, *operands, *constants(material), periodic=periodic)


# The plain expressions, of one cell.


def _plain_force(u: Array, spacing: Array, macro: Array, *moduli: Array, periodic: tuple[bool, ...]) -> Array:
    boundary = Block.of(periodic)
    field = of_constants(*moduli).map(boundary.ghost_elements)
    return form(field).internal_force(boundary.ghosts(u), field, spacing, macro)


def _plain_energies(u: Array, spacing: Array, macros: Array, *moduli: Array) -> Array:
    return _kernel.energy_sums(of_constants(*moduli), spacing, u, macros)


def _plain_slopes(u: Array, spacing: Array, macros: Array, weights: Array, *moduli: Array) -> Array:
    _, transposed = jax.vjp(lambda *given: _plain_energies(u, spacing, macros, *given), *moduli)
    return jnp.stack(transposed(weights))


def _plain_residual(
    u: Array, spacing: Array, macro: Array, load: Array, *moduli: Array, periodic: tuple[bool, ...]
) -> Array:
    return load - _plain_force(u, spacing, macro, *moduli, periodic=periodic)


def _plain_sweep(*operands: Array, periodic: tuple[bool, ...]) -> Array:
    u, spacing, macro, load, blocks, *moduli = operands
    return u + plain_product(blocks, _plain_residual(u, spacing, macro, load, *moduli, periodic=periodic))


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
    u, spacing, macro, *moduli = operands
    d_u, _, d_macro, *d_moduli = tangents
    force = partial(_FORCE.bind, periodic=periodic)
    parts = _by_others(partial(_plain_force, periodic=periodic), operands, tangents, (1,))
    if _present(*d_moduli):
        parts.append(force(u, spacing, macro, *map(_or_zeros, d_moduli)))
    if _present(d_u, d_macro):
        parts.append(force(_or_zeros(d_u), spacing, _or_zeros(d_macro), *moduli))
    value = force(*operands)
    return value, _sum_tangents(parts, value)


def _energies_jvp(operands, tangents):
    parts = _by_others(_plain_energies, operands, tangents, (0, 1, 2))
    if _present(*tangents[3:]):
        parts.append(_ENERGIES.bind(*operands[:3], *map(_or_zeros, tangents[3:])))
    value = _ENERGIES.bind(*operands)
    return value, _sum_tangents(parts, value)


def _slopes_jvp(operands, tangents):
    u, spacing, macros, _, *moduli = operands
    parts = _by_others(_plain_slopes, operands, tangents, (0, 1, 2))
    if _present(tangents[3]):
        parts.append(_SLOPES.bind(u, spacing, macros, tangents[3], *moduli))
    value = _SLOPES.bind(*operands)
    return value, _sum_tangents(parts, value)


def _shared(cotangent: Array, operand: ad.UndefinedPrimal) -> Array:
    """The sum over the cells if the operand is one that they share."""
    alone = operand.aval.shape[0] == 1 and cotangent.shape[0] > 1
    return cotangent.sum(0, keepdims=True) if alone else cotangent


def _force_transpose(cotangent, u, spacing, macro, *moduli, periodic):
    if any(map(ad.is_undefined_primal, moduli)):  # others may be constant
        return _force_transpose_of_moduli(cotangent, u, spacing, macro, moduli, periodic)
    force = partial(_FORCE.bind, periodic=periodic)
    by_u = by_macro = None
    if ad.is_undefined_primal(u):
        by_u = _shared(force(cotangent, spacing, jnp.zeros((1, 6), cotangent.dtype), *moduli), u)
    if ad.is_undefined_primal(macro):
        nothing = jnp.zeros((1, *cotangent.shape[1:]), cotangent.dtype)
        unit = jnp.eye(6, dtype=cotangent.dtype)
        loads = [force(nothing, spacing, unit[i : i + 1], *moduli) for i in range(6)]
        by_macro = _shared(jnp.stack([(cotangent * load).sum((1, 2, 3, 4)) for load in loads], 1), macro)
    return by_u, None, by_macro, *(None for _ in moduli)


def _force_transpose_of_moduli(cotangent, u, spacing, macro, moduli, periodic):
    cotangent, u = (Block.of(periodic).corners(field) for field in (cotangent, u))
    loads = _pair(cotangent[:, None], u[:, None])
    macros = _pair(jnp.zeros((1, 1, 6), macro.dtype), macro[:, None])
    half = jnp.array([[[0.0, 0.5], [0.5, 0.0]]], cotangent.dtype)
    weights = spacing.prod(1)[:, None, None] * half
    return None, None, None, *_slopes_by(moduli, loads, spacing, macros, weights)


def _energies_transpose(cotangent, u, spacing, macros, *moduli):
    return None, None, None, *_slopes_by(moduli, u, spacing, macros, cotangent)


def _slopes_by(moduli, u, spacing, macros, weights):
    """S by the moduli that are undefined; only the shape of the others counts."""
    shape = next(m.aval for m in moduli if ad.is_undefined_primal(m)).shape[1:]
    nothing = jnp.zeros((1, *shape), weights.dtype)
    slopes = _SLOPES.bind(u, spacing, macros, weights, *(nothing for _ in moduli))
    return [_shared(slopes[:, k], m) if ad.is_undefined_primal(m) else None for k, m in enumerate(moduli)]


def _slopes_transpose(cotangent, u, spacing, macros, weights, *moduli):
    by_weights = _ENERGIES.bind(u, spacing, macros, *(cotangent[:, k] for k in range(len(moduli))))
    return None, None, None, _shared(by_weights, weights), *(None for _ in moduli)


def _like(u: Any, *_: Any, **__: Any) -> tuple[int, ...]:
    return u.shape


def _nodes(u: Shaped, *_: Shaped, **__: Any) -> tuple[int, int]:
    return u.shape[2], u.shape[3] * u.shape[4]


def _voxels(*operands: Shaped) -> tuple[int, int]:
    _, x, y, z = operands[-1].shape
    return x, y * z


_FORCE = operation("voxel_force", _plain_force, _like, CPUKernel("forces", 0, _nodes), _force_jvp, _force_transpose)
_RESIDUAL = operation("voxel_residual", _plain_residual, _like, CPUKernel("forces", 1, _nodes))
_SWEEP = operation("voxel_sweep", _plain_sweep, _like, CPUKernel("forces", 2, _nodes))
_ENERGIES = operation(
    "voxel_energies",
    _plain_energies,
    lambda u, *_: (u.shape[0], u.shape[0]),
    CPUKernel("energies", 0, _voxels, by_planes=True),
    _energies_jvp,
    _energies_transpose,
)
_SLOPES = operation(
    "voxel_slopes",
    _plain_slopes,
    lambda u, spacing, macros, weights, *moduli: (len(moduli), *moduli[0].shape),
    CPUKernel("energies", 1, _voxels),
    _slopes_jvp,
    _slopes_transpose,
)
