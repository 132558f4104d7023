"""Compliance and the constants that a tensile or shear test measures."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, Real

from .._numbers import refused
from ._checks import require_trailing_shape
from ._voigt import COLUMNS, ROWS


class EngineeringConstants(NamedTuple):
    """Moduli and Poisson's ratios measured along the axes.

    Attributes:
        young: $E_1, E_2, E_3$, shape (..., 3), unit of stress.
        poisson: $\\nu_{ij}$, contraction along j under tension along i, shape (..., 3, 3), no unit; zero diagonal.
        shear: $G_{23}, G_{13}, G_{12}$, shape (..., 3), unit of stress.
    """

    young: Float[Array, "*batch 3"]
    poisson: Float[Array, "*batch 3 3"]
    shear: Float[Array, "*batch 3"]


def compliance(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Float[Array, "*batch 6 6"]:
    r"""Return the compliance $S = C^{-1}$ in Voigt form.

    It maps stress to engineering strain, so that $S_{44} = 4 S_{2323}$ and $S_{14} = 2 S_{1123}$.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress, invertible.

    Returns:
        Voigt form, shape (..., 6, 6), inverse unit of stress.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import Isotropic, compliance
        >>> round(float(compliance(Isotropic(young=2.0, poisson=0.3).stiffness)[0, 1]), 4)
        -0.15

    References:
        Nye (1957), "Physical Properties of Crystals", ch. VIII.
    """
    return jnp.linalg.inv(require_trailing_shape("stiffness", stiffness, 6, 6))


def directional_young(
    stiffness: Float[ArrayLike, "*#batch 6 6"], direction: Real[ArrayLike, "*#batch 3"]
) -> Float[Array, "*#batch"]:
    r"""Return Young's modulus for tension along a direction.

    $$\frac{1}{E(n)} = n_i n_j n_k n_l S_{ijkl} = \sigma^\top S \sigma, \quad
    \sigma = (n_1^2, n_2^2, n_3^2, n_2 n_3, n_1 n_3, n_1 n_2).$$

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress, invertible.
        direction: any vector but zero, its length has no effect, shape (..., 3), no unit; it is read in the dtype of
            `stiffness`, and its batch axes broadcast against those of `stiffness`.

    Returns:
        Young's modulus, shape (...), unit of stress.

    Raises:
        ValueError: if the last axes are not (6, 6) and (3,), or a concrete direction is zero.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.elasticity import cubic_stiffness, directional_young
        >>> copper = cubic_stiffness(168.4, 121.4, 75.4)
        >>> [round(float(young), 1) for young in directional_young(copper, jnp.array([[1, 0, 0], [1, 1, 1]]))]
        [66.7, 191.1]

    References:
        Nye (1957), "Physical Properties of Crystals", ch. VIII.
    """
    flexibility = compliance(stiffness)
    direction = require_trailing_shape("direction", direction, 3).astype(flexibility.dtype)
    if not isinstance(direction, Tracer):
        lengths = np.linalg.norm(np.asarray(direction, np.float64), axis=-1)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise refused("direction", "have a positive, finite length", f"one of {lengths.min():g} was given")
    stress = direction[..., ROWS] * direction[..., COLUMNS] / jnp.sum(direction**2, axis=-1, keepdims=True)
    return 1 / jnp.einsum("...i,...ij,...j->...", stress, flexibility, stress, precision="highest")


def engineering_constants(stiffness: Float[ArrayLike, "*batch 6 6"]) -> EngineeringConstants:
    r"""Return Young's moduli, Poisson's ratios and shear moduli along the axes.

    $$E_i = \frac{1}{S_{ii}}, \quad \nu_{ij} = -\frac{S_{ji}}{S_{ii}}, \quad G_{23} = \frac{1}{S_{44}}, \quad
    G_{13} = \frac{1}{S_{55}}, \quad G_{12} = \frac{1}{S_{66}}.$$

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress, invertible.

    Returns:
        The constants, with batch axes leading.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import Isotropic, engineering_constants
        >>> constants = engineering_constants(Isotropic(young=2.0, poisson=0.25).stiffness)
        >>> [round(float(value), 4) for value in (constants.young[0], constants.poisson[0, 1], constants.shear[2])]
        [2.0, 0.25, 0.8]

    References:
        Jones (1999), "Mechanics of Composite Materials", ch. 2.
    """
    return of_compliance(compliance(stiffness))


def of_compliance(flexibility: Any) -> EngineeringConstants:
    """The constants of a compliance, of JAX's arrays or NumPy's."""
    xp: Any = jnp if isinstance(flexibility, jax.Array) else np
    inverse_moduli = xp.diagonal(flexibility, axis1=-2, axis2=-1)
    contraction = -xp.swapaxes(flexibility[..., :3, :3], -2, -1) / inverse_moduli[..., :3, None]
    off_diagonal = xp.broadcast_to(~np.eye(3, dtype=bool), contraction.shape)
    return EngineeringConstants(
        young=1 / inverse_moduli[..., :3],
        poisson=xp.where(off_diagonal, contraction, 0),
        shear=1 / inverse_moduli[..., 3:],
    )
