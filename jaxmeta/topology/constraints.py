"""Ready-made constraints: functions of (stiffness, density) that must not be positive."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from ..elasticity import cubic_constants, kelvin_norm, nearest_cubic
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
        cubic = cubic_constants(c)
        ratio = 2 * cubic.c44 / (cubic.c11 - cubic.c12)
        weight = jnp.ones((6, 6), c.dtype).at[3:, :].multiply(2).at[:, 3:].multiply(2)
        skew = jnp.sum(weight * (c - nearest_cubic(c)) ** 2) / kelvin_norm(c) ** 2
        # A square would have no slope at the middle of its range, so the bound is linear far away.
        square = ((ratio - 1) ** 2 + skew) / tolerance**2
        return jnp.sqrt(square + 1e-4) - 1

    return Constraint(f"isotropic within {tolerance:g}", deviation)
