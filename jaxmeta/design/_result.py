"""How a design run ended."""

from __future__ import annotations

from enum import IntEnum


class DesignResult(IntEnum):
    """How a design run ended; `max_steps_reached` as long as it goes on."""

    converged = 0
    max_steps_reached = 1
    solver_failed = 2
    optimizer_failed = 3
    unmoved = 4

    @property
    def text(self) -> str:
        """What happened, and what to try."""
        return _TEXTS[self]


_TEXTS = {
    DesignResult.converged: "The design converged: the last sharpness is reached and the objective rests.",
    DesignResult.max_steps_reached: (
        "The design used all its steps before the objective rested and every constraint held: allow more with "
        "`max_steps`, or shorten the continuation in `projection`."
    ),
    DesignResult.solver_failed: (
        "A solve broke down, or the objective was not finite; the design before it was kept: raise the interpolation's "
        "`void`, or give float64."
    ),
    DesignResult.optimizer_failed: (
        "The optimiser could not make a step: are the gradients finite, and is the method one for this objective?"
    ),
    DesignResult.unmoved: (
        "Nothing in the design could move: its start is the same everywhere, every voxel is held, or no change makes "
        "the objective better."
    ),
}
