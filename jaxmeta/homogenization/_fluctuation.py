"""The periodic fluctuation under a unit strain, with its derivative.

For a uniform strain ε⁰ the fluctuation ũ solves K ũ = −Bᵀ C ε⁰. The right-hand side and every residual are formed as
Bᵀ C (ε⁰ + B ũ), never from total displacements, so that rounding is relative to the stress that is left.

**Derivative.** Let g(m, ũ) = Bᵀ C(m) (ε⁰ + B ũ) be the residual force for material and spacing m. Then g(m, ũ(m)) = 0
gives K dũ = −∂g/∂m dm: one more solve with the same operator, needed for second derivatives of C only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..fem import Boundary, MaterialField, Stiffness
from ..solvers import PCG, Solution, Stats, inner, solve
from ._in_turn import in_turn

Preconditioner = Callable[[Stiffness], Callable[[Array], Array]]


class Problem(NamedTuple):
    """What the fluctuation depends on smoothly."""

    material: MaterialField
    spacing: Array


def _residual_force(problem: Problem, boundary: Boundary, displacement: Array, macro: Array) -> Array:
    return Stiffness(problem.material, problem.spacing, boundary)(displacement, macro)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def fluctuation(
    preconditioner: Preconditioner, method: PCG, problem: Problem, boundary: Boundary, macro: Array, start: Array | None
) -> tuple[Array, Stats]:
    """ũ, (3, x, y, z), and how it was found.

    Args:
        preconditioner: makes an approximate inverse of a stiffness operator.
        method: when to stop; its tolerance is relative to the current energy, so to C.
        problem: material and spacing.
        boundary: boundary condition of this load.
        macro: uniform strain ε⁰, (6,).
        start: displacement to start from, if not zero.
    """
    operator = Stiffness(problem.material, problem.spacing, boundary)
    load = -operator(jnp.zeros((3, *operator.nodes), macro.dtype), macro)
    strain = [macro[i] * jnp.ones_like(problem.material.diagonal[0]) for i in range(6)]
    stress = problem.material.stress(strain)
    uniform = jnp.prod(problem.spacing) * sum(
        inner(s, e) for s, e in zip(stress, strain, strict=True) if s is not None and e is not None
    )
    rhs, energy = load, uniform
    if start is not None:
        start = boundary.free(start)
        if not boundary.holds:
            start = start - start.mean((1, 2, 3), keepdims=True)  # a translation would only cost digits
        rhs = -operator(start, macro)
        # (ε⁰ + B ũ)ᵀ C (ε⁰ + B ũ) = ε⁰ᵀ C ε⁰ − 2 bᵀ ũ + ũᵀ K ũ, and the residual is r = b − K ũ.
        energy = jnp.maximum(uniform - inner(load + rhs, start), 0)
    norm = jnp.sqrt(inner(load, load))

    def solved(method: PCG, problem: Problem, boundary: Boundary, rhs: Array, *scales: Array) -> Solution:
        energy, uniform, norm = scales
        operator = Stiffness(problem.material, problem.spacing, boundary)
        return method(operator, rhs, preconditioner(operator), energy=energy, load=uniform, norm=norm)

    scales = energy, uniform, norm
    solution = in_turn(solved, problem.material.diagonal[0].size)(method, problem, boundary, rhs, *scales)
    value = solution.value if start is None else start + solution.value
    return value, solution.stats


@fluctuation.defjvp
def _fluctuation_jvp(preconditioner: Preconditioner, primals, tangents):
    method, problem, boundary, macro, start = primals
    _, d_problem, _, d_macro, _ = tangents
    value, stats = fluctuation(preconditioner, method, problem, boundary, macro, start)
    _, d_force = jax.jvp(lambda p, e: _residual_force(p, boundary, value, e), (problem, macro), (d_problem, d_macro))
    operator = Stiffness(problem.material, problem.spacing, boundary)
    fixed = jax.lax.stop_gradient(problem)
    approximate = preconditioner(Stiffness(fixed.material, fixed.spacing, boundary))
    d_value = solve(operator, -d_force, method, approximate).value
    no_change = jax.tree.map(lambda s: jax.custom_derivatives.zero_from_primal(s), stats)
    return (value, stats), (d_value, no_change)
