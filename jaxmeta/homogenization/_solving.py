"""How a cell is solved; the options of the command line are these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Solving:
    """How a cell is solved.

    Args:
        tolerance: Relative error of the stiffness at which the solver stops.
        residual: Relative residual at which the solver stops, in place of the tolerance.
        max_steps: Steps after which the solver gives up.
        preconditioner: By default multigrid.

    Example:
        >>> from jaxmeta.homogenization import Solving
        >>> Solving(tolerance=1e-6).max_steps
        500
    """

    tolerance: float = 1e-5
    residual: float | None = None
    max_steps: int = 500
    preconditioner: Literal["multigrid", "fft"] | None = None
