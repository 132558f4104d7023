"""What one case measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from problems import Problem


class Outcome(NamedTuple):
    """What one case measured.

    Attributes:
        stiffness: (6, 6).
        setup: seconds before the first solve: assembly and set-up of the preconditioner, or compilation with the first
            solve in it.
        forward: seconds of one effective stiffness after that.
        backward: median seconds of value and gradient, or None.
        steps: solver steps of the slowest load, or None where the solver does not tell.
        notes: precision, preconditioner.
        peak_mb: largest memory of a program that this process started or of the device, or None where it is that of
            this process.
        bytes_per_voxel: held at once by the compiled programs of C, and of C with its gradient, arguments and results
            included; or None.
        compile: seconds of tracing and compilation within the set-up, or None.
    """

    stiffness: np.ndarray
    setup: float
    forward: float
    backward: float | None
    steps: int | None
    notes: str
    peak_mb: float | None = None
    bytes_per_voxel: tuple[float, ...] | None = None
    compile: float | None = None


Method = Callable[[Problem, float, np.ndarray], Outcome]
"""(problem, tolerance, exact stiffness) → outcome. Only peers, which do not estimate their error, look at the last."""


class NotInstalledError(RuntimeError):
    """A peer that this machine does not have: its case is not measured, which is no failure."""
