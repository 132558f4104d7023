"""Root of a decreasing function of one variable, inside a trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Bracket(NamedTuple):
    """Bracket of the root of a decreasing function: value at `low` positive, at `high` negative."""

    low: Float[Array, ""]
    high: Float[Array, ""]
    above: Float[Array, ""]
    below: Float[Array, ""]
    point: Float[Array, ""]
    value: Float[Array, ""]
    evaluations: Int[Array, ""]


def find_root(function: Callable, low: Array, high: Array, tolerance: float, max_evaluations: int) -> Bracket:
    """Root of a decreasing function by the ITP method: no more steps than bisection plus one, usually far fewer.

    Ends when |function| is within the tolerance, when the bracket is down to rounding, or when there is no root
    between `low` and `high`; `point` is then the end nearer to one.

    References:
        Oliveira, I. F. D. and Takahashi, R. H. C. (2021), "An enhancement of the bisection method average performance
        preserving minmax optimality", ACM Trans. Math. Softw. 47, section 2.
    """
    dtype = low.dtype
    above, below = function(low), function(high)
    best_low = jnp.abs(above) <= jnp.abs(below)
    start = Bracket(
        low,
        high,
        above,
        below,
        jnp.where(best_low, low, high),
        jnp.where(best_low, above, below),
        jnp.asarray(2, jnp.int32),
    )
    width = high - low
    resolution = 4 * jnp.finfo(dtype).eps * jnp.maximum(1, jnp.maximum(jnp.abs(low), jnp.abs(high)))
    halvings = jnp.ceil(jnp.log2(width / (2 * resolution))) + 1

    def unfinished(bracket: Bracket) -> Bool[Array, ""]:
        has_root = (bracket.above > 0) & (bracket.below < 0)
        return (
            has_root
            & (jnp.abs(bracket.value) > tolerance)
            & (bracket.high - bracket.low > 2 * resolution)
            & (bracket.evaluations < max_evaluations)
        )

    def shrink(bracket: Bracket) -> Bracket:
        low, high, above, below, _, _, count = bracket
        gap, middle = high - low, (low + high) / 2
        # Interpolate; truncate towards the middle by 0.2 gap² / width; project onto the interval around the middle
        # that keeps the worst case of bisection.
        interpolated = (below * low - above * high) / (below - above)
        side = jnp.sign(middle - interpolated)
        truncation = jnp.minimum(0.2 * gap * gap / width, jnp.abs(middle - interpolated))
        radius = jnp.maximum(resolution * 2.0 ** (halvings - (count - 2).astype(dtype)) - gap / 2, 0)
        truncated = interpolated + side * truncation
        point = jnp.where(jnp.abs(truncated - middle) <= radius, truncated, middle - side * radius)
        value = function(point)
        positive = value > 0
        return Bracket(
            low=jnp.where(positive, point, low),
            high=jnp.where(positive, high, point),
            above=jnp.where(positive, value, above),
            below=jnp.where(positive, below, value),
            point=point,
            value=value,
            evaluations=count + 1,
        )

    return jax.lax.while_loop(unfinished, shrink, start)
