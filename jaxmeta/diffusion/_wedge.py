"""Blocks of the wedge x ≤ y ≤ z of a cubic octant, and who lies beside, within and around whom.

What all blocks of an octant know, those of the wedge know: 120 of 512 for blocks of 4³ voxels in 32³. A table lists for
each of some places the blocks that it looks at. To look is a gather, whose transpose XLA makes a slow scatter on a
processor; the tables know their transpose as another gather.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


@dataclass(frozen=True, eq=False)
class Table:
    """For each of n places, k rows of an array with `rows` rows; the number `rows` stands for a row of zeros."""

    looks: np.ndarray
    """(n, k)."""
    rows: int

    @cached_property
    def uses(self) -> np.ndarray:
        """For each row, the numbers n k + k' of the looks at it, and n k where there are fewer than of another row."""
        flat = self.looks.ravel()
        uses = [np.flatnonzero(flat == row) for row in range(self.rows)]
        most = max(map(len, uses))
        return np.stack([np.pad(use, (0, most - len(use)), constant_values=flat.size) for use in uses])


def look(table: Table, x: Float[Array, "rows c"]) -> Float[Array, "n kc"]:
    """The rows that each place looks at, side by side."""
    found: Any = _look(table, x)
    return found


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _look(table: Table, x: Array) -> Array:
    n, k = table.looks.shape
    return _take(x, table.looks.ravel()).reshape(n, k * x.shape[-1])


def _take(x: Array, rows: np.ndarray) -> Array:
    if rows.max() == len(x):
        x = jnp.concatenate([x, jnp.zeros_like(x[:1])])
    return jnp.take(x, jnp.asarray(rows), axis=0, mode="clip")


def _forward(table: Table, x: Array) -> tuple[Array, None]:
    return _look(table, x), None


def _backward(table: Table, _: None, g: Array) -> tuple[Array]:
    # y_n,k = x_looks(n,k), so that the derivative of row r is the sum of those of all y_n,k with looks(n, k) = r.
    uses = table.uses
    rows = _take(g.reshape(table.looks.size, -1), uses.ravel())
    return (rows.reshape(*uses.shape, -1).sum(axis=1),)


_look.defvjp(_forward, _backward)


@cache
def blocks(side: int) -> np.ndarray:
    """Places (i, j, k), i ≤ j ≤ k, of the wedge's blocks in an octant of side³ blocks, (n, 3)."""
    places = np.argwhere(np.ones((side,) * 3, bool))
    return places[(places[:, 0] <= places[:, 1]) & (places[:, 1] <= places[:, 2])]


def _numbers(places: np.ndarray, side: int) -> np.ndarray:
    """Numbers of the wedge's blocks whose images are at places (…, 3), which may lie beyond a mirror."""
    inside = np.where(places < 0, -1 - places, np.where(places >= side, 2 * side - 1 - places, places))
    weights = side ** np.arange(3)[::-1]
    return np.searchsorted(blocks(side) @ weights, np.sort(inside, axis=-1) @ weights)


@cache
def neighbours(side: int) -> Table:
    """For each block itself and the six that share a face with it."""
    steps = np.concatenate([np.zeros((1, 3), int), np.eye(3, dtype=int), -np.eye(3, dtype=int)])
    return Table(_numbers(blocks(side)[:, None] + steps, side), len(blocks(side)))


def _octet() -> np.ndarray:
    return np.argwhere(np.ones((2, 2, 2), bool))


@cache
def children(side: int) -> Table:
    """For each block of side/2 the eight blocks of `side` within it."""
    return Table(_numbers(2 * blocks(side // 2)[:, None] + _octet(), side), len(blocks(side)))


@cache
def parents(side: int) -> Table:
    """For each block of `side` its row among the eight of each block of side/2."""
    around, within = np.divmod(blocks(side), 2)
    return Table((8 * _numbers(around, side // 2) + within @ [4, 2, 1])[:, None], 8 * len(blocks(side // 2)))


@cache
def placed(side: int) -> Table:
    """For each block of the octant its row of the wedge, or zeros outside of the wedge."""
    octant = np.argwhere(np.ones((side,) * 3, bool))
    inside = (octant[:, 0] <= octant[:, 1]) & (octant[:, 1] <= octant[:, 2])
    return Table(np.where(inside, _numbers(octant, side), len(blocks(side)))[:, None], len(blocks(side)))


def split(octant: Float[Array, "m m m"], block: int) -> Float[Array, "n v"]:
    """The voxels of the wedge's blocks."""
    side = octant.shape[0] // block
    rows = octant.reshape(side, block, side, block, side, block).transpose(0, 2, 4, 1, 3, 5)
    i, j, k = blocks(side).T
    return rows[i, j, k].reshape(len(i), block**3)


def join(rows: Float[Array, "n v"], side: int, block: int) -> Float[Array, "m m m"]:
    """The octant that has these blocks in the wedge, and zeros outside."""
    grid = look(placed(side), rows).reshape(side, side, side, block, block, block)
    return grid.transpose(0, 3, 1, 4, 2, 5).reshape((side * block,) * 3)
