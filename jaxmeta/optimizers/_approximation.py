r"""The convex approximation of MMA and GCMMA, and its minimiser for given multipliers.

The problem is

    min f₀(x) + a₀ z + Σᵢ (cᵢ yᵢ + ½ dᵢ yᵢ²)   subject to   fᵢ(x) − aᵢ z − yᵢ ≤ 0,   lower ≤ x ≤ upper,   y, z ≥ 0,

with i = 1…m few and x long. Each update replaces the functions by convex separable ones, with poles at two moving
asymptotes, and minimises exactly.

**The approximation.** Svanberg takes p/(u − x) + q/(x − l) with asymptotes u, l. His update keeps both at one distance
σ from the current point. With τ = (x − xᵏ)/σ in (−1, 1), partial fractions give, without any cancellation,

    f̃ᵢ(τ) = fᵢ + Σⱼ σⱼ (gᵢⱼ τⱼ + Sᵢⱼ τⱼ²) / (1 − τⱼ²),      Sᵢⱼ = 1.002 |gᵢⱼ| + 2 ρᵢ,                       (1)

where g = ∂f/∂x. (His p and q are σ² (S + g)/2 and σ² (S − g)/2.)

**Scale.** Lengths are measured in upper − lower, and each function is divided by Σⱼ |gᵢⱼ|, what it can change by over
the box to first order (or by |fᵢ| if that is larger). Multipliers are then of order one, c and ρ need no tuning to the
units of the problem, and float32 suffices. Sums over j become means, so that entries of g are of order one for any n.

**The minimiser for given multipliers.** With g = g₀ + Σ λᵢ gᵢ and S = S₀ + Σ λᵢ Sᵢ the Lagrangian separates, and a
quadratic equation for each j gives

    τ(λ) = clip( −g / (S + √(S² − g²)), τ_min, τ_max ).                                                       (2)

References:
    Svanberg, K. (1987), "The method of moving asymptotes — a new method for structural optimization", Int. J. Numer.
    Methods Eng. 24.
    Svanberg, K. (2002), "A class of globally convergent optimization methods based on conservative convex separable
    approximations", SIAM J. Optim. 12.
    Svanberg, K. (2007), "MMA and GCMMA — two methods for nonlinear optimization", KTH Stockholm.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Subproblem(NamedTuple):
    """A scaled subproblem; n variables, m constraints. All that (1) to (4) need."""

    sigma: Float[Array, " n"]
    low: Float[Array, " n"]
    high: Float[Array, " n"]
    objective_gradient: Float[Array, " n"]
    gradients: Float[Array, "m n"]
    values: Float[Array, " m"]
    objective_rho: Float[Array, ""]
    rho: Float[Array, " m"]
    a0: Float[Array, ""]
    a: Float[Array, " m"]
    c: Float[Array, " m"]
    d: Float[Array, " m"]


def curvature_of(gradient: Array, rho: Array) -> Array:
    """S of (1)."""
    return 1.002 * jnp.abs(gradient) + 2 * rho


def lagrangian(problem: Subproblem, lam: Array) -> tuple[Array, Array]:
    """g and S of (2)."""
    gradient = problem.objective_gradient + jnp.sum(lam[:, None] * problem.gradients, 0)
    curvatures = curvature_of(problem.gradients, problem.rho[:, None])
    curvature = curvature_of(problem.objective_gradient, problem.objective_rho)
    return gradient, curvature + jnp.sum(lam[:, None] * curvatures, 0)


def minimiser(problem: Subproblem, gradient: Array, curvature: Array) -> Array:
    """τ of (2)."""
    root = jnp.sqrt(jnp.maximum((curvature - gradient) * (curvature + gradient), 0))
    return jnp.clip(-gradient / (curvature + root), problem.low, problem.high)


def change(sigma: Array, tau: Array, gradient: Array, rho: Array) -> Array:
    """f̃ − f of (1), for one function or along a leading axis of several."""
    # A sum of products, not a matrix product: XLA sums in stages, which keeps float32 accurate for millions of terms.
    return jnp.mean(sigma * tau * (gradient + curvature_of(gradient, rho) * tau) / (1 - tau * tau), axis=-1)
