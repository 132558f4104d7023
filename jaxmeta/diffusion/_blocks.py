"""Blocks of a box, or of the wedge x ≤ y ≤ z of a cubic octant, and who lies beside, within and around whom.

What all blocks of an octant know, those of the wedge know: 120 of 512 for blocks of 4³ voxels in 32³. Faces of a box
are mirrors, as those of an octant are. A table lists for each of some places the blocks that it looks at. To look is a
gather, whose transpose XLA makes a slow scatter on a processor; the tables know their transpose as another gather.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, NamedTuple

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


class Blocks(NamedTuple):
    """Which blocks there are.

    Attributes:
        shape: of the box, in blocks.
        wedge: whether those at places i ≤ j ≤ k of a cube stand for their images under permutations of the axes.
    """

    shape: tuple[int, int, int]
    wedge: bool = False

    def halved(self) -> Blocks:
        """Those of twice the size. Of an odd number the last one is joined to its own image beyond the mirror."""
        i, j, k = (-(-count // 2) for count in self.shape)
        return Blocks((i, j, k), self.wedge)


def wedge(side: int) -> Blocks:
    """The blocks of the wedge in an octant of side³ blocks."""
    return Blocks((side, side, side), wedge=True)


@cache
def places(blocks: Blocks) -> np.ndarray:
    """Places (i, j, k) of the blocks, (n, 3)."""
    found = np.argwhere(np.ones(blocks.shape, bool))
    return found[(np.diff(found) >= 0).all(axis=1)] if blocks.wedge else found


def _numbers(blocks: Blocks, at: np.ndarray) -> np.ndarray:
    """Numbers of the blocks at places (…, 3), which may lie beyond a mirror, or of those whose images are there."""
    ends = np.array(blocks.shape)
    inside = np.where(at < 0, -1 - at, np.where(at >= ends, 2 * ends - 1 - at, at))
    inside = np.sort(inside, axis=-1) if blocks.wedge else inside
    weights = np.array([ends[1] * ends[2], ends[2], 1])
    return np.searchsorted(places(blocks) @ weights, inside @ weights)


@cache
def neighbours(blocks: Blocks) -> Table:
    """For each block itself and the six that share a face with it."""
    steps = np.concatenate([np.zeros((1, 3), int), np.eye(3, dtype=int), -np.eye(3, dtype=int)])
    return Table(_numbers(blocks, places(blocks)[:, None] + steps), len(places(blocks)))


def _octet() -> np.ndarray:
    return np.argwhere(np.ones((2, 2, 2), bool))


@cache
def children(blocks: Blocks) -> Table:
    """For each block of twice the size the eight blocks within it."""
    return Table(_numbers(blocks, 2 * places(blocks.halved())[:, None] + _octet()), len(places(blocks)))


@cache
def parents(blocks: Blocks) -> Table:
    """For each block its row among the eight of each block of twice the size."""
    around, within = np.divmod(places(blocks), 2)
    rows = 8 * _numbers(blocks.halved(), around) + within @ [4, 2, 1]
    return Table(rows[:, None], 8 * len(places(blocks.halved())))


@cache
def placed(blocks: Blocks) -> Table:
    """For each place of the box the row of its block, or zeros outside of the wedge."""
    count = len(places(blocks))
    rows = np.full(blocks.shape, count)
    rows[tuple(places(blocks).T)] = np.arange(count)
    return Table(rows.reshape(-1, 1), count)


def split(field: Float[Array, "a b c"], blocks: Blocks, size: tuple[int, int, int]) -> Float[Array, "n v"]:
    """The voxels of the blocks of a size."""
    (a, b, c), (p, q, r) = blocks.shape, size
    rows = field.reshape(a, p, b, q, c, r).transpose(0, 2, 4, 1, 3, 5)
    i, j, k = places(blocks).T
    return rows[i, j, k].reshape(len(i), p * q * r)


def join(rows: Float[Array, "n v"], blocks: Blocks, size: tuple[int, int, int]) -> Float[Array, "a b c"]:
    """The field that has these blocks of a size, and zeros outside of the wedge."""
    (a, b, c), (p, q, r) = blocks.shape, size
    grid = look(placed(blocks), rows).reshape(a, b, c, p, q, r)
    return grid.transpose(0, 3, 1, 4, 2, 5).reshape(a * p, b * q, c * r)
