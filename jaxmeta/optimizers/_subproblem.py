r"""The subproblem of MMA and GCMMA, solved in its few multipliers by a primal-dual Newton method.

`_approximation` states the problem, the approximation f̃ (1) and its minimiser τ(λ) (2).

**The dual problem.** What is left is to maximise the minimum over x, y and z, a concave function of λ ≥ 0. For z it is
finite if aᵀλ ≤ a₀; for y it is −(λ + μ − c)²/(2d), to be maximised over another multiplier μ ≥ 0. With a barrier
parameter ε for these three bounds, this is the minimisation of a smooth convex function φ(λ, μ) with

    −∂φ/∂λ = f̃(τ(λ)) − a z − y + s,     s = ε/λ,     z = ε/ζ,  ζ = a₀ − aᵀλ,     y = (λ + μ − c)/d,
    −∂φ/∂μ = ε/μ − y,                                                                                         (3)

whose minimiser tends to the multipliers as ε → 0; there every complementarity product λs, μy, ζz equals ε.

**The reduced Newton system.** Differentiating (2) where it is not clipped, dτⱼ/dλᵢ = −f̃'ᵢⱼ/ψ''ⱼ, with f̃' and ψ'' the
derivatives of (1) and of the Lagrangian by τ, less σ:

    f̃'ᵢ = (gᵢ (1 + τ²) + 2 Sᵢ τ) / (1 − τ²)²        ψ'' = (S (2 + 6 τ²) + g (6 τ + 2 τ³)) / (1 − τ²)³

so that df̃/dλ = −H with H = Σⱼ σⱼ f̃'ⱼ f̃'ⱼᵀ / ψ''ⱼ, positive semidefinite. Of s, y and z the products are
differentiated, as in primal-dual methods: λ s = ε gives Δs = −s + ε/λ − (s/λ) Δλ; ζ z = ε with Δζ = −aᵀΔλ gives
Δz = −z + ε/ζ + (z/ζ) aᵀΔλ; and μ y = ε with Δy = (Δλ + Δμ)/d gives Δμ = −(y − ε/μ + Δλ/d) / (1/d + y/μ). Inserted
into the first line of (3), this is a symmetric positive definite m × m system:

    [H + diag(s/λ) + diag(1/(d + μ/y)) + (z/ζ) a aᵀ] Δλ = f̃ − a ε/ζ − y + ε/λ + (y − ε/μ)/(1 + y d/μ)      (4)

In any case (Δλ, Δμ) is minus a positive definite matrix times the gradient of φ, so φ falls along it. Bounds are kept
by going no more than nearly up to them. Clipping makes kinks in f̃, across which H says little: a step is also
shortened until f̃ has not fallen by much more than H predicts, measured along the step against the slope of φ. As φ is
convex this keeps the step from overshooting; it compares no values of φ, and so works down to rounding.

Work and memory are those of one pass over the m × n gradients for each step.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._approximation import Subproblem, change, curvature_of, lagrangian, minimiser
from ._protocol import Outcome

_MAX_SHORTENINGS = 40  # of one Newton step, before it counts as stalled
_TO_BOUND = 0.99  # how much of the distance to a bound of the multipliers a step may go
_SAFEGUARD = 1e4  # largest factor between s and ε/λ, y and ε/μ, z and ε/ζ


class _Dual(NamedTuple):
    """The unknowns of (3). y and ζ are carried along: where they are small, their formulas would lose all digits."""

    lam: Float[Array, " m"]
    s: Float[Array, " m"]
    mu: Float[Array, " m"]
    y: Float[Array, " m"]
    z: Float[Array, ""]
    zeta: Float[Array, ""]


class _Newton(NamedTuple):
    """Where the Newton iteration is."""

    dual: _Dual
    constraints: Float[Array, " m"]
    hessian: Float[Array, "m m"]
    barrier: Float[Array, ""]
    length: Float[Array, ""]  # of the next trial, in units of the longest step
    shortenings: Int[Array, ""]
    iterations: Int[Array, ""]
    result: Int[Array, ""]  # −1 while running


class Solution(NamedTuple):
    """Minimiser of a subproblem, its multipliers and how it was found."""

    tau: Float[Array, " n"]
    lam: Float[Array, " m"]
    y: Float[Array, " m"]
    z: Float[Array, ""]
    residual: Float[Array, ""]
    iterations: Int[Array, ""]
    result: Int[Array, ""]


def _evaluate(problem: Subproblem, lam: Array) -> tuple[Array, Array]:
    """Constraints f̃(τ(λ)) (m,) and H (m, m) of (4)."""
    gradient, curvature = lagrangian(problem, lam)
    tau = minimiser(problem, gradient, curvature)
    square = tau * tau
    inverse = 1 / (1 - square)
    rows = (problem.sigma[None], tau[None], problem.gradients, problem.rho[:, None])
    constraints = problem.values + change(*rows)
    slopes = problem.gradients * (1 + square)[None]
    slopes = slopes + 2 * curvature_of(problem.gradients, problem.rho[:, None]) * tau[None]
    slopes = slopes * (inverse**2)[None]
    second = (curvature * (2 + 6 * square) + gradient * tau * (6 + 2 * square)) * inverse**3
    free = (tau > problem.low) & (tau < problem.high)
    weight = jnp.where(free, problem.sigma / second, 0) / tau.size
    return constraints, jnp.matmul(slopes * weight[None], slopes.T, precision="highest")


def _gradient(problem: Subproblem, dual: _Dual, constraints: Array, barrier: Array) -> tuple[Array, Array]:
    """∂φ/∂λ and ∂φ/∂μ of (3)."""
    by_lam = constraints - problem.a * (barrier / dual.zeta) - dual.y + barrier / dual.lam
    return -by_lam, dual.y - barrier / dual.mu


def _direction(problem: Subproblem, at: _Newton) -> _Dual:
    """Newton step from (4)."""
    lam, s, mu, y, z, zeta = at.dual
    barrier, a, d = at.barrier, problem.a, problem.d
    # y may leave the bound that its part in the matrix must keep.
    ratio = jnp.clip(y, barrier / mu / _SAFEGUARD, barrier / mu * _SAFEGUARD) / mu
    matrix = at.hessian + jnp.diag(s / lam + ratio / (d * ratio + 1)) + (z / zeta) * a[:, None] * a[None, :]
    # Diagonal entries differ by many orders of magnitude: scaled to a unit diagonal float32 can factor it, and a
    # diagonal shift of the size of rounding lets it do so even if two constraints are the same.
    scale = jax.lax.rsqrt(jnp.diag(matrix))
    scaled = matrix * scale[:, None] * scale[None, :]
    scaled = scaled + 8 * jnp.finfo(scaled.dtype).eps * jnp.eye(len(lam), dtype=scaled.dtype)
    factor = jax.scipy.linalg.cho_factor(scaled, lower=True)
    by_lam, by_mu = _gradient(problem, at.dual, at.constraints, barrier)
    d_lam = scale * jax.scipy.linalg.cho_solve(factor, scale * (by_mu / (1 + d * ratio) - by_lam))
    d_mu = -(by_mu + d_lam / d) / (1 / d + ratio)
    # (Δλ + Δμ)/d without the cancellation.
    d_y = (ratio * d_lam - by_mu) / (1 + d * ratio)
    relief = jnp.sum(a * d_lam)
    return _Dual(
        lam=d_lam,
        s=-s + barrier / lam - (s / lam) * d_lam,
        mu=d_mu,
        y=d_y,
        z=-z + barrier / zeta + (z / zeta) * relief,
        zeta=-relief,
    )


def _error(problem: Subproblem, dual: _Dual, constraints: Array, hessian: Array, barrier: Array) -> tuple[Array, Array]:
    """Largest violation or error of a complementarity product; and that less what the rounding of λ accounts for."""
    by_lam, by_mu = _gradient(problem, dual, constraints, barrier)
    violation = -by_lam - barrier / dual.lam
    error = jnp.maximum(violation, jnp.abs(by_lam) * jnp.minimum(dual.lam, 1))
    rounding = 4 * jnp.finfo(error.dtype).eps * jnp.sum(jnp.abs(hessian) * dual.lam[None, :], 1)
    other = jnp.max(jnp.abs(by_mu) * jnp.minimum(dual.mu, 1))
    return jnp.maximum(jnp.max(error), other), jnp.maximum(jnp.max(error - rounding), other)


@functools.partial(jax.jit, static_argnames=("tolerance", "max_iterations"))
def solve(problem: Subproblem, tolerance: float, max_iterations: int) -> Solution:
    """Minimise a subproblem."""
    dtype = problem.sigma.dtype
    one, count = jnp.ones((), dtype), jnp.zeros((), jnp.int32)
    if problem.values.size == 0:
        tau = minimiser(problem, *lagrangian(problem, problem.values))
        # z pays a₀ and relieves nothing.
        return Solution(tau, problem.values, problem.values, 0 * one, 0 * one, count, count)

    def step(at: _Newton) -> _Newton:
        # One pass evaluates one trial point. A step that goes too far is shortened in the next pass.
        direction = _direction(problem, at)
        approach = jnp.maximum(jnp.max(-direction.lam / at.dual.lam), jnp.max(-direction.mu / at.dual.mu))
        approach = jnp.maximum(approach, -direction.zeta / at.dual.zeta)
        length = at.length / jnp.maximum(1, approach / _TO_BOUND)
        trial = jax.tree.map(lambda value, move: value + length * move, at.dual, direction)
        constraints, hessian = _evaluate(problem, trial.lam)
        even_s, even_z = at.barrier / trial.lam, at.barrier / trial.zeta
        trial = trial._replace(
            s=jnp.clip(trial.s, even_s / _SAFEGUARD, even_s * _SAFEGUARD),
            z=jnp.clip(trial.z, even_z / _SAFEGUARD, even_z * _SAFEGUARD),
        )
        by_lam, by_mu = _gradient(problem, at.dual, at.constraints, at.barrier)
        slope = -jnp.sum(by_lam * direction.lam + by_mu * direction.mu)
        # How much more than H predicts the constraints have fallen, along the step.
        linear = at.constraints - length * jnp.sum(at.hessian * direction.lam[None, :], 1)
        excess = jnp.maximum(jnp.sum((linear - constraints) * direction.lam), 0)
        error, beyond_rounding = _error(problem, trial, constraints, hessian, at.barrier)
        centred = beyond_rounding < 0.9 * at.barrier
        accept = (excess <= 0.5 * slope) | centred
        moved = at._replace(dual=trial, constraints=constraints, hessian=hessian)
        new = jax.tree.map(lambda yes, no: jnp.where(accept, yes, no), moved, at)
        # Where the slope along the step would vanish if it were linear, but no less than a tenth of the way.
        shorter = at.length * jnp.clip(slope / (slope + excess), 0.1, 0.5)
        shortenings = jnp.where(accept, 0, at.shortenings + 1)
        iterations = at.iterations + 1
        smaller = jnp.maximum(jnp.minimum(0.1 * at.barrier, at.barrier**1.5), tolerance)
        result = jnp.where(iterations >= max_iterations, Outcome.max_iterations, -1)
        result = jnp.where(shortenings > _MAX_SHORTENINGS, Outcome.stalled, result)
        return new._replace(
            barrier=jnp.where(centred, smaller, at.barrier),
            length=jnp.where(accept, one, shorter),
            shortenings=shortenings,
            iterations=iterations,
            result=jnp.where(centred & (at.barrier <= tolerance), Outcome.solved, result).astype(jnp.int32),
        )

    a = problem.a
    lam = jnp.broadcast_to(jnp.minimum(1, 0.5 * problem.a0 / jnp.maximum(jnp.sum(a), 1e-6)), a.shape)
    zeta = problem.a0 - jnp.sum(a * lam)
    dual = _Dual(lam, 1 / lam, problem.c, lam / problem.d, 1 / zeta, zeta)
    start = _Newton(dual, *_evaluate(problem, lam), one, one, count, count, count - 1)
    end = jax.lax.while_loop(lambda at: at.result < 0, step, start)
    tau = minimiser(problem, *lagrangian(problem, end.dual.lam))
    error, _ = _error(problem, end.dual, end.constraints, end.hessian, end.barrier)
    return Solution(
        tau, end.dual.lam, end.dual.y, end.barrier / end.dual.zeta, error + end.barrier, end.iterations, end.result
    )
