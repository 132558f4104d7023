"""Bulk and shear modulus of a polycrystal with grains in all directions: the averages of Voigt, Reuss and Hill.

Both depend only on the two invariants under rotation that are linear in the tensor. The nearest cubic tensor has the
same two, so three means stand for the 21 constants.
"""

from typing import NamedTuple

from jaxtyping import Array, ArrayLike, Float

from ._cubic import CubicConstants, cubic_constants
from ._engineering import compliance


class Moduli(NamedTuple):
    """Moduli of an isotropic material; those of `voigt_average` are of the nearest isotropic tensor.

    Attributes:
        bulk: shape (...), unit of stress.
        shear: shape (...), unit of stress.
    """

    bulk: Float[Array, "*batch"]
    shear: Float[Array, "*batch"]

    @property
    def young(self) -> Float[Array, "*batch"]:
        """Young's modulus 9 K G/(3 K + G), unit of stress."""
        return 9 * self.bulk * self.shear / (3 * self.bulk + self.shear)

    @property
    def poisson(self) -> Float[Array, "*batch"]:
        """Poisson's ratio (3 K − 2 G)/(6 K + 2 G), no unit."""
        return (3 * self.bulk - 2 * self.shear) / (6 * self.bulk + 2 * self.shear)


def voigt_average(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Moduli:
    r"""Return the moduli of the stiffness averaged over all rotations (equal strain), an upper bound for a polycrystal.

    $$K_V = \frac{C_{11} + 2 C_{12}}{3}, \quad G_V = \frac{C_{11} - C_{12} + 3 C_{44}}{5},$$

    with $C_{11}$, $C_{12}$, $C_{44}$ the means of the three normal, six coupling and three shear entries.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress.

    Returns:
        Bulk and shear modulus, each of shape (...).

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import cubic_stiffness, voigt_average
        >>> [round(float(modulus), 1) for modulus in voigt_average(cubic_stiffness(168.4, 121.4, 75.4))]
        [137.1, 54.6]

    References:
        Hill (1952), "The elastic behaviour of a crystalline aggregate".
    """
    cubic = cubic_constants(stiffness)
    return Moduli(bulk=cubic.bulk, shear=cubic.shear)


def reuss_average(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Moduli:
    r"""Return the moduli of the compliance averaged over all rotations (equal stress), a lower bound for a polycrystal.

    $$\frac{1}{K_R} = 3 (S_{11} + 2 S_{12}), \quad \frac{5}{G_R} = 4 (S_{11} - S_{12}) + 3 S_{44},$$

    with $S_{11}$, $S_{12}$, $S_{44}$ the means of the compliance's three normal, six coupling and three shear entries.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress, invertible.

    Returns:
        Bulk and shear modulus, each of shape (...).

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import cubic_stiffness, reuss_average
        >>> [round(float(modulus), 1) for modulus in reuss_average(cubic_stiffness(168.4, 121.4, 75.4))]
        [137.1, 40.0]

    References:
        Hill (1952), "The elastic behaviour of a crystalline aggregate".
    """
    return softest(cubic_constants(compliance(stiffness)))


def softest(compliance: CubicConstants) -> Moduli:
    """Reuss's moduli from S11, S12 and S44."""
    s11, s12, s44 = compliance
    return Moduli(bulk=1 / (3 * (s11 + 2 * s12)), shear=5 / (4 * (s11 - s12) + 3 * s44))


def hill_average(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Moduli:
    r"""Return the arithmetic means of Voigt's and Reuss's moduli, $K_H = (K_V + K_R)/2$ and $G_H = (G_V + G_R)/2$.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress, invertible.

    Returns:
        Bulk and shear modulus, each of shape (...).

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import cubic_stiffness, hill_average
        >>> [round(float(modulus), 1) for modulus in hill_average(cubic_stiffness(168.4, 121.4, 75.4))]
        [137.1, 47.3]

    References:
        Hill (1952), "The elastic behaviour of a crystalline aggregate".
    """
    voigt, reuss = voigt_average(stiffness), reuss_average(stiffness)
    return Moduli(bulk=(voigt.bulk + reuss.bulk) / 2, shear=(voigt.shear + reuss.shear) / 2)
