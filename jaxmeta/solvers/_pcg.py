"""Preconditioned conjugate gradients that stop on the energy of the error.

For K x = b with K symmetric positive semidefinite, step k lowers the energy norm of the error, and the quadratic
energy xᵀKx − 2 bᵀx, by exactly α_k r_kᵀz_k (Hestenes and Stiefel 1952). The sum of the decrements still to come is the
squared energy norm of the error now. It is estimated from the last ones as a geometric tail: with δ the last decrement
and q the worst ratio of recent decrements, Σ_later ≈ δ q/(1 − q).

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
_PATIENCE = 40
"""Steps without a better error estimate after which a solve is said to stagnate."""


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
            return jnp.where(error > 0, error / jnp.where(reference > 0, reference, 1), 0)

        def done(error: Array, residual: Array) -> Array:
            if self.residual is not None:
                return residual <= self.residual * norm
            return error <= self.tolerance

        def step(state: _State) -> _State:
            image = operator(state.direction)
            curvature = _dot(state.direction, image)
            sound = curvature > 0
            alpha = jnp.where(sound, state.gamma / jnp.where(sound, curvature, 1), 0)
            value = state.value + alpha * state.direction
            residual = state.residual - alpha * image
            image = preconditioner(residual)
            gamma = _dot(residual, image)
            previous = jnp.where(state.gamma > 0, state.gamma, 1)
            direction = image + (gamma / previous) * state.direction
            decrement = alpha * state.gamma
            gained = state.gained + decrement
            ratio = decrement / jnp.where(state.last > 0, state.last, jnp.inf)
            ratios = jnp.roll(state.ratios, 1).at[0].set(jnp.clip(ratio, 0.0, 0.95))
            worst = ratios.max()
            error = relative(decrement * worst / (1 - worst), gained)
            better = error < state.best
            idle = jnp.where(better, 0, state.idle + 1)
            finite = jnp.isfinite(gamma) & jnp.isfinite(curvature)
            stop = done(error, _norm(residual))
            result = jnp.where(
                stop,
                Result.converged,
                jnp.where(
                    finite & sound & (gamma > 0),
                    jnp.where(idle > _PATIENCE, Result.stagnated, Result.max_steps_reached),
                    Result.breakdown,
                ),
            ).astype(jnp.int32)
            best = jnp.minimum(error, state.best)
            count = state.steps + 1
            return _State(
                value, residual, direction, gamma, gained, decrement, ratios, error, best, idle, count, result
            )

        first = preconditioner(rhs)
        gamma = _dot(rhs, first)
        # A load that vanishes up to rounding has the answer zero.
        nothing = (gamma <= (jnp.zeros((), dtype) if energy is None else (16 * eps) ** 2 * energy)) | (norm <= 0)
        state = _State(
            value=jnp.zeros_like(rhs),
            residual=rhs,
            direction=first,
            gamma=gamma,
            gained=jnp.zeros((), dtype),
            last=jnp.zeros((), dtype),
            ratios=jnp.full((3,), 0.5, dtype),
            error=jnp.where(nothing, 0, jnp.inf).astype(dtype),
            best=jnp.full((), jnp.inf, dtype),
            idle=jnp.zeros((), jnp.int32),
            steps=jnp.zeros((), jnp.int32),
            result=jnp.where(nothing, Result.converged, Result.max_steps_reached).astype(jnp.int32),
        )
        if self.steps is not None:
            state = lax.fori_loop(0, self.steps, lambda _, s: step(s), state)
        else:
            state = lax.while_loop(
                lambda s: (s.result == Result.max_steps_reached) & (s.steps < self.max_steps), step, state
            )
        residual = jnp.where(norm > 0, _norm(state.residual) / jnp.where(norm > 0, norm, 1), 0)
        return Solution(state.value, Stats(state.result, state.steps, residual, state.error))


def _dot(left: Array, right: Array) -> Array:
    return jnp.vdot(left, right, precision="highest")


def _norm(field: Array) -> Array:
    return jnp.sqrt(_dot(field, field))
