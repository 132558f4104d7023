"""An even subset of a library without near-duplicates, and a split that keeps families together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from . import _file, _wedge
from ._perturb import BOX, properties

BLOCK = 1024
SHARES = (0.8, 0.9)
"""Ends of the training and validation parts of (0, 1)."""


def _weighted(bits: np.ndarray, side: int) -> Float[np.ndarray, "2 n wedge"]:
    """Solid voxels of the wedge, and of the wedge of the cell moved by half a period along all axes, each times the
    square root of the number of its images; so a product of two rows counts voxels of the octant."""
    octants = _wedge.unpack(bits, side)
    i, j, k = _wedge.wedge(side)
    images = np.where((i == j) & (j == k), 1, np.where((i == j) | (j == k), 3, 6))
    root = np.sqrt(images).astype(np.float32)
    moved = octants[:, ::-1, ::-1, ::-1]
    return np.stack([part[:, i, j, k] * root for part in (octants, moved)])


def overlaps(bits: np.ndarray, side: int) -> Iterator[tuple[slice, Float[np.ndarray, "block n"]]]:
    """Overlap of cells with all of those before and in their block: voxels solid in both, over the root of the product
    of both numbers of solid voxels; the larger one of both positions of the second cell.

    Args:
        bits: packed wedges.
        side: voxels along an edge of the octant.

    Yields:
        Rows of a block, and their overlap with the rows up to the end of the block.
    """
    parts = [_weighted(bits[first : first + BLOCK], side) for first in range(0, len(bits), BLOCK)]
    sizes = [np.maximum((part[0] ** 2).sum(1), 1) for part in parts]
    for number, part in enumerate(parts):
        rows = []
        for other in range(number + 1):
            shared = np.maximum(part[0] @ parts[other][0].T, part[0] @ parts[other][1].T)
            rows.append(shared / np.sqrt(sizes[number][:, None] * sizes[other]))
        yield slice(number * BLOCK, number * BLOCK + len(part[0])), np.concatenate(rows, axis=1)


def distinct(columns: _file.Columns, side: int, threshold: float) -> Bool[np.ndarray, " n"]:
    """Which records to keep so that no two overlap by more than `threshold`: of two that do, the one that comes first.

    Cells of different volume fractions are compared as well; nearly full ones always overlap, so that the threshold is
    taken on the void where that is less than half of the cell.
    """
    bits = columns["wedge"].copy()
    dense = columns["volume_fraction"] > 0.5
    bits[dense] = ~bits[dense]
    keep = np.ones(len(bits), bool)
    for block, overlap in overlaps(bits, side):
        alike = overlap > threshold
        alike &= dense[block, None] == dense[: block.stop]
        for row in range(block.start, block.stop):
            keep[row] = not (alike[row - block.start, :row] & keep[:row]).any()
    return keep


def even(columns: _file.Columns, count: int, seed: int) -> Int[np.ndarray, " count"]:
    """Rows drawn evenly over property space: one from every box in turn until there are enough.

    Within a box the order is random; boxes are those of volume fraction, Poisson's ratio and K over its bound.
    """
    random = np.random.default_rng(seed)
    boxes = np.floor(properties(columns) / BOX).astype(int)
    _, box = np.unique(boxes, axis=0, return_inverse=True)
    order = random.permutation(len(boxes))
    turn = np.zeros(len(boxes), int)
    seen: dict[int, int] = {}
    for row in order:
        own = int(box.ravel()[row])
        turn[row] = seen[own] = seen.get(own, -1) + 1
    return np.sort(order[np.argsort(turn[order], kind="stable")][:count])


def splits(family: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """1 training, 2 validation, 3 test: by a hash of the family, so that children stay with their parents, whatever
    else is in the library."""
    found = {
        int(f): 1 + int(np.searchsorted(SHARES, int(hashlib.sha256(str(int(f)).encode()).hexdigest()[:8], 16) / 2**32))
        for f in np.unique(family)
    }
    return np.array([found[int(f)] for f in family])
