"""Single numbers that say how far a stiffness is from isotropy, and Poisson's ratio of a cubic one."""

from typing import Any

from jaxtyping import Array, ArrayLike, Float

from ._averages import Moduli, reuss_average, voigt_average
from ._cubic import CubicConstants, cubic_constants


def zener(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Float[Array, "*batch"]:
    r"""Return Zener's ratio $2 C_{44}/(C_{11} - C_{12})$ of the nearest cubic tensor; one when isotropic.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress.

    Returns:
        The ratio, shape (...), no unit.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import cubic_stiffness, zener
        >>> round(float(zener(cubic_stiffness(168.4, 121.4, 75.4))), 2)
        3.21

    References:
        Zener (1948), "Elasticity and Anelasticity of Metals", ch. II.
    """
    return cubic_constants(stiffness).zener


def universal_anisotropy(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Float[Array, "*batch"]:
    r"""Return the universal anisotropy index $A^U = 5 G_V/G_R + K_V/K_R - 6$; zero when isotropic, positive otherwise.

    It is smooth at isotropy and holds for any symmetry of the material.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress, positive definite.

    Returns:
        The index, shape (...), no unit.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import cubic_stiffness, universal_anisotropy
        >>> round(float(universal_anisotropy(cubic_stiffness(168.4, 121.4, 75.4))), 2)
        1.82

    References:
        Ranganathan and Ostoja-Starzewski (2008), "Universal elastic anisotropy index", eq. 9.
    """
    return index(voigt_average(stiffness), reuss_average(stiffness))


def index(voigt: Moduli | CubicConstants, reuss: Moduli) -> Any:
    """The universal anisotropy index of both averages."""
    return 5 * voigt.shear / reuss.shear + voigt.bulk / reuss.bulk - 6


def poisson_ratio(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Float[Array, "*batch"]:
    r"""Return Poisson's ratio $C_{12}/(C_{11} + C_{12})$ of the nearest cubic tensor, for tension along an edge.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress.

    Returns:
        The ratio, shape (...), no unit.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import cubic_stiffness, poisson_ratio
        >>> round(float(poisson_ratio(cubic_stiffness(168.4, 121.4, 75.4))), 3)
        0.419

    References:
        Nye (1957), "Physical Properties of Crystals", ch. VIII.
    """
    return cubic_constants(stiffness).poisson
