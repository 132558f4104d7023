"""Preconditioned conjugate gradients that stop on the energy of the error.

For K x = b with K symmetric positive semidefinite, step k lowers the energy norm of the error, and the quadratic
energy xᵀKx − 2 bᵀx, by exactly α_k r_kᵀz_k (Hestenes and Stiefel 1952). The sum of the decrements still to come is the
squared energy norm of the error now. It is estimated from the last ones as a geometric tail: with δ the last decrement
and q the worst ratio of recent decrements, Σ_later ≈ 5 δ q/(1 − q), the 5 being for safety.

References:
    M. R. Hestenes, E. Stiefel, J. Res. Natl. Bur. Stand. 49, 409 (1952). Z. Strakoš, P. Tichý, Electron. Trans. Numer.
    Anal. 13, 56 (2002), for why the estimate is right in finite precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

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


class _State(NamedTuple):
    value: Array
    residual: Array
    direction: Array
    gamma: Array
    gained: Array
    last: Array
    ratios: Array
    error: Array
    best: Array
    idle: Array
    steps: Array
    result: Array


@dataclass(frozen=True)
class PCG:
    """When to stop.

    Args:
        tolerance: on the error's energy relative to the energy itself; for a homogenization, on C.
        residual: instead, on the norm of the residual relative to that of the load.
        max_steps: give up after so many steps.
        steps: take exactly so many steps, whatever the error (a fixed amount of work).
    """

    tolerance: float = 1e-5
    residual: float | None = None
    max_steps: int = 500
    steps: int | None = None

    def __call__(
        self,
        operator: Linear,
        rhs: Float[Array, "..."],
        preconditioner: Linear,
        *,
        energy: Array | None = None,
        norm: Array | None = None,
    ) -> Solution:
        """Solve operator(x) = rhs, starting at zero.

        Args:
            operator: symmetric positive semidefinite linear map.
            rhs: right-hand side.
            preconditioner: symmetric positive definite linear map, near the inverse.
            energy: energy of the state at x = 0, of which the solution lowers a part; the tolerance is relative to what
                is left. If omitted, the tolerance is relative to the energy xᵀKx of the solution.
            norm: that to which `residual` is relative; the norm of `rhs` if omitted.

        Returns:
            The solution and its `Stats`.
        """
        dtype = rhs.dtype
        eps = jnp.finfo(dtype).eps
        norm = _norm(rhs) if norm is None else norm
        # Rounding alone leaves this share of the energy of the load, so less is not asked for.
        floor = eps**0.7 * (jnp.zeros((), dtype) if energy is None else energy)

        def relative(error: Array, gained: Array) -> Array:
            reference = gained if energy is None else jnp.maximum(energy - gained, floor)
            return _ratio(error, reference)

        def measure(error: Array, residual: Array) -> Array:
            """What is to fall below one."""
            if self.residual is not None:
                return _norm(residual) / jnp.maximum(self.residual * norm, jnp.finfo(dtype).tiny)
            return error / self.tolerance

        def step(state: _State) -> _State:
            image = preconditioner(state.residual)
            gamma = inner(state.residual, image)
            vanishes = (state.steps == 0) & (jnp.abs(gamma) <= nothing)
            direction = image + _ratio(gamma, state.gamma) * state.direction
            image = operator(direction)
            curvature = inner(direction, image)
            alpha = jnp.where(vanishes, 0, _ratio(gamma, curvature))
            residual = state.residual - alpha * image

            decrement = alpha * gamma
            gained = state.gained + decrement
            ratio = jnp.clip(jnp.where(state.last > 0, _ratio(decrement, state.last), 0.5), 0.0, 0.99)
            ratios = jnp.roll(state.ratios, 1).at[0].set(ratio)
            worst = ratios.max()
            error = relative(_SAFETY * decrement * worst / (1 - worst), gained)
            left = measure(error, residual)
            idle = jnp.where(left < state.best, 0, state.idle + 1)

            sound = (curvature > 0) & (gamma >= -nothing) & jnp.isfinite(gamma) & jnp.isfinite(curvature)
            going = jnp.where(idle > _PATIENCE, Result.stagnated, Result.max_steps_reached)
            result = jnp.where(vanishes | (left <= 1), Result.converged, going)
            return _State(
                value=state.value + alpha * direction,
                residual=residual,
                direction=direction,
                gamma=gamma,
                gained=gained,
                last=decrement,
                ratios=ratios,
                error=error,
                best=jnp.minimum(left, state.best),
                idle=idle,
                steps=state.steps + jnp.where(vanishes, 0, 1),
                result=jnp.where(sound | vanishes, result, Result.breakdown).astype(jnp.int32),
            )

        # A load that vanishes up to rounding has the answer zero.
        nothing = jnp.zeros((), dtype) if energy is None else (16 * eps) ** 2 * energy
        zero = jnp.zeros((), dtype)
        count = jnp.zeros((), jnp.int32)
        state = _State(
            value=jnp.zeros_like(rhs),
            residual=rhs,
            direction=jnp.zeros_like(rhs),
            gamma=zero,
            gained=zero,
            last=zero,
            ratios=jnp.full((4,), 0.1, dtype),
            error=zero,
            best=jnp.full((), jnp.inf, dtype),
            idle=count,
            steps=count,
            result=count + Result.max_steps_reached,
        )
        if self.steps is not None:
            state = lax.fori_loop(0, self.steps, lambda _, s: step(s), state)
        else:
            state = lax.while_loop(
                lambda s: (s.result == Result.max_steps_reached) & (s.steps < self.max_steps), step, state
            )
        residual = _ratio(_norm(state.residual), norm)
        return Solution(state.value, Stats(state.result, state.steps, residual, state.error))


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
