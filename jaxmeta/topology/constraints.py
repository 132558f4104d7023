"""Ready-made constraints: functions of a design that must not be positive.

Most are functions of (stiffness, density), like objectives, and pytrees with their bounds as leaves. The smallest
feature is told from the filtered density, so it is a function of the whole `Record`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from .._arguments import positive_number, real_number
from ..elasticity import kelvin_norm, nearest_cubic, zener
from ._features import FeatureSize
from ._filter import DensityFilter
from ._record import Function, Record, as_pytree

RELAXATION = 4
"""Power of (present sharpness / last one) by which a constraint on features is relaxed.

Grey is no member, but counts as a thin one: the constraint is of the order of 10⁴ for a grey design, and 10 to 10³ for
a sharp one with thin members. With the fourth power it says next to nothing in the first stages, whatever the design,
and has its say in the last two.
"""


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class Constraint:
    """A function of stiffness and density with a name, which must not be positive.

    Args:
        label: for reports, before the bound.
        function: (stiffness, density) → scalar, scaled so that one is a large violation; with a bound, (stiffness,
            density, bound) → scalar.
        bound: a number, or None.
        quantity: what is bounded, (stiffness, density) → scalar; for reports.
        two_sided: whether the bound is a target that is to be met from both sides.
        is_deviation: whether the bound is one of a deviation from one, such as that of Zener's ratio.
    """

    label: str
    function: Callable[..., Array] = field(repr=False)
    bound: float | int | Float[Array, "..."] | None = None
    quantity: Function | None = field(default=None, repr=False)
    two_sided: bool = False
    is_deviation: bool = False

    @property
    def name(self) -> str:
        """For reports."""
        return self.label if self.bound is None else f"{self.label} {float(self.bound):g}"

    def __call__(self, stiffness: Float[Array, "6 6"], density: Float[Array, "nx ny nz"]) -> Float[Array, ""]:
        bound = () if self.bound is None else (self.bound,)
        return self.function(stiffness, density, *bound)

    def tree_flatten(self):
        """The bound and the function's own numbers are the leaves."""
        return (as_pytree(self.function), self.bound, self.quantity and as_pytree(self.quantity)), (
            self.label,
            self.two_sided,
            self.is_deviation,
        )

    @classmethod
    def tree_unflatten(cls, kind, children):
        """Rebuild."""
        label, *flags = kind
        return cls(label, *children, *flags)


def _above(function: Function, c: Array, rho: Array, bound: Array | float) -> Array:
    value = function(c, rho)
    bound = jnp.asarray(bound, value.dtype)
    return (value - bound) / jnp.where(bound == 0, 1, jnp.abs(bound))


def _below(function: Function, c: Array, rho: Array, bound: Array | float) -> Array:
    return -_above(function, c, rho, bound)


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
    bound = real_number("bound", bound, "be a finite number", math.isfinite)
    return Constraint(name, jax.tree_util.Partial(_above, as_pytree(function)), bound, function)


def at_least(function: Function, bound: float, name: str = "lower bound") -> Constraint:
    """function(stiffness, density) ≥ bound.

    Args:
        function: any differentiable function of stiffness and density.
        bound: a number.
        name: for reports.
    """
    bound = real_number("bound", bound, "be a finite number", math.isfinite)
    return Constraint(name, jax.tree_util.Partial(_below, as_pytree(function)), bound, function)


def near(function: Function, target: float, tolerance: float = 0.005, name: str = "near") -> Constraint:
    """function(stiffness, density) within `tolerance` of a target, relative to it; absolute where the target is 0.

    Args:
        function: any differentiable function of stiffness and density.
        target: a number.
        tolerance: largest deviation.
        name: for reports.

    Example:
        Poisson's ratio of the nearest isotropic tensor.

        >>> import jax.numpy as jnp, jaxmeta as jm
        >>> poisson = lambda c, rho: jm.elasticity.voigt_average(c).poisson
        >>> asked = jm.constraints.near(poisson, 0.2, 0.01, "Poisson's ratio")
        >>> print(f"{asked(jm.Isotropic(1.0, 0.201).stiffness, jnp.ones((2, 2, 2))):.2f}")
        -0.50
    """
    target = real_number("target", target, "be a finite number", math.isfinite)
    tolerance = positive_number("tolerance", tolerance)
    return Constraint(
        name, jax.tree_util.Partial(_away, as_pytree(function), tolerance), target, function, two_sided=True
    )


def _away(function: Function, tolerance: Array | float, c: Array, rho: Array, target: Array | float) -> Array:
    return _rounded(_above(function, c, rho, target) / jnp.asarray(tolerance, c.dtype)) - 1


def _rounded(x: Array) -> Array:
    """|x|, rounded off at zero: a square would have no slope there, so that far away a bound on it is linear."""
    return jnp.sqrt(x**2 + 1e-4)


def isotropic(tolerance: float = 0.03) -> Constraint:
    """Zener's ratio 2 C44/(C11 − C12) within `tolerance` of one, and C as near to cubic.

    The constraint is ((A − 1)² + |C − C_cubic|²/|C|²) / tolerance² ≤ 1 with the nearest cubic tensor C_cubic.

    Args:
        tolerance: largest deviation of Zener's ratio from one.
    """
    return Constraint(
        "isotropic within", _anisotropy, positive_number("tolerance", tolerance), _zener, is_deviation=True
    )


def _zener(c: Array, _: Array) -> Array:
    return zener(c)


def _anisotropy(c: Array, _: Array, tolerance: Array | float) -> Array:
    weight = jnp.ones((6, 6), c.dtype).at[3:, :].multiply(2).at[:, 3:].multiply(2)
    skew = jnp.sum(weight * (c - nearest_cubic(c)) ** 2) / kelvin_norm(c) ** 2
    # A square would have no slope at the middle of its range, so the bound is linear far away.
    square = ((zener(c) - 1) ** 2 + skew) / jnp.asarray(tolerance, c.dtype) ** 2
    return jnp.sqrt(square + 1e-4) - 1


@dataclass(frozen=True)
class SmallestFeature:
    """What `smallest_feature` returns: a function of the whole record of a design.

    Args:
        size: smallest thickness, in multiples of the smallest voxel edge.
        phase: "solid" or "void".
    """

    size: float | int
    phase: Literal["solid", "void"] = "solid"
    sees_record: ClassVar[bool] = True
    relaxation: ClassVar[float] = RELAXATION

    def __post_init__(self):
        real_number("size", self.size, "be a finite number above 0", lambda size: math.isfinite(size) and size > 0)
        if self.phase not in ("solid", "void"):
            raise ValueError(f'Argument `phase` must be "solid" or "void", but is {self.phase!r}.')

    @property
    def name(self) -> str:
        """For reports."""
        return f"smallest {self.phase} feature {self.size:g}"

    def __call__(self, record: Record) -> Float[Array, ""]:
        """Value of the constraint; voxels that are held do not count.

        Args:
            record: of the design.

        Raises:
            ValueError: members of this size cannot be told from a density of the filter.
        """
        projected = record.projected
        if record.held is not None:
            absent = 0.0 if self.phase == "solid" else 1.0
            projected = jnp.where(record.held.void | record.held.solid, absent, projected).astype(projected.dtype)
        return self.measure(record.filtering)(record.filtered, projected)

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


Constraining = Function | Callable[[Record], Array]
"""What may stand among the constraints of a design."""
