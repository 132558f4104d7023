"""Lower bounds on the thickness of solid and void members, as smooth constraints on the filtered density."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._arguments import real_number
from .._numbers import require_numbers
from ._filter import Symmetry, check_field, check_symmetry, checked_spacing


def wall_threshold(size: float | int, radius: float | int) -> float:
    r"""Filtered density in the middle of a wall.

    A wall that is `size` thick once the filtered density has been cut at 1/2 has this filtered density in its middle
    plane; a thinner one has less. The three-dimensional linear weights, summed over a plane at the distance t R, are in
    proportion to 1 − 3 t² + 2 t³, whose integral from t = 0 is F(t) = t − t³ + t⁴/2, with F(1) = 1/2. A wall that was
    w thick before filtering then has the filtered density F(w/2R + t) + F(w/2R − t) at t R from its middle, F being
    odd and constant beyond t = 1.

    Args:
        size: Thickness of the wall, in the unit of `radius`.
        radius: Radius of the density filter.

    Returns:
        A filtered density in (0.5, 1]. A void wall has one minus this number.

    Raises:
        ValueError: If an argument is not a finite number above 0.

    Example:
        >>> round(wall_threshold(size=2.0, radius=2.0), 4)
        0.8125

    References:
        Qian, X. and Sigmund, O. (2013), "Topological design of electromechanical actuators with robustness toward
        over- and under-etching", Comput. Methods Appl. Mech. Eng. 253, section 3 (the same in one dimension).
    """
    for name, value in (("size", size), ("radius", radius)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"Argument `{name}` must be a finite number above 0, but is {value}.")

    def integral(t):
        t = min(abs(t), 1.0) * math.copysign(1.0, t)
        return t - t * abs(t) ** 2 + t * abs(t) ** 3 / 2

    half = size / (2 * radius)
    low, high = 0.0, half + 1.0
    for _ in range(60):  # the wall before filtering, whose filtered density is 1/2 at `half` from its middle
        width = (low + high) / 2
        enough = integral(width + half) + integral(width - half) > 0.5
        low, high = (low, width) if enough else (width, high)
    return 2 * integral(high)


def _gradient_square(field: Array, symmetry: Symmetry, spacing: tuple[float, float, float]) -> Array:
    """|∇ρ̃|² by central differences, per smallest voxel edge squared; periodic, or even at the faces of an octant."""
    total = jnp.zeros_like(field)
    for axis, edge in enumerate(spacing):
        width = [(0, 0)] * 3
        width[axis] = (1, 1)
        padded = jnp.pad(field, width, mode="wrap" if symmetry == "none" else "symmetric")
        size = field.shape[axis]
        ahead = jnp.take(padded, jnp.arange(2, size + 2), axis=axis)
        behind = jnp.take(padded, jnp.arange(size), axis=axis)
        total = total + ((ahead - behind) * (0.5 * min(spacing) / edge)) ** 2
    return total


@dataclasses.dataclass(frozen=True)
class FeatureSize:
    r"""Lower bound on the thickness of the members of one phase.

    Members are recognised in the filtered density, whose gradient vanishes in their middle and not at their faces. A
    member that is thick enough has a filtered density of at least a threshold there. With a projection cut at 1/2,

    $$ g = \frac{1}{\epsilon n} \sum_i \bar\rho_i \, e^{-c |\nabla\tilde\rho_i|^2}
           \min(\tilde\rho_i - \eta_e, 0)^2 - 1 \le 0 $$

    for solid, and the same with $1 - \bar\rho$ and $1 - \tilde\rho$ for void. The threshold follows from `size` and
    `radius`, see `wall_threshold`: the bound is exact for walls, while a bar, whose filtered density is lower, must be
    somewhat thicker. g is smooth, −1 for a design without thin members, and grows with their number and thinness.
    It sees the members of the projected density only, not those too thin to survive projection. It is meant for the
    last steps of an optimisation, when the projection is sharp; a grey design violates it.

    Args:
        size: Smallest thickness, in multiples of the smallest voxel edge.
        radius: Radius of the density filter that made the filtered density, in the same unit. A size of less than
            half of it or more than twice of it cannot be told from the filtered density.
        phase: "solid" or "void".
        symmetry: "none", or "mirror" or "cubic" for the octant of a cell.
        spacing: Edges of a voxel; only their ratios matter.
        decay: c, in smallest voxel edges squared. Larger values look closer at the middle of members. None: 16 R²,
            with which the slope at the face of a wall, 1/R, gives e⁻¹⁶. (The source takes R⁴.)
        tolerance: ε, what the mean may be. It has to absorb what discretisation leaves in a good design.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.topology import DensityFilter, FeatureSize, Heaviside
        >>> at_least_4 = FeatureSize(size=4.0, radius=4.0)
        >>> for thickness in (2, 6):
        ...     wall = jnp.zeros((24, 4, 4)).at[:thickness].set(1.0)
        ...     filtered = DensityFilter(radius=4.0)(wall)
        ...     print(thickness, bool(at_least_4(filtered, Heaviside(beta=32.0, eta=0.25)(filtered)) <= 0))
        2 False
        6 True

    References:
        Zhou, M., Lazarov, B. S., Wang, F. and Sigmund, O. (2015), "Minimum length scale in topology optimization by
        geometric constraints", Comput. Methods Appl. Mech. Eng. 293, section 3.
    """

    size: float | int
    radius: float | int
    phase: Literal["solid", "void"] = "solid"
    symmetry: Symmetry = "none"
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    decay: float | int | None = None
    tolerance: float | int = 1e-5

    def __post_init__(self):
        require_numbers(self, "size", "tolerance", *(() if self.decay is None else ("decay",)))
        real_number("radius", self.radius, "be a finite number above 1")
        if not (math.isfinite(self.radius) and self.radius > 1):
            raise ValueError(f"Argument `radius` must be a finite number above 1, but is {self.radius}.")
        if not 0.5 * self.radius <= self.size <= 2 * self.radius:
            raise ValueError(
                f"Argument `size` must be between half and twice `radius`, {self.radius}, but is {self.size}."
            )
        if self.phase not in ("solid", "void"):
            raise ValueError(f'Argument `phase` must be "solid" or "void", but is {self.phase!r}.')
        check_symmetry(self.symmetry)
        object.__setattr__(self, "spacing", checked_spacing(self.spacing, self.symmetry))
        if self.decay is not None and not self.decay > 0:
            raise ValueError(f"Argument `decay` must be above 0, but is {self.decay}.")
        if not self.tolerance > 0:
            raise ValueError(f"Argument `tolerance` must be above 0, but is {self.tolerance}.")

    @property
    def threshold(self) -> float:
        """Filtered density that the middle of a solid member must reach, and of a void one must not exceed."""
        threshold = wall_threshold(self.size, self.radius)
        return threshold if self.phase == "solid" else 1 - threshold

    def __call__(self, filtered: Float[Array, "nx ny nz"], projected: Float[Array, "nx ny nz"]) -> Float[Array, ""]:
        """Evaluate the constraint.

        Args:
            filtered: ρ̃, filtered density (nx, ny, nz), dimensionless: the cell or its first octant.
            projected: ρ̄, its projection at threshold 1/2, of the same shape.

        Returns:
            g, a scalar: not positive if the constraint holds.

        Raises:
            ValueError: If the arrays are not real (nx, ny, nz) arrays of one shape.
        """
        check_field("filtered", filtered, self.symmetry)
        if projected.shape != filtered.shape:
            raise ValueError(f"Argument `projected` must have shape {filtered.shape}, but has shape {projected.shape}.")
        decay = 16 * self.radius**2 if self.decay is None else self.decay
        middle = jnp.exp(-decay * _gradient_square(filtered, self.symmetry, self.spacing))
        if self.phase == "solid":
            inside, missing = projected, jnp.minimum(filtered - self.threshold, 0)
        else:
            inside, missing = 1 - projected, jnp.maximum(filtered - self.threshold, 0)
        return jnp.mean(inside * middle * missing**2) / self.tolerance - 1
