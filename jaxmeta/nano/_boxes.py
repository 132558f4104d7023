"""Boxes of atoms, by which motions of atoms near to each other are told from those of a body as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Int

from ._cells import Cell

_EDGE = 10.0
"""Shortest edge of a box, in Å."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Boxes:
    """A grid of boxes, and in which of them every atom is. A pytree.

    Args:
        number: of the box of every atom, (n,); as many as there are boxes for atoms that are not there.
        edge: least distance of two atoms whose boxes do not touch, in Å.
        shape: how many boxes there are along every axis.
        pbc: along which of them the first box touches the last.
    """

    number: Int[np.ndarray, "n"] | Array
    edge: float | Array
    shape: tuple[int, int, int] = field(metadata={"static": True})
    pbc: tuple[bool, bool, bool] = field(metadata={"static": True})

    def parting(self, displacement: Float[Array, "3 n"]) -> Float[Array, ""]:
        """A bound of the difference of the displacements of two atoms whose boxes touch, or are one; it carries no
        derivative."""
        moved = lax.stop_gradient(displacement).T
        highest = self._around(jax.ops.segment_max(moved, self.number, self._count + 1), -jnp.inf, lax.max)
        lowest = self._around(jax.ops.segment_min(moved, self.number, self._count + 1), jnp.inf, lax.min)
        difference = jnp.where(highest >= lowest, highest - lowest, 0)
        return jnp.sqrt(jnp.max(jnp.sum(difference**2, 0), initial=0.0))

    def apart(self, displacement: Float[Array, "3 n"]) -> Float[Array, "n"]:
        """How far atoms move from the mean of the boxes that touch theirs."""
        ones = jnp.ones((displacement.shape[1], 1), displacement.dtype)
        of_boxes = jax.ops.segment_sum(jnp.concatenate([displacement.T, ones], 1), self.number, self._count + 1)
        total = self._around(of_boxes, 0.0, lax.add)
        mean = (total[:3] / jnp.maximum(total[3:], 1)).reshape(3, -1)
        return jnp.sqrt(jnp.sum((displacement - mean.at[:, self.number].get(mode="fill", fill_value=0)) ** 2, 0))

    @property
    def _count(self) -> int:
        return math.prod(self.shape)

    def _around(self, of_boxes: Array, nothing: float, reduce: Callable[[Array, Array], Array]) -> Array:
        """What boxes that touch have together, of values of the boxes (boxes + 1, m): (m, x, y, z)."""
        grid = of_boxes[:-1].T.reshape(-1, *self.shape)
        for axis, wraps in enumerate(self.pbc, 1):
            pad = [(1, 1) if a == axis else (0, 0) for a in range(4)]
            grid = jnp.pad(grid, pad, "wrap") if wraps else jnp.pad(grid, pad, constant_values=nothing)
        empty = jnp.asarray(nothing, grid.dtype)
        return lax.reduce_window(grid, empty, reduce, (1, 3, 3, 3), (1, 1, 1, 1), "VALID")


def boxes_of(where: np.ndarray, cell: Cell, total: int, frame: np.ndarray | None = None) -> Boxes | None:
    """The boxes of atoms; none in a skew cell.

    Args:
        where: positions of the atoms, along periodic axes in the cell.
        cell: of the atoms.
        total: how many atoms there are with those that only fill up.
        frame: lowest and highest positions, (2, 3), beyond which the outer boxes go on; those of the atoms if omitted.
    """
    if not cell.straight:
        return None
    pbc = np.array(cell.pbc)
    low, high = np.stack([where.min(0), where.max(0)]) if frame is None else frame
    low = np.where(pbc, 0, low)
    length = np.where(pbc, np.abs(np.diag(cell.vectors)), high - low)
    shape = np.maximum(length // _EDGE, 1).astype(int)
    place = np.clip(np.floor((where - low) / np.maximum(length, 1e-9) * shape), 0, shape - 1).astype(int)
    number = np.full(total, np.prod(shape), np.int32)
    number[: len(where)] = np.ravel_multi_index(tuple(place.T), tuple(shape))
    split = shape > 1
    edge = float((length / shape)[split].min()) if split.any() else np.inf
    return Boxes(number, edge, (int(shape[0]), int(shape[1]), int(shape[2])), cell.pbc)
