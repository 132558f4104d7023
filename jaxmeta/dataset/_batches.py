"""Batches of a library in random order, from any position on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ._library import Library


class Batch(NamedTuple):
    """Some cells.

    Attributes:
        octants: solid or void, (batch, m, m, m).
        constants: C11, C12, C44 of each, (batch, 3), relative to a solid with Young's modulus one.
        volume_fraction: share of solid voxels, (batch,).
        numbers: of the cells in the library, (batch,).
    """

    octants: Bool[np.ndarray, "batch m m m"]
    constants: Float[np.ndarray, "batch 3"]
    volume_fraction: Float[np.ndarray, " batch"]
    numbers: Int[np.ndarray, " batch"]


@dataclass
class Batches:
    """An endless iterator over batches; every epoch has each cell once, in an order that depends on seed and epoch.

    What does not fill a batch at the end of an epoch is left out. `position` is where it stands: an iterator that is
    made with it goes on from there.

    Args:
        cells: to draw from.
        size: of a batch.
        seed: of the orders.
        position: batches handed out before.

    Raises:
        ValueError: a batch is larger than the library.

    Example:
        >>> import jaxmeta as jm
        >>> batches = jm.dataset.Batches(jm.dataset.load(), size=4, seed=0)
        >>> next(batches).octants.shape
        (4, 32, 32, 32)
    """

    cells: Library
    size: int
    seed: int = 0
    position: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.size <= len(self.cells):
            raise ValueError(f"Argument `size` must be from 1 to {len(self.cells)}, but is {self.size}.")

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        epoch, number = divmod(self.position, len(self.cells) // self.size)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.cells))
        numbers = order[number * self.size : (number + 1) * self.size]
        self.position += 1
        found = self.cells[numbers]
        return Batch(found.octants(np.arange(self.size)), found.constants, found.volume_fraction, numbers)
