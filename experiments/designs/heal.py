"""Fill the hinges of a binary periodic cell, and thicken what is thinner than two voxels, until there is neither.

Two voxels that touch along an edge only get the two voxels beside that edge; two that touch at a corner only, the whole
2×2×2 block. A voxel that is in no solid 2×2×2 block gets the fullest of those that it is in. Everything is done to all
places at once, so the symmetry stays.
"""

from __future__ import annotations

import itertools

import numpy as np

from jaxmeta import geometry


def _edges(cell: np.ndarray) -> np.ndarray:
    add = np.zeros_like(cell)
    for axes in itertools.combinations(range(3), 2):
        near = {q: np.roll(cell, tuple(-v for v in q), axes) for q in itertools.product((0, 1), repeat=2)}
        one = near[0, 0] & near[1, 1] & ~near[1, 0] & ~near[0, 1]
        other = near[1, 0] & near[0, 1] & ~near[0, 0] & ~near[1, 1]
        for q in near:
            add |= np.roll(one | other, q, axes)
    return cell | add


def _corners(cell: np.ndarray) -> np.ndarray:
    add = np.zeros_like(cell)
    near = {q: np.roll(cell, tuple(-v for v in q), (0, 1, 2)) for q in itertools.product((0, 1), repeat=3)}
    count = sum(part.astype(int) for part in near.values())
    for q in near:
        opposite = (1 - q[0], 1 - q[1], 1 - q[2])
        hinge = near[q] & near[opposite] & (count == 2)
        for place in near:
            add |= np.roll(hinge, place, (0, 1, 2))
    return cell | add


def _thin(cell: np.ndarray) -> np.ndarray:
    blocks = list(itertools.product((0, 1), repeat=3))
    near = [np.roll(cell, tuple(-v for v in q), (0, 1, 2)) for q in blocks]
    count = sum(part.astype(int) for part in near)
    # The fullest block around every voxel, of the eight that it is in.
    around = np.stack([np.roll(count, q, (0, 1, 2)) for q in blocks])
    fullest = around.max(0)
    add = np.zeros_like(cell)
    for q, fill in zip(blocks, around, strict=True):
        chosen = np.roll(cell & (fullest < 8) & (fill == fullest), tuple(-v for v in q), (0, 1, 2))
        for place in blocks:
            add |= np.roll(chosen, place, (0, 1, 2))
    return cell | add


def heal(cell: np.ndarray, rounds: int = 20) -> np.ndarray:
    """The cell without hinges and thin parts, or the best that so many rounds make of it.

    Args:
        cell: 0 and 1, periodic, (n, n, n).
        rounds: most rounds.
    """
    solid = np.asarray(cell) > 0.5
    for _ in range(rounds):
        hinges = geometry.count_hinges(solid.astype(float))
        if hinges.edge or hinges.corner:
            solid = _edges(_corners(solid))
        elif geometry.minimum_member(solid.astype(float)) > 0:
            solid = _thin(solid)
        else:
            break
    return solid.astype(float)
