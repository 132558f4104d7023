"""How a solve ended."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from jax import Array


class Result(IntEnum):
    """How an iterative solve ended; the larger, the worse."""

    converged = 0
    max_steps_reached = 1
    stagnated = 2
    breakdown = 3

    @property
    def text(self) -> str:
        """What happened, and what to try."""
        return _TEXTS[self]


_TEXTS = {
    Result.converged: "The solve converged.",
    Result.max_steps_reached: (
        "The solve ran out of steps before it met its tolerance: allow more with `max_steps`, loosen `tolerance`, or "
        "try the other preconditioner."
    ),
    Result.stagnated: (
        "The solve stopped making progress above its tolerance, at the limit of the arithmetic: loosen `tolerance` or "
        "`residual`, or give a float64 density."
    ),
    Result.breakdown: (
        "The solve met a direction of no stiffness, or a number that is not finite: look for negative or infinite "
        "moduli in the input, or give a void stiffness above zero."
    ),
}


class SolverError(RuntimeError):
    """A solve that was called eagerly did not converge; the message says why and what to try."""


class Stats(NamedTuple):
    """What a solve did.

    Attributes:
        result: a `Result`, as an integer array.
        steps: preconditioned CG steps taken.
        residual: norm of the residual over that of the load.
        error: estimate of the relative error of the energy (of C, for a homogenization).
    """

    result: Array
    steps: Array
    residual: Array
    error: Array


class Solution(NamedTuple):
    """A solution with its statistics.

    Attributes:
        value: the solution.
        stats: how it was found.
    """

    value: Array
    stats: Stats

    @property
    def result(self) -> Array:
        """The `Result`, as an integer array."""
        return self.stats.result
