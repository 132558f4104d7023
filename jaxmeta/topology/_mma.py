r"""The method of moving asymptotes (MMA) and its globally convergent variant (GCMMA).

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

References:
    Svanberg, K. (1987), "The method of moving asymptotes — a new method for structural optimization", Int. J. Numer.
    Methods Eng. 24.
    Svanberg, K. (2002), "A class of globally convergent optimization methods based on conservative convex separable
    approximations", SIAM J. Optim. 12.
    Svanberg, K. (2007), "MMA and GCMMA — two methods for nonlinear optimization", KTH Stockholm.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

#: What `MMAState.result` means.
MMA_RESULTS = (
    "The subproblem was solved.",
    "The subproblem was not solved to its tolerance within the allowed Newton steps. Raise `max_iterations`.",
    "The subproblem stalled before its tolerance. Use float64, or raise `tolerance`.",
    "No conservative approximation was found within the allowed trials. Are the gradients those of the functions?",
    "A value or gradient is not finite, and the design was left as it was.",
)
_SOLVED, _MAX_ITERATIONS, _STALLED, _NOT_CONSERVATIVE, _NOT_FINITE = range(5)

_MAX_SHORTENINGS = 40  # of one Newton step, before it counts as stalled
_TO_BOUND = 0.99  # how much of the distance to a bound of the multipliers a step may go
_SAFEGUARD = 1e4  # largest factor between s and ε/λ, y and ε/μ, z and ε/ζ
_CLOSEST, _FARTHEST = 0.01, 10.0  # limits of the asymptotes' distance, in upper − lower
_SIGNS = {"a": "not be negative", "c": "be above 0", "d": "be above 0"}
_TO_ASYMPTOTE = 0.9  # how much of the distance to an asymptote a step may go


class MMAState(NamedTuple):
    """What an update leaves behind. No array in it depends on the number of constraints.

    Attributes:
        step: Number of updates done.
        previous: Design before the last update, of the shape of x.
        before_previous: Design before the update before that.
        distance: Distance σ of both asymptotes from `previous`, in upper − lower, of the shape of x.
        optimality: Sum over the variables of |∂L/∂x| times the distance to the bound it points away from, L being the
            Lagrangian at `previous` with the multipliers of the last subproblem; in what the objective can change by
            over the box to first order. Zero at a stationary point; measured, like `violation`, before the update.
        violation: Largest max(0, fᵢ − aᵢ z) at `previous`, in the units of the constraints.
        relaxation: Largest yᵢ of the last subproblem, in the units of the constraints. Above rounding the constraints
            cannot be met within the move limit.
        residual: Largest violation, complementarity product or error of one left in the last subproblem, scaled.
        iterations: Newton steps spent on it.
        subproblems: Number of subproblems solved in the last update.
        result: Index into `MMA_RESULTS`; 0 when all is well.
    """

    step: Int[Array, ""]
    previous: Float[Array, "*shape"]
    before_previous: Float[Array, "*shape"]
    distance: Float[Array, "*shape"]
    optimality: Float[Array, ""]
    violation: Float[Array, ""]
    relaxation: Float[Array, ""]
    residual: Float[Array, ""]
    iterations: Int[Array, ""]
    subproblems: Int[Array, ""]
    result: Int[Array, ""]


class _Problem(NamedTuple):
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


class _Dual(NamedTuple):
    """The unknowns of (3). y and ζ are carried along: where they are small, their formulas would lose all digits."""

    lam: Float[Array, " m"]
    s: Float[Array, " m"]
    mu: Float[Array, " m"]
    y: Float[Array, " m"]
    z: Float[Array, ""]
    zeta: Float[Array, ""]


class _Scale(NamedTuple):
    """Units of the scaled problem."""

    box: Float[Array, " n"]
    objective: Float[Array, ""]
    constraints: Float[Array, " m"]
    z: Float[Array, ""]


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


class _Solution(NamedTuple):
    """Minimiser of a subproblem, its multipliers and how it was found."""

    tau: Float[Array, " n"]
    lam: Float[Array, " m"]
    y: Float[Array, " m"]
    z: Float[Array, ""]
    residual: Float[Array, ""]
    iterations: Int[Array, ""]
    result: Int[Array, ""]


def _curvature(gradient: Array, rho: Array) -> Array:
    """S of (1)."""
    return 1.002 * jnp.abs(gradient) + 2 * rho


def _lagrangian(problem: _Problem, lam: Array) -> tuple[Array, Array]:
    """g and S of (2)."""
    gradient = problem.objective_gradient + jnp.sum(lam[:, None] * problem.gradients, 0)
    curvatures = _curvature(problem.gradients, problem.rho[:, None])
    curvature = _curvature(problem.objective_gradient, problem.objective_rho)
    return gradient, curvature + jnp.sum(lam[:, None] * curvatures, 0)


def _minimiser(problem: _Problem, gradient: Array, curvature: Array) -> Array:
    """τ of (2)."""
    root = jnp.sqrt(jnp.maximum((curvature - gradient) * (curvature + gradient), 0))
    return jnp.clip(-gradient / (curvature + root), problem.low, problem.high)


def _change(sigma: Array, tau: Array, gradient: Array, rho: Array) -> Array:
    """f̃ − f of (1), for one function or along a leading axis of several."""
    # A sum of products, not a matrix product: XLA sums in stages, which keeps float32 accurate for millions of terms.
    return jnp.mean(sigma * tau * (gradient + _curvature(gradient, rho) * tau) / (1 - tau * tau), axis=-1)


def _evaluate(problem: _Problem, lam: Array) -> tuple[Array, Array]:
    """Constraints f̃(τ(λ)) (m,) and H (m, m)."""
    gradient, curvature = _lagrangian(problem, lam)
    tau = _minimiser(problem, gradient, curvature)
    square = tau * tau
    inverse = 1 / (1 - square)
    rows = (problem.sigma[None], tau[None], problem.gradients, problem.rho[:, None])
    constraints = problem.values + _change(*rows)
    slopes = problem.gradients * (1 + square)[None]
    slopes = slopes + 2 * _curvature(problem.gradients, problem.rho[:, None]) * tau[None]
    slopes = slopes * (inverse**2)[None]
    second = (curvature * (2 + 6 * square) + gradient * tau * (6 + 2 * square)) * inverse**3
    free = (tau > problem.low) & (tau < problem.high)
    weight = jnp.where(free, problem.sigma / second, 0) / tau.size
    return constraints, jnp.matmul(slopes * weight[None], slopes.T, precision="highest")


def _gradient(problem: _Problem, dual: _Dual, constraints: Array, barrier: Array) -> tuple[Array, Array]:
    """∂φ/∂λ and ∂φ/∂μ of (3)."""
    by_lam = constraints - problem.a * (barrier / dual.zeta) - dual.y + barrier / dual.lam
    return -by_lam, dual.y - barrier / dual.mu


def _direction(problem: _Problem, at: _Newton) -> _Dual:
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


def _error(problem: _Problem, dual: _Dual, constraints: Array, hessian: Array, barrier: Array) -> tuple[Array, Array]:
    """Largest violation or error of a complementarity product; and that less what the rounding of λ accounts for."""
    by_lam, by_mu = _gradient(problem, dual, constraints, barrier)
    violation = -by_lam - barrier / dual.lam
    error = jnp.maximum(violation, jnp.abs(by_lam) * jnp.minimum(dual.lam, 1))
    rounding = 4 * jnp.finfo(error.dtype).eps * jnp.sum(jnp.abs(hessian) * dual.lam[None, :], 1)
    other = jnp.max(jnp.abs(by_mu) * jnp.minimum(dual.mu, 1))
    return jnp.maximum(jnp.max(error), other), jnp.maximum(jnp.max(error - rounding), other)


@functools.partial(jax.jit, static_argnames=("tolerance", "max_iterations"))
def _solve(problem: _Problem, tolerance: float, max_iterations: int) -> _Solution:
    """Minimise a subproblem."""
    dtype = problem.sigma.dtype
    one, count = jnp.ones((), dtype), jnp.zeros((), jnp.int32)
    if problem.values.size == 0:
        tau = _minimiser(problem, *_lagrangian(problem, problem.values))
        # z pays a₀ and relieves nothing.
        return _Solution(tau, problem.values, problem.values, 0 * one, 0 * one, count, count)

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
        result = jnp.where(iterations >= max_iterations, _MAX_ITERATIONS, -1)
        result = jnp.where(shortenings > _MAX_SHORTENINGS, _STALLED, result)
        return new._replace(
            barrier=jnp.where(centred, smaller, at.barrier),
            length=jnp.where(accept, one, shorter),
            shortenings=shortenings,
            iterations=iterations,
            result=jnp.where(centred & (at.barrier <= tolerance), _SOLVED, result).astype(jnp.int32),
        )

    a = problem.a
    lam = jnp.broadcast_to(jnp.minimum(1, 0.5 * problem.a0 / jnp.maximum(jnp.sum(a), 1e-6)), a.shape)
    zeta = problem.a0 - jnp.sum(a * lam)
    dual = _Dual(lam, 1 / lam, problem.c, lam / problem.d, 1 / zeta, zeta)
    start = _Newton(dual, *_evaluate(problem, lam), one, one, count, count, count - 1)
    end = jax.lax.while_loop(lambda at: at.result < 0, step, start)
    tau = _minimiser(problem, *_lagrangian(problem, end.dual.lam))
    error, _ = _error(problem, end.dual, end.constraints, end.hessian, end.barrier)
    return _Solution(
        tau, end.dual.lam, end.dual.y, end.barrier / end.dual.zeta, error + end.barrier, end.iterations, end.result
    )


def _coefficients(name: str, value: float | tuple[float, ...], count: int, dtype) -> Array:
    """One coefficient for each constraint."""
    if isinstance(value, tuple) and len(value) != count:
        raise ValueError(f"Argument `{name}` must have one number for each of {count} constraints, but is {value}.")
    return jnp.broadcast_to(jnp.asarray(value, dtype), (count,))


@dataclasses.dataclass(frozen=True)
class _Asymptotes:
    """What MMA and GCMMA have in common."""

    move: float | int = 0.2
    start: float | int = 0.5
    shrink: float | int = 0.7
    grow: float | int = 1.2
    a0: float | int = 1.0
    a: float | int | tuple[float, ...] = 0.0
    c: float | int | tuple[float, ...] = 1000.0
    d: float | int | tuple[float, ...] = 1.0
    tolerance: float | int | None = None
    max_iterations: int = 200

    def __post_init__(self):
        if not self.move > 0:
            raise ValueError(f"Argument `move` must be above 0, but is {self.move}.")
        if not _CLOSEST <= self.start <= _FARTHEST:
            raise ValueError(f"Argument `start` must be in [{_CLOSEST}, {_FARTHEST}], but is {self.start}.")
        if not 0 < self.shrink <= 1:
            raise ValueError(f"Argument `shrink` must be in (0, 1], but is {self.shrink}.")
        if not self.grow >= 1:
            raise ValueError(f"Argument `grow` must be at least 1, but is {self.grow}.")
        if not self.a0 > 0:
            raise ValueError(f"Argument `a0` must be above 0, but is {self.a0}.")
        for name in "acd":
            value = getattr(self, name)
            numbers = value if isinstance(value, tuple) else (value,)
            if not all(number >= 0 if name == "a" else number > 0 for number in numbers):
                raise ValueError(f"Argument `{name}` must {_SIGNS[name]}, but is {value}.")
        if self.tolerance is not None and not self.tolerance > 0:
            raise ValueError(f"Argument `tolerance` must be above 0, but is {self.tolerance}.")
        if not self.max_iterations >= 1:
            raise ValueError(f"Argument `max_iterations` must be at least 1, but is {self.max_iterations}.")

    def init(
        self,
        x: Float[Array, "*shape"],
        lower: float | int | Float[Array, "..."] = 0.0,
        upper: float | int | Float[Array, "..."] = 1.0,
    ) -> MMAState:
        """State before the first update.

        Args:
            x: Design, any shape.
            lower: Lower bounds, a number or an array of the shape of x. Must be finite.
            upper: Upper bounds, a number or an array of the shape of x. Must be finite.

        Returns:
            The state.

        Raises:
            ValueError: If x is not of a floating-point dtype.
        """
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise ValueError(f"Argument `x` must have a floating-point dtype, but has dtype {x.dtype}.")
        x = jnp.clip(x, jnp.asarray(lower, x.dtype), jnp.asarray(upper, x.dtype))
        zero, none = jnp.zeros((), x.dtype), jnp.zeros((), jnp.int32)
        distance = jnp.full_like(x, self.start)
        return MMAState(none, x, x, distance, zero, zero, zero, zero, none, none, none)

    def _prepare(self, state, x, value, gradient, constraint_values, constraint_gradients, lower, upper):
        """Checks, scaling and asymptotes: the subproblem without its ρ, its units, the distances, all finite or not."""
        dtype, count = x.dtype, constraint_values.size
        if gradient.shape != x.shape:
            raise ValueError(f"Argument `gradient` must have shape {x.shape}, but has shape {gradient.shape}.")
        if constraint_values.ndim != 1:
            raise ValueError(
                f"Argument `constraint_values` must have shape (m,), but has shape {constraint_values.shape}."
            )
        if constraint_gradients.shape != (count, *x.shape):
            raise ValueError(
                f"Argument `constraint_gradients` must have shape {(count, *x.shape)}, "
                f"but has shape {constraint_gradients.shape}."
            )
        lower = jnp.broadcast_to(jnp.asarray(lower, dtype), x.shape).reshape(-1)
        upper = jnp.broadcast_to(jnp.asarray(upper, dtype), x.shape).reshape(-1)
        flat = jnp.clip(x.reshape(-1), lower, upper)
        extent = upper - lower
        box = jnp.where(extent > 0, extent, 1)  # a variable with equal bounds does not move

        # Asymptotes: closer where a variable oscillates, farther where it goes on in one direction.
        last, before = state.previous.reshape(-1), state.before_previous.reshape(-1)
        turn = (flat - last) * (last - before)
        factor = jnp.where(turn > 0, self.grow, jnp.where(turn < 0, self.shrink, 1.0)).astype(dtype)
        sigma = jnp.clip(state.distance.reshape(-1) * factor, _CLOSEST, _FARTHEST)
        sigma = jnp.where(state.step < 2, jnp.full_like(sigma, self.start), sigma)
        reach = jnp.minimum(_TO_ASYMPTOTE, self.move / sigma)

        objective_gradient = gradient.reshape(-1) * extent
        gradients = constraint_gradients.reshape(count, flat.size) * extent[None]
        objective_change = jnp.sum(jnp.abs(objective_gradient))
        changes = jnp.sum(jnp.abs(gradients), 1)
        values = constraint_values.astype(dtype)
        finite = jnp.isfinite(
            jnp.sum(value).astype(dtype) + objective_change + jnp.sum(changes) + jnp.sum(jnp.abs(values))
        )
        tiny = jnp.finfo(dtype).tiny ** 0.75
        units = jnp.maximum(changes, jnp.abs(values))
        units = jnp.where(units > tiny, units, 1)
        # z may be a whole objective, as in a minimax problem: it is measured in the constraints that it relieves.
        a = _coefficients("a", self.a, count, dtype)
        z_unit = jnp.max(jnp.where(a > 0, units / jnp.where(a > 0, a, 1), 0), initial=0)
        z_unit = jnp.where(z_unit > 0, z_unit, 1)
        unit = jnp.where(jnp.any(a > 0), jnp.maximum(objective_change, self.a0 * z_unit), objective_change)
        unit = jnp.where(unit > tiny, unit, 1)
        scale = _Scale(box, unit, units, z_unit)

        problem = _Problem(
            sigma=sigma,
            low=jnp.maximum((lower - flat) / (box * sigma), -reach),
            high=jnp.minimum((upper - flat) / (box * sigma), reach),
            objective_gradient=objective_gradient * (flat.size / unit),
            gradients=gradients * (flat.size / units)[:, None],
            values=values / units,
            objective_rho=jnp.zeros((), dtype),
            rho=jnp.zeros((count,), dtype),
            a0=jnp.where(jnp.any(a > 0), self.a0 * z_unit / unit, 1).astype(dtype),
            a=a * z_unit / units,
            c=_coefficients("c", self.c, count, dtype),
            d=_coefficients("d", self.d, count, dtype),
        )
        return problem, scale, flat, lower, upper, finite

    def _tolerance(self, dtype) -> float:
        return max(1e-9, 16 * float(jnp.finfo(dtype).eps)) if self.tolerance is None else float(self.tolerance)

    def _finish(self, state, x, flat, new, problem, scale, lower, upper, finite, solution, subproblems, result):
        """Assemble the new state."""
        # g_L (x − lower) where g_L > 0 and −g_L (upper − x) elsewhere: the first-order gain over the box.
        gradient = problem.objective_gradient + jnp.sum(solution.lam[:, None] * problem.gradients, 0)
        room = jnp.where(gradient > 0, flat - lower, upper - flat) / scale.box
        violations = problem.values - problem.a * solution.z
        units = scale.constraints
        result = jnp.where(finite, result, _NOT_FINITE).astype(jnp.int32)
        new_state = MMAState(
            step=state.step + 1,
            previous=flat.reshape(x.shape),
            before_previous=state.previous,
            distance=problem.sigma.reshape(x.shape),
            optimality=jnp.mean(jnp.abs(gradient) * room),
            violation=jnp.max(jnp.maximum(violations, 0) * units, initial=0),
            relaxation=jnp.max(solution.y * units, initial=0),
            residual=solution.residual,
            iterations=solution.iterations,
            subproblems=subproblems,
            result=result,
        )
        return jnp.where(finite, new, flat).reshape(x.shape), new_state


def _place(flat: Array, tau: Array, problem: _Problem, scale: _Scale, lower: Array, upper: Array) -> Array:
    """The design at τ."""
    return jnp.clip(flat + scale.box * problem.sigma * tau, lower, upper)


@dataclasses.dataclass(frozen=True)
class MMA(_Asymptotes):
    r"""Method of moving asymptotes.

    Solves problems with many variables, bounds and a few smooth constraints g_j(x) ≤ 0, from values and gradients. The
    constraints need not hold at the start. An update costs a few dozen passes over the gradients and does not
    evaluate the functions. The module states the problem and derives the method.

    The parameters y and z of the problem are chosen as usual: y lets every subproblem have a solution, at a price c
    that keeps it at zero when there is another; z is zero unless `a` is given. For a minimax problem, minimise zero
    subject to f_i(x) − z ≤ 0 with a = 1.

    Args:
        move: Largest change of a variable in one update, in upper − lower.
        start: Distance of the asymptotes in the first two updates, in upper − lower.
        shrink: Factor on the distance of a variable that oscillates.
        grow: Factor on the distance of a variable that keeps its direction.
        a0: Price of z.
        a: How much z relieves each constraint; one number, or one for each.
        c: Linear price of violating a constraint; one number, or one for each. It is relative: both the objective and
            the constraint are in units of what they can change by over the box.
        d: Quadratic price, likewise.
        tolerance: Largest barrier parameter of a solved subproblem, in the scaled problem; None: 1e-9 in float64,
            2e-6 in float32.
        max_iterations: Largest number of Newton steps for a subproblem.
        raa0: Convexity ρ added to every function, relative to its mean gradient.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> weights = jnp.array([61.0, 37.0, 19.0, 7.0, 1.0])    # Svanberg's cantilever beam of five segments
        >>> mass = lambda x: 0.0624 * x.sum()
        >>> deflection = lambda x: (weights / x**3).sum() - 1    # must not be positive
        >>> mma, x = MMA(), jnp.full(5, 5.0)
        >>> state = mma.init(x, 1.0, 10.0)
        >>> for _ in range(20):
        ...     value, gradient = jax.value_and_grad(mass)(x)
        ...     g, dg = jax.value_and_grad(deflection)(x)
        ...     x, state = mma.update(state, x, value, gradient, g[None], dg[None], 1.0, 10.0)
        >>> print(f"{mass(x):.3f}", MMA_RESULTS[int(state.result)])
        1.340 The subproblem was solved.

    References:
        Svanberg, K. (1987), "The method of moving asymptotes — a new method for structural optimization", Int. J.
        Numer. Methods Eng. 24, sections 3 and 4.
        Svanberg, K. (2007), "MMA and GCMMA — two methods for nonlinear optimization", KTH Stockholm, sections 3 and 5.
    """

    raa0: float | int = 1e-5

    def __post_init__(self):
        super().__post_init__()
        if not self.raa0 > 0:
            raise ValueError(f"Argument `raa0` must be above 0, but is {self.raa0}.")

    def update(
        self,
        state: MMAState,
        x: Float[Array, "*shape"],
        value: Float[Array, ""],
        gradient: Float[Array, "*shape"],
        constraint_values: Float[Array, " m"],
        constraint_gradients: Float[Array, "m *shape"],
        lower: float | int | Float[Array, "..."] = 0.0,
        upper: float | int | Float[Array, "..."] = 1.0,
    ) -> tuple[Float[Array, "*shape"], MMAState]:
        """Update a design once.

        Args:
            state: From `init` or the last update.
            x: Design, any shape.
            value: Objective at x; only looked at for being finite.
            gradient: Its gradient, the shape of x.
            constraint_values: g(x), (m,); m may be 0.
            constraint_gradients: Their gradients, (m, *x.shape).
            lower: Lower bounds, a number or an array of the shape of x. Must be finite.
            upper: Upper bounds, a number or an array of the shape of x. Must be finite. Equal bounds hold a variable.

        Returns:
            The new design, of the shape and dtype of x, and the new state.

        Raises:
            ValueError: If shapes do not agree.
        """
        problem, scale, flat, lower, upper, finite = self._prepare(
            state, x, value, gradient, constraint_values, constraint_gradients, lower, upper
        )
        rho = jnp.asarray(self.raa0, x.dtype)
        problem = problem._replace(objective_rho=rho, rho=jnp.full_like(problem.values, rho))
        solution = _solve(problem, self._tolerance(x.dtype), self.max_iterations)
        new = _place(flat, solution.tau, problem, scale, lower, upper)
        one = jnp.ones((), jnp.int32)
        return self._finish(state, x, flat, new, problem, scale, lower, upper, finite, solution, one, solution.result)


class _Trial(NamedTuple):
    """Where the inner loop of GCMMA is."""

    rho: Float[Array, " m+1"]
    new: Float[Array, " n"]
    solution: _Solution
    conservative: Bool[Array, ""]
    trials: Int[Array, ""]


@dataclasses.dataclass(frozen=True)
class GCMMA(_Asymptotes):
    """Globally convergent method of moving asymptotes.

    As `MMA`, but a step is taken only where the approximations turned out to lie above the functions; otherwise their
    convexity is raised and the subproblem solved again. From a feasible design, all designs stay feasible and the
    objective never rises, up to the tolerance of the subproblems. The price is one evaluation of the functions for each
    trial.

    Args:
        move: Largest change of a variable in one update, in upper − lower.
        start: Distance of the asymptotes in the first two updates, in upper − lower.
        shrink: Factor on the distance of a variable that oscillates.
        grow: Factor on the distance of a variable that keeps its direction.
        a0: Price of z; as in `MMA`.
        a: How much z relieves each constraint; as in `MMA`.
        c: Linear price of violating a constraint; as in `MMA`.
        d: Quadratic price; as in `MMA`.
        tolerance: Largest barrier parameter of a solved subproblem; as in `MMA`.
        max_iterations: Largest number of Newton steps for a subproblem.
        max_trials: Largest number of subproblems in one update.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> objective = lambda x: jnp.sum((x - jnp.array([0.2, 0.9])) ** 2)
        >>> constraints = lambda x: jnp.array([x.sum() - 0.9])
        >>> both = lambda x: (objective(x), constraints(x))
        >>> gcmma, x = GCMMA(), jnp.full(2, 0.3)
        >>> @jax.jit
        ... def step(state, x):
        ...     gradients = jax.grad(objective)(x), jax.jacrev(constraints)(x)
        ...     (value, g), (gradient, dg) = both(x), gradients
        ...     return gcmma.update(state, x, value, gradient, g, dg, evaluate=both)
        >>> state = gcmma.init(x)
        >>> for _ in range(40):
        ...     x, state = step(state, x)
        >>> [f"{number:.2f}" for number in x]
        ['0.10', '0.80']

    References:
        Svanberg, K. (2002), "A class of globally convergent optimization methods based on conservative convex
        separable approximations", SIAM J. Optim. 12, sections 3 to 5.
        Svanberg, K. (2007), "MMA and GCMMA — two methods for nonlinear optimization", KTH Stockholm, section 4.
    """

    max_trials: int = 20

    def __post_init__(self):
        super().__post_init__()
        if not self.max_trials >= 1:
            raise ValueError(f"Argument `max_trials` must be at least 1, but is {self.max_trials}.")

    def update(
        self,
        state: MMAState,
        x: Float[Array, "*shape"],
        value: Float[Array, ""],
        gradient: Float[Array, "*shape"],
        constraint_values: Float[Array, " m"],
        constraint_gradients: Float[Array, "m *shape"],
        lower: float | int | Float[Array, "..."] = 0.0,
        upper: float | int | Float[Array, "..."] = 1.0,
        *,
        evaluate: Callable[[Float[Array, "*shape"]], tuple[Float[Array, ""], Float[Array, " m"]]],
    ) -> tuple[Float[Array, "*shape"], MMAState]:
        """Update a design once.

        Args:
            state: From `init` or the last update.
            x: Design, any shape.
            value: Objective at x.
            gradient: Its gradient, the shape of x.
            constraint_values: g(x), (m,); m may be 0.
            constraint_gradients: Their gradients, (m, *x.shape).
            lower: Lower bounds, a number or an array of the shape of x. Must be finite.
            upper: Upper bounds, a number or an array of the shape of x. Must be finite. Equal bounds hold a variable.
            evaluate: Objective and constraints of a trial design; runs inside a `lax.while_loop`.

        Returns:
            The new design, of the shape and dtype of x, and the new state.

        Raises:
            ValueError: If shapes do not agree.
        """
        problem, scale, flat, lower, upper, finite = self._prepare(
            state, x, value, gradient, constraint_values, constraint_gradients, lower, upper
        )
        dtype = x.dtype
        gradients = jnp.concatenate([problem.objective_gradient[None], problem.gradients])
        units = jnp.concatenate([scale.objective[None], scale.constraints])
        start_values = jnp.concatenate([value.astype(dtype)[None], constraint_values.astype(dtype)])

        def attempt(rho, count):
            trial = problem._replace(objective_rho=rho[0], rho=rho[1:])
            solution = _solve(trial, self._tolerance(dtype), self.max_iterations)
            new = _place(flat, solution.tau, trial, scale, lower, upper)
            objective, constraints = evaluate(new.reshape(x.shape))
            end_values = jnp.concatenate([objective.astype(dtype)[None], constraints.astype(dtype)])
            promised = _change(problem.sigma[None], solution.tau[None], gradients, rho[:, None])
            excess = (end_values - start_values) / units - promised
            # Rounding of a difference of two values is not a failure of the approximation.
            rounding = 8 * jnp.finfo(dtype).eps * (1 + jnp.abs(start_values) / units)
            conservative = jnp.all(excess <= rounding)
            # What a unit of ρ would have added to the approximation at this point.
            effect = jnp.mean(2 * problem.sigma * solution.tau**2 / (1 - solution.tau**2))
            missing = jnp.where(excess > rounding, excess, 0) / jnp.where(effect > 0, effect, 1)
            missing = jnp.where(jnp.isfinite(missing), missing, jnp.inf)
            raised = jnp.where(missing > 0, jnp.minimum(1.1 * (rho + missing), 10 * rho), rho)
            return _Trial(raised, new, solution, conservative, count + 1)

        rho = jnp.maximum(0.1 * jnp.mean(jnp.abs(gradients), 1), 1e-6)
        last = jax.lax.while_loop(
            lambda at: ~at.conservative & (at.trials < self.max_trials),
            lambda at: attempt(at.rho, at.trials),
            attempt(rho, jnp.zeros((), jnp.int32)),
        )
        result = jnp.where(last.conservative, last.solution.result, _NOT_CONSERVATIVE)
        return self._finish(
            state, x, flat, last.new, problem, scale, lower, upper, finite, last.solution, last.trials, result
        )
