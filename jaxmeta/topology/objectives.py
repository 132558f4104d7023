"""Ready-made objectives: functions of (stiffness, density) that are minimised.

Any function of the effective stiffness (6, 6) and the physical density will do as an objective; these are the common
ones. Those that can only get better with more material say so in `monotone`, and then the optimality criteria apply.
They are pytrees, whose leaves are their numbers: a design for another target or direction compiles nothing. A function
of your own shares compiled steps with itself only; as ``jax.tree_util.Partial(function, numbers)`` with all its kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from ..elasticity import directional_young, kelvin_norm, poisson_ratio, voigt_average
from ._record import Function, as_pytree


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class Objective:
    """A function of stiffness and density with a name, to be minimised.

    Args:
        name: for reports.
        function: (stiffness, density) → scalar.
        monotone: whether more material never makes it worse.
    """

    name: str
    function: Function = field(repr=False)
    monotone: bool = False

    def __call__(self, stiffness: Float[Array, "6 6"], density: Float[Array, "nx ny nz"]) -> Float[Array, ""]:
        return self.function(stiffness, density)

    def tree_flatten(self):
        """The function's own numbers are the leaves."""
        return (as_pytree(self.function),), (self.name, self.monotone)

    @classmethod
    def tree_unflatten(cls, kind, children):
        """Rebuild."""
        (name, monotone), (function,) = kind, children
        return cls(name, function, monotone)


def _bulk(c: Array, _: Array) -> Array:
    return -voigt_average(c).bulk


def _shear(c: Array, _: Array) -> Array:
    return -voigt_average(c).shear


def _poisson(c: Array, _: Array) -> Array:
    return poisson_ratio(c)


def _volume(_: Array, rho: Array) -> Array:
    return rho.mean()


def _young(direction: tuple[Array | float, ...], c: Array, _: Array) -> Array:
    return -directional_young(c, jnp.asarray(direction, c.dtype))


def _distance(target: Array, c: Array, _: Array) -> Array:
    wanted = jnp.asarray(target, c.dtype)
    # The square of a norm written as a sum has a derivative at zero distance; a square root has none.
    difference = c - wanted
    weight = jnp.ones((6, 6), c.dtype).at[3:, :].multiply(2).at[:, 3:].multiply(2)
    return jnp.sum(weight * difference**2) / kelvin_norm(wanted) ** 2


def maximize_bulk() -> Objective:
    """Maximise the bulk modulus K = Σ_ij C_ij / 9 over the normal components (Voigt average).

    Example:
        >>> import jax.numpy as jnp, jaxmeta as jm
        >>> print(f"{jm.objectives.maximize_bulk()(jm.Isotropic(1.0, 0.3).stiffness, jnp.ones((2, 2, 2))):.4f}")
        -0.8333
    """
    return Objective("maximize bulk modulus", _bulk, monotone=True)


def maximize_shear() -> Objective:
    """Maximise the Voigt average shear modulus (C11 + C22 + C33 − C12 − C13 − C23 + 3 (C44 + C55 + C66)) / 15.

    It is the shear modulus where the cell is isotropic; add `constraints.isotropic` for that.
    """
    return Objective("maximize shear modulus", _shear, monotone=True)


def maximize_young(direction: tuple[float, float, float]) -> Objective:
    """Maximise Young's modulus 1 / (d_i d_j d_k d_l S_ijkl) along a direction.

    Args:
        direction: any vector that is not zero.
    """
    if len(direction) != 3 or not any(direction):
        raise ValueError(f"Argument `direction` must be three numbers, not all zero, but is {direction}.")
    return Objective("maximize Young's modulus", jax.tree_util.Partial(_young, tuple(direction)), monotone=True)


def minimize_poisson() -> Objective:
    """Minimise Poisson's ratio of a cubic cell, C12 / (C11 + C12), from the means over the axes.

    A cell that falls apart has any Poisson's ratio: bound its stiffness, for example by
    ``constraints.at_least(lambda c, _: c[0, 0], 0.02)``.
    """
    return Objective("minimize Poisson's ratio", _poisson)


def minimize_volume() -> Objective:
    """Minimise the mean density: the lightest cell. Say what it must hold by constraints, such as `constraints.near`.

    Example:
        >>> import jax.numpy as jnp, jaxmeta as jm
        >>> print(jm.objectives.minimize_volume()(jnp.eye(6), jnp.full((2, 2, 2), 0.25)))
        0.25
    """
    return Objective("minimize volume", _volume)


def match(stiffness: Float[Array, "6 6"]) -> Objective:
    """Minimise the squared distance to a target tensor, relative to the target, in the norm of the full tensor.

    Args:
        stiffness: target, (6, 6), Voigt with engineering shear, in the unit of the solid.
    """
    target = jnp.asarray(stiffness)
    if target.shape != (6, 6):
        raise ValueError(f"Argument `stiffness` must have shape (6, 6), but has shape {target.shape}.")
    return Objective("match a stiffness", jax.tree_util.Partial(_distance, target))
