"""Sharpness of a design problem, stage by stage."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .._numbers import require_numbers, whole_number
from .._pytree import parameters


class Level(NamedTuple):
    """Where a design is in its continuation.

    Attributes:
        sharpness: β.
        share: β over its last value, in (0, 1].
    """

    sharpness: Float[Array, ""]
    share: Float[Array, ""]


@parameters
@dataclasses.dataclass(frozen=True)
class Continuation:
    r"""Sharpness as a function of the step: β = min(start · factor^⌊step / every⌋, final).

    Args:
        start: β at step 0.
        factor: What β is multiplied by, at least 1.
        every: Steps between two changes.
        final: Largest β.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> schedule = Continuation(start=1.0, factor=2.0, every=40, final=64.0)
        >>> [float(schedule(step)) for step in (0, 39, 40, 1000)]
        [1.0, 1.0, 2.0, 64.0]

    References:
        Guest, J. K., Prévost, J. H. and Belytschko, T. (2004), "Achieving minimum length scale in topology
        optimization using nodal design variables and projection functions", Int. J. Numer. Methods Eng. 61, section 4.
    """

    start: float | int = 1.0
    factor: float | int = 2.0
    every: int = 40
    final: float | int = 64.0

    def __post_init__(self):
        require_numbers(self, "start", "factor", "final")
        whole_number("every", self.every)
        if not self.start > 0:
            raise ValueError(f"Argument `start` must be above 0, but is {self.start}.")
        if not self.factor >= 1:
            raise ValueError(f"Argument `factor` must be at least 1, but is {self.factor}.")
        if not self.every >= 1:
            raise ValueError(f"Argument `every` must be at least 1, but is {self.every}.")
        if not self.final >= self.start:
            raise ValueError(f"Argument `final` must be at least `start`, {self.start}, but is {self.final}.")

    def level(self, sharpness: Float[Array, ""]) -> Level:
        """Where a sharpness stands."""
        return Level(sharpness, sharpness / self.final)

    def __call__(self, step: int | Int[Array, ""]) -> Float[Array, ""]:
        """Sharpness at a step.

        Args:
            step: Number of the step, from 0; a number or a scalar array.

        Returns:
            β, a scalar of the default floating-point dtype.
        """
        changes = (jnp.asarray(step) // self.every).astype(float)
        # The power of a large step may overflow to infinity, which the minimum takes care of.
        return jnp.minimum(self.start * self.factor**changes, float(self.final))
