"""Cells of a library, or fields on a box, in the form in which a network is trained on them."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int8

from .._numbers import refused
from . import _blocks
from ._embedding import Conditions
from ._field import distance_field, squared_distance

_TOGETHER = 64


class Examples(NamedTuple):
    """Cells of one size.

    Attributes:
        squares: squared distances of the voxels of the wedge to the interface, negative in the void, (n, voxels).
        values: C11, C12, C44 and volume fraction, (n, 4), in the dtype of the training, float32.
    """

    squares: Int8[Array, "n voxels"]
    values: Float[Array, "n 4"]

    @classmethod
    def of(cls, octants: np.ndarray, constants: np.ndarray, volume_fraction: np.ndarray) -> Examples:
        """Cells from their octants (n, m, m, m), their C11, C12, C44 (n, 3) and volume fractions (n,)."""
        squares = [
            np.asarray(_squares(jnp.asarray(octants[first : first + _TOGETHER])))
            for first in range(0, len(octants), _TOGETHER)
        ]
        values = np.column_stack([constants, volume_fraction]).astype(np.float32)
        return cls(jnp.asarray(np.concatenate(squares)), jnp.asarray(values))

    def conditions(self) -> Conditions:
        """All conditions of every cell."""
        return Conditions(self.values, jnp.ones(self.values.shape, bool))

    def fields(self, numbers: Array, shape: tuple[int, int, int]) -> Float[Array, "k m m m"]:
        """The fields of some cells."""
        side = shape[0]
        i, j, k = np.sort(np.indices((side,) * 3).reshape(3, -1), axis=0)
        places = _numbers(side)[i, j, k].reshape((side,) * 3)
        return distance_field(self.squares[numbers][:, places], self.values.dtype)


class BoxExamples(NamedTuple):
    """Fields on a box, for a `BoxNet`.

    Attributes:
        signs: 1 or −1, such as where an atom is and where none is, (n, a, b, c).
        values: four numbers for each, about between −1 and 1, (n, 4), in the dtype of the training, float32.
    """

    signs: Int8[Array, "n a b c"]
    values: Float[Array, "n 4"]

    def conditions(self) -> Conditions:
        """All conditions of every field."""
        return Conditions(self.values, jnp.ones(self.values.shape, bool))

    def fields(self, numbers: Array, shape: tuple[int, int, int]) -> Float[Array, "k a b c"]:
        """Some of the fields.

        Raises:
            ValueError: they are of another shape, or not as many as the conditions.
        """
        if self.signs.shape != (len(self.values), *shape):
            found = f"has some of shape {self.signs.shape}"
            raise refused("examples", f"have {len(self.values)} fields of shape {shape}, one for each condition", found)
        return self.signs[numbers].astype(self.values.dtype)


def _numbers(side: int) -> np.ndarray:
    numbers = np.zeros((side,) * 3, np.int32)
    i, j, k = _blocks.places(_blocks.wedge(side)).T
    numbers[i, j, k] = np.arange(len(i))
    return numbers


@jax.jit
def _squares(octants: Array) -> Array:
    i, j, k = _blocks.places(_blocks.wedge(octants.shape[-1])).T
    return jax.vmap(squared_distance)(octants)[:, i, j, k]
