"""Ready-made constraints: functions of (stiffness, density) that must not be positive, and the smallest feature.

The smallest feature is told from the filtered density, which such a function does not see; it is an object of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from ..elasticity import kelvin_norm, nearest_cubic, zener
from ._features import FeatureSize
from ._filter import DensityFilter
from .objectives import Function


@dataclass(frozen=True)
class Constraint:
    """A function of stiffness and density with a name, which must not be positive.

    Args:
        name: for reports.
        function: (stiffness, density) → scalar, scaled so that one is a large violation.
    """

    name: str
    function: Function = field(repr=False)

    def __call__(self, stiffness: Float[Array, "6 6"], density: Float[Array, "nx ny nz"]) -> Float[Array, ""]:
        return self.function(stiffness, density)


def at_most(function: Function, bound: float, name: str = "upper bound") -> Constraint:
    """function(stiffness, density) ≤ bound.

    Args:
        function: any differentiable function of stiffness and density.
        bound: a number.
        name: for reports.

    Example:
        >>> import jax.numpy as jnp, jaxmeta as jm
        >>> anisotropy = jm.constraints.at_most(lambda c, rho: c[0, 1] / c[0, 0], 0.5)
        >>> print(f"{anisotropy(jm.Isotropic(1.0, 0.3).stiffness, jnp.ones((2, 2, 2))):.4f}")
        -0.1429
    """
    scale = abs(bound) or 1.0
    return Constraint(f"{name} {bound:g}", lambda c, rho: (function(c, rho) - bound) / scale)


def at_least(function: Function, bound: float, name: str = "lower bound") -> Constraint:
    """function(stiffness, density) ≥ bound.

    Args:
        function: any differentiable function of stiffness and density.
        bound: a number.
        name: for reports.
    """
    scale = abs(bound) or 1.0
    return Constraint(f"{name} {bound:g}", lambda c, rho: (bound - function(c, rho)) / scale)


def isotropic(tolerance: float = 0.03) -> Constraint:
    """Zener's ratio 2 C44/(C11 − C12) within `tolerance` of one, and C as near to cubic.

    The constraint is ((A − 1)² + |C − C_cubic|²/|C|²) / tolerance² ≤ 1 with the nearest cubic tensor C_cubic.

    Args:
        tolerance: largest deviation of Zener's ratio from one.
    """
    if not tolerance > 0:
        raise ValueError(f"Argument `tolerance` must be positive, but is {tolerance}.")

    def deviation(c: Array, _: Array) -> Array:
        weight = jnp.ones((6, 6), c.dtype).at[3:, :].multiply(2).at[:, 3:].multiply(2)
        skew = jnp.sum(weight * (c - nearest_cubic(c)) ** 2) / kelvin_norm(c) ** 2
        # A square would have no slope at the middle of its range, so the bound is linear far away.
        square = ((zener(c) - 1) ** 2 + skew) / tolerance**2
        return jnp.sqrt(square + 1e-4) - 1

    return Constraint(f"isotropic within {tolerance:g}", deviation)


@dataclass(frozen=True)
class SmallestFeature:
    """What `smallest_feature` returns, for the `constraints` of a design; it cannot be called.

    Args:
        size: smallest thickness, in multiples of the smallest voxel edge.
        phase: "solid" or "void".
    """

    size: float | int
    phase: Literal["solid", "void"] = "solid"

    def __post_init__(self):
        if not (math.isfinite(self.size) and self.size > 0):
            raise ValueError(f"Argument `size` must be a finite number above 0, but is {self.size}.")
        if self.phase not in ("solid", "void"):
            raise ValueError(f'Argument `phase` must be "solid" or "void", but is {self.phase!r}.')

    @property
    def name(self) -> str:
        """For reports."""
        return f"smallest {self.phase} feature {self.size:g}"

    def measure(self, filtering: DensityFilter) -> FeatureSize:
        """The function of the densities that a filter and the projection after it make.

        Args:
            filtering: the filter, which knows symmetry and spacing.

        Raises:
            ValueError: members of this size cannot be told from a density of this filter.
        """
        return FeatureSize(self.size, filtering.radius, self.phase, filtering.symmetry, filtering.spacing)


def smallest_feature(size: float | int, phase: Literal["solid", "void"] = "solid") -> SmallestFeature:
    """No member of a phase thinner than `size`, as `FeatureSize` measures it.

    It bounds the members of the density projected at 1/2, also when the objective sees an eroded one. The size must be
    between half and twice the filter radius, which must exceed one voxel; sizes up to the radius are told most surely.
    A bar must be somewhat thicker than a wall.

    A grey design violates the constraint, so it is relaxed until the projection is sharp. With the value g, of which
    g + 1 is bounded by 1, the optimiser sees (β/β_final)⁴ (g + 1) − 1: practically nothing in the first stages, and g
    in the last one. `history["constraints"]` holds g itself, which is large in the first stages, and a design counts as
    converged only where g is not positive. Give the last stages time, and a final sharpness of 16 or more: a softer
    projection is grey at the end, too.

    Args:
        size: smallest thickness, in multiples of the smallest voxel edge, like the filter radius.
        phase: "solid", or "void" for the gaps between members.

    Raises:
        ValueError: an argument is not as described; `optimize` raises where the size does not go with the filter.

    Example:
        >>> import jaxmeta as jm
        >>> jm.constraints.smallest_feature(3.0).name
        'smallest solid feature 3'

    References:
        Zhou, M., Lazarov, B. S., Wang, F. and Sigmund, O. (2015), "Minimum length scale in topology optimization by
        geometric constraints", Comput. Methods Appl. Mech. Eng. 293, section 3.
    """
    return SmallestFeature(size, phase)


Constraining = Function | SmallestFeature
"""What may stand among the constraints of a design."""
