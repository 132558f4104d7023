"""A binary cell as one bit for every set of voxels that its symmetry makes equal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from ..geometry.symmetry import Symmetry


@dataclass(frozen=True)
class Orbits:
    """The sets of voxels that are images of each other.

    Args:
        shape: of the density: the whole cell, or its first octant where the symmetry is "mirror" or "cubic".
        symmetry: of the cell.
    """

    shape: tuple[int, int, int]
    symmetry: Symmetry

    @cached_property
    def number(self) -> Int[np.ndarray, "x y z"]:
        """Of the orbit that each voxel of the density is in."""
        if self.symmetry != "cubic":
            return np.arange(np.prod(self.shape)).reshape(self.shape).astype(np.int32)
        ordered = np.sort(np.indices(self.shape).reshape(3, -1), axis=0)
        _, number = np.unique(np.ravel_multi_index(tuple(ordered), self.shape), return_inverse=True)
        return number.reshape(self.shape).astype(np.int32)

    @cached_property
    def first(self) -> Int[np.ndarray, "orbits 3"]:
        """One voxel of each orbit: of a cubic octant that with x ≤ y ≤ z."""
        _, first = np.unique(self.number, return_index=True)
        return np.stack(np.unravel_index(first, self.shape), axis=1)

    @cached_property
    def size(self) -> Int[np.ndarray, " orbits"]:
        """Voxels of the density in each orbit."""
        return np.bincount(self.number.ravel())

    def around(self, field: np.ndarray, width: int) -> np.ndarray:
        """A field on the density with the voxels around it: mirrored, or from the other side of the cell."""
        return np.pad(field, width, mode="wrap" if self.symmetry == "none" else "symmetric")

    def sums(self, field: Float[np.ndarray, "m x y z"]) -> Float[np.ndarray, "m orbits"]:
        """Of fields over every orbit."""
        count = len(self.size)
        return np.stack([np.bincount(self.number.ravel(), part.ravel(), count) for part in field])

    def bits(self, density: Bool[np.ndarray, "x y z"]) -> Bool[np.ndarray, " orbits"]:
        """Whether each orbit is solid."""
        return density[tuple(self.first.T)]

    def density(self, bits: Bool[np.ndarray, " orbits"]) -> Bool[np.ndarray, "x y z"]:
        """The density of these bits."""
        return bits[self.number]
