"""The optimiser as a pair of pure functions: `init` and `step`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ._design import Design
from ._mma import MMA, MMAState
from ._oc import OC, OCState
from ._projection import Continuation
from .constraints import SmallestFeature

PATIENCE = 10
"""Steps over which the objective must stay within the stop tolerance."""

RELAXATION = 4
"""Constraints on features are relaxed by (last sharpness / present one) to this power."""


class State(NamedTuple):
    """Everything that the next step needs; saved as it is in a checkpoint.

    Attributes:
        variables: design variables.
        optimizer: state of OC or MMA.
        displacement: fluctuations of the last solve.
        step: number of steps taken.
        stage: step at which the present sharpness began.
        beta: sharpness of the projection.
        recent: objective at the last steps, newest first.
    """

    variables: Array
    optimizer: OCState | MMAState
    displacement: Array
    step: Array
    stage: Array
    beta: Array
    recent: Array


class Bounds(NamedTuple):
    """Bounds of the design variables, equal where a voxel is held, and of the volume.

    Attributes:
        lower, upper: (nx, ny, nz).
        volume_fraction: upper bound of the mean density.
    """

    lower: Array
    upper: Array
    volume_fraction: Array


class Info(NamedTuple):
    """What a step saw, at the design it started from.

    Attributes:
        objective: value that is minimised.
        constraints: values that must not be positive, the volume fraction's excess last; those on features in full,
            also while the optimiser sees a relaxed one.
        volume_fraction: of the physical density.
        stiffness: (6, 6).
        beta: sharpness of the projection.
        change: largest change of a design variable.
        greyness: mean of 4 ρ (1 − ρ), zero for a binary density.
        solver_steps: of the slowest load.
        solver_result: a `Result`.
        optimizer_result: code of the optimiser's update; 0 is well.
        done: the last sharpness is reached, the objective rests and no constraint is violated.
    """

    objective: Array
    constraints: Array
    volume_fraction: Array
    stiffness: Array
    beta: Array
    change: Array
    greyness: Array
    solver_steps: Array
    solver_result: Array
    optimizer_result: Array
    done: Array


@dataclass(frozen=True)
class Loop:
    """`init` and `step` for one design problem.

    Args:
        design: what is designed.
        optimizer: `OC` or `MMA`.
        continuation: sharpness of the projection over the steps.
        tolerance: relative change of the objective over the last steps at which a stage ends.
    """

    design: Design
    optimizer: OC | MMA
    continuation: Continuation
    tolerance: float

    def init(self, variables: Array, bounds: Bounds) -> State:
        """State before the first step."""
        variables = jnp.clip(variables, bounds.lower, bounds.upper)
        beta = jnp.asarray(self.continuation.start, variables.dtype)
        shapes = jax.eval_shape(lambda x, b: self.design.evaluate(x, b, None), variables, beta)
        state = (
            self.optimizer.init(variables)
            if isinstance(self.optimizer, OC)
            else self.optimizer.init(variables, bounds.lower, bounds.upper)
        )
        none = jnp.zeros((), jnp.int32)
        recent = jnp.full((PATIENCE,), jnp.inf, variables.dtype)
        displacement = jnp.zeros(shapes.displacement.shape, shapes.displacement.dtype)
        return State(variables, state, displacement, none, none, beta, recent)

    def step(self, state: State, bounds: Bounds) -> tuple[State, Info]:
        """One solve, one update of the variables; sharpens the projection when the objective rests."""
        x, beta = state.variables, state.beta
        seen = self.design.evaluate(x, beta, state.displacement)
        objective, volume = seen.values[0], seen.values[-1]
        excess = volume / bounds.volume_fraction - 1
        method, memory = self.optimizer, state.optimizer
        if isinstance(method, OC) and isinstance(memory, OCState):
            new, optimizer = method.update(
                memory,
                x,
                seen.gradients[0],
                seen.gradients[-1],
                lambda v: self.design.physical(v, beta).mean(),
                bounds.volume_fraction,
                bounds.lower,
                bounds.upper,
            )
        elif isinstance(method, MMA) and isinstance(memory, MMAState):
            weights = self._weights(beta)
            limits = jnp.append(weights * seen.values[1:-1] + (weights - 1), excess)  # exact where the weight is 1
            slopes = jnp.concatenate(
                [weights[:, None, None, None] * seen.gradients[1:-1], seen.gradients[-1:] / bounds.volume_fraction]
            )
            new, optimizer = method.update(
                memory, x, objective, seen.gradients[0], limits, slopes, bounds.lower, bounds.upper
            )
        else:
            raise ValueError(
                f"Argument `state` must come from `init` with {type(method).__name__}, but holds "
                f"{type(memory).__name__}."
            )
        recent = jnp.roll(state.recent, 1).at[0].set(objective)
        spread = (recent.max() - recent.min()) / jnp.maximum(jnp.abs(recent[0]), jnp.finfo(x.dtype).tiny)
        rests = spread <= self.tolerance
        long = state.step - state.stage >= self.continuation.every - 1
        last = beta >= self.continuation.final
        allowed = jnp.max(jnp.append(seen.values[1:-1], excess)) <= 1e-3
        sharpen = (rests | long) & ~last
        density = self.design.physical(x, beta)
        info = Info(
            objective=objective,
            constraints=jnp.append(seen.values[1:-1], excess),
            volume_fraction=volume,
            stiffness=seen.stiffness,
            beta=beta,
            change=jnp.abs(new - x).max(),
            greyness=(4 * density * (1 - density)).mean(),
            solver_steps=seen.steps,
            solver_result=seen.result,
            optimizer_result=optimizer.result,
            done=last & rests & allowed,
        )
        return (
            State(
                variables=new,
                optimizer=optimizer,
                displacement=seen.displacement,
                step=state.step + 1,
                stage=jnp.where(sharpen, state.step + 1, state.stage),
                beta=jnp.where(
                    sharpen, jnp.minimum(beta * self.continuation.factor, self.continuation.final), beta
                ).astype(beta.dtype),
                recent=jnp.where(sharpen, jnp.full_like(recent, jnp.inf), recent),
            ),
            info,
        )

    def _weights(self, beta: Array) -> Array:
        """Of g + 1, which is bounded by 1, for each constraint g in the eyes of the optimiser, (m,).

        Grey is no member, but counts as a thin one: the constraint on features is of the order of 10⁴ for a grey
        design, and 10 to 10³ for a sharp one with thin members. With the fourth power of the sharpness in units of the
        last one it says next to nothing in the first stages, whatever the design, and has its say in the last two.
        """
        features = [isinstance(f, SmallestFeature) for f in self.design.constraints]
        return jnp.where(jnp.asarray(features, bool), (beta / self.continuation.final) ** RELAXATION, 1)
