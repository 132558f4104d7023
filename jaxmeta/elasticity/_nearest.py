r"""Nearest tensor of higher symmetry.

The problem: among all tensors $T$ of a symmetry class with given axes, minimise
$\|C - T\|^2 = (C - T)_{ijkl} (C - T)_{ijkl}$. The class is a linear space, so the answer is the orthogonal projection.
For the cubic class an orthogonal basis in Mandel form is three disjoint patterns of equal entries (diagonal,
off-diagonal, shear), hence plain means. The isotropic class is spanned by $J_{ijkl} = \delta_{ij}\delta_{kl}/3$ and
$I - J$, with $I$ the identity on symmetric tensors, hence $3K_V J + 2G_V (I - J)$ with Voigt's averages $K_V$, $G_V$.
"""

from jaxtyping import Array, ArrayLike, Float

from ._cubic import cubic_constants
from ._materials import cubic_stiffness, isotropic_stiffness


def nearest_cubic(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Float[Array, "*batch 6 6"]:
    r"""Return the cubic tensor, edges along the axes, that minimises $\|C - T\|$ in the full tensor norm.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress.

    Returns:
        Voigt form, shape (..., 6, 6), unit of stress.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.elasticity import nearest_cubic
        >>> jnp.diag(nearest_cubic(jnp.diag(jnp.arange(1.0, 7.0)))).round(4).tolist()
        [2.0, 2.0, 2.0, 5.0, 5.0, 5.0]

    References:
        Moakher and Norris (2006), "The closest elastic tensor of arbitrary symmetry to an elasticity tensor of lower
        symmetry".
    """
    return cubic_stiffness(*cubic_constants(stiffness))


def nearest_isotropic(stiffness: Float[ArrayLike, "*batch 6 6"]) -> Float[Array, "*batch 6 6"]:
    r"""Return the isotropic tensor that minimises $\|C - T\|$ in the full tensor norm.

    $$\lambda = \frac{C_{11} + 4 C_{12} - 2 C_{44}}{5}, \quad \mu = \frac{C_{11} - C_{12} + 3 C_{44}}{5},$$

    with the constants of the nearest cubic tensor.

    Args:
        stiffness: Voigt form, shape (..., 6, 6), unit of stress.

    Returns:
        Voigt form, shape (..., 6, 6), unit of stress.

    Raises:
        ValueError: if the last axes are not (6, 6).

    Example:
        >>> from jaxmeta.elasticity import cubic_stiffness, nearest_isotropic
        >>> nearest = nearest_isotropic(cubic_stiffness(4.0, 1.0, 0.5))
        >>> [round(float(nearest[i, j]), 4) for i, j in ((0, 0), (0, 1), (3, 3))]
        [3.2, 1.4, 0.9]

    References:
        Fedorov (1968), "Theory of Elastic Waves in Crystals"; Moakher and Norris (2006).
    """
    c11, c12, c44 = cubic_constants(stiffness)
    return isotropic_stiffness((c11 + 4 * c12 - 2 * c44) / 5, (c11 - c12 + 3 * c44) / 5)
