"""Thin members made thicker."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Bool, Float, Shaped

from ._connectivity import solid_mask

_SAME = 1e-6
"""Costs that differ by less are the same, so that images under a symmetry are treated alike."""


def thicken(
    cell: Shaped[np.ndarray, "nx ny nz"], size: int = 2, reluctance: Float[np.ndarray, "nx ny nz"] | None = None
) -> Bool[np.ndarray, "nx ny nz"]:
    """Add to a periodic cell what its thin members lack, so that its solid is a union of cubes of `size` voxels.

    Every solid voxel that lies in no solid cube gets the cheapest of the cubes that contain it, or all that are equally
    cheap: whatever symmetry cell and reluctance share is kept.

    Args:
        cell: the whole cell; solid where it exceeds one half.
        size: least thickness of a member, in voxels.
        reluctance: cost of making a voxel solid, such as one minus a grey density; infinite where it must stay void.
            One everywhere if omitted.

    Returns:
        The solid voxels.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> wall = np.zeros((4, 4, 4))
        >>> wall[0] = 1.0
        >>> cost = np.ones((4, 4, 4))
        >>> cost[1] = 0.5
        >>> jm.geometry.thicken(wall, 2, cost).sum(axis=(1, 2)).tolist()
        [16, 16, 0, 0]
    """
    solid = solid_mask(cell)
    price = np.where(solid, 0.0, 1.0 if reluctance is None else reluctance)
    full = _over_cubes(np.logical_and, solid, size, 1)
    thin = solid & ~_over_cubes(np.logical_or, full, size, -1)
    # Of a cube by its first voxel; and the cheapest of those that contain a voxel.
    cost = _over_cubes(np.add, price, size, 1)
    least = _over_cubes(np.minimum, cost, size, -1)
    chosen = np.zeros_like(solid)
    for shift in _cube(size):
        taken = thin & np.isfinite(least) & (np.roll(cost, shift, (0, 1, 2)) <= least + _SAME)
        chosen |= np.roll(taken, [-s for s in shift], (0, 1, 2))
    return solid | _over_cubes(np.logical_or, chosen, size, -1)


def _cube(size: int) -> Iterable[tuple[int, ...]]:
    return itertools.product(range(size), repeat=3)


def _over_cubes(join: Callable[..., np.ndarray], field: np.ndarray, size: int, side: int) -> np.ndarray:
    """The join over the voxels of the cube that begins at each voxel (side 1) or ends there (−1), axis by axis."""
    for axis in range(3):
        joined = field
        for step in range(1, size):
            joined = join(joined, np.roll(field, -side * step, axis))
        field = joined
    return field
