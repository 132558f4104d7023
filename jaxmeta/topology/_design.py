"""The design of a cell: from variables to the physical density, and from there to values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..design import Evaluation, Level
from ..elasticity import Isotropic
from ..fem import Mixture
from ..geometry import symmetry as symmetries
from ..homogenization import SIMP, Homogenization, Interpolation, homogenize
from ..optimizers import Seen
from ..solvers import Result
from ._filter import DensityFilter
from ._held import Held
from ._info import Facts
from ._projection import Heaviside
from ._record import Record, Term


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Design:
    """The cell as a `jaxmeta.design.Problem`: everything but the optimiser and the continuation. Made by `Design.of`.

    Its numbers are scalars; those of a stack of designs have a leading axis.

    Args:
        objective: minimised.
        constraints: must not be positive.
        lame: Lamé's constants (λ, μ) of the solid.
        interpolation: from density to modulus.
        volume_fraction: upper bound of the mean density.
        erosion: stiffness is that of the density projected at the threshold 1/2 + erosion, volume that of 1/2.
        held: voxels that are held, or None.
        tolerance: relative error of C in every solve.
        filtering: density filter, which knows the symmetry of the cell and the edges of a voxel.
    """

    objective: Term
    constraints: tuple[Term, ...]
    lame: tuple[Float[Array, "..."], Float[Array, "..."]]
    interpolation: Interpolation
    volume_fraction: Float[Array, "..."]
    erosion: Float[Array, "..."]
    held: Held | None
    tolerance: Float[Array, "..."]
    filtering: DensityFilter = field(metadata={"static": True})

    @classmethod
    def of(
        cls,
        objective: Callable[..., Any],
        constraints: Sequence[Callable[..., Any]],
        *,
        solid: Isotropic,
        volume_fraction: float,
        filtering: DensityFilter,
        interpolation: Interpolation = SIMP(3.0, 1e-9),
        erosion: float = 0.0,
        held: Held | None = None,
        tolerance: float = 1e-4,
        dtype: Any = None,
    ) -> Design:
        """A design from functions of any kind, with its numbers as leaves.

        Args:
            objective: (stiffness, density) → scalar, or an object as `Term` describes.
            constraints: likewise.
            solid: the solid.
            volume_fraction: upper bound of the mean density.
            filtering: density filter.
            interpolation: from density to modulus.
            erosion: of the density that the functions see.
            held: voxels that are held.
            tolerance: relative error of C in every solve.
            dtype: of the variables; None takes JAX's default.
        """
        dtype = jnp.result_type(float) if dtype is None else dtype

        def number(leaf: Any) -> Array:
            value = jnp.asarray(leaf)
            return value.astype(dtype) if jnp.issubdtype(value.dtype, jnp.floating) else value

        terms = Term.of(objective), tuple(Term.of(function) for function in constraints)
        given = (*terms, solid.lame, interpolation, volume_fraction, erosion, held, tolerance)
        numbers: Any = jax.tree.map(number, given)
        return cls(*numbers, filtering=filtering)

    @property
    def noise(self) -> Float[Array, "..."]:
        """Relative error of the values."""
        return self.tolerance

    def filtered(self, variables: Float[Array, "nx ny nz"]) -> Float[Array, "nx ny nz"]:
        """Filtered density, with the symmetry imposed."""
        if self.filtering.symmetry == "cubic":
            variables = symmetries.permute_average(variables)
        return self.filtering(variables)

    def projected(
        self, filtered: Float[Array, "nx ny nz"], sharpness: Float[Array, ""], erosion: float | Float[Array, ""] = 0.0
    ) -> Float[Array, "nx ny nz"]:
        """Projected density, with the held voxels held."""
        density = Heaviside(sharpness, 0.5 + erosion)(filtered)
        return density if self.held is None else self.held(density)

    def physical(self, variables: Float[Array, "nx ny nz"], sharpness: Float[Array, ""]) -> Float[Array, "nx ny nz"]:
        """The density of a design: filtered, projected and held, with the symmetry imposed."""
        return self.projected(self.filtered(variables), sharpness)

    def solve(self, density: Float[Array, "nx ny nz"], displacement: Array | None) -> Homogenization:
        """Homogenization of a physical density, started from the fluctuations of another solve."""
        return homogenize(
            Mixture(density, self.lame, self.interpolation, None).moduli(),
            spacing=self.filtering.spacing,
            symmetry=self.filtering.symmetry,
            tolerance=self.tolerance,
            start=displacement,
            throw=False,
        )

    def bounds(self, variables: Float[Array, "nx ny nz"]) -> tuple[Float[Array, "nx ny nz"], Float[Array, "nx ny nz"]]:
        """0 and 1, equal where a voxel is held."""
        lower, upper = jnp.zeros_like(variables), jnp.ones_like(variables)
        return (lower, upper) if self.held is None else (self.held(lower), self.held(upper))

    def cheap(self, variables: Float[Array, "nx ny nz"], level: Level) -> Float[Array, ""]:
        """Excess of the volume, relative to its bound."""
        return self.physical(variables, level.sharpness).mean() / self.volume_fraction - 1

    def values(
        self, variables: Float[Array, "nx ny nz"], level: Level, memory: Array | None
    ) -> tuple[Float[Array, ""], Float[Array, " m"]]:
        """Objective and constraints, the volume last, without gradients."""
        filtered = self.filtered(variables)
        h = self.solve(self.projected(filtered, level.sharpness, self.erosion), memory)
        values = self._functions(level, h.stiffness, filtered)
        weights = self._weights(level)
        return values[0], weights * values[1:] + (weights - 1)

    def evaluate(self, variables: Float[Array, "nx ny nz"], level: Level, memory: Array | None) -> Evaluation:
        """All values and gradients from one homogenization."""

        def solve(x: Array):
            filtered = self.filtered(x)
            h = self.solve(self.projected(filtered, level.sharpness, self.erosion), memory)
            return (h.stiffness, filtered), h

        # All functions depend on the variables through C and the filtered density alone.
        def functions(seen: tuple[Array, Array]) -> Array:
            return self._functions(level, *seen)

        seen, pull, h = jax.vjp(solve, variables, has_aux=True)
        values, slopes = functions(seen), jax.jacrev(functions)(seen)
        gradients = jax.lax.map(lambda slope: pull(slope)[0], slopes)
        weights = self._weights(level)
        density = self.projected(seen[1], level.sharpness)
        return Evaluation(
            # Exact where the weight is 1.
            Seen(
                values[0],
                gradients[0],
                weights * values[1:] + (weights - 1),
                weights[:, None, None, None] * gradients[1:],
            ),
            Facts(
                constraints=values[1:],
                volume_fraction=density.mean(),
                stiffness=h.stiffness,
                beta=level.sharpness,
                greyness=(4 * density * (1 - density)).mean(),
                solver_steps=h.stats.steps.max(),
                solver_result=h.result,
            ),
            h.displacement,
            h.result != Result.breakdown,
        )

    def _weights(self, level: Level) -> Array:
        """Of g + 1, for each constraint g in the eyes of the optimiser, the volume last."""
        return jnp.stack([term.weight(level.share) for term in self.constraints] + [jnp.ones_like(level.share)])

    def _functions(self, level: Level, stiffness: Array, filtered: Array) -> Array:
        """Objective, constraints, and the excess of the volume."""
        eroded = self.projected(filtered, level.sharpness, self.erosion)
        projected = self.projected(filtered, level.sharpness)
        record = Record(stiffness, eroded, filtered, projected, self.held, self.filtering)
        volume = projected.mean() / self.volume_fraction - 1
        return jnp.stack([term(record) for term in (self.objective, *self.constraints)] + [volume])
