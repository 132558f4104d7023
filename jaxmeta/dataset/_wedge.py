"""A cubic octant as the bits of its wedge.

An octant of side m that does not change under permutations of the axes is known by its voxels i ≤ j ≤ k, a 48th of the
cell. They are counted in the order of the loops over i, j and k, and packed eight to a byte, the first in the highest
bit.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Bool, Int, Shaped, UInt8


@cache
def wedge(side: int) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Indices i ≤ j ≤ k of the wedge's voxels in their order, m(m+1)(m+2)/6 each."""
    i, j, k = np.indices((side,) * 3)
    inside = (i <= j) & (j <= k)
    return i[inside], j[inside], k[inside]


@cache
def _places(side: int) -> Int[np.ndarray, "m m m"]:
    """For every voxel of the octant, the number of its image in the wedge."""
    numbers = np.zeros((side,) * 3, np.int32)
    numbers[wedge(side)] = np.arange(len(wedge(side)[0]))
    ordered = np.sort(np.indices((side,) * 3).reshape(3, -1), axis=0)
    return numbers[tuple(ordered)].reshape((side,) * 3)


def length(side: int) -> int:
    """Bytes of a packed wedge."""
    return -(-side * (side + 1) * (side + 2) // 48)


def pack(octants: Shaped[np.ndarray, "*batch m m m"]) -> UInt8[np.ndarray, "*batch bytes"]:
    """Bits of the wedges of binary octants; the rest of an octant is not looked at."""
    return np.packbits(octants[..., *wedge(octants.shape[-1])] > 0.5, axis=-1)


def unpack(bits: UInt8[np.ndarray, "*batch bytes"], side: int) -> Bool[np.ndarray, "*batch m m m"]:
    """Octants (…, m, m, m) from the bits of their wedges."""
    voxels = np.unpackbits(bits, axis=-1, count=len(wedge(side)[0])).view(bool)
    # Which looks for no number out of range: five times as fast.
    return np.take(voxels, _places(side), axis=-1, mode="clip")
