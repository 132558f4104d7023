"""The periodic fluctuation under a unit strain, with its derivative.

For a uniform strain ε⁰ the fluctuation ũ solves K ũ = −Bᵀ C ε⁰. The right-hand side and every residual are formed as
Bᵀ C (ε⁰ + B ũ), never from total displacements, so that rounding is relative to the stress that is left.

**Derivative.** ũ is defined by the residual force g(m, ũ) = Bᵀ C(m) (ε⁰ + B ũ) = 0 for material and spacing m, whose
slope by ũ is K: `solvers.implicit`, one more solve with the same operator, needed for second derivatives of C only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..fem import Boundary, MaterialField, Stiffness
from ..solvers import PCG, Stats, implicit, inner, solve

Preconditioner = Callable[[Stiffness], Callable[[Array], Array]]


class Problem(NamedTuple):
    """What the fluctuation depends on smoothly, and the tolerances of its solve."""

    material: MaterialField
    spacing: Array
    method: PCG

    def stiffness(self, boundary: Boundary) -> Stiffness:
        """K."""
        return Stiffness(self.material, self.spacing, boundary)


class Load(NamedTuple):
    """A problem under one load.

    Attributes:
        problem: material, spacing and method.
        boundary: boundary condition of this load.
        macro: uniform strain ε⁰, (6,).
    """

    problem: Problem
    boundary: Boundary
    macro: Array

    def stiffness(self) -> Stiffness:
        """K."""
        return self.problem.stiffness(self.boundary)


def fluctuation(preconditioner: Preconditioner, load: Load, start: Array | None) -> tuple[Array, Stats]:
    """ũ, (3, x, y, z), and how it was found; they carry no derivative.

    Args:
        preconditioner: makes an approximate inverse of a stiffness operator.
        load: what is solved; the method's tolerance is relative to the current energy, so to C.
        start: displacement to start from, if not zero.
    """
    problem, boundary, macro = jax.lax.stop_gradient(load)
    operator = problem.stiffness(boundary)
    force = -operator(jnp.zeros((3, *operator.nodes), macro.dtype), macro)
    strain = [macro[i] * jnp.ones_like(problem.material.diagonal[0]) for i in range(6)]
    stress = problem.material.stress(strain)
    uniform = jnp.prod(problem.spacing) * sum(
        inner(s, e) for s, e in zip(stress, strain, strict=True) if s is not None and e is not None
    )
    rhs, energy = force, uniform
    if start is not None:
        start = boundary.free(start)
        if not boundary.holds:
            start = start - start.mean((1, 2, 3), keepdims=True)  # a translation would only cost digits
        rhs = -operator(start, macro)
        # (ε⁰ + B ũ)ᵀ C (ε⁰ + B ũ) = ε⁰ᵀ C ε⁰ − 2 bᵀ ũ + ũᵀ K ũ, and the residual is r = b − K ũ.
        energy = jnp.maximum(uniform - inner(force + rhs, start), 0)
    norm = jnp.sqrt(inner(force, force))
    solution = problem.method(operator, rhs, preconditioner(operator), energy=energy, load=uniform, norm=norm)
    return solution.value if start is None else start + solution.value, solution.stats


def followed(preconditioner: Preconditioner, load: Load, found: Array) -> Array:
    """A fluctuation that was found, as a differentiable function of the problem."""
    return implicit(_residual_force, partial(_inverse, preconditioner), load, found)


def _residual_force(load: Load, displacement: Array) -> Array:
    return load.stiffness()(displacement, load.macro)


def _inverse(preconditioner: Preconditioner, load: Load, _: Array) -> Callable[[Array], Array]:
    approximate = preconditioner(jax.lax.stop_gradient(load).stiffness())
    return lambda force: solve(load.stiffness(), force, load.problem.method, approximate).value
