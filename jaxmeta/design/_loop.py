"""The design loop as a pair of pure functions: `init` and `step`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .. import optimizers
from ..optimizers import Optimizer, Outcome
from ._continuation import Continuation, Level
from ._problem import Problem
from ._result import DesignResult

PATIENCE = 10
"""Steps over which the objective must stay within the stop tolerance."""

ALLOWED = 1e-3
"""Largest constraint of a design that counts as converged."""

RUNNERS_UP = 4
"""Designs that are kept beside the best one: of another problem, a binary cell for example, one of them may be best."""

_STILL = 1e-4
"""Largest change of a variable in a run in which nothing moved."""


class Kept(NamedTuple):
    """The design that a run hands back, with its evaluation.

    It is the best one of the last sharpness among those whose evaluation was sound: with the least objective where no
    constraint is violated, else with the least violation.

    Attributes:
        step: number of the step that evaluated it, from 1; 0 before the first one.
        variables: of the design.
        sharpness: at which it was evaluated.
        objective: its value.
        violation: its largest constraint, or 0.
    """

    step: Int[Array, ""]
    variables: Float[Array, "*shape"]
    sharpness: Float[Array, ""]
    objective: Float[Array, ""]
    violation: Float[Array, ""]

    def yields_to(self, other: Kept) -> Bool[Array, ""]:
        """Whether another design is the one to hand back."""
        return (other.sharpness > self.sharpness) | self.is_worse_than(other)

    def is_worse_than(self, other: Kept) -> Bool[Array, ""]:
        """Whether another design is at least as good, whatever its sharpness."""
        allowed = jnp.maximum(self.violation, other.violation) <= ALLOWED
        better = jnp.where(allowed, other.objective <= self.objective, other.violation <= self.violation)
        return (self.step == 0) | better


class State(NamedTuple):
    """Everything that the next step needs; saved as it is in a checkpoint.

    Attributes:
        variables: the design that the next step evaluates.
        optimizer: state of the optimiser.
        memory: of the last evaluation.
        step: number of steps taken.
        stage: step at which the present sharpness began.
        sharpness: of the continuation.
        recent: objective at the last steps, newest first.
        kept: the design to hand back.
        least: the best design at any sharpness.
        others: the next best ones at the last sharpness, with a leading axis, in no order.
        moved: largest change of a variable in any step.
        result: a `DesignResult`; `max_steps_reached` as long as the run goes on.
    """

    variables: Float[Array, "*shape"]
    optimizer: Any
    memory: Any
    step: Int[Array, ""]
    stage: Int[Array, ""]
    sharpness: Float[Array, ""]
    recent: Float[Array, " patience"]
    kept: Kept
    least: Kept
    others: Kept
    moved: Float[Array, ""]
    result: Int[Array, ""]


class Info(NamedTuple):
    """What a step saw, at the design it started from.

    Attributes:
        objective: value that is minimised.
        change: largest change of a design variable.
        outcome: what the optimiser's state says of its update, an `Outcome`.
        done: whether the run has converged.
        record: what the problem tells.
    """

    objective: Float[Array, ""]
    change: Float[Array, ""]
    outcome: Int[Array, ""]
    done: Bool[Array, ""]
    record: Any


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class Loop:
    """`init` and `step` of a design run.

    A step evaluates the design that it finds, keeps it if it is the best, and lets the optimiser make the next one. So
    the design that is kept is one whose values are known, and the update after the last evaluation is not used.

    A stage of the continuation ends when the objective rests, or after its number of steps; the run, when the objective
    rests in the last stage and no constraint is violated.

    Args:
        optimizer: any `optimizers.Optimizer`; compiled into the step.
        continuation: sharpness over the steps.
        tolerance: relative change of the objective over the last ten steps at which it rests.

    Example:
        >>> import jax.numpy as jnp
        >>> from typing import NamedTuple
        >>> from jaxmeta import design, optimizers
        >>> class Parabola(NamedTuple):                 # min Σ (x − target)² subject to mean(x) ≤ bound
        ...     target: jnp.ndarray
        ...     bound: float
        ...     noise = 0.0
        ...     def bounds(self, x):
        ...         return jnp.zeros_like(x), jnp.ones_like(x)
        ...     def cheap(self, x, level):
        ...         return x.mean() / self.bound - 1
        ...     def values(self, x, level, memory):
        ...         return jnp.sum((x - self.target) ** 2), self.cheap(x, level)[None]
        ...     def evaluate(self, x, level, memory):
        ...         value, limits = self.values(x, level, memory)
        ...         slope = jnp.full((1, *x.shape), 1 / x.size / self.bound)
        ...         seen = optimizers.Seen(value, 2 * (x - self.target), limits, slope)
        ...         return design.Evaluation(seen, (), memory, jnp.isfinite(value))
        >>> problem = Parabola(jnp.array([0.2, 0.9]), 0.45)
        >>> loop = design.Loop(optimizers.MMA(), design.Continuation(1.0, 2.0, 5, 2.0), 1e-4)
        >>> for turn in design.run(loop, problem, loop.init(problem, jnp.full(2, 0.3)), max_steps=60):
        ...     state = turn.state
        >>> design.DesignResult(int(state.result)).name, [f"{value:.2f}" for value in state.kept.variables]
        ('converged', ['0.10', '0.80'])
    """

    optimizer: Optimizer
    continuation: Continuation
    tolerance: float | Float[Array, ""]

    def tree_flatten(self):
        """Children of the pytree: the numbers."""
        return (self.continuation, self.tolerance), self.optimizer

    @classmethod
    def tree_unflatten(cls, optimizer, children):
        """Rebuild."""
        return cls(optimizer, *children)

    def init(self, problem: Problem, variables: Float[Array, "*shape"]) -> State:
        """State before the first step.

        Args:
            problem: what is designed.
            variables: to start from; brought within their bounds.

        Raises:
            ValueError: the optimiser is not for such a problem.
        """
        lower, upper = problem.bounds(variables)
        variables = jnp.clip(variables, lower, upper)
        sharpness = jnp.asarray(self.continuation.start, variables.dtype)
        memory, constraints = jax.eval_shape(_evaluated, problem, variables, self.continuation.level(sharpness))
        none, zero = jnp.zeros((), jnp.int32), jnp.zeros((), variables.dtype)
        first = Kept(none, variables, sharpness, zero, zero)
        return State(
            variables=variables,
            optimizer=self.optimizer.init(variables, optimizers.Problem(lower, upper, constraints.size)),
            memory=jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), memory),
            step=none,
            stage=none,
            sharpness=sharpness,
            recent=jnp.zeros((PATIENCE,), variables.dtype),
            kept=first,
            least=first,
            others=jax.tree.map(lambda leaf: jnp.stack([leaf] * RUNNERS_UP), first),
            moved=zero,
            result=jnp.asarray(DesignResult.max_steps_reached, jnp.int32),
        )

    def step(self, problem: Problem, state: State) -> tuple[State, Info]:
        """One evaluation, one update of the variables; sharpens when the objective rests.

        Args:
            problem: what is designed.
            state: from `init` or the last step.
        """
        x, sharpness = state.variables, state.sharpness
        level = self.continuation.level(sharpness)
        seen, record, memory, sound = problem.evaluate(x, level, state.memory)
        asked = optimizers.Problem(
            *problem.bounds(x),
            m=seen.constraints.size,
            evaluate=lambda trial: problem.values(trial, level, memory),
            cheap=lambda trial: problem.cheap(trial, level),
            noise=problem.noise,
        )
        new, optimizer = self.optimizer.update(state.optimizer, x, seen, asked)

        recent = jnp.roll(state.recent, 1).at[0].set(seen.objective.astype(x.dtype))
        age = state.step - state.stage + 1
        spread = (recent.max() - recent.min()) / jnp.maximum(jnp.abs(recent[0]), jnp.finfo(x.dtype).tiny)
        rests = (age >= PATIENCE) & (spread <= self.tolerance)
        last = sharpness >= self.continuation.final
        sharpen = (rests | (age >= self.continuation.every)) & ~last
        violation = jnp.max(seen.constraints, initial=0).astype(x.dtype)
        ends = last & rests & (violation <= ALLOWED)
        change = jnp.abs(new - x).max()
        moved = jnp.maximum(state.moved, change)

        sound = sound & jnp.isfinite(seen.objective) & jnp.isfinite(seen.constraints).all()
        outcome = getattr(optimizer, "result", jnp.zeros((), jnp.int32))
        slopes = jnp.isfinite(seen.gradient).all() & jnp.isfinite(seen.constraint_gradients).all()
        result = jnp.where(ends, DesignResult.converged, DesignResult.max_steps_reached)
        result = jnp.where(ends & (moved <= _STILL), DesignResult.unmoved, result)
        # At rest because it cannot move.
        result = jnp.where((ends & (outcome == Outcome.no_descent)) | ~slopes, DesignResult.optimizer_failed, result)
        result = jnp.where(sound, result, DesignResult.solver_failed).astype(jnp.int32)

        found = Kept(state.step + 1, x, sharpness, recent[0], violation)
        takes = sound & state.kept.yields_to(found)
        second = select(takes, state.kept, found)
        grown = jnp.minimum(sharpness * self.continuation.factor, self.continuation.final).astype(sharpness.dtype)
        return State(
            variables=new,
            optimizer=optimizer,
            memory=memory,
            step=state.step + 1,
            stage=jnp.where(sharpen, state.step + 1, state.stage),
            sharpness=jnp.where(sharpen, grown, sharpness),
            recent=recent,
            kept=select(takes, found, state.kept),
            least=select(sound & state.least.is_worse_than(found), found, state.least),
            others=select(sound, _with(state.others, second), state.others),
            moved=moved,
            result=result,
        ), Info(seen.objective, change, outcome, result == DesignResult.converged, record)


def _with(others: Kept, new: Kept) -> Kept:
    """Another one in place of the worst of several, if it is not worse itself."""
    order = jnp.lexsort((others.objective, jnp.maximum(others.violation, ALLOWED), -others.sharpness, others.step == 0))
    worst = order[-1]
    takes = jax.tree.map(lambda leaf: leaf[worst], others).yields_to(new) & (new.step > 0)
    return jax.tree.map(lambda all_, one: all_.at[worst].set(jnp.where(takes, one, all_[worst])), others, new)


def select(condition: Bool[Array, ""], yes: Any, no: Any) -> Any:
    """One of two pytrees."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


@jax.jit
def _evaluated(problem: Problem, variables: Array, level: Level) -> tuple[Any, Array]:
    """What an evaluation leaves for the next, and its constraints; traced once for all runs of a kind."""
    found = problem.evaluate(variables, level, None)
    return found.memory, found.seen.constraints
