"""Isotropic solids and the stiffness matrices of isotropic and cubic symmetry."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Real

from .._arguments import real_arrays, require_one_shape, require_values
from .._pytree import parameters


@parameters
@dataclass(frozen=True)
class Isotropic:
    r"""An isotropic linear elastic solid.

    $$\lambda = \frac{E\nu}{(1 + \nu)(1 - 2\nu)}, \quad \mu = \frac{E}{2(1 + \nu)}, \quad K = \frac{E}{3(1 - 2\nu)}.$$

    It is a pytree with leaves `young` and `poisson`: both may be traced, batched (with one shape, or one of them a
    scalar) and differentiated. Python numbers take the dtype of the arrays they meet.

    Args:
        young: Young's modulus, scalar or shape (...), unit of stress, positive.
        poisson: Poisson's ratio, scalar or shape (...), no unit, in (-1, 0.5).

    Raises:
        ValueError: if a constant is not a real number or an array of them, if both are arrays of different shapes, or
            if a concrete value is out of range or not finite; traced values are not looked at.

    Example:
        >>> from jaxmeta.elasticity import Isotropic
        >>> solid = Isotropic(young=1.0, poisson=0.25)
        >>> [round(float(value), 4) for value in (*solid.lame, solid.bulk)]
        [0.4, 0.4, 0.6667]
        >>> solid.stiffness.shape
        (6, 6)

    References:
        Landau and Lifshitz (1986), "Theory of Elasticity", eq. 5.9.
    """

    young: Real[ArrayLike, "..."]
    poisson: Real[ArrayLike, "..."]

    def __post_init__(self) -> None:
        young = require_values("young", self.young, lambda young: young > 0, "be positive")
        poisson = require_values("poisson", self.poisson, lambda nu: (nu > -1) & (nu < 0.5), "lie in (-1, 0.5)")
        require_one_shape(young=young, poisson=poisson)
        object.__setattr__(self, "young", young)
        object.__setattr__(self, "poisson", poisson)

    @classmethod
    def from_lame(cls, lmbda: Real[ArrayLike, "..."], mu: Real[ArrayLike, "..."]) -> "Isotropic":
        r"""Build from Lamé's parameters: $E = \mu(3\lambda + 2\mu)/(\lambda + \mu)$, $\nu = \lambda/2(\lambda + \mu)$.

        Args:
            lmbda: first parameter, scalar or shape (...), unit of stress.
            mu: shear modulus, scalar or shape (...), unit of stress.

        Returns:
            The solid.

        Raises:
            ValueError: if the Young's modulus or Poisson's ratio that follows is concrete and out of range.

        Example:
            >>> from jaxmeta.elasticity import Isotropic
            >>> round(float(Isotropic.from_lame(0.4, 0.4).poisson), 4)
            0.25
        """
        lmbda, mu = real_arrays(lmbda=lmbda, mu=mu)
        return cls(young=mu * (3 * lmbda + 2 * mu) / (lmbda + mu), poisson=lmbda / (2 * (lmbda + mu)))

    @classmethod
    def from_bulk_shear(cls, bulk: Real[ArrayLike, "..."], shear: Real[ArrayLike, "..."]) -> "Isotropic":
        r"""Build from bulk and shear modulus: $E = 9KG/(3K + G)$, $\nu = (3K - 2G)/2(3K + G)$.

        Args:
            bulk: bulk modulus, scalar or shape (...), unit of stress.
            shear: shear modulus, scalar or shape (...), unit of stress.

        Returns:
            The solid.

        Raises:
            ValueError: if the Young's modulus or Poisson's ratio that follows is concrete and out of range.

        Example:
            >>> from jaxmeta.elasticity import Isotropic
            >>> round(float(Isotropic.from_bulk_shear(bulk=2 / 3, shear=0.4).young), 4)
            1.0
        """
        bulk, shear = real_arrays(bulk=bulk, shear=shear)
        total = 3 * bulk + shear
        return cls(young=9 * bulk * shear / total, poisson=(3 * bulk - 2 * shear) / (2 * total))

    @property
    def lame(self) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Lamé's parameters (λ, μ), each of shape (...), unit of stress.

        Numbers that are no arrays of JAX are combined in double precision first: rounded to single precision, a ratio
        of 0.4999 would leave four digits of 1 − 2ν, and so of λ.
        """
        young, poisson = self.young, self.poisson
        return jnp.asarray(young * poisson / ((1 + poisson) * (1 - 2 * poisson))), self.shear

    @property
    def bulk(self) -> Float[Array, "..."]:
        """Bulk modulus, shape (...), unit of stress."""
        return jnp.asarray(self.young / (3 * (1 - 2 * self.poisson)))

    @property
    def shear(self) -> Float[Array, "..."]:
        """Shear modulus, shape (...), unit of stress."""
        return jnp.asarray(self.young / (2 * (1 + self.poisson)))

    @property
    def stiffness(self) -> Float[Array, "... 6 6"]:
        """Stiffness in Voigt form, shape (..., 6, 6), unit of stress."""
        return isotropic_stiffness(*self.lame)


def isotropic_stiffness(lmbda: Real[ArrayLike, "..."], mu: Real[ArrayLike, "..."]) -> Float[Array, "... 6 6"]:
    r"""Return the stiffness of an isotropic solid.

    $$C_{ijkl} = \lambda\delta_{ij}\delta_{kl} + \mu(\delta_{ik}\delta_{jl} + \delta_{il}\delta_{jk}).$$

    Args:
        lmbda: first Lamé parameter, scalar or shape (...), unit of stress.
        mu: shear modulus, scalar or shape (...), unit of stress.

    Returns:
        Voigt form, shape (..., 6, 6), unit of stress.

    Example:
        >>> from jaxmeta.elasticity import isotropic_stiffness
        >>> isotropic_stiffness(1.0, 2.0)[0].tolist()
        [5.0, 1.0, 1.0, 0.0, 0.0, 0.0]

    References:
        Landau and Lifshitz (1986), "Theory of Elasticity", eq. 4.6.
    """
    lmbda, mu = real_arrays(lmbda=lmbda, mu=mu)
    return cubic_stiffness(lmbda + 2 * mu, lmbda, mu)


def cubic_stiffness(
    c11: Real[ArrayLike, "..."], c12: Real[ArrayLike, "..."], c44: Real[ArrayLike, "..."]
) -> Float[Array, "... 6 6"]:
    """Return the stiffness of cubic symmetry with the cube's edges along the axes.

    Args:
        c11: normal stiffness, scalar or shape (...), unit of stress.
        c12: coupling of two normal strains, scalar or shape (...), unit of stress.
        c44: shear stiffness, scalar or shape (...), unit of stress.

    Returns:
        Voigt form, shape (..., 6, 6), unit of stress.

    Example:
        >>> from jaxmeta.elasticity import cubic_stiffness
        >>> copper = cubic_stiffness(168.4, 121.4, 75.4)
        >>> [round(float(copper[i, j]), 1) for i, j in ((1, 1), (1, 2), (4, 4), (1, 4))]
        [168.4, 121.4, 75.4, 0.0]

    References:
        Nye (1957), "Physical Properties of Crystals", table 9.
    """
    constants = real_arrays(c11=c11, c12=c12, c44=c44)
    dtype = jnp.result_type(*constants, 0.0)
    constants = jnp.broadcast_arrays(*constants)
    patterns = jnp.asarray(CUBIC_PATTERNS, dtype)
    stacked = jnp.stack([constant.astype(dtype) for constant in constants], axis=-1)
    return jnp.einsum("...k,kij->...ij", stacked, patterns, precision="highest")


def _cubic_patterns() -> np.ndarray:
    patterns = np.zeros((3, 6, 6))
    patterns[0, :3, :3] = np.eye(3)
    patterns[1, :3, :3] = 1 - np.eye(3)
    patterns[2, 3:, 3:] = np.eye(3)
    return patterns


CUBIC_PATTERNS = _cubic_patterns()
"""Where C11, C12 and C44 stand in the Voigt form, (3, 6, 6)."""
