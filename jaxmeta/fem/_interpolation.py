"""From density to modulus: SIMP and RAMP."""

from __future__ import annotations

from dataclasses import dataclass

import jax
from jax import Array
from jaxtyping import Float

Scalar = float | Float[Array, ""]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SIMP:
    """Solid isotropic material with penalisation: E/E_solid = void + (1 − void) ρ^penalty.

    Args:
        penalty: exponent; 1 is a linear mixture, 3 is customary for design.
        void: modulus of void relative to the solid; zero is true void.

    Example:
        >>> import jax.numpy as jnp
        >>> print(SIMP(3.0, 0.0)(jnp.array([0.0, 0.5, 1.0])))
        [0.    0.125 1.   ]

    References:
        M. P. Bendsøe, O. Sigmund, Arch. Appl. Mech. 69, 635 (1999).
    """

    penalty: Scalar = 3.0
    void: Scalar = 1e-9

    def weight(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Share of the solid's stiffness, 0 at density 0 and 1 at density 1."""
        return density**self.penalty

    def __call__(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Modulus relative to the solid."""
        return self.void + (1 - self.void) * self.weight(density)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RAMP:
    """Rational approximation of material properties: E/E_solid = void + (1 − void) ρ/(1 + penalty (1 − ρ)).

    Its slope at density 0 is not zero, so that void can come back during a design.

    Args:
        penalty: q ≥ 0; 0 is a linear mixture.
        void: modulus of void relative to the solid; zero is true void.

    Example:
        >>> import jax.numpy as jnp
        >>> print(RAMP(2.0, 0.0)(jnp.array([0.0, 0.5, 1.0])))
        [0.   0.25 1.  ]

    References:
        M. Stolpe, K. Svanberg, Struct. Multidiscip. Optim. 22, 116 (2001).
    """

    penalty: Scalar = 3.0
    void: Scalar = 1e-9

    def weight(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Share of the solid's stiffness, 0 at density 0 and 1 at density 1."""
        return density / (1 + self.penalty * (1 - density))

    def __call__(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Modulus relative to the solid."""
        return self.void + (1 - self.void) * self.weight(density)


Interpolation = SIMP | RAMP
