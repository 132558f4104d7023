r"""What lies between two cells: stiffnesses as shares of the bounds, and samples between their noises.

At place t, from 0 to 1, the volume fraction is f = (1 − t) f_A + t f_B, and each of :math:`K / K_{HS}(f)`,
:math:`C' / G_{HS}(f)` and :math:`C_{44} / G_{HS}(f)`, with C' = (C11 − C12)/2 and the upper bounds of Hashin and
Shtrikman, goes straight from that of one cell to that of the other. So what the bounds allow to both ends they allow in
between, and a family between two cells near a bound stays near it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .._numbers import refused
from ..cells import Cell
from ..elasticity import CubicConstants, bounds

if TYPE_CHECKING:
    from ..diffusion import Model

STEPS = 32
"""Of the sampler, up and down: as many as the inversion needs to be exact."""


class Path(NamedTuple):
    """Stiffness and volume fraction between two cells.

    Attributes:
        first: cell at place 0.
        second: cell at place 1, of the same solid.
    """

    first: Cell
    second: Cell

    def volume_fraction(self, place: float) -> float:
        """At a place from 0 to 1."""
        return (1 - place) * self.first.volume_fraction + place * self.second.volume_fraction

    def constants(self, place: float) -> CubicConstants:
        """C11, C12 and C44 at a place, in the unit of the solid."""
        ends = [_shares(cell) for cell in (self.first, self.second)]
        bulk, tetragonal, shear = ((1 - place) * one + place * other for one, other in zip(*ends, strict=True))
        most = _bounds(self.first, self.volume_fraction(place))
        bulk, tetragonal, shear = bulk * most[0], tetragonal * most[1], shear * most[1]
        return CubicConstants(bulk + 4 * tetragonal / 3, bulk - 2 * tetragonal / 3, shear)


def _bounds(cell: Cell, volume_fraction: float) -> tuple[float, float]:
    with jax.enable_x64(True):
        bulk, shear = _upper(volume_fraction, cell.solid)
    return float(bulk), float(shear)


_upper = jax.jit(bounds.hashin_shtrikman)


def _shares(cell: Cell) -> tuple[float, float, float]:
    """K, C' and C44 as shares of the bounds."""
    c, (bulk, shear) = cell.constants, _bounds(cell, cell.volume_fraction)
    return float(c.bulk) / bulk, float(c.c11 - c.c12) / 2 / shear, float(c.c44) / shear


class Noises(NamedTuple):
    """Where two cells begin, for a model without conditions."""

    model: Model
    first: Float[Array, "m m m"]
    second: Float[Array, "m m m"]

    @classmethod
    def of(cls, model: Model, first: Bool[np.ndarray, "m m m"], second: Bool[np.ndarray, "m m m"]) -> Noises:
        """From the octants of both, by running the sampler backwards.

        Raises:
            ValueError: the model makes octants of another side.
        """
        if model.side != len(first):
            raise refused("model", f"make octants of {len(first)}³ voxels", f"makes {model.side}³")
        return cls(model, _noise(model, jnp.asarray(first)), _noise(model, jnp.asarray(second)))

    def samples(
        self, places: Sequence[float], constants: CubicConstants | None = None, volume_fraction: float | None = None
    ) -> Bool[np.ndarray, "k m m m"]:
        """Octants from the noises between both, by spherical interpolation.

        Args:
            places: from 0 to 1.
            constants: condition on C11, C12, C44, relative to a solid with Young's modulus one; None for none.
            volume_fraction: condition on it, and where the field is cut; None for none.
        """
        from ..diffusion import conditions

        given = {} if constants is None else dict(zip(("c11", "c12", "c44"), map(float, constants), strict=True))
        asked = conditions(**given, volume_fraction=volume_fraction)
        cut = volume_fraction is not None
        return np.stack([np.asarray(_sampled(*self, jnp.asarray(place), asked, cut)) for place in places])


@jax.jit
def _noise(model: Model, octant: Array) -> Array:
    from ..diffusion import Conditions, Forgetful, NetworkDenoiser, ascend, to_field

    nothing = Conditions(jnp.full(4, 0.5, model.dtype), jnp.zeros(4, bool))
    levels = jnp.asarray(model.schedule.levels(STEPS)[:-1], model.dtype)
    return ascend(Forgetful(NetworkDenoiser(model, nothing)), to_field(octant).astype(model.dtype), levels)


@partial(jax.jit, static_argnames="cut")
def _sampled(model: Model, first: Array, second: Array, place: Array, asked: tuple, cut: bool) -> Array:
    from ..diffusion import Conditions, Forgetful, NetworkDenoiser, descend, from_field, slerp

    values, given = asked
    denoiser = Forgetful(NetworkDenoiser(model, Conditions(values.astype(model.dtype), given)))
    levels = jnp.asarray(model.schedule.levels(STEPS), model.dtype)
    field = descend(denoiser, slerp(first, second, place), levels, "ddim")
    return from_field(field, values[3].astype(field.dtype) if cut else None)
