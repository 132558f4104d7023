"""Optimality criteria: a design update for one cheap constraint and an objective that falls with every variable."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .._numbers import require_numbers, whole_number
from ._protocol import Outcome, Problem, Seen
from ._root import find_root


class OCState(NamedTuple):
    """What an optimality criteria update leaves behind.

    Attributes:
        step: Number of updates done.
        multiplier: Lagrange multiplier of the constraint, objective per unit of it.
        constraint: Value of the constraint at the new design.
        clipped: Part of the variables, in [0, 1], whose objective gradient was positive and was set to zero.
        clipped_weight: The sum of those positive gradients over the sum of all magnitudes, in [0, 1]. When it is more
            than rounding the objective is not monotone, and the method does not apply.
        evaluations: Evaluations of the constraint in this update.
        result: An `Outcome`.
    """

    step: Int[Array, ""]
    multiplier: Float[Array, ""]
    constraint: Float[Array, ""]
    clipped: Float[Array, ""]
    clipped_weight: Float[Array, ""]
    evaluations: Int[Array, ""]
    result: Int[Array, ""]


@dataclasses.dataclass(frozen=True)
class OC:
    r"""Optimality criteria update.

    For min f(x) subject to g(x) ≤ 0, with ∂f/∂x ≤ 0 and ∂g/∂x > 0, a stationary point that is not at a bound has
    B = −(∂f/∂x) / (λ ∂g/∂x) = 1. The fixed-point iteration

    $$ x \leftarrow \operatorname{clip}\bigl(x B^\eta + \phi \max(B^\eta - 1, 0),\;
       \max(x_{\min}, x - m), \min(x_{\max}, x + m)\bigr) $$

    raises x where B > 1 and lowers it where B < 1. The multiplier λ is the one for which the new design has g = 0,
    found by bracketing in log λ. For that g is evaluated many times, so it must be cheap: the volume of a density, also
    of a filtered and projected one. It must be the only constraint, and not decrease with any variable. The small floor
    φ lets a variable at zero grow again; it moves no fixed point.

    Args:
        move: Largest change m of a variable in one update.
        damping: Exponent η in (0, 1].
        floor: φ, what a variable counts for at least when it grows.
        tolerance: Largest |g| of the new design, but no less than sixteen units of rounding.
        max_evaluations: Largest number of evaluations of g in one update.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxmeta.optimizers import OC, Outcome, Problem, Seen
        >>> weight = jnp.array([4.0, 1.0, 0.25])           # minimise Σ w/x, x of mean 0.3: x ∝ √w
        >>> volume = lambda x: jnp.mean(x) / 0.3 - 1
        >>> oc, x, problem = OC(), jnp.full(3, 0.3), Problem(m=1, cheap=volume)
        >>> state = oc.init(x, problem)
        >>> @jax.jit
        ... def step(state, x):
        ...     f, df = jax.value_and_grad(lambda x: jnp.sum(weight / x))(x)
        ...     g, dg = jax.value_and_grad(volume)(x)
        ...     return oc.update(state, x, Seen(f, df, g[None], dg[None]), problem)
        >>> for _ in range(30):
        ...     x, state = step(state, x)
        >>> print([f"{value:.3f}" for value in x], Outcome(int(state.result)).text)
        ['0.514', '0.257', '0.129'] The step was found.

    References:
        Bendsøe, M. P. and Sigmund, O. (2003), "Topology Optimization", section 1.2, eq. 1.12.
    """

    move: float | int = 0.2
    damping: float | int = 0.5
    floor: float | int = 1e-3
    tolerance: float | int = 1e-6
    max_evaluations: int = 100

    def __post_init__(self):
        require_numbers(self, "move", "damping", "floor", "tolerance")
        whole_number("max_evaluations", self.max_evaluations)
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

    def init(self, x: Float[Array, "*shape"], problem: Problem) -> OCState:
        """State before the first update; its numbers are zero.

        Args:
            x: Design, any shape, dimensionless.
            problem: With one constraint, which is cheap.

        Raises:
            ValueError: If there are other constraints.
        """
        if problem.m != 1:
            raise ValueError(
                "Argument `optimizer` must be MMA when there are constraints besides the volume, but is OC."
            )
        zero, none = jnp.zeros((), x.dtype), jnp.zeros((), jnp.int32)
        return OCState(none, zero, zero, zero, zero, none, none)

    def update(
        self, state: OCState, x: Float[Array, "*shape"], seen: Seen, problem: Problem
    ) -> tuple[Float[Array, "*shape"], OCState]:
        """Update a design once.

        Args:
            state: From `init` or the last update.
            x: Design, any shape, dimensionless.
            seen: Gradients at x. Positive entries of the objective's count as zero; the state says how many there were.
                The constraint's are positive.
            problem: Bounds, and the constraint as `cheap`, a function that does not decrease with any variable.

        Returns:
            The new design, of the shape and dtype of x, and the new state.
        """
        dtype = x.dtype
        tiny = jnp.finfo(dtype).tiny
        gradient, slope = seen.gradient, seen.constraint_gradients[0]
        constraint = problem.cheap
        if constraint is None:
            raise ValueError("Argument `problem` must have the constraint as `cheap`, but has None.")
        lower = jnp.broadcast_to(jnp.asarray(problem.lower, dtype), x.shape)
        upper = jnp.broadcast_to(jnp.asarray(problem.upper, dtype), x.shape)
        lowest = jnp.clip(x - self.move, lower, upper)
        highest = jnp.clip(x + self.move, lower, upper)

        # B λ as a logarithm relative to its largest value: nothing over- or underflows, whatever the objective's scale.
        active = gradient < -tiny
        descent = jnp.any(active)
        logs = jnp.log(jnp.where(active, -gradient, 1)) - jnp.log(jnp.maximum(slope, tiny))
        unit = jnp.where(descent, jnp.max(logs, where=active, initial=jnp.finfo(dtype).min), 0)
        logs = jnp.where(active, logs - unit, 0)

        def design(log_multiplier):
            # The cap is far above what any variable can use within its move limit.
            factor = jnp.where(active, jnp.exp(jnp.minimum(self.damping * (logs - log_multiplier), 40.0)), 0)
            return jnp.clip(x * factor + self.floor * jnp.maximum(factor - 1, 0), lowest, highest)

        def excess(log_multiplier):
            return constraint(design(log_multiplier)).astype(dtype)

        # At the low end every active variable grows by its whole move, at the high end it shrinks to a millionth.
        growth = jnp.log(1 + (self.move + jnp.max(jnp.abs(x))) / self.floor)
        low = jnp.min(logs) - growth / self.damping
        high = jnp.asarray(14 / self.damping, dtype)
        # In float32 the volume itself jumps by some units of rounding as the multiplier varies.
        tolerance = max(self.tolerance, 16 * float(jnp.finfo(dtype).eps))
        root = find_root(excess, low, high, tolerance, self.max_evaluations)

        finite = jnp.isfinite(jnp.sum(gradient)) & jnp.isfinite(jnp.sum(slope))
        met = jnp.abs(root.value) <= tolerance
        reachable = (root.above > 0) & (root.below < 0)
        result = jnp.where(met, Outcome.solved, jnp.where(reachable, Outcome.jumps, Outcome.out_of_reach))
        result = jnp.where(descent, result, Outcome.no_descent)
        result = jnp.where(finite, result, Outcome.not_finite).astype(jnp.int32)
        moves = finite & descent
        new = jnp.where(moves, design(root.point), x)

        positive = gradient > 0
        magnitude = jnp.sum(jnp.abs(gradient))
        weight = jnp.sum(jnp.where(positive, gradient, 0)) / jnp.where(magnitude > 0, magnitude, 1)
        return new, OCState(
            step=state.step + 1,
            multiplier=jnp.exp(unit + root.point),
            constraint=jnp.where(moves, root.value, constraint(x).astype(dtype)),
            clipped=jnp.mean(positive.astype(dtype)),
            clipped_weight=weight,
            evaluations=root.evaluations,
            result=result,
        )
