"""From design variables to the physical density, and from there to values and gradients of all functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..elasticity import Isotropic
from ..geometry import symmetry as symmetries
from ..homogenization import Homogenization, Interpolation, homogenize
from ._filter import DensityFilter, Symmetry
from ._projection import Heaviside
from .constraints import Constraining, SmallestFeature
from .objectives import Function


class Evaluation(NamedTuple):
    """Functions of a design and their gradients.

    Attributes:
        values: objective first, then the constraints, then the volume fraction, (2 + m,).
        gradients: with respect to the design variables, (2 + m, nx, ny, nz).
        stiffness: (6, 6).
        displacement: fluctuations, to start the next solve from.
        steps: solver steps of the slowest load.
        result: how the solve ended.
    """

    values: Array
    gradients: Array
    stiffness: Array
    displacement: Array
    steps: Array
    result: Array


@dataclass(frozen=True)
class Design:
    """What is designed: everything but the optimiser.

    Args:
        objective: (stiffness, density) → scalar, minimised.
        constraints: (stiffness, density) → scalar each, must not be positive; or a `SmallestFeature`, which sees the
            filtered density and its projection at 1/2 instead.
        symmetry: of the cell.
        solid: the solid.
        interpolation: from density to modulus.
        filtering: density filter.
        spacing: edges of a voxel.
        tolerance: relative error of C in every solve.
        erosion: stiffness is that of the density projected at the threshold 1/2 + erosion, volume that of 1/2.
    """

    objective: Function
    constraints: tuple[Constraining, ...]
    symmetry: Symmetry
    solid: Isotropic
    interpolation: Interpolation
    filtering: DensityFilter
    spacing: tuple[float, float, float]
    tolerance: float
    erosion: float = 0.0

    def filtered(self, variables: Array) -> Array:
        """Filtered density, with the symmetry imposed."""
        if self.symmetry == "cubic":
            variables = symmetries.permute_average(variables)
        return self.filtering(variables)

    def physical(self, variables: Array, beta: Array, erosion: float = 0.0) -> Array:
        """Filtered and projected density, with the symmetry imposed."""
        return Heaviside(beta, 0.5 + erosion)(self.filtered(variables))

    def solve(self, density: Array, displacement: Array | None) -> Homogenization:
        """Homogenization of a physical density, started from the fluctuations of another solve."""
        return homogenize(
            density,
            self.solid,
            interpolation=self.interpolation,
            spacing=self.spacing,
            symmetry=self.symmetry,
            tolerance=self.tolerance,
            start=displacement,
            throw=False,
        )

    def evaluate(self, variables: Array, beta: Array, displacement: Array | None) -> Evaluation:
        """All values and gradients from one homogenization."""
        eroding, projecting = Heaviside(beta, 0.5 + self.erosion), Heaviside(beta, 0.5)

        def solve(x: Array):
            filtered = self.filtered(x)
            h = self.solve(eroding(filtered), displacement)
            return (h.stiffness, filtered), h

        # All functions depend on the variables through C and the filtered density alone.
        def functions(seen: tuple[Array, Array]) -> Array:
            c, filtered = seen
            eroded, projected = eroding(filtered), projecting(filtered)

            def value(f: Constraining) -> Array:
                if isinstance(f, SmallestFeature):
                    return f.measure(self.filtering)(filtered, projected)
                return f(c, eroded)

            return jnp.stack([value(f) for f in (self.objective, *self.constraints)] + [projected.mean()])

        seen, pull, h = jax.vjp(solve, variables, has_aux=True)
        values, slopes = functions(seen), jax.jacrev(functions)(seen)
        gradients = jax.lax.map(lambda slope: pull(slope)[0], slopes)
        return Evaluation(values, gradients, h.stiffness, h.displacement, h.stats.steps.max(), h.result)
