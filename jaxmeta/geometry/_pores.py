"""Closed pores of a periodic cell, opened by channels through the thinnest walls, or filled where that takes less.

Every solid voxel belongs to the void voxel nearest to it. Where neighbours belong to different pores, or to one pore in
different copies of the cell, there is a wall between them. These functions run on the host.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Bool, Shaped

from ._connectivity import block_labels, parts, searched, solid_mask, with_images
from .symmetry import Symmetry

_NEAR = 8  # voxels beyond the cell in which the nearest void is looked for
_BLUR = 2.0
_TRIED = 60


class Opened(NamedTuple):
    """What `open_pores` returns.

    Attributes:
        cell: (nx, ny, nz), whether a voxel is solid.
        drilled: voxels that were solid.
        filled: voxels that were void.
    """

    cell: Bool[np.ndarray, "nx ny nz"]
    drilled: Bool[np.ndarray, "nx ny nz"]
    filled: Bool[np.ndarray, "nx ny nz"]


def open_pores(
    cell: Shaped[ArrayLike, "nx ny nz"],
    symmetry: Symmetry = "none",
    fixed: Shaped[np.ndarray, "nx ny nz"] | None = None,
) -> Opened:
    """Opens all closed pores of a cell, so that powder or resin can leave.

    One wall after the other, and its images under the symmetry, gets a channel of two by two voxels or more: that of
    all walls around closed pores of which the channel takes least, counted by how much solid there is around. A pore
    of fewer voxels than its channel is filled instead.

    Args:
        cell: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        symmetry: "none", "mirror" or "cubic": one that the cell has, and is to keep.
        fixed: Voxels that must stay as they are, with that symmetry; a pore that these close may stay closed.

    Returns:
        The cell, and what was changed. The solid may have come apart; `keep_largest` opens no pore that is closed and
        closes none.

    Raises:
        ValueError: The cell does not have three axes, is traced, or does not have the symmetry.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> foam = np.ones((8, 8, 8))
        >>> foam[1:7, 1:7, 1:7] = 0
        >>> opened = geometry.open_pores(foam, "cubic")
        >>> int(opened.drilled.sum()), geometry.percolates(~opened.cell)
        (24, (True, True, True))
    """
    given = solid_mask(cell)
    if not np.array_equal(with_images(given, symmetry), given):
        raise ValueError(f"Argument `cell` must have {symmetry} symmetry, but images of its solid differ.")
    solid, free = given.copy(), np.ones(given.shape, bool) if fixed is None else ~np.asarray(fixed, bool)
    for _ in range(given.size):
        found = parts(~solid)
        if found.winds.any(axis=1).all():
            break
        walls = _walls(solid, symmetry)
        channel, pore = _cheapest(solid & free, solid, walls, found.labels, symmetry)
        filling = with_images(found.labels == pore, symmetry) & free
        if filling.any() and (channel is None or filling.sum() <= np.count_nonzero(channel)):
            solid |= filling
        elif channel is not None:
            solid &= ~channel
        else:
            break
    return Opened(solid, given & ~solid, solid & ~given)


def _walls(solid: np.ndarray, symmetry: Symmetry) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of neighbours that belong to different pores, one of which is closed.

    Returns:
        For each axis: the first voxel of each pair in the cell, and the void voxels nearest to both, anywhere.
    """
    from scipy.ndimage import distance_transform_edt

    shape = np.array(solid.shape)
    labels, number = block_labels(~solid)
    part, place, winds = searched(labels, number)
    near = np.array([min(_NEAR, side) for side in solid.shape])
    around = np.pad(solid, [(n, n) for n in near], mode="wrap")
    nearest = distance_transform_edt(around, return_distances=False, return_indices=True)
    nearest = np.moveaxis(np.asarray(nearest), 0, -1) - near
    label = labels[tuple(np.moveaxis(nearest % shape, -1, 0))]
    copy = nearest // shape - place[label]
    closed = np.pad(~winds.any(axis=1), (1, 0))[part[label]]
    copy[~closed] = 0  # all copies of a pore that carries on are one
    owner = np.concatenate([part[label][..., None], copy], axis=-1)
    # With mirrors one of the images is enough: up to the middle, from the voxel before the cell on.
    count = shape if symmetry == "none" else shape // 2 + 1
    start = [slice(n - 1, n - 1 + c) for n, c in zip(near, count, strict=True)]
    walls = []
    for axis in range(3):
        here = tuple(start)
        next_ = tuple(slice(s.start + (d == axis), s.stop + (d == axis)) for d, s in enumerate(start))
        wall = (owner[here] != owner[next_]).any(axis=-1) & (closed[here] | closed[next_])
        walls.append((np.argwhere(wall) - 1, nearest[here][wall], nearest[next_][wall]))
    return walls


def _cheapest(
    free: np.ndarray,
    solid: np.ndarray,
    walls: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    pores: np.ndarray,
    symmetry: Symmetry,
) -> tuple[np.ndarray | None, int]:
    """The channel, with its images, that takes least; and the smallest pore at its ends."""
    from scipy.ndimage import gaussian_filter

    shape = np.array(solid.shape)
    around = gaussian_filter(solid.astype(np.float32), _BLUR, mode="wrap")
    places, first, second = (np.concatenate(column) for column in zip(*walls, strict=True))
    sizes = np.bincount(pores.ravel())
    order = np.argsort(around[tuple((places % shape).T)], kind="stable")[:_TRIED]
    best, least, smallest = None, np.inf, int(pores.max())
    for place, a, b in zip(places[order], first[order], second[order], strict=True):
        line = np.unique(np.round(np.linspace(a, b, 4 * int(np.abs(b - a).max()) + 2)).astype(int), axis=0)
        channel = np.zeros(solid.shape, bool)
        # Wide towards the mirror that is near, so that both images become one.
        towards = np.where((2 * place) % shape * 2 < shape, -1, 1) if symmetry != "none" else np.ones(3, int)
        for corner in itertools.product((0, 1), repeat=3):
            channel[tuple(((line + towards * corner) % shape).T)] = True
        channel = with_images(channel, symmetry) & free
        cost = float(around[channel].sum())
        if 0 < cost < least:
            best, least = channel, cost
            smallest = min((int(pores[tuple(end % shape)]) for end in (a, b)), key=lambda pore: sizes[pore])
    return best, smallest
