"""What a design run is given, looked at and put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike

from .._arguments import real_array, require_kind, require_scalars
from .._numbers import plain_number, refused, told
from ..design import Continuation, Loop, State
from ..elasticity import Isotropic
from ..geometry import symmetry as symmetries
from ..homogenization import RAMP, SIMP, Interpolation
from ..optimizers import MMA, OC, Optimizer, Problem, Seen
from ..runs import digest, function_digest
from ._course import Course
from ._design import Design
from ._filter import DensityFilter, Symmetry
from ._held import Held
from ._printable import Making
from ._record import Function, Record, Term
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
    projection: Continuation
    optimizer: Optimizer | None
    spacing: tuple[float, float, float]
    passive: tuple[ArrayLike, ArrayLike] | None
    course: Course
    making: Making = Making()

    def problem(self, variables: Array) -> tuple[Loop, Design]:
        """Loop and design for variables of this shape and dtype.

        Raises:
            ValueError: an argument is not as described.
        """
        require_kind("solid", self.solid, (Isotropic,))
        require_scalars("solid", self.solid)
        require_kind("interpolation", self.interpolation, (SIMP, RAMP))
        require_scalars("interpolation", self.interpolation)
        require_kind("projection", self.projection, (Continuation,))
        if not callable(self.objective):
            raise refused("objective", "be a function of stiffness and density", told(self.objective))
        if not (isinstance(self.constraints, Sequence) and all(map(callable, self.constraints))):
            raise refused("constraints", "be a sequence of functions", told(self.constraints))
        if not (self.optimizer is None or isinstance(self.optimizer, Optimizer)):
            raise refused("optimizer", "have the methods `init` and `update`", told(self.optimizer))
        volume_fraction = plain_number("volume_fraction", self.volume_fraction, "lie in (0, 1]", lambda f: 0 < f <= 1)
        held = None
        if self.passive is not None:
            held = Held.of(self.passive, variables.shape, self.symmetry, volume_fraction)
        design = Design.of(
            self.objective,
            self.constraints,
            solid=self.solid,
            volume_fraction=volume_fraction,
            filtering=DensityFilter(self.course.filter_radius, self.symmetry, self.spacing),
            interpolation=self.interpolation,
            erosion=self.course.erosion,
            held=held,
            tolerance=self.course.tolerance,
            dtype=variables.dtype,
        )
        return Loop(self.optimizer or self._default(), self.projection, self.course.stop), design

    def told(self, loop: Loop, design: Design, state: State) -> dict[str, Any]:
        """What makes two runs the same, in a form that does not change between processes."""
        variables = state.variables
        stiffness = jax.ShapeDtypeStruct((6, 6), variables.dtype)

        def program(term: Term) -> str:
            def value(c: Array, filtered: Array) -> Array:
                return term(Record(c, filtered, filtered, filtered, design.held, design.filtering))

            return function_digest(jax.value_and_grad(value, (0, 1)), stiffness, variables)

        count = len(design.constraints) + 1
        rows = jnp.zeros((count, *variables.shape), variables.dtype)
        seen = Seen(variables.sum(), variables, rows.sum((1, 2, 3)), rows)

        def update(optimizer: Any, x: Array, seen: Seen) -> Any:
            # In place of what it may ask, which is told already.
            asked = Problem(
                0.0, 1.0, count, lambda trial: (trial.sum(), seen.constraints), jnp.mean, self.course.tolerance
            )
            return loop.optimizer.update(optimizer, x, seen, asked)

        course = asdict(self.course)
        del course["max_steps"]  # there may be more of them the next time
        plain = {"symmetry": self.symmetry, "volume_fraction": float(self.volume_fraction)}
        plain |= {"spacing": [float(edge) for edge in self.spacing]}
        return (
            course
            | plain
            | {
                "objective": program(design.objective),
                "constraints": digest([(program(term), term.relaxation) for term in design.constraints]),
                "interpolation": function_digest(jax.value_and_grad(design.interpolation), design.volume_fraction),
                "start": digest(variables),
                "passive": digest(design.held),
                "solid": repr(jax.tree.map(float, self.solid)),
                "optimizer": function_digest(update, state.optimizer, variables, seen),
                "projection": repr(self.projection),
            }
        )

    def _default(self) -> Optimizer:
        return CALM if getattr(self.objective, "monotone", False) and not self.constraints else MMA()


def checked_start(start: ArrayLike, symmetry: Symmetry) -> Array:
    """Design variables to start from: averaged over the permutations where the cell is cubic.

    Raises:
        ValueError: they are no density, or no octant of such a symmetry.
    """
    if not (isinstance(symmetry, str) and symmetry in symmetries.SYMMETRIES):
        raise ValueError(f'Argument `symmetry` must be "none", "mirror" or "cubic", but is {symmetry!r}.')
    variables = real_array("start", start)
    if not jnp.issubdtype(variables.dtype, jnp.floating):
        variables = variables.astype(jnp.result_type(float))
    if variables.dtype not in (jnp.float32, jnp.float64):
        raise ValueError(f"Argument `start` must be float32 or float64, but is {variables.dtype}.")
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
