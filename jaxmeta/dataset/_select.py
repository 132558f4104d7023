"""The order in which an even subset of a library is drawn, and a split that keeps families together."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Int

from . import _file, _space

SHARES = (0.8, 0.9)
"""Ends of the training and validation parts of (0, 1)."""


def even(columns: _file.Columns, seed: int) -> Int[np.ndarray, " n"]:
    """All rows in such an order that the first k, for any k, lie evenly in property space: one from every slice of
    volume fraction in turn, and in a slice one from every box in turn.

    Within a box, and among the slices and boxes of a turn, the order is random.
    """
    box, _ = _space.boxes(columns)
    slices = np.floor(columns["volume_fraction"] / _space.BOX[0]).astype(int)
    order = np.random.default_rng(seed).permutation(len(box))
    for group in (box, slices):
        order = order[np.argsort(_turns(group[order]), kind="stable")]
    return order


def _turns(groups: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """For each member, how many of its group come before it."""
    by_group = np.argsort(groups, kind="stable")
    sizes = np.unique(groups, return_counts=True)[1]
    turns = np.empty(len(groups), int)
    turns[by_group] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return turns


def splits(family: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """1 training, 2 validation, 3 test: by a hash of the family, so that children stay with their parents, whatever
    else is in the library."""
    found = {
        int(f): 1 + int(np.searchsorted(SHARES, int(hashlib.sha256(str(int(f)).encode()).hexdigest()[:8], 16) / 2**32))
        for f in np.unique(family)
    }
    return np.array([found[int(f)] for f in family])
