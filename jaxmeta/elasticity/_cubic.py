r"""The three constants of a cubic tensor, and the moduli and ratios that follow from them.

With $C_{11}$, $C_{12}$, $C_{44}$ along the edges of the cube, a deformation stores the energy of a change of volume, of
an elongation without one, and of a shear along the faces,

$$3K = C_{11} + 2 C_{12}, \quad 2 C' = C_{11} - C_{12}, \quad C_{44},$$

and the stiffness is positive definite when all three are positive. The mean over all rotations has the shear modulus
$G = (2 C' + 3 C_{44})/5$. Zener's ratio is $C_{44}/C'$.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import ArrayLike, Float

from ._checks import require_trailing_shape
from ._materials import CUBIC_PATTERNS, cubic_stiffness

_COUPLED = (0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)


class CubicConstants(NamedTuple):
    """The three constants of a cubic tensor, and what follows from them, each of the same shape.

    Plain numbers give plain numbers, NumPy's arrays give NumPy's, and JAX's give JAX's.

    Attributes:
        c11: shape (...), unit of stress.
        c12: shape (...), unit of stress.
        c44: shape (...), unit of stress.

    Example:
        >>> from jaxmeta.elasticity import CubicConstants
        >>> copper = CubicConstants(168.4, 121.4, 75.4)
        >>> [round(float(x), 2) for x in (copper.bulk, copper.shear, copper.poisson, copper.zener)]
        [137.07, 54.64, 0.42, 3.21]

    References:
        Nye (1957), "Physical Properties of Crystals", ch. VIII.
    """

    c11: Any
    c12: Any
    c44: Any

    @classmethod
    def of(cls, tensor: Any) -> "CubicConstants":
        """Means of the three normal, six coupling and three shear entries of a tensor in Voigt form, (..., 6, 6)."""
        normal = tensor[..., :3, :3]
        diagonal, shear = (part.trace(axis1=-2, axis2=-1) for part in (normal, tensor[..., 3:, 3:]))
        coupling = sum((normal[..., i, j] for i, j in _COUPLED[1:]), start=normal[..., 0, 1])
        return cls(c11=diagonal / 3, c12=coupling / 6, c44=shear / 3)

    @property
    def bulk(self) -> Any:
        r"""Bulk modulus $K = (C_{11} + 2 C_{12})/3$, unit of stress."""
        return (self.c11 + 2 * self.c12) / 3

    @property
    def shear(self) -> Any:
        r"""Voigt's average $G = (C_{11} - C_{12} + 3 C_{44})/5$, the shear modulus where the tensor is isotropic."""
        return (self.c11 - self.c12 + 3 * self.c44) / 5

    @property
    def poisson(self) -> Any:
        r"""Poisson's ratio $C_{12}/(C_{11} + C_{12})$ for tension along an edge."""
        return self.c12 / (self.c11 + self.c12)

    @property
    def zener(self) -> Any:
        r"""Zener's ratio $2 C_{44}/(C_{11} - C_{12})$; one where the tensor is isotropic."""
        return 2 * self.c44 / (self.c11 - self.c12)

    @property
    def positive(self) -> Any:
        """Whether every deformation costs energy."""
        return (self.c11 > self.c12) & (self.c11 + 2 * self.c12 > 0) & (self.c44 > 0)

    @property
    def stiffness(self) -> Any:
        """Voigt form, shape (..., 6, 6)."""
        if any(isinstance(constant, jax.Array) for constant in self):
            return cubic_stiffness(*self)
        return np.einsum("...k,kij->...ij", np.stack(np.broadcast_arrays(*self), axis=-1), CUBIC_PATTERNS)


def cubic_constants(stiffness: Float[ArrayLike, "*batch 6 6"]) -> CubicConstants:
    """Return the constants of the nearest cubic tensor with edges along the axes.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress.

    Returns:
        Means of the three normal, six coupling and three shear entries, each of shape (...).

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import cubic_constants, cubic_stiffness
        >>> [round(float(value), 4) for value in cubic_constants(cubic_stiffness(3.0, 1.0, 2.0))]
        [3.0, 1.0, 2.0]

    References:
        Moakher and Norris (2006), "The closest elastic tensor of arbitrary symmetry to an elasticity tensor of lower
        symmetry".
    """
    return CubicConstants.of(require_trailing_shape("stiffness", stiffness, 6, 6))
