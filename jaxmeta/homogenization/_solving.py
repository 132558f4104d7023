"""How a cell is solved; the options of the command line are these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .._numbers import plain_number, whole_number


@dataclass(frozen=True)
class Solving:
    """How a cell is solved.

    Args:
        tolerance: Relative error of the stiffness at which the solver stops.
        residual: Relative residual at which the solver stops, in place of the tolerance.
        max_steps: Steps after which the solver gives up.
        preconditioner: By default multigrid.

    Raises:
        ValueError: a number is not positive.

    Example:
        >>> from jaxmeta.homogenization import Solving
        >>> Solving(tolerance=1e-6).max_steps
        500
    """

    tolerance: float = 1e-5
    residual: float | None = None
    max_steps: int = 500
    preconditioner: Literal["multigrid", "fft"] | None = None

    def __post_init__(self) -> None:
        for name in ("tolerance", "residual"):
            value = getattr(self, name)
            if value is not None:
                plain_number(name, value, "be positive", lambda number: number > 0)
        whole_number("max_steps", self.max_steps, least=1)
