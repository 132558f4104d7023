"""What "the same accuracy" means, and how a peer's stopping tolerance is chosen: NumPy only."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RESIDUALS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6)
SHORT = 20.0


class Attempt(NamedTuple):
    """Six loads solved to one residual.

    Attributes:
        stiffness: (6, 6).
        seconds: for the six.
        steps: solver steps of the slowest load, or None where the solver does not tell.
    """

    stiffness: np.ndarray
    seconds: float
    steps: int | None


def error_of(stiffness: np.ndarray, exact: np.ndarray) -> float:
    """Largest |C − C_ref|_ij / √(C_ii C_jj)."""
    scale = np.sqrt(np.diag(exact))
    return float(np.abs((stiffness - exact) / np.outer(scale, scale)).max())


def loosest(solve: Callable[[float], Attempt], tolerance: float, exact: np.ndarray) -> tuple[float, Attempt]:
    """The loosest residual of the list at which C is right, and that attempt: the median of three where it is short."""
    for residual in RESIDUALS:
        attempt = solve(residual)
        if error_of(attempt.stiffness, exact) <= tolerance:
            again = [solve(residual).seconds for _ in range(2)] if attempt.seconds < SHORT else []
            return residual, attempt._replace(seconds=statistics.median([attempt.seconds, *again]))
    raise RuntimeError("no residual of the list gave C to the tolerance asked for")
