"""Limited-memory BFGS within bounds, one evaluation an update."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._numbers import refused, require_numbers, whole_number
from ._protocol import Outcome, Problem, Seen

_CURVED = 1e-10  # least cosine of the angle between a step and the change of gradient over it, to be remembered
_FIRST = 0.2  # largest change of a variable in the first step, in units of `move`
_SHORTEST = 1e-6  # length at which a search along a direction is given up


class LBFGSState(NamedTuple):
    """What an update leaves behind.

    Attributes:
        base: the best design so far, from which the next trial is made.
        value: its objective.
        gradient: its gradient.
        direction: of descent from there, −H ∇f, zero before the first update.
        length: share of the direction that the trial took.
        steps: the last changes of the base, newest first, (memory, *shape).
        slopes: changes of the gradient over them.
        updates: their number.
        result: an `Outcome`.
    """

    base: Float[Array, "*shape"]
    value: Float[Array, ""]
    gradient: Float[Array, "*shape"]
    direction: Float[Array, "*shape"]
    length: Float[Array, ""]
    steps: Float[Array, "memory *shape"]
    slopes: Float[Array, "memory *shape"]
    updates: Int[Array, ""]
    result: Int[Array, ""]


@dataclasses.dataclass(frozen=True)
class LBFGS:
    r"""Quasi-Newton steps of min f(x) subject to lower ≤ x ≤ upper, for smooth f and many variables.

    A variable that stands at a bound and would leave is held; among the others the inverse Hessian H is that of the
    last steps s and changes y of the gradient over them, and a trial is the projection of x − t H ∇f on the bounds.
    Where it has Armijo's decrease, it is the new design, and the next trial starts from it with t = 1; else the next
    trial is a shorter one from where the last one started. So an update never asks for further values of f, and a
    design that was tried in vain counts as a step.

    Least squares whose residuals depend on all variables at once, as displacements do on stiffnesses, are badly scaled;
    there MMA stops at a multiple of what this finds.

    Args:
        move: largest change of a variable in one update, in upper − lower.
        memory: number of steps that are remembered.
        shorten: factor on the length of a trial that had no decrease.
        decrease: share of the decrease foretold by the slope that a trial must have.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxmeta.optimizers import LBFGS, Problem, Seen
        >>> scales = jnp.array([1.0, 30.0, 1000.0])
        >>> f = lambda x: jnp.sum(scales * (x - jnp.array([0.7, 0.4, 1.5])) ** 2)
        >>> method, x, problem = LBFGS(), jnp.full(3, 0.1), Problem(m=0)
        >>> state = method.init(x, problem)
        >>> @jax.jit
        ... def step(state, x):
        ...     value, gradient = jax.value_and_grad(f)(x)
        ...     return method.update(state, x, Seen(value, gradient, jnp.zeros(0), jnp.zeros((0, 3))), problem)
        >>> for _ in range(25):
        ...     x, state = step(state, x)
        >>> [f"{entry:.4f}" for entry in state.base]
        ['0.7000', '0.4000', '1.0000']

    References:
        Nocedal, J. and Wright, S. J. (2006), "Numerical Optimization", 2nd ed., algorithm 7.4 and section 16.7.
        Bertsekas, D. P. (1982), "Projected Newton methods for optimization problems with simple constraints", SIAM J.
        Control Optim. 20, 221–246: which variables are held.
    """

    move: float | int = 0.3
    memory: int = 20
    shorten: float | int = 0.3
    decrease: float | int = 1e-4

    def __post_init__(self):
        require_numbers(self, "move", "shorten", "decrease")
        whole_number("memory", self.memory)
        if not self.move > 0:
            raise refused("move", "be above 0", f"is {self.move}")
        if not self.memory >= 1:
            raise refused("memory", "be at least 1", f"is {self.memory}")
        if not 0 < self.shorten < 1:
            raise refused("shorten", "be in (0, 1)", f"is {self.shorten}")
        if not 0 < self.decrease < 0.5:
            raise refused("decrease", "be in (0, 0.5)", f"is {self.decrease}")

    def init(self, x: Float[Array, "*shape"], problem: Problem) -> LBFGSState:
        """State before the first update.

        Args:
            x: Design, any shape.
            problem: With bounds alone.

        Raises:
            ValueError: If there are constraints.
        """
        if problem.m != 0:
            raise ValueError("Argument `optimizer` must be MMA when there are constraints, but is LBFGS.")
        none, zero = jnp.zeros((), jnp.int32), jnp.zeros((), x.dtype)
        nothing = jnp.zeros_like(x)
        pairs = jnp.zeros((self.memory, *x.shape), x.dtype)
        return LBFGSState(x, zero, nothing, nothing, zero, pairs, pairs, none, none)

    def update(
        self, state: LBFGSState, x: Float[Array, "*shape"], seen: Seen, problem: Problem
    ) -> tuple[Float[Array, "*shape"], LBFGSState]:
        """Update a design once.

        Args:
            state: From `init` or the last update.
            x: Design, as the last update gave it.
            seen: Value and gradient at x.
            problem: Bounds.

        Returns:
            The next design to evaluate, of the shape and dtype of x, and the new state.
        """
        dtype = x.dtype
        lower, upper = (
            jnp.broadcast_to(jnp.asarray(bound, dtype), x.shape) for bound in (problem.lower, problem.upper)
        )
        value, gradient = seen.objective.astype(dtype), seen.gradient.astype(dtype)
        finite = jnp.isfinite(value) & jnp.isfinite(gradient).all()
        foretold = jnp.vdot(state.gradient, x - state.base)
        first = state.updates == 0
        accepted = finite & (first | (value <= state.value + self.decrease * foretold))

        # A step along which the gradient does not grow says nothing of a minimum.
        step, slope = x - state.base, gradient - state.gradient
        curved = jnp.vdot(step, slope) > _CURVED * jnp.linalg.norm(step.ravel()) * jnp.linalg.norm(slope.ravel())
        remembers = accepted & curved & ~first
        steps, slopes = (
            jnp.where(remembers, jnp.roll(kept, 1, axis=0).at[0].set(new), kept)
            for kept, new in ((state.steps, step), (state.slopes, slope))
        )
        base, value, gradient = (
            jnp.where(accepted, new, old)
            for new, old in ((x, state.base), (value, state.value), (gradient, state.gradient))
        )
        held = ((base <= lower) & (gradient > 0)) | ((base >= upper) & (gradient < 0))
        lost = ~accepted & (state.length < _SHORTEST)  # nothing lower along the direction: begin anew from the slope
        steps, slopes = (jnp.where(lost, 0, kept) for kept in (steps, slopes))
        newton = -_inverse_times(steps, slopes, jnp.where(held, 0, gradient), ~held)
        reach = self.move * (upper - lower)
        known = (steps != 0).any()
        most = jnp.max(jnp.abs(newton) / jnp.maximum(reach, jnp.finfo(dtype).tiny), initial=0)
        most = jnp.maximum(most, jnp.finfo(dtype).tiny)
        newton = newton * jnp.where(known, jnp.minimum(1, 1 / most), _FIRST / most)
        renews = accepted | lost
        direction = jnp.where(renews, newton, state.direction)
        length = jnp.where(renews, jnp.ones((), dtype), self.shorten * state.length)
        trial = jnp.clip(base + length * direction, lower, upper)

        result = jnp.where(finite, Outcome.solved, Outcome.not_finite)
        result = jnp.where(finite & lost & (state.steps == 0).all(), Outcome.stalled, result).astype(jnp.int32)
        new = LBFGSState(base, value, gradient, direction, length, steps, slopes, state.updates + 1, result)
        return jnp.where(finite | ~first, trial, x), new


def _inverse_times(
    steps: Float[Array, "memory *shape"],
    slopes: Float[Array, "memory *shape"],
    vector: Float[Array, "*shape"],
    free: Bool[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """The inverse Hessian of the pairs, newest first, on the free variables, times a vector: two recursions."""
    steps, slopes = jnp.where(free, steps, 0), jnp.where(free, slopes, 0)
    products = jax.vmap(jnp.vdot)(steps, slopes)
    squares = jax.vmap(jnp.vdot)(slopes, slopes)
    known = products > _CURVED * jnp.sqrt(jax.vmap(jnp.vdot)(steps, steps) * squares)
    weights = jnp.where(known, 1 / jnp.where(known, products, 1), 0)

    def down(vector, pair):
        step, slope, weight = pair
        share = weight * jnp.vdot(step, vector)
        return vector - share * slope, share

    def up(vector, pair):
        step, slope, weight, share = pair
        return vector + (share - weight * jnp.vdot(slope, vector)) * step, None

    vector, shares = jax.lax.scan(down, vector, (steps, slopes, weights))
    newest = jnp.argmax(known)
    scale = jnp.where(known.any(), products[newest] / jnp.where(known[newest], squares[newest], 1), 1)
    return jax.lax.scan(up, scale * vector, (steps, slopes, weights, shares), reverse=True)[0]
