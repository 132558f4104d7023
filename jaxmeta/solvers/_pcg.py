"""Preconditioned conjugate gradients that stop on the energy of the error.

For K x = b with K symmetric positive semidefinite, step k lowers the energy norm of the error, and the quadratic
energy xᵀKx − 2 bᵀx, by exactly δ_k = α_k r_kᵀz_k (Hestenes and Stiefel 1952). The sum of the decrements still to come
is the squared energy norm of the error now. Three estimates of it are made, two of them from numbers that the method
has anyway, and the largest counts (see `docs/theory/solver.md`):

- a geometric tail: with δ the last decrement and q the worst ratio of recent ones, 3 δ q/(1 − q);
- the Gauss–Radau bound (Meurant and Tichý 2013), with the smallest Ritz value in place of the least eigenvalue of
  M⁻¹K; it knows of slow modes that the last decrements do not show;
- 0.03 of the energy of the solution times the square of the residual over the load, for the first few steps; the norm
  takes a pass over the field, and is computed only where the other two are below the tolerance.

Rounding in K x, of the size ε, has an energy of the order of ε² of that of the load. Where the decrements come down to
it there is nothing left to gain: the solve ends, and the steps of a fixed number that are left change nothing. Without
this they would divide rounding by rounding, and lengthen what K knows nothing of: its null vectors.

References:
    M. R. Hestenes, E. Stiefel, J. Res. Natl. Bur. Stand. 49, 409 (1952). Z. Strakoš, P. Tichý, Electron. Trans. Numer.
    Anal. 13, 56 (2002), for why the estimates hold in finite precision. G. Meurant, P. Tichý, Numer. Algorithms 62, 163
    (2013), eq. 3.6; G. Meurant, P. Tichý, Numer. Algorithms 82, 937 (2019), for Ritz values from the coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from ._result import Result, Solution, Stats

Linear = Callable[[Array], Array]
_SAFETY = 3.0
"""Factor on the geometric tail, for spectra whose tail is slower than the last steps show."""
_SLOWEST = 0.95
"""Largest ratio of decrements in the tail. Two that happen to be equal mean little; the bound knows of slower modes."""
_SEEN, _MOST = 0.03, 0.2
"""The energy of the error over that of the solution is at least this multiple of the square of the residual over the
load: what is left of the load is rougher than the load, but seldom so much. As long as more than `_MOST` of the load is
left, the energy of the solution is not known, and that of the state takes its place."""
_PATIENCE = 100
"""Steps without progress after which a solve is said to stagnate. A piece that floats in a void of 1e-9 makes sixty
of them before its own motion is found."""
_NO_LOAD = 16.0
"""Multiple of the rounding unit that the load is in a cell in which it vanishes."""
_KNOWN = 4.0
"""Multiple of the rounding unit to which an energy, a sum over all voxels, is known."""
_NOISE = 3e6
_GROWTH = 100.0
"""Where a preconditioner answers rounding along a null vector of K, every step lengthens it. It shows in the
decrements: they have come below `_NOISE` times ε² of the energy, and grow again by more than `_GROWTH`. Measured on
cells with parts that hang on nothing, in true void and in one of 1e-9, in both precisions: rounding turns below
3e5 ε²; the slow modes of the void let decrements grow again as well, but from above 5e8 ε², or by less than 30."""


class _Lanczos(NamedTuple):
    """The inverse of the tridiagonal matrix of the Lanczos method, T = L Lᵀ, by one row and column in every step.

    With α the step lengths and β the ratios of γ, L has the diagonal α_k^(−½) and below it (β_k/α_(k−1))^½. The largest
    singular value of L⁻¹ is followed by incremental norm estimation (Duff and Vömel, BIT 42, 300, 2002): each new
    row of L⁻¹ is combined with the approximate singular vector in the best way.

    Attributes:
        length: the last α.
        inverse: estimate of ‖T⁻¹‖, the inverse of the smallest Ritz value.
        row: square of the last row of L⁻¹.
        along: its product with the approximate singular vector's image.
    """

    length: Array
    inverse: Array
    row: Array
    along: Array

    def next(self, alpha: Array, beta: Array) -> _Lanczos:
        """After one more step."""
        coupling = beta * _ratio(alpha, self.length)
        row = coupling * self.row + alpha
        off = jnp.sqrt(jnp.maximum(coupling, 0)) * self.along
        half = 0.5 * (self.inverse - row)
        root = jnp.hypot(half, off)
        inverse = 0.5 * (self.inverse + row) + root
        along = inverse * jnp.sqrt(0.5 * jnp.maximum(1 - _ratio(half, root), 0))
        return _Lanczos(alpha, inverse, row, along)

    def bound(self, alpha: Array, beta: Array, gamma: Array) -> Array:
        """Of the error's energy after a step of this length: the Gauss–Radau rule, begun one step before.

        Args:
            alpha, beta: of the step.
            gamma: r·z before it.
        """
        inverse = self.next(alpha, beta).inverse
        before = inverse - self.length
        return jnp.maximum(_ratio(before, _ratio(before, inverse) + beta) - alpha, 0) * gamma


class _State(NamedTuple):
    value: Array
    residual: Array
    direction: Array
    gamma: Array
    gained: Array
    last: Array
    least: Array
    ratios: tuple[Array, ...]
    lanczos: _Lanczos
    error: Array
    best: Array
    idle: Array
    steps: Array
    result: Array
    ended: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PCG:
    """When to stop. A pytree whose leaves are `tolerance` and `residual`: other values of them compile nothing anew.

    Args:
        tolerance: a number, on the error's energy relative to the energy itself; for a homogenization, on C.
        residual: a number, instead, on the norm of the residual relative to that of the load.
        max_steps: give up after so many steps.
        steps: do the work of exactly so many steps, whatever the error. Those after which there is nothing left to gain
            but rounding change nothing, and are not counted in the statistics.
    """

    tolerance: Any = 1e-5
    residual: Any = None
    max_steps: int = field(default=500, metadata={"static": True})
    steps: int | None = field(default=None, metadata={"static": True})

    def __call__(
        self,
        operator: Linear,
        rhs: Float[Array, "..."],
        preconditioner: Linear,
        *,
        energy: Array | None = None,
        load: Array | None = None,
        norm: Array | None = None,
    ) -> Solution:
        """Solve operator(x) = rhs, starting at zero.

        Args:
            operator: symmetric positive semidefinite linear map.
            rhs: right-hand side.
            preconditioner: symmetric positive definite linear map, near the inverse.
            energy: energy of the state at x = 0, of which the solution lowers a part; the tolerance is relative to what
                is left. If omitted, the tolerance is relative to the energy xᵀKx of the solution.
            load: energy of which rounding leaves a share, where `rhs` is what an earlier solution has left of a larger
                load; `energy` if omitted.
            norm: that to which `residual` is relative; the norm of `rhs` if omitted.

        Returns:
            The solution and its `Stats`.
        """
        dtype = rhs.dtype
        eps = jnp.finfo(dtype).eps
        norm = _norm(rhs) if norm is None else norm
        load = energy if load is None else load
        zero = jnp.zeros((), dtype)
        # Rounding alone leaves this share of the energy of the load, so less is not asked for.
        floor = zero if load is None else eps**0.7 * load

        def relative(error: Array, gained: Array, left: Array) -> Array:
            """The error, or what the residual tells of it, relative to the energy."""
            solution, reference = gained, gained
            if energy is not None and load is not None:
                solution, reference = load - energy + gained, jnp.maximum(energy - gained, floor)
            solution = jnp.where(left > _MOST, jnp.maximum(solution, reference), solution)
            return _ratio(jnp.maximum(error, _SEEN * left**2 * solution), reference)

        def measure(error: Array, left: Array) -> Array:
            """What is to fall below one."""
            if self.residual is None:
                return error / jnp.asarray(self.tolerance, dtype)
            return left / jnp.maximum(jnp.asarray(self.residual, dtype), jnp.finfo(dtype).tiny)

        def nothing_left(state: _State, gamma: Array, decrement: Array, positive: Array) -> Array:
            """Whether a step would gain no more than rounding, or has to do with rounding alone."""
            noise = eps**2 * (state.gained + decrement if load is None else load)
            first = state.steps == 0
            turned = (state.least <= _NOISE * noise) & (decrement > _GROWTH * state.least)
            small = (decrement <= jnp.where(first, _NO_LOAD**2, 1) * noise) | turned
            # What must be positive, and is not, is so by rounding: there is no load, or nothing left of it.
            fell = jnp.where(first, jnp.abs(gamma) <= _NO_LOAD**2 * noise, state.least <= _NOISE * noise)
            return jnp.where(positive, small, fell)

        def step(state: _State) -> _State:
            image = preconditioner(state.residual)
            gamma = inner(state.residual, image)
            beta = _ratio(gamma, state.gamma)
            direction = image + beta * state.direction
            image = operator(direction)
            curvature = inner(direction, image)
            alpha = _ratio(gamma, curvature)
            decrement = alpha * gamma

            first = state.steps == 0
            positive = (gamma > 0) & (curvature > 0)
            finite = jnp.isfinite(gamma) & jnp.isfinite(curvature)
            spent = finite & nothing_left(state, gamma, decrement, positive)
            taken = finite & positive & ~spent & ~state.ended

            residual = jnp.where(taken, state.residual - alpha * image, state.residual)
            gained = state.gained + jnp.where(taken, decrement, 0)
            ratio = jnp.clip(jnp.where(state.last > 0, _ratio(decrement, state.last), 0.5), 0.0, _SLOWEST)
            ratios = (ratio, *state.ratios[:-1])
            worst = reduce(jnp.maximum, ratios)
            tail = _SAFETY * decrement * jnp.where(taken, worst, 1) / (1 - worst)
            radau = state.lanczos.bound(alpha, beta, gamma) + jnp.where(taken, 0, decrement)
            remaining = jnp.maximum(tail, radau)
            near = relative(remaining, gained, zero) <= jnp.asarray(self.tolerance, dtype)
            share = _ratio(_norm_where(near, residual) if self.residual is None else _norm(residual), norm)
            error = jnp.where(taken | positive, relative(remaining, gained, share), state.error)
            error = jnp.where(first & spent, 0, error)
            left = measure(error, share)
            progress = (left < state.best) | (decrement > eps * (gained if load is None else load))
            idle = jnp.where(progress, 0, state.idle + 1)

            going = jnp.where(spent | (idle > _PATIENCE), Result.stagnated.value, Result.max_steps_reached.value)
            result = jnp.where((left <= 1) | (first & spent), Result.converged.value, going)
            # Of a fixed number of steps, those after convergence may meet what is no longer a direction.
            broken = jnp.where(state.result == Result.converged.value, Result.converged.value, Result.breakdown.value)
            result = jnp.where(taken | spent, result, broken).astype(jnp.int32)
            return _State(
                value=jnp.where(taken, state.value + alpha * direction, state.value),
                residual=residual,
                direction=direction,
                gamma=gamma,
                gained=gained,
                last=decrement,
                least=jnp.minimum(state.least, decrement),
                ratios=ratios,
                lanczos=state.lanczos.next(alpha, beta),
                error=jnp.where(state.ended | ~(taken | spent), state.error, error),
                best=jnp.minimum(left, state.best),
                idle=idle,
                steps=state.steps + taken.astype(jnp.int32),
                result=jnp.where(state.ended, state.result, result),
                ended=~taken,
            )

        count = jnp.zeros((), jnp.int32)
        largest = jnp.asarray(jnp.finfo(dtype).max, dtype)
        state = _State(
            value=jnp.zeros_like(rhs),
            residual=rhs,
            direction=jnp.zeros_like(rhs),
            gamma=zero,
            gained=zero,
            last=zero,
            least=largest,
            ratios=(jnp.asarray(0.1, dtype),) * 4,
            lanczos=_Lanczos(zero, zero, zero, zero),
            error=zero,
            best=largest,
            idle=count,
            steps=count,
            result=jnp.full((), Result.max_steps_reached.value, jnp.int32),
            ended=jnp.zeros((), bool),
        )
        # Of a batch, all that a step changes is a batch from the start, or `vmap` traces the step twice more.
        never = norm < 0
        state = jax.tree.map(lambda leaf: jnp.where(never, leaf, leaf), state)
        if self.steps is not None:
            state = lax.fori_loop(0, self.steps, lambda _, s: step(s), state)
        else:
            state = lax.while_loop(
                lambda s: (s.result == Result.max_steps_reached.value) & (s.steps < self.max_steps), step, state
            )
        residual = _ratio(_norm(state.residual), norm)
        seen = jnp.maximum(relative(zero, state.gained, residual), _KNOWN * eps)
        error = jnp.where(state.error > 0, jnp.maximum(state.error, seen), 0)
        # Where less than rounding is left of the load, what is not positive is so by rounding.
        rounded = (state.result == Result.breakdown.value) & (norm > 0) & (residual <= eps)
        result = jnp.where(rounded, Result.stagnated.value, state.result).astype(jnp.int32)
        return Solution(state.value, Stats(result, state.steps, residual, error))


def inner(left: Array, right: Array) -> Array:
    """Sum of the products of all entries: of every row first, and then of the rows.

    Unlike `vdot` it keeps the axes, along which devices may share the fields. A CPU adds up a sum, and more so a
    product of matrices, number by number: rows of their own, which the barrier keeps, take a third of the time, and of
    a million numbers in float32 leave the seventh digit right instead of the fifth.
    """
    rows = jnp.sum(jnp.atleast_1d(left * right), axis=-1)
    return jnp.sum(lax.optimization_barrier(rows))


def _ratio(numerator: Array, denominator: Array) -> Array:
    """The quotient; zero where the denominator is not positive."""
    positive = denominator > 0
    return jnp.where(positive, numerator / jnp.where(positive, denominator, 1), 0)


def _norm(field: Array) -> Array:
    return jnp.sqrt(inner(field, field))


@jax.custom_batching.custom_vmap
def _norm_where(wanted: Array, field: Array) -> Array:
    """The norm, which takes one pass over the field; zero where it is not wanted, of a batch where none is."""
    return lax.cond(wanted, _norm, lambda field: jnp.zeros((), field.dtype), field)


@_norm_where.def_vmap
def _norms_where(size: int, batched: list[bool], wanted: Array, field: Array) -> tuple[Array, bool]:
    fields = field if batched[1] else jnp.broadcast_to(field, (size, *field.shape))
    found = lax.cond(jnp.any(wanted), jax.vmap(_norm), lambda fields: jnp.zeros(size, fields.dtype), fields)
    return found, True
