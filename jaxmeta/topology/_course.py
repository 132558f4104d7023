"""How a design run goes; the options of the command line are these."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Course:
    """How a design run goes.

    Args:
        filter_radius: Radius of the density filter in voxels: details finer than that do not arise.
        max_steps: Most steps.
        erosion: Robustness against thin members and hinges: objective and constraints see the density projected at the
            threshold 1/2 + erosion, thinner than the design itself.
        tolerance: Relative error of the stiffness in every step; the result is scored more tightly.
        stop: Relative change of the objective over ten steps at which it counts as at rest.

    Raises:
        ValueError: one of them is not as described.

    Example:
        >>> from jaxmeta.topology import Course
        >>> Course(max_steps=100)
        Course(filter_radius=2.0, max_steps=100, erosion=0.0, tolerance=0.0001, stop=0.001)
    """

    filter_radius: float = 2.0
    max_steps: int = 200
    erosion: float = 0.0
    tolerance: float = 1e-4
    stop: float = 1e-3

    def __post_init__(self) -> None:
        for name in ("filter_radius", "tolerance", "stop"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"Argument `{name}` must be a positive number, but is {value:g}.")
        if self.max_steps < 1:
            raise ValueError(f"Argument `max_steps` must be at least 1, but is {self.max_steps}.")
        if not 0 <= self.erosion < 0.5:
            raise ValueError(f"Argument `erosion` must lie in [0, 0.5), but is {self.erosion}.")
