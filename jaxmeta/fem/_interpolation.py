"""From density to modulus: SIMP and RAMP."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

from .._arguments import require_values
from .._pytree import parameters


def _power(density: Array, exponent: Array) -> Array:
    """ρᵖ, of which derivatives up to the third are numbers at ρ = 0, too.

    There the derivatives of JAX's own power make 0 · 0⁻¹ of what is 0. A rule of its own would do, but JAX forgets such
    rules in loops.
    """
    inside = ~(density <= 0)
    power = jnp.where(inside, density, 1) ** exponent
    edge = sum(jnp.where(exponent == n, density**n, 0) for n in (1, 2, 3))
    return jnp.where(inside, power, edge)


@parameters
@dataclass(frozen=True)
class SIMP:
    """Solid isotropic material with penalisation: E/E_solid = void + (1 − void) ρ^penalty.

    Args:
        penalty: exponent, positive; 1 is a linear mixture, 3 is customary for design. Derivatives at density 0 that are
            infinite, as the slope of a penalty below 1, are given as 0.
        void: modulus of void relative to the solid, in [0, 1); zero is true void.

    Raises:
        ValueError: a parameter is not a real number, or concrete and out of range; traced ones are not looked at.

    Example:
        >>> import jax.numpy as jnp
        >>> print(SIMP(3.0, 0.0)(jnp.array([0.0, 0.5, 1.0])))
        [0.    0.125 1.   ]

    References:
        M. P. Bendsøe, O. Sigmund, Arch. Appl. Mech. 69, 635 (1999).
    """

    penalty: Real[ArrayLike, "..."] = 3.0
    void: Real[ArrayLike, "..."] = 1e-9

    def __post_init__(self) -> None:
        penalty = require_values("penalty", self.penalty, lambda p: p > 0, "be positive")
        object.__setattr__(self, "penalty", penalty)
        object.__setattr__(self, "void", _checked_void(self.void))

    def weight(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Share of the solid's stiffness, 0 at density 0 and 1 at density 1."""
        return _power(density, jnp.asarray(self.penalty, density.dtype))

    def __call__(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Modulus relative to the solid."""
        return self.weight(density) * (1 - self.void) + self.void


@parameters
@dataclass(frozen=True)
class RAMP:
    """Rational approximation of material properties: E/E_solid = void + (1 − void) ρ/(1 + penalty (1 − ρ)).

    Its slope at density 0 is not zero, so that void can come back during a design.

    Args:
        penalty: q ≥ 0; 0 is a linear mixture.
        void: modulus of void relative to the solid, in [0, 1); zero is true void.

    Raises:
        ValueError: a parameter is not a real number, or concrete and out of range; traced ones are not looked at.

    Example:
        >>> import jax.numpy as jnp
        >>> print(RAMP(2.0, 0.0)(jnp.array([0.0, 0.5, 1.0])))
        [0.   0.25 1.  ]

    References:
        M. Stolpe, K. Svanberg, Struct. Multidiscip. Optim. 22, 116 (2001).
    """

    penalty: Real[ArrayLike, "..."] = 3.0
    void: Real[ArrayLike, "..."] = 1e-9

    def __post_init__(self) -> None:
        penalty = require_values("penalty", self.penalty, lambda q: q >= 0, "not be negative")
        object.__setattr__(self, "penalty", penalty)
        object.__setattr__(self, "void", _checked_void(self.void))

    def weight(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Share of the solid's stiffness, 0 at density 0 and 1 at density 1."""
        return density / (1 + self.penalty * (1 - density))

    def __call__(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Modulus relative to the solid."""
        return self.weight(density) * (1 - self.void) + self.void


def _checked_void(void: ArrayLike) -> ArrayLike:
    return require_values("void", void, lambda v: (v >= 0) & (v < 1), "lie in [0, 1)")


Interpolation = SIMP | RAMP
