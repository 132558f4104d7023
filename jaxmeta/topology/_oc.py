"""Optimality criteria: a design update for one volume constraint and an objective that falls with added material."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

#: What `OCState.result` means.
OC_RESULTS = (
    "The volume was met.",
    "The volume is out of reach of one step: the design went as far towards it as bounds and move limit allow.",
    "The volume was not met: it jumps as the multiplier varies. Lower the sharpness of the projection.",
    "The objective has no negative gradient: added material does not help anywhere, and the design was left as it was. "
    "Use MMA.",
    "A gradient is not finite, and the design was left as it was.",
)


class OCState(NamedTuple):
    """What an optimality criteria update leaves behind.

    Attributes:
        step: Number of updates done.
        multiplier: Lagrange multiplier of the volume, objective per volume fraction.
        volume: Volume fraction of the new design.
        clipped: Part of the variables, in [0, 1], whose objective gradient was positive and was set to zero.
        clipped_weight: The sum of those positive gradients over the sum of all magnitudes, in [0, 1]. When it is more
            than rounding the objective is not monotone, and the method does not apply.
        evaluations: Evaluations of the volume in this update.
        result: Index into `OC_RESULTS`; 0 when the volume was met.
    """

    step: Int[Array, ""]
    multiplier: Float[Array, ""]
    volume: Float[Array, ""]
    clipped: Float[Array, ""]
    clipped_weight: Float[Array, ""]
    evaluations: Int[Array, ""]
    result: Int[Array, ""]


class _Bracket(NamedTuple):
    """Bracket of the root of a decreasing function: value at `low` positive, at `high` negative."""

    low: Float[Array, ""]
    high: Float[Array, ""]
    above: Float[Array, ""]
    below: Float[Array, ""]
    point: Float[Array, ""]
    value: Float[Array, ""]
    evaluations: Int[Array, ""]


def _find_root(function: Callable, low: Array, high: Array, tolerance: float, max_evaluations: int) -> _Bracket:
    """Root of a decreasing function by the ITP method: no more steps than bisection plus one, usually far fewer.

    Ends when |function| is within the tolerance, when the bracket is down to rounding, or when there is no root
    between `low` and `high`; `point` is then the end nearer to one.
    """
    dtype = low.dtype
    above, below = function(low), function(high)
    best_low = jnp.abs(above) <= jnp.abs(below)
    start = _Bracket(
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

    def unfinished(bracket: _Bracket) -> Bool[Array, ""]:
        has_root = (bracket.above > 0) & (bracket.below < 0)
        return (
            has_root
            & (jnp.abs(bracket.value) > tolerance)
            & (bracket.high - bracket.low > 2 * resolution)
            & (bracket.evaluations < max_evaluations)
        )

    def shrink(bracket: _Bracket) -> _Bracket:
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
        return _Bracket(
            low=jnp.where(positive, point, low),
            high=jnp.where(positive, high, point),
            above=jnp.where(positive, value, above),
            below=jnp.where(positive, below, value),
            point=point,
            value=value,
            evaluations=count + 1,
        )

    return jax.lax.while_loop(unfinished, shrink, start)


@dataclasses.dataclass(frozen=True)
class OC:
    r"""Optimality criteria update.

    For min f(x) subject to V(x) ≤ V*, with ∂f/∂x ≤ 0 and ∂V/∂x > 0, a stationary point that is not at a bound has
    B = −(∂f/∂x) / (λ ∂V/∂x) = 1. The fixed-point iteration

    $$ x \leftarrow \operatorname{clip}\bigl(x B^\eta + \phi \max(B^\eta - 1, 0),\;
       \max(x_{\min}, x - m), \min(x_{\max}, x + m)\bigr) $$

    raises x where B > 1 and lowers it where B < 1. The multiplier λ is the one for which the new design has the
    wanted volume, found by bracketing in log λ. Volume is measured by a function of the caller, so it may be that of
    the filtered and projected density. The small floor φ lets a variable at zero grow again; it moves no fixed point.

    Args:
        move: Largest change m of a variable in one update.
        damping: Exponent η in (0, 1].
        floor: φ, what a variable counts for at least when it grows.
        tolerance: Largest error of the volume fraction, but no less than sixteen units of rounding.
        max_evaluations: Largest number of volume evaluations in one update.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> import jax.numpy as jnp
        >>> weight = jnp.array([4.0, 1.0, 0.25])           # minimise Σ w/x, x of mean 0.3: x ∝ √w
        >>> oc, x = OC(), jnp.full(3, 0.3)
        >>> state = oc.init(x)
        >>> for _ in range(30):
        ...     x, state = oc.update(state, x, -weight / x**2, jnp.full(3, 1 / 3), jnp.mean, 0.3)
        >>> print([f"{value:.3f}" for value in x], OC_RESULTS[int(state.result)])
        ['0.514', '0.257', '0.129'] The volume was met.

    References:
        Bendsøe, M. P. and Sigmund, O. (2003), "Topology Optimization", section 1.2, eq. 1.12.
        Oliveira, I. F. D. and Takahashi, R. H. C. (2021), "An enhancement of the bisection method average performance
        preserving minmax optimality", ACM Trans. Math. Softw. 47, section 2 (the root finder).
    """

    move: float | int = 0.2
    damping: float | int = 0.5
    floor: float | int = 1e-3
    tolerance: float | int = 1e-6
    max_evaluations: int = 100

    def __post_init__(self):
        if not self.move > 0:
            raise ValueError(f"Argument `move` must be above 0, but is {self.move}.")
        if not 0 < self.damping <= 1:
            raise ValueError(f"Argument `damping` must be in (0, 1], but is {self.damping}.")
        if not self.floor > 0:
            raise ValueError(f"Argument `floor` must be above 0, but is {self.floor}.")
        if not self.tolerance > 0:
            raise ValueError(f"Argument `tolerance` must be above 0, but is {self.tolerance}.")
        if not self.max_evaluations >= 2:
            raise ValueError(f"Argument `max_evaluations` must be at least 2, but is {self.max_evaluations}.")

    def init(self, x: Float[Array, "*shape"]) -> OCState:
        """State before the first update.

        Args:
            x: Design, any shape, dimensionless.

        Returns:
            The state; its numbers are zero.
        """
        zero, none = jnp.zeros((), x.dtype), jnp.zeros((), jnp.int32)
        return OCState(none, zero, zero, zero, zero, none, none)

    def update(
        self,
        state: OCState,
        x: Float[Array, "*shape"],
        gradient: Float[Array, "*shape"],
        volume_gradient: Float[Array, "*shape"],
        volume_of: Callable[[Float[Array, "*shape"]], Float[Array, ""]],
        volume_fraction: float | int | Float[Array, ""],
        lower: float | int | Float[Array, "..."] = 0.0,
        upper: float | int | Float[Array, "..."] = 1.0,
    ) -> tuple[Float[Array, "*shape"], OCState]:
        """Update a design once.

        Args:
            state: From `init` or the last update.
            x: Design, any shape, dimensionless.
            gradient: ∂f/∂x, the shape of x. Positive entries count as zero; the state says how many there were.
            volume_gradient: ∂V/∂x, the shape of x, positive.
            volume_of: Volume fraction of a design, a function that does not decrease with any variable.
            volume_fraction: V*, the volume fraction of the new design.
            lower: Lower bounds, a number or an array of the shape of x.
            upper: Upper bounds, a number or an array of the shape of x. Equal bounds hold a variable.

        Returns:
            The new design, of the shape and dtype of x, and the new state.
        """
        dtype = x.dtype
        tiny = jnp.finfo(dtype).tiny
        lower = jnp.broadcast_to(jnp.asarray(lower, dtype), x.shape)
        upper = jnp.broadcast_to(jnp.asarray(upper, dtype), x.shape)
        lowest = jnp.clip(x - self.move, lower, upper)
        highest = jnp.clip(x + self.move, lower, upper)
        target = jnp.asarray(volume_fraction, dtype)

        # B λ as a logarithm relative to its largest value: nothing over- or underflows, whatever the objective's scale.
        active = gradient < -tiny
        descent = jnp.any(active)
        logs = jnp.log(jnp.where(active, -gradient, 1)) - jnp.log(jnp.maximum(volume_gradient, tiny))
        unit = jnp.where(descent, jnp.max(jnp.where(active, logs, -jnp.inf)), 0)
        logs = jnp.where(active, logs - unit, 0)

        def design(log_multiplier):
            # The cap is far above what any variable can use within its move limit.
            factor = jnp.where(active, jnp.exp(jnp.minimum(self.damping * (logs - log_multiplier), 40.0)), 0)
            return jnp.clip(x * factor + self.floor * jnp.maximum(factor - 1, 0), lowest, highest)

        def excess(log_multiplier):
            return volume_of(design(log_multiplier)).astype(dtype) - target

        # At the low end every active variable grows by its whole move, at the high end it shrinks to a millionth.
        growth = jnp.log(1 + (self.move + jnp.max(jnp.abs(x))) / self.floor)
        low = jnp.min(logs) - growth / self.damping
        high = jnp.asarray(14 / self.damping, dtype)
        # In float32 the volume itself jumps by some units of rounding as the multiplier varies.
        tolerance = max(self.tolerance, 16 * float(jnp.finfo(dtype).eps))
        root = _find_root(excess, low, high, tolerance, self.max_evaluations)

        finite = jnp.isfinite(jnp.sum(gradient)) & jnp.isfinite(jnp.sum(volume_gradient))
        met = jnp.abs(root.value) <= tolerance
        reachable = (root.above > 0) & (root.below < 0)
        result = jnp.where(met, 0, jnp.where(reachable, 2, 1))
        result = jnp.where(finite, jnp.where(descent, result, 3), 4).astype(jnp.int32)
        new = jnp.where(finite & descent, design(root.point), x)

        positive = gradient > 0
        magnitude = jnp.sum(jnp.abs(gradient))
        weight = jnp.sum(jnp.where(positive, gradient, 0)) / jnp.where(magnitude > 0, magnitude, 1)
        return new, OCState(
            step=state.step + 1,
            multiplier=jnp.exp(unit + root.point),
            volume=jnp.where(finite & descent, root.value + target, volume_of(x).astype(dtype)),
            clipped=jnp.mean(positive.astype(dtype)),
            clipped_weight=weight,
            evaluations=root.evaluations,
            result=result,
        )
