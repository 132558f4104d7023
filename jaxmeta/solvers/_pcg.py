"""Preconditioned conjugate gradients that stop on the energy of the error.

For K x = b with K symmetric positive semidefinite, step k lowers the energy norm of the error, and the quadratic
energy xᵀKx − 2 bᵀx, by exactly δ_k = α_k r_kᵀz_k (Hestenes and Stiefel 1952). The sum of the decrements still to come
is the squared energy norm of the error now. It is estimated from the last ones as a geometric tail: with δ the last
decrement and q the worst ratio of recent decrements, Σ_later ≈ 5 δ q/(1 − q), the 5 being for safety.

Rounding in K x, of the size ε, has an energy of the order of ε² of that of the load. Where the decrements come down to
it there is nothing left to gain: the solve ends, and the steps of a fixed number that are left change nothing. Without
this they would divide rounding by rounding, and lengthen what K knows nothing of: its null vectors.

References:
    M. R. Hestenes, E. Stiefel, J. Res. Natl. Bur. Stand. 49, 409 (1952). Z. Strakoš, P. Tichý, Electron. Trans. Numer.
    Anal. 13, 56 (2002), for why the estimate is right in finite precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from ._result import Result, Solution, Stats

Linear = Callable[[Array], Array]
_SAFETY = 5.0
"""Factor on the estimated error, for spectra whose tail is slower than the last steps show: the least at which no cell
of the tests that carries load ends above its tolerance. Two would save one step in fifteen."""
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


class _State(NamedTuple):
    value: Array
    residual: Array
    direction: Array
    gamma: Array
    gained: Array
    last: Array
    least: Array
    ratios: Array
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

        def relative(error: Array, gained: Array) -> Array:
            reference = gained if energy is None else jnp.maximum(energy - gained, floor)
            return _ratio(error, reference)

        def measure(error: Array, residual: Array) -> Array:
            """What is to fall below one."""
            if self.residual is None:
                return error / jnp.asarray(self.tolerance, dtype)
            least = jnp.asarray(self.residual, dtype) * norm
            return _norm(residual) / jnp.maximum(least, jnp.finfo(dtype).tiny)

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
            direction = image + _ratio(gamma, state.gamma) * state.direction
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
            ratio = jnp.clip(jnp.where(state.last > 0, _ratio(decrement, state.last), 0.5), 0.0, 0.99)
            ratios = jnp.roll(state.ratios, 1).at[0].set(ratio)
            worst = ratios.max()
            remaining = _SAFETY * decrement * jnp.where(taken, worst, 1) / (1 - worst)
            error = jnp.where(taken | positive, relative(remaining, gained), state.error)
            error = jnp.where(first & spent, 0, error)
            left = measure(error, residual)
            progress = (left < state.best) | (decrement > eps * (gained if load is None else load))
            idle = jnp.where(progress, 0, state.idle + 1)

            going = jnp.where(spent | (idle > _PATIENCE), Result.stagnated, Result.max_steps_reached)
            result = jnp.where((left <= 1) | (first & spent), Result.converged, going)
            # Of a fixed number of steps, those after convergence may meet what is no longer a direction.
            broken = jnp.where(state.result == Result.converged, Result.converged, Result.breakdown)
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
            ratios=jnp.full((4,), 0.1, dtype),
            error=zero,
            best=largest,
            idle=count,
            steps=count,
            result=count + Result.max_steps_reached,
            ended=jnp.zeros((), bool),
        )
        if self.steps is not None:
            state = lax.fori_loop(0, self.steps, lambda _, s: step(s), state)
        else:
            state = lax.while_loop(
                lambda s: (s.result == Result.max_steps_reached) & (s.steps < self.max_steps), step, state
            )
        residual = _ratio(_norm(state.residual), norm)
        error = jnp.where(state.error > 0, jnp.maximum(state.error, _KNOWN * eps), 0)
        return Solution(state.value, Stats(state.result, state.steps, residual, error))


def inner(left: Array, right: Array) -> Array:
    """Sum of the products of all entries.

    Unlike `vdot` it keeps the axes, along which devices may share the fields; and a CPU adds up a sum in parts, but a
    product of matrices number by number, which at 128³ in float32 is wrong in the third digit.
    """
    return jnp.sum(left * right)


def _ratio(numerator: Array, denominator: Array) -> Array:
    """The quotient; zero where the denominator is not positive."""
    positive = denominator > 0
    return jnp.where(positive, numerator / jnp.where(positive, denominator, 1), 0)


def _norm(field: Array) -> Array:
    return jnp.sqrt(inner(field, field))
