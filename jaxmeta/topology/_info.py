"""What is told of a design run, step by step."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int

from .. import design


class Facts(NamedTuple):
    """What an evaluation tells of a design; `Info` describes it."""

    constraints: Float[Array, " m"]
    volume_fraction: Float[Array, ""]
    stiffness: Float[Array, "6 6"]
    beta: Float[Array, ""]
    greyness: Float[Array, ""]
    solver_steps: Int[Array, ""]
    solver_result: Int[Array, ""]


class Info(NamedTuple):
    """What a step saw, at the design it started from.

    Attributes:
        objective: value that is minimised.
        constraints: values that must not be positive, the volume fraction's excess last; those on features in full,
            also while the optimiser sees a relaxed one.
        volume_fraction: of the physical density.
        stiffness: (6, 6); with erosion that of the eroded density.
        beta: sharpness of the projection.
        change: largest change of a design variable.
        greyness: mean of 4 ρ (1 − ρ), zero for a binary density.
        solver_steps: of the slowest load.
        solver_result: a `Result`.
        optimizer_result: an `optimizers.Outcome`; 0 is well.
        done: the last sharpness is reached, the objective rests and no constraint is violated.
    """

    objective: Float[Array, ""]
    constraints: Float[Array, " m"]
    volume_fraction: Float[Array, ""]
    stiffness: Float[Array, "6 6"]
    beta: Float[Array, ""]
    change: Float[Array, ""]
    greyness: Float[Array, ""]
    solver_steps: Int[Array, ""]
    solver_result: Int[Array, ""]
    optimizer_result: Int[Array, ""]
    done: Bool[Array, ""]

    @classmethod
    def of(cls, info: design.Info) -> Info:
        """From what the loop hands out."""
        own = {"objective": info.objective, "change": info.change, "done": info.done}
        return cls(**own, optimizer_result=info.outcome, **info.record._asdict())
