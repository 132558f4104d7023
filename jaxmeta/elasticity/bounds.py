r"""Bounds on bulk and shear modulus of a mixture of a solid with void or with a second solid.

Let phase 1 (`solid`) fill the fraction $f$ and phase 2 (`background`) the rest. Every bound here is one formula,

$$X(\zeta) = \left[\frac{f}{X_1 + \zeta} + \frac{1 - f}{X_2 + \zeta}\right]^{-1} - \zeta
           = \frac{f (X_2 + \zeta) X_1 + (1 - f)(X_1 + \zeta) X_2}{f (X_2 + \zeta) + (1 - f)(X_1 + \zeta)},$$

a weighted mean of $X_1$ and $X_2$ that grows with $\zeta \ge 0$, the stiffness of a comparison medium around a phase:
$\zeta = \infty$ is Voigt's bound, $\zeta = 0$ Reuss's. Hashin and Shtrikman's have, for the bulk and the shear modulus,

$$\zeta_K = \frac{4}{3} G_0, \quad \zeta_G = \frac{G_0 (9 K_0 + 8 G_0)}{6 (K_0 + 2 G_0)},$$

where $K_0$, $G_0$ are the larger of the phases' moduli for the upper bound and the smaller for the lower one, each
modulus on its own: Walpole's form, which holds also when one phase is stiffer in bulk and the other in shear. The
second form of $X$ is the one computed: it needs no $1/0$ for a void and is exact at $f = 0$ and $f = 1$.

The bounds of Hashin, Shtrikman and Walpole hold for isotropic mixtures. For a cubic one the upper bounds hold for the
bulk modulus and for Voigt's average $(C_{11} - C_{12} + 3 C_{44})/5$, not for each of its two shear moduli.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Real

from .._arguments import real_array, real_arrays, require_kind, require_values
from ._averages import Moduli, voigt_average
from ._cubic import CubicConstants
from ._materials import Isotropic

_ROUNDING = 1e-6  # a volume fraction is often a mean of many voxels in float32


def hashin_shtrikman(
    volume_fraction: Real[ArrayLike, "..."], solid: Isotropic, background: Isotropic | None = None
) -> Moduli:
    r"""Return the upper bounds of Hashin and Shtrikman, in Walpole's form, on an isotropic mixture.

    Into void they are

    $$K \le \frac{4 f K_1 G_1}{4 G_1 + 3 (1 - f) K_1}, \quad
    G \le \frac{f G_1 (9 K_1 + 8 G_1)}{9 K_1 + 8 G_1 + 6 (1 - f)(K_1 + 2 G_1)}.$$

    Args:
        volume_fraction: fraction of `solid`, scalar or shape (...), no unit, in [0, 1].
        solid: the first phase; its moduli are scalars or of the shape of `volume_fraction`.
        background: the second phase; void when None.

    Returns:
        Bulk and shear modulus, each of shape (...), unit of stress.

    Raises:
        ValueError: if an argument is not as described, or a concrete volume fraction is outside [0, 1] by more than
            rounding.

    Example:
        >>> from jaxmeta.elasticity import Isotropic, bounds
        >>> limit = bounds.hashin_shtrikman(0.3, Isotropic(young=1.0, poisson=0.3))
        >>> [round(float(modulus), 4) for modulus in limit]
        [0.117, 0.0705]

    References:
        Hashin and Shtrikman (1963), "A variational approach to the theory of the elastic behaviour of multiphase
        materials", eqs. 4.1 to 4.4; Walpole (1966), "On bounds for the overall elastic moduli of inhomogeneous
        systems - I".
    """
    fraction, first, second = _phases(volume_fraction, solid, background)
    bulk, shear = _comparison(jnp.maximum(first.bulk, second.bulk), jnp.maximum(first.shear, second.shear))
    return Moduli(
        bulk=_mean(fraction, first.bulk, second.bulk, bulk), shear=_mean(fraction, first.shear, second.shear, shear)
    )


def hashin_shtrikman_lower(
    volume_fraction: Real[ArrayLike, "..."], solid: Isotropic, background: Isotropic | None = None
) -> Moduli:
    r"""Return the lower bounds of Hashin and Shtrikman, in Walpole's form, on an isotropic mixture.

    Into void they are zero for every fraction below one.

    Args:
        volume_fraction: fraction of `solid`, scalar or shape (...), no unit, in [0, 1].
        solid: the first phase; its moduli are scalars or of the shape of `volume_fraction`.
        background: the second phase; void when None.

    Returns:
        Bulk and shear modulus, each of shape (...), unit of stress.

    Raises:
        ValueError: if an argument is not as described, or a concrete volume fraction is outside [0, 1] by more than
            rounding.

    Example:
        >>> from jaxmeta.elasticity import Isotropic, bounds
        >>> limit = bounds.hashin_shtrikman_lower(0.3, Isotropic(1.0, 0.3), Isotropic(0.1, 0.3))
        >>> [round(float(modulus), 4) for modulus in limit]
        [0.1293, 0.0644]

    References:
        Hashin and Shtrikman (1963), "A variational approach to the theory of the elastic behaviour of multiphase
        materials", eqs. 4.1 to 4.4; Walpole (1966), "On bounds for the overall elastic moduli of inhomogeneous
        systems - I".
    """
    fraction, first, second = _phases(volume_fraction, solid, background)
    bulk, shear = _comparison(jnp.minimum(first.bulk, second.bulk), jnp.minimum(first.shear, second.shear))
    return Moduli(
        bulk=_mean(fraction, first.bulk, second.bulk, bulk), shear=_mean(fraction, first.shear, second.shear, shear)
    )


def voigt(volume_fraction: Real[ArrayLike, "..."], solid: Isotropic, background: Isotropic | None = None) -> Moduli:
    """Return Voigt's upper bounds, the arithmetic means of the phases' moduli.

    Args:
        volume_fraction: fraction of `solid`, scalar or shape (...), no unit, in [0, 1].
        solid: the first phase; its moduli are scalars or of the shape of `volume_fraction`.
        background: the second phase; void when None.

    Returns:
        Bulk and shear modulus, each of shape (...), unit of stress.

    Raises:
        ValueError: if an argument is not as described, or a concrete volume fraction is outside [0, 1] by more than
            rounding.

    Example:
        >>> from jaxmeta.elasticity import Isotropic, bounds
        >>> [round(float(modulus), 4) for modulus in bounds.voigt(0.3, Isotropic(young=1.0, poisson=0.25))]
        [0.2, 0.12]

    References:
        Hill (1963), "Elastic properties of reinforced solids: some theoretical principles".
    """
    fraction, first, second = _phases(volume_fraction, solid, background)
    return Moduli(
        bulk=fraction * first.bulk + (1 - fraction) * second.bulk,
        shear=fraction * first.shear + (1 - fraction) * second.shear,
    )


def reuss(volume_fraction: Real[ArrayLike, "..."], solid: Isotropic, background: Isotropic | None = None) -> Moduli:
    """Return Reuss's lower bounds, the harmonic means of the phases' moduli.

    Into void they are zero for every fraction below one.

    Args:
        volume_fraction: fraction of `solid`, scalar or shape (...), no unit, in [0, 1].
        solid: the first phase; its moduli are scalars or of the shape of `volume_fraction`.
        background: the second phase; void when None.

    Returns:
        Bulk and shear modulus, each of shape (...), unit of stress.

    Raises:
        ValueError: if an argument is not as described, or a concrete volume fraction is outside [0, 1] by more than
            rounding.

    Example:
        >>> from jaxmeta.elasticity import Isotropic, bounds
        >>> limit = bounds.reuss(0.5, Isotropic(young=1.0, poisson=0.25), Isotropic(young=0.25, poisson=0.25))
        >>> [round(float(modulus), 4) for modulus in limit]
        [0.2667, 0.16]

    References:
        Hill (1963), "Elastic properties of reinforced solids: some theoretical principles".
    """
    fraction, first, second = _phases(volume_fraction, solid, background)
    none = jnp.zeros_like(first.bulk)
    return Moduli(
        bulk=_mean(fraction, first.bulk, second.bulk, none), shear=_mean(fraction, first.shear, second.shear, none)
    )


def shares(
    moduli: Moduli | CubicConstants,
    volume_fraction: Real[ArrayLike, "..."],
    solid: Isotropic,
    background: Isotropic | None = None,
) -> Moduli:
    """Return bulk and shear modulus as shares of their upper bounds by `hashin_shtrikman`; one is on the bound.

    Args:
        moduli: with a `bulk` and a `shear` modulus, of shape (...), unit of stress; of a cubic tensor the shear modulus
            is Voigt's average, which the bound holds for.
        volume_fraction: fraction of `solid`, scalar or shape (...), no unit, in [0, 1].
        solid: the first phase; its moduli are scalars or of the shape of `volume_fraction`.
        background: the second phase; void when None.

    Returns:
        Both shares, each of shape (...), no unit; not finite where the bound is zero.

    Raises:
        ValueError: if a concrete volume fraction is outside [0, 1] by more than rounding.

    Example:
        >>> from jaxmeta.elasticity import CubicConstants, Isotropic, bounds
        >>> found = bounds.shares(CubicConstants(0.14, 0.06, 0.05), 0.3, Isotropic(young=1.0, poisson=0.3))
        >>> [round(float(share), 3) for share in found]
        [0.741, 0.652]
    """
    upper = hashin_shtrikman(volume_fraction, solid, background)
    return Moduli(bulk=moduli.bulk / upper.bulk, shear=moduli.shear / upper.shear)


class Excess(NamedTuple):
    """A modulus above its bound.

    Attributes:
        name: "bulk" or "shear".
        value: of the modulus, unit of stress.
        bound: upper bound of it.
    """

    name: str
    value: float
    bound: float


def exceeded(stiffness: Float[np.ndarray, "6 6"], volume_fraction: float, solid: Isotropic) -> Excess | None:
    """Return which upper bound of Hashin and Shtrikman a stiffness is above, by more than rounding.

    Args:
        stiffness: Voigt form, (6, 6), unit of stress; bounded are its bulk modulus and Voigt's average shear modulus.
        volume_fraction: fraction of `solid` in void, in [0, 1].
        solid: of the cell.

    Returns:
        The first of both moduli that is above its bound, or None: a cell may have this stiffness.

    Example:
        >>> from jaxmeta.elasticity import Isotropic, bounds
        >>> solid = Isotropic(young=1.0, poisson=0.3)
        >>> bounds.exceeded(0.2 * solid.stiffness, 0.3, solid).name
        'bulk'
        >>> bounds.exceeded(0.1 * solid.stiffness, 0.3, solid)
    """
    with jax.enable_x64(True):
        moduli = voigt_average(np.asarray(stiffness, np.float64))
        upper = hashin_shtrikman(volume_fraction, solid)
        for name in ("bulk", "shear"):
            value, bound = (float(np.asarray(getattr(found, name))) for found in (moduli, upper))
            if value > bound * (1 + _ROUNDING):
                return Excess(name, value, bound)
    return None


def _phases(volume_fraction: ArrayLike, solid: Isotropic, background: Isotropic | None) -> tuple[Array, Moduli, Moduli]:
    def valid(fraction: np.ndarray) -> np.ndarray:
        return (fraction >= -_ROUNDING) & (fraction <= 1 + _ROUNDING)

    fraction = real_array("volume_fraction", require_values("volume_fraction", volume_fraction, valid, "lie in [0, 1]"))
    require_kind("solid", solid, (Isotropic,))
    if background is not None:
        require_kind("background", background, (Isotropic,))
    first = Moduli(bulk=solid.bulk, shear=solid.shear)
    void = Moduli(bulk=jnp.zeros_like(first.bulk), shear=jnp.zeros_like(first.shear))
    second = void if background is None else Moduli(bulk=background.bulk, shear=background.shear)
    real_arrays(volume_fraction=fraction, solid=first.bulk, background=second.bulk)
    return fraction, first, second


def _comparison(bulk: Array, shear: Array) -> tuple[Array, Array]:
    around_shear = _ratio(shear * (9 * bulk + 8 * shear), 6 * (bulk + 2 * shear), jnp.zeros_like(shear))
    return 4 * shear / 3, around_shear


def _mean(fraction: Array, first: Array, second: Array, around: Array) -> Array:
    weight = fraction * (second + around)
    share = _ratio(weight, weight + (1 - fraction) * (first + around), fraction)
    return share * first + (1 - share) * second


def _ratio(numerator: Array, denominator: Array, limit: Array) -> Array:
    # 0/0 happens only for a void; the inner `where` keeps the derivative of the branch not taken finite.
    positive = denominator > 0
    return jnp.where(positive, numerator / jnp.where(positive, denominator, 1), limit)
