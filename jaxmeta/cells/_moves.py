"""Moves: flips of one interface voxel, two neighbours or a square of four, all solid or all void, with all images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Real

from ._orbits import Orbits

SHAPES = np.zeros((7, 4, 3), np.int64)
"""Voxels of a move from its first one: one voxel, two along each axis, four normal to each axis; repeated to four."""
for _axis in range(3):
    SHAPES[1 + _axis, 1::2, _axis] = 1
    SHAPES[4 + _axis, 1::2, (_axis + 1) % 3] = 1
    SHAPES[4 + _axis, 2:, (_axis + 2) % 3] = 1
COUNT = np.array([1, 2, 2, 2, 4, 4, 4])
"""Voxels of each shape."""


class Moves(NamedTuple):
    """Moves, with the orbits that they flip.

    Attributes:
        first: a voxel of each, (k, 3).
        shape: number of its shape, (k,).
        orbits: numbers of the orbits that are flipped, (k, 4), repeated where there are fewer.
        solid: whether it takes solid away, (k,).
    """

    first: Int[np.ndarray, "k 3"]
    shape: Int[np.ndarray, " k"]
    orbits: Int[np.ndarray, "k 4"]
    solid: Bool[np.ndarray, " k"]

    def some(self, which: np.ndarray) -> Moves:
        """Those of some numbers, or of a mask."""
        return Moves(*(field[which] for field in self))

    def sums(self, values: Real[np.ndarray, "*m orbits"]) -> Real[np.ndarray, "*m k"]:
        """Of values over the orbits that each move flips."""
        flips = np.arange(4) < COUNT[self.shape][:, None]
        return (values[..., self.orbits] * flips).sum(-1)

    def faces(self, orbits: Orbits, bits: Bool[np.ndarray, " orbits"]) -> Int[np.ndarray, " k"]:
        """How many faces between solid and void each move makes, less those it takes away, without its images."""
        number = orbits.around(orbits.number, 2)
        voxels = self.first[:, None] + SHAPES[self.shape] + 2
        made = np.zeros(len(self.shape), np.int64)
        for column in range(4):
            for step in np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)]):
                beside = number[tuple((voxels[:, column] + step).T)]
                change = np.where(bits[beside] == self.solid, 1, -1)
                flipped = (beside[:, None] == self.orbits).any(axis=1)
                made += np.where(flipped | (column >= COUNT[self.shape]), 0, change)
        return made


def candidates(orbits: Orbits, bits: Bool[np.ndarray, " orbits"]) -> Moves:
    """All moves of interface voxels: solid ones with void at a face, and void ones with solid."""
    density = orbits.density(bits)
    around = orbits.around(density, 1)
    other = np.zeros(density.shape, bool)
    for axis in range(3):
        for step in (1, -1):
            other |= np.roll(around, step, axis)[1:-1, 1:-1, 1:-1] != density
    number = orbits.around(orbits.number, 1)[1:, 1:, 1:]
    edge = orbits.around(np.where(other, density.astype(np.int8), 2), 1)[1:, 1:, 1:]  # 0 void, 1 solid, 2 neither
    found = []
    first = orbits.first[other[tuple(orbits.first.T)]]
    state = edge[tuple(first.T)]
    for shape, offsets in enumerate(SHAPES):
        voxels = first[:, None] + offsets
        kept = (edge[tuple(np.moveaxis(voxels, -1, 0))] == state[:, None]).all(axis=1)
        numbers = number[tuple(np.moveaxis(voxels[kept], -1, 0))]
        ordered = np.sort(numbers, axis=1)
        distinct = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1)
        whole = distinct == COUNT[shape]  # a move across a mirror plane is the smaller one before it
        found.append(Moves(first[kept][whole], np.full(whole.sum(), shape), numbers[whole], state[kept][whole] == 1))
    return Moves(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
