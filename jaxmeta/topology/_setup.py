"""What a design run is given, looked at and put together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike

from ..design import Continuation, Loop
from ..elasticity import Isotropic
from ..geometry import symmetry as symmetries
from ..homogenization import Interpolation
from ..optimizers import MMA, OC, Optimizer
from ._design import Design
from ._filter import DensityFilter, Symmetry
from ._held import Held
from ._record import Function
from .constraints import Constraining

CALM = OC(move=0.05)
"""The OC of a design run. With its own move limit of 0.2 it swings to and fro once the projection is sharp: a bulk
design of 32³ then ended unrested at 91 % of its bound, and with this one at rest at 97 %."""


class Settings(NamedTuple):
    """The arguments of `optimize` and `multistart` that make the problem and the loop, which describe them."""

    objective: Function
    solid: Isotropic
    volume_fraction: float
    symmetry: Symmetry
    constraints: Sequence[Constraining]
    interpolation: Interpolation
    filter_radius: float
    projection: Continuation
    optimizer: Optimizer | None
    max_steps: int
    spacing: tuple[float, float, float]
    passive: tuple[ArrayLike, ArrayLike] | None
    erosion: float
    tolerance: float
    stop: float

    def problem(self, variables: Array) -> tuple[Loop, Design]:
        """Loop and design for variables of this shape and dtype.

        Raises:
            ValueError: an argument is not as described.
        """
        if self.max_steps < 1:
            raise ValueError(f"Argument `max_steps` must be at least 1, but is {self.max_steps}.")
        if not isinstance(self.solid, Isotropic):
            raise ValueError(f"Argument `solid` must be an Isotropic, but is {type(self.solid).__name__}.")
        if not 0 <= self.erosion < 0.5:
            raise ValueError(f"Argument `erosion` must lie in [0, 0.5), but is {self.erosion}.")
        if not 0 < self.volume_fraction <= 1:
            raise ValueError(f"Argument `volume_fraction` must lie in (0, 1], but is {self.volume_fraction}.")
        held = None
        if self.passive is not None:
            held = Held.of(self.passive, variables.shape, self.symmetry, self.volume_fraction)
        design = Design.of(
            self.objective,
            self.constraints,
            solid=self.solid,
            volume_fraction=self.volume_fraction,
            filtering=DensityFilter(self.filter_radius, self.symmetry, self.spacing),
            interpolation=self.interpolation,
            erosion=self.erosion,
            held=held,
            tolerance=self.tolerance,
            dtype=variables.dtype,
        )
        return Loop(self.optimizer or self._default(), self.projection, self.stop), design

    def told(self, variables: Array) -> dict[str, str]:
        """What makes two runs the same, in a form that does not change between processes."""

        def name(function: Constraining) -> str:
            own = f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"
            return getattr(function, "name", None) or own

        rest = self._replace(objective=len, constraints=(), passive=None, max_steps=0)
        return {
            "objective": name(self.objective),
            "constraints": str([name(c) for c in self.constraints]),
            "start": hashlib.sha256(np.asarray(variables).tobytes()).hexdigest(),
            "settings": repr(rest),
        }

    def _default(self) -> Optimizer:
        return CALM if getattr(self.objective, "monotone", False) and not self.constraints else MMA()


def checked_start(start: ArrayLike, symmetry: Symmetry) -> Array:
    """Design variables to start from: averaged over the permutations where the cell is cubic.

    Raises:
        ValueError: they are no density, or no octant of such a symmetry.
    """
    if symmetry not in symmetries.SYMMETRIES:
        raise ValueError(f'Argument `symmetry` must be "none", "mirror" or "cubic", but is {symmetry!r}.')
    variables = jnp.asarray(start)
    if not jnp.issubdtype(variables.dtype, jnp.floating):
        variables = variables.astype(jnp.result_type(float))
    if variables.ndim != 3 or 0 in variables.shape:
        raise ValueError(f"Argument `start` must have shape (nx, ny, nz), but has shape {variables.shape}.")
    low, high = float(variables.min()), float(variables.max())
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise ValueError(f"Argument `start` must lie in [0, 1], but ranges from {low} to {high}.")
    if symmetry == "cubic":
        if len(set(variables.shape)) != 1:
            raise ValueError(f"Argument `start` must be a cube for cubic symmetry, but has shape {variables.shape}.")
        variables = symmetries.permute_average(variables)
    return jnp.clip(variables, 0, 1)
