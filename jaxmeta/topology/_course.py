"""How a design run goes; the options of the command line are these."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .._numbers import plain_number, whole_number


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
        def positive(number: float) -> bool:
            return 0 < number < math.inf

        for name in ("filter_radius", "tolerance", "stop"):
            self._set(name, plain_number(name, getattr(self, name), "be a positive number", positive))
        self._set("max_steps", whole_number("max_steps", self.max_steps, least=1))
        self._set("erosion", plain_number("erosion", self.erosion, "lie in [0, 0.5)", lambda x: 0 <= x < 0.5))

    def _set(self, name: str, number: float | int) -> None:
        """Numbers of NumPy and JAX become Python's."""
        object.__setattr__(self, name, number)
