r"""The space of stiffnesses that cells of a library have, as a box that cannot be left.

Cubic constants are described one after the other by

.. math:: a = \log C_{11}, \qquad b = C_{12}/C_{11}, \qquad g = C_{44}/C_{11},

and the cells of a library fill, to a good approximation, what lies between two curves and two surfaces:

.. math:: b_0(a) \le b \le b_1(a), \qquad g_0(a, b) \le g \le g_1(a, b).

These are quantiles among the cells near by, as polynomials, so that a design meets no kinks. Towards the solid itself,
where a library has no cells, both ranges shrink to the solid's b and g in proportion to the distance in a: in the
dilute limit a pore changes C in proportion to its volume, in a direction that its shape decides. Shares u ∈ [0, 1]³ of
the three ranges are coordinates of the space.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from .._arguments import positive_number, real_array
from .._numbers import refused
from ..elasticity import Isotropic

_KNOTS = 48, 40  # of a, and of b for each a
_NEAR = 250, 60  # cells whose quantiles are taken, for b and for g
_DEGREES = 7, 4  # of the polynomials
_CUT = 0.02, 0.05  # share of them that is left outside at each end
_SCALES = 0.5, 0.1  # differences of a and b that count as alike far
_DENSE = 0.16  # distance of a to the solid's within which the ranges shrink


class PropertySpace(NamedTuple):
    """What cells of cubic symmetry can be, as far as a library shows it; see `property_space`.

    Attributes:
        ends: least and largest a.
        ratios: coefficients of the ends of the range of b, by powers of the first coordinate, (2, k).
        shears: coefficients of the ends of the range of g, by powers of the first two coordinates, (2, k, m).
        solid: a, b and g of the solid.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> library = jm.dataset.load()
        >>> space = jm.multiscale.property_space(library.constants, library.solid, softest=0.03)
        >>> inside = space.constants(np.array([[0.5, 0.5, 0.5]]))
        >>> bool(space.membership(inside)[0] > 0), bool(space.membership(np.array([[0.3, 0.29, 0.1]]))[0] > 0)
        (True, False)
    """

    ends: Float[Array, "2"]
    ratios: Float[Array, "2 k"]
    shears: Float[Array, "2 k m"]
    solid: Float[Array, "3"]

    @jax.jit
    def constants(self, coordinates: Float[ArrayLike, "*batch 3"]) -> Float[Array, "*batch 3"]:
        """C11, C12, C44 of coordinates in [0, 1]³, in the unit of the library."""
        u = jnp.asarray(coordinates)
        a = self.ends[0] + (self.ends[1] - self.ends[0]) * u[..., 0]
        low, high = self._ratios(a)
        b = low + (high - low) * u[..., 1]
        low, high = self._shears(a, u[..., 1])
        c11 = jnp.exp(a)
        return jnp.stack([c11, c11 * b, c11 * (low + (high - low) * u[..., 2])], axis=-1)

    @jax.jit
    def coordinates(self, constants: Float[ArrayLike, "*batch 3"]) -> Float[Array, "*batch 3"]:
        """The inverse of `constants`, with values below 0 or above 1 outside of the space."""
        c11, c12, c44 = jnp.moveaxis(jnp.asarray(constants), -1, 0)
        a = jnp.log(c11)
        second = _share(c12 / c11, *self._ratios(a))
        third = _share(c44 / c11, *self._shears(a, second))
        return jnp.stack([(a - self.ends[0]) / (self.ends[1] - self.ends[0]), second, third], axis=-1)

    @jax.jit
    def membership(self, constants: Float[ArrayLike, "*batch 3"]) -> Float[Array, "*batch"]:
        """φ(C11, C12, C44): the least distance of a coordinate from the ends of its range, 0 … ½; negative outside.

        It is differentiable almost everywhere, and steers a design. What it promises holds for most cells, not for all:
        a cell is inside when one was found.
        """
        u = self.coordinates(constants)
        return jnp.minimum(u, 1 - u).min(axis=-1)

    @jax.jit
    def project(self, constants: Float[ArrayLike, "*batch 3"]) -> Float[Array, "*batch 3"]:
        """Constants with each coordinate brought to its range; those inside are unchanged."""
        return self.constants(jnp.clip(self.coordinates(constants), 0, 1))

    def _ratios(self, a: Array) -> tuple[Array, Array]:
        x = (a - self.ends[0]) / (self.ends[1] - self.ends[0])
        powers = _powers(x, self.ratios.shape[1])
        return self._drawn(a, 0, jnp.einsum("...k,ek->e...", powers, self.ratios, precision="highest"))

    def _shears(self, a: Array, second: Array) -> tuple[Array, Array]:
        x = (a - self.ends[0]) / (self.ends[1] - self.ends[0])
        k, m = self.shears.shape[1:]
        powers = _powers(x, k), _powers(second, m)
        return self._drawn(a, 1, jnp.einsum("...k,...m,ekm->e...", *powers, self.shears, precision="highest"))

    def _drawn(self, a: Array, which: int, ends: Array) -> tuple[Array, Array]:
        """Ends of a range, drawn towards the solid's value at its end."""
        own, left = self.solid[1 + which], jnp.tanh((self.solid[0] - a) / _DENSE)
        low, high = (own + left * (end - own) for end in ends)
        return low, high


def property_space(
    constants: Float[ArrayLike, "n 3"], solid: Isotropic, softest: float, stiffest: float | None = None
) -> PropertySpace:
    """The space that cells fill, with the dense end up to the solid.

    Args:
        constants: C11, C12, C44 of the cells, in the unit of the solid's modulus.
        solid: of which they are made.
        softest: least C11.
        stiffest: largest C11, at most that of the solid; the solid's if omitted.

    Raises:
        ValueError: there are fewer than 100 cells, or the ends are not in order.
    """
    cells = np.asarray(real_array("constants", constants), float)
    if cells.ndim != 2 or cells.shape[1] != 3 or len(cells) < 100:
        raise refused("constants", "have shape (n, 3) with n at least 100", f"has shape {cells.shape}")
    whole = np.asarray(solid.stiffness, float)
    dense = np.array([np.log(whole[0, 0]), whole[0, 1] / whole[0, 0], whole[3, 3] / whole[0, 0]])
    highest = float(whole[0, 0]) if stiffest is None else float(positive_number("stiffest", stiffest))
    if not positive_number("softest", softest) < highest <= whole[0, 0]:
        raise refused(
            "softest", f"be below `stiffest`, and that at most {whole[0, 0]:.4g}", f"is {softest}, {stiffest}"
        )
    a, b, g = np.log(cells[:, 0]), cells[:, 1] / cells[:, 0], cells[:, 2] / cells[:, 0]
    ends = np.log([softest, highest])
    x, y = np.linspace(0, 1, _KNOTS[0]), np.linspace(0, 1, _KNOTS[1])
    logs = np.minimum(ends[0] + (ends[1] - ends[0]) * x, dense[0] - _DENSE)
    table = np.stack([np.quantile(b[_nearest(np.abs(a - log), _NEAR[0])], _ends(0)) for log in logs], axis=1)
    ratios = np.stack([np.polynomial.polynomial.polyfit(x, values, _DEGREES[0]) for values in table])
    table = np.zeros((2, *_KNOTS))
    for i, log in enumerate(logs):
        low, high = ratios @ x[i] ** np.arange(_DEGREES[0] + 1)
        for j, middle in enumerate(low + (high - low) * y):
            far = ((a - log) / _SCALES[0]) ** 2 + ((b - middle) / _SCALES[1]) ** 2
            table[:, i, j] = np.quantile(g[_nearest(far, _NEAR[1])], _ends(1))
    powers = np.polynomial.polynomial.polyvander2d(*np.meshgrid(x, y, indexing="ij"), _DEGREES)
    shears = np.linalg.lstsq(powers.reshape(x.size * y.size, -1), table.reshape(2, -1).T, rcond=None)[0].T
    return PropertySpace(*map(jnp.asarray, (ends, ratios, shears.reshape(2, *(np.add(_DEGREES, 1))), dense)))


def _powers(x: Array, count: int) -> Array:
    return jnp.stack([x**k for k in range(count)], axis=-1)


def _ends(which: int) -> list[float]:
    return [_CUT[which], 1 - _CUT[which]]


def _nearest(distance: np.ndarray, count: int) -> np.ndarray:
    count = min(count, len(distance) // 2)
    return np.argpartition(distance, count)[:count]


def _share(value: Array, low: Array, high: Array) -> Array:
    """Where a value is in a range; at the solid's end, where the range has no width, one half."""
    width = jnp.maximum(high - low, 1e-9)
    return 0.5 + (value - (low + high) / 2) / width
