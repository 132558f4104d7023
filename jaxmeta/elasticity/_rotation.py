r"""Rotation of a stiffness tensor.

With the orthonormal symmetric basis $B_I$ of Mandel form, $B_1 = e_1 \otimes e_1, \dots, B_4 = (e_2 \otimes e_3 + e_3
\otimes e_2)/\sqrt2, \dots$, a rotation $R$ acts on symmetric tensors as the orthogonal matrix $Q_{IJ} = B_I : (R B_J
R^\top)$, and on the stiffness as $\hat C' = Q \hat C Q^\top$: two 6×6 products in place of four contractions of 81
components.
"""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float

from .._numbers import refused
from ._checks import require_trailing_shape
from ._voigt import COLUMNS, ROWS, from_mandel, to_mandel

_ROUNDING = 1e-3  # a rotation may be given in half precision, or with three digits


def rotate(
    stiffness: Float[ArrayLike, "*#batch 6 6"], rotation: Float[ArrayLike, "*#batch 3 3"]
) -> Float[Array, "*#batch 6 6"]:
    r"""Return the stiffness of the material turned by a rotation.

    $$C'_{ijkl} = R_{ip} R_{jq} R_{kr} R_{ls} C_{pqrs},$$

    so that the material's axis $e_p$ comes to lie along column $p$ of $R$. The transpose of $R$ gives, instead, the
    components of the same material in axes turned by $R$.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress.
        rotation: orthogonal matrix, proper or improper, shape (..., 3, 3), no unit; it is read in the dtype of
            `stiffness`, and its batch axes broadcast against those of `stiffness`.

    Returns:
        Voigt form, shape (..., 6, 6), unit of stress.

    Raises:
        ValueError: if the last axes are not (6, 6) and (3, 3), or a concrete rotation is not orthogonal.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.elasticity import cubic_stiffness, rotate
        >>> s = 0.5**0.5
        >>> eighth_turn = jnp.array([[s, -s, 0.0], [s, s, 0.0], [0.0, 0.0, 1.0]])
        >>> turned = rotate(cubic_stiffness(4.0, 1.0, 0.5), eighth_turn)
        >>> [round(float(turned[i, j]), 4) for i, j in ((0, 0), (0, 1), (5, 5))]
        [3.0, 2.0, 1.5]

    References:
        Mehrabadi and Cowin (1990), "Eigentensors of linear anisotropic elastic materials".
    """
    mandel = to_mandel(stiffness)
    rotation = require_trailing_shape("rotation", rotation, 3, 3).astype(mandel.dtype)
    if not isinstance(rotation, Tracer):
        matrix = np.asarray(rotation, np.float64)
        off = np.abs(matrix @ np.swapaxes(matrix, -1, -2) - np.eye(3)).max(initial=0.0)
        if not off <= _ROUNDING:
            raise refused("rotation", "be orthogonal", f"R Rᵀ differs from 1 by {off:.3g}")
    basis = jnp.asarray(_BASIS, mandel.dtype)
    turn = jnp.einsum("aij,...ip,...jq,bpq->...ab", basis, rotation, rotation, basis, precision="highest")
    return from_mandel(jnp.einsum("...ab,...bc,...dc->...ad", turn, mandel, turn, precision="highest"))


def _symmetric_basis() -> np.ndarray:
    basis = np.zeros((6, 3, 3))
    index = np.arange(6)
    basis[index, ROWS, COLUMNS] += 0.5
    basis[index, COLUMNS, ROWS] += 0.5
    return basis / np.linalg.norm(basis, axis=(1, 2), keepdims=True)


_BASIS = _symmetric_basis()
