r"""Three ways to write a fourth-order elasticity tensor, and its norm.

The tensor is $C_{ijkl}$ with minor symmetries. Voigt form pairs indices as $I = 1 \dots 6 \leftrightarrow ij = 11, 22,
33, 23, 13, 12$ and keeps the components, $C_{IJ} = C_{ijkl}$; it maps engineering strain to stress. Mandel (or Kelvin)
form is $\hat C = D C D$ with $D = \mathrm{diag}(1, 1, 1, \sqrt2, \sqrt2, \sqrt2)$; its basis is orthonormal, so that
rotations are orthogonal matrices, and the norm and the inverse are those of the tensor itself.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ._checks import require_trailing_shape

# int32: JAX mixes up its cached index types when one process uses int64 indices with x64 on and, later, off.
ROWS = np.array([0, 1, 2, 1, 0, 0], np.int32)
COLUMNS = np.array([0, 1, 2, 2, 2, 1], np.int32)
_PAIRS = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]], np.int32)
_MANDEL = np.sqrt(np.outer([1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2]))


def to_mandel(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Float[Array, "*batch 6 6"]:
    r"""Return the Mandel form $\hat C = D C D$ of a stiffness in Voigt form.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress.

    Returns:
        Mandel form, shape (..., 6, 6), unit of stress.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import isotropic_stiffness, to_mandel
        >>> round(float(to_mandel(isotropic_stiffness(1.0, 0.5))[3, 3]), 4)
        1.0

    References:
        Mehrabadi and Cowin (1990), "Eigentensors of linear anisotropic elastic materials".
    """
    stiffness = require_trailing_shape("stiffness", stiffness, 6, 6)
    return stiffness * _mandel_factors(stiffness)


def from_mandel(matrix: Float[ArrayLike, "*batch 6 6"]) -> Float[Array, "*batch 6 6"]:
    r"""Return the Voigt form $C = D^{-1} \hat C D^{-1}$ of a stiffness in Mandel form.

    Args:
        matrix: Mandel form, shape (..., 6, 6), unit of stress.

    Returns:
        Voigt form, shape (..., 6, 6), unit of stress.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.elasticity import from_mandel
        >>> jnp.diag(from_mandel(jnp.eye(6))).round(4).tolist()
        [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]

    References:
        Mehrabadi and Cowin (1990), "Eigentensors of linear anisotropic elastic materials".
    """
    matrix = require_trailing_shape("matrix", matrix, 6, 6)
    return matrix / _mandel_factors(matrix)


def to_full(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Float[Array, "*batch 3 3 3 3"]:
    r"""Return the tensor $C_{ijkl}$ of a stiffness in Voigt form.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress.

    Returns:
        The tensor, shape (..., 3, 3, 3, 3), unit of stress; minor symmetric.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import cubic_stiffness, to_full
        >>> float(to_full(cubic_stiffness(3.0, 1.0, 2.0))[0, 1, 1, 0])
        2.0

    References:
        Nye (1957), "Physical Properties of Crystals", ch. VIII.
    """
    stiffness = require_trailing_shape("stiffness", stiffness, 6, 6)
    return stiffness[..., _PAIRS[:, :, None, None], _PAIRS[None, None, :, :]]


def from_full(tensor: Float[ArrayLike, "*batch 3 3 3 3"]) -> Float[Array, "*batch 6 6"]:
    r"""Return the Voigt form of a tensor $C_{ijkl}$ with minor symmetries.

    Only the entries $ij, kl \in \{11, 22, 33, 23, 13, 12\}$ are read.

    Args:
        tensor: shape (..., 3, 3, 3, 3), unit of stress.

    Returns:
        Voigt form, shape (..., 6, 6), unit of stress.

    Raises:
        ValueError: if the last axes are not (3, 3, 3, 3).

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.elasticity import cubic_stiffness, from_full, to_full
        >>> stiffness = cubic_stiffness(3.0, 1.0, 2.0)
        >>> bool(jnp.all(from_full(to_full(stiffness)) == stiffness))
        True

    References:
        Nye (1957), "Physical Properties of Crystals", ch. VIII.
    """
    tensor = require_trailing_shape("tensor", tensor, 3, 3, 3, 3)
    return tensor[..., ROWS[:, None], COLUMNS[:, None], ROWS[None, :], COLUMNS[None, :]]


def kelvin_norm(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Float[Array, "*batch"]:
    r"""Return the norm $\sqrt{C_{ijkl} C_{ijkl}}$ of a stiffness in Voigt form.

    It does not depend on the axes. The derivative at the zero tensor is taken as zero, so that a distance may be
    differentiated where it vanishes.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress.

    Returns:
        The norm, shape (...), unit of stress.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import isotropic_stiffness, kelvin_norm
        >>> round(float(kelvin_norm(isotropic_stiffness(0.0, 0.5)) ** 2), 4)
        6.0

    References:
        Moakher and Norris (2006), "The closest elastic tensor of arbitrary symmetry to an elasticity tensor of lower
        symmetry".
    """
    square = jnp.sum(to_mandel(stiffness) ** 2, axis=(-2, -1))
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)


def _mandel_factors(like: Array) -> Array:
    return jnp.broadcast_to(jnp.asarray(_MANDEL, like.dtype), like.shape)
