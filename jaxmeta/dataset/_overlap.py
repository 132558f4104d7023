"""How much two cells have in common, and which cells of a library are near-duplicates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Shaped

from . import _file, _wedge

BLOCK = 1024


def _weighted(octants: Bool[np.ndarray, "n m m m"]) -> Float[np.ndarray, "2 n wedge"]:
    """Solid voxels of the wedge, and of the wedge of the cell moved by half a period along all axes, each times the
    square root of the number of its images; so a product of two rows counts voxels of the octant."""
    i, j, k = _wedge.wedge(octants.shape[-1])
    images = np.where((i == j) & (j == k), 1, np.where((i == j) | (j == k), 3, 6))
    root = np.sqrt(images).astype(np.float32)
    moved = octants[:, ::-1, ::-1, ::-1]
    return np.stack([part[:, i, j, k] * root for part in (octants, moved)])


def _similarity(first: Float[np.ndarray, "2 n wedge"], second: Float[np.ndarray, "2 p wedge"]) -> np.ndarray:
    sizes = [np.maximum((part[0] ** 2).sum(1), 1) for part in (first, second)]
    shared = np.maximum(first[0] @ second[0].T, first[0] @ second[1].T)
    return shared / np.sqrt(sizes[0][:, None] * sizes[1])


def similarity(first: Bool[np.ndarray, "n m m m"], second: Bool[np.ndarray, "p m m m"]) -> Float[np.ndarray, "n p"]:
    r"""How similar cubic cells are in shape: :math:`\#(A \cap B) / \sqrt{\#A \; \#B}` of their solid voxels A and B.

    It is the larger one of both positions of the second cell: as it is, and moved by half a period along all axes.

    Args:
        first: octants.
        second: octants of the same side.

    Returns:
        (n, p), from 0 to 1; 1 for the same cell, 0 where one is empty.

    Raises:
        ValueError: the octants are not cubes of one size.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> octants = jm.dataset.load().octants(np.arange(3))
        >>> jm.dataset.similarity(octants, octants[:, ::-1, ::-1, ::-1]).diagonal().round(5).tolist()
        [1.0, 1.0, 1.0]

    References:
        Y. Yang and others, "Guided diffusion for fast inverse design of density-based mechanical metamaterials", Eq. 4,
        which does not move cells.
    """
    if first.ndim != 4 or len({*first.shape[1:], *second.shape[1:]}) != 1 or second.ndim != 4:
        raise ValueError(
            f"Arguments `first` and `second` must be (n, m, m, m) of one side, but have shapes {first.shape} and "
            f"{second.shape}."
        )
    return _similarity(_weighted(first), _weighted(second))


def overlaps(bits: np.ndarray, side: int) -> Iterator[tuple[slice, Float[np.ndarray, "block n"]]]:
    """Similarity of cells to all of those before and in their block.

    Args:
        bits: packed wedges.
        side: voxels along an edge of the octant.

    Yields:
        Rows of a block, and their similarity to the rows up to the end of the block.
    """
    parts = [_weighted(_wedge.unpack(bits[first : first + BLOCK], side)) for first in range(0, len(bits), BLOCK)]
    for number, part in enumerate(parts):
        rows = [_similarity(part, parts[other]) for other in range(number + 1)]
        yield slice(number * BLOCK, number * BLOCK + part.shape[1]), np.concatenate(rows, axis=1)


def of_two(first: np.ndarray, second: np.ndarray, side: int) -> float:
    """Overlap of two cells: of their void where both are more than half full, else of their solid."""
    both = np.stack([first, second])
    if _wedge.unpack(both, side).mean(axis=(1, 2, 3)).min() > 0.5:
        both = ~both
    _, overlap = next(overlaps(both, side))
    return float(overlap[1, 0])


def overlap(first: Shaped[np.ndarray, "m m m"], second: Shaped[np.ndarray, "m m m"]) -> float:
    """How much two cubic cells have in common: voxels solid in both, over the root of the product of their numbers.

    It is the larger one of both positions of the second cell: as it is, and moved by half a period along all axes.
    Where both are more than half full, their void is compared.

    Args:
        first: octant of one cell; solid where it exceeds one half.
        second: octant of the other, of the same shape.

    Returns:
        From 0 to 1; 1 for the same cell.

    Raises:
        ValueError: the octants are not cubes of one shape.

    Example:
        >>> import jaxmeta as jm
        >>> library = jm.dataset.load()
        >>> jm.dataset.overlap(library[7].octant, library[7].octant[::-1, ::-1, ::-1])
        1.0
    """
    if first.ndim != 3 or len(set(first.shape)) != 1 or first.shape != second.shape:
        raise ValueError(
            f"Arguments `first` and `second` must be (m, m, m) of one size, but have shapes {first.shape} and "
            f"{second.shape}."
        )
    bits = [_wedge.pack(octant[None])[0] for octant in (first, second)]
    return of_two(bits[0], bits[1], first.shape[0])


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
