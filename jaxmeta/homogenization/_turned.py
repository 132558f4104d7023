"""Flat cells, turned so that a long axis is the last one: along it numbers lie side by side in memory."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..fem import CubicField, IsotropicField, MaterialField
from ..solvers import Stats

_SHORT = 16
"""Fewer voxels along the last axis cost more than turning the cell."""


class Turn(NamedTuple):
    """The axes exchanged in cyclic order: axis i of the turned cell is axis i + `by` of the cell, modulo 3.

    Cyclic order keeps the hand of the axes, and exchanges the shears 23, 13, 12 as it does 11, 22, 33.
    """

    by: int

    @classmethod
    def of(cls, material: MaterialField) -> Turn:
        """That which makes the last axis the longest, if it is short and the material has no axes of its own."""
        shape = material.diagonal[0].shape
        if shape[2] >= _SHORT or not isinstance(material, (IsotropicField, CubicField)):
            return cls(0)
        return cls(max(range(3), key=lambda by: (shape[(2 + by) % 3], -by)))

    def grid(self, field: Array) -> Array:
        """A field (…, x, y, z) of the turned cell."""
        return jnp.moveaxis(field, (-3, -2, -1), [(axis - self.by) % 3 - 3 for axis in range(3)])

    def there(self, fluctuations: Array) -> Array:
        """Fluctuations (6 loads, 3, x, y, z) of the turned cell."""
        return self.grid(self._exchanged(self._exchanged(fluctuations, 0), 1))

    def back(self, stiffness: Array, fluctuations: Array, stats: Stats) -> tuple[Array, Array, Stats]:
        """C, the fluctuations and how they were found, of the cell, from those of the turned one."""
        back = Turn(-self.by)
        stiffness = back._exchanged(back._exchanged(stiffness, 0), 1)
        return stiffness, back.there(fluctuations), jax.tree.map(lambda each: back._exchanged(each, 0), stats)

    def _exchanged(self, field: Array, axis: int) -> Array:
        """An axis of vectors or of Voigt components."""
        order = [start + (i + self.by) % 3 for start in range(0, field.shape[axis], 3) for i in range(3)]
        return jnp.take(field, jnp.array(order), axis)
