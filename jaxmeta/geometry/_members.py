"""Thin members and hinges of a binary cell, and a small clean-up.

A *hinge* is a contact through an edge or a corner only: finite elements give it a stiffness that no print has. A cell
whose solid is a union of 2 × 2 × 2 blocks has no member thinner than two voxels. These functions run on the host.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Shaped

from . import _checks
from ._connectivity import largest_part, solid_mask
from .symmetry import Symmetry

_CORNERS: tuple[tuple[int, ...], ...] = tuple(itertools.product((0, 1), repeat=3))


class Hinges(NamedTuple):
    """Numbers of contacts through an edge only, and through a corner only."""

    edge: int
    corner: int


class Cleaned(NamedTuple):
    """What `clean` returns.

    Attributes:
        cell: (nx, ny, nz), binary.
        thin_removed: voxels of members that were too thin.
        islands_removed: voxels of parts that hang on nothing.
        hinges_filled: voxels that were added.
    """

    cell: Shaped[Array, "nx ny nz"]
    thin_removed: int
    islands_removed: int
    hinges_filled: int


@functools.cache
def _corner_table() -> np.ndarray:
    """For each of the 256 fillings of a 2 × 2 × 2 block, the number of corner hinges in it."""
    table = np.zeros(256, np.int64)
    for code in range(256):
        filled = {corner for bit, corner in enumerate(_CORNERS) if code >> bit & 1}
        for corner in filled:
            opposite = tuple(1 - c for c in corner)
            if corner < opposite and opposite in filled:
                reached, front = {corner}, [corner]
                while front:
                    here = front.pop()
                    for axis in range(3):
                        there = tuple(1 - c if d == axis else c for d, c in enumerate(here))
                        if there in filled and there not in reached:
                            reached.add(there)
                            front.append(there)
                table[code] += opposite not in reached
    return table


def _shifted(solid: np.ndarray, shift: Sequence[int] | np.ndarray) -> np.ndarray:
    """The value of the neighbour at +shift, periodically."""
    return np.roll(solid, tuple(-int(s) for s in shift), axis=(0, 1, 2))


def _edge_hinges(solid: np.ndarray, normal: int) -> np.ndarray:
    """Where the 2 × 2 square normal to an axis, starting at the voxel, holds two diagonal solids and two voids."""
    step = np.eye(3, dtype=int)
    u, v = (step[axis] for axis in range(3) if axis != normal)
    a, b, c, d = solid, _shifted(solid, u), _shifted(solid, v), _shifted(solid, u + v)
    return (a & d & ~b & ~c) | (b & c & ~a & ~d)


def _corner_hinges(solid: np.ndarray) -> np.ndarray:
    """The number of corner hinges in the 2 × 2 × 2 block which starts at each voxel."""
    code = np.zeros(solid.shape, np.int64)
    for bit, corner in enumerate(_CORNERS):
        code += _shifted(solid, corner).astype(np.int64) << bit
    return _corner_table()[code]


def _surrounded(solid: np.ndarray, periodic: bool) -> np.ndarray:
    # One layer of void makes periodic neighbours of opposite faces void as well.
    return solid if periodic else np.pad(solid, 1)


def count_hinges(cell: Shaped[ArrayLike, "nx ny nz"], periodic: bool = True) -> Hinges:
    """Counts the contacts through an edge or a corner only.

    An *edge hinge* is a pair of solid voxels which share an edge while the two other voxels around that edge are void.
    A *corner hinge* is a pair which share only a corner and are not joined through faces within the 2 × 2 × 2 block
    around that corner.

    Args:
        cell: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        periodic: Whether opposite faces touch.

    Returns:
        The two numbers, `edge` and `corner`.

    Raises:
        ValueError: The cell does not have three axes, or is traced.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> geometry.count_hinges(np.eye(2).reshape(2, 2, 1), periodic=False)
        Hinges(edge=1, corner=0)
    """
    solid = _surrounded(solid_mask(cell), periodic)
    edges = sum(int(np.count_nonzero(_edge_hinges(solid, normal))) for normal in range(3))
    return Hinges(edges, int(np.sum(_corner_hinges(solid))))


def has_hinges(cell: Shaped[ArrayLike, "nx ny nz"], periodic: bool = True) -> bool:
    """Whether any contact goes through an edge or a corner only; see `count_hinges`.

    Args:
        cell: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        periodic: Whether opposite faces touch.

    Returns:
        True when there is at least one hinge.

    Raises:
        ValueError: The cell does not have three axes, or is traced.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> geometry.has_hinges(np.ones((2, 2, 2)))
        False
    """
    return any(count_hinges(cell, periodic))


def _check_size(size: int) -> None:
    if size < 1:
        raise ValueError(f"Argument `size` must be at least 1, but is {size}.")


def _opened(solid: np.ndarray, size: int, periodic: bool) -> np.ndarray:
    """The union of all solid size³ blocks: an erosion and a dilation, one axis at a time."""
    covered = solid if periodic else np.pad(solid, size)
    for operation, sign in ((np.logical_and, -1), (np.logical_or, 1)):
        for axis in range(3):
            length = 1
            while length < size:  # from a run of voxels to one of up to twice as many
                shift = min(length, size - length)
                covered = operation(covered, np.roll(covered, sign * shift, axis))
                length += shift
    return covered if periodic else covered[size:-size, size:-size, size:-size]


def minimum_member(cell: Shaped[ArrayLike, "nx ny nz"], size: int = 2, periodic: bool = True) -> float:
    """The fraction of the solid that lies in members thinner than a size.

    A solid voxel is in such a member when no solid block of size × size × size voxels covers it; the fraction is zero
    exactly when morphological opening with that block leaves the cell as it is.

    Args:
        cell: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        size: Edge of the block in voxels.
        periodic: Whether opposite faces touch; else the cell is surrounded by void.

    Returns:
        Uncovered solid voxels over all solid voxels; 0 for an empty cell.

    Raises:
        ValueError: The cell does not have three axes or is traced, or the size is below 1.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> plate = np.zeros((4, 4, 4))
        >>> plate[0] = 1.0
        >>> geometry.minimum_member(plate, size=1), geometry.minimum_member(plate, size=2)
        (0.0, 1.0)
    """
    _check_size(size)
    solid = solid_mask(cell)
    total = np.count_nonzero(solid)
    return float(np.count_nonzero(solid & ~_opened(solid, size, periodic)) / total) if total else 0.0


def thinnest_member(cell: Shaped[ArrayLike, "nx ny nz"], periodic: bool = True) -> int:
    """The largest size of which no member is thinner: the solid is a union of blocks of that many voxels each way.

    Args:
        cell: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        periodic: Whether opposite faces touch; else the cell is surrounded by void.

    Returns:
        In voxels; 0 for an empty cell, and the longest side for a cell of solid all through.

    Raises:
        ValueError: The cell does not have three axes, or is traced.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> plate = np.zeros((8, 8, 8))
        >>> plate[2:5] = 1.0
        >>> geometry.thinnest_member(plate)
        3
    """
    solid = solid_mask(cell)
    if not solid.any():
        return 0

    def whole(size: int) -> bool:
        return np.array_equal(_opened(solid, size, periodic), solid)

    low, high = 1, 2  # whole at low; a block of 3 is made of blocks of 2, so what fails at one size fails above
    while high <= max(solid.shape) and whole(high):
        low, high = high, 2 * high
    high = min(high, max(solid.shape) + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if whole(middle) else (low, middle)
    return low


def _hinges_filled(solid: np.ndarray, periodic: bool) -> np.ndarray:
    """Fills every 2 × 2 × 2 block that holds a hinge, until there is none; ends because solid only grows."""
    inside = _surrounded(np.ones(solid.shape, bool), periodic)
    filled = _surrounded(solid, periodic)
    while True:
        blocks = _corner_hinges(filled) > 0
        for normal in range(3):
            edges = _edge_hinges(filled, normal)
            blocks |= edges | np.roll(edges, -1, normal) if filled.shape[normal] > 1 else edges
        if not blocks.any():
            return filled if periodic else filled[1:-1, 1:-1, 1:-1]
        for corner in _CORNERS:
            filled = filled | (np.roll(blocks, corner, axis=(0, 1, 2)) & inside)


def clean(
    cell: Shaped[ArrayLike, "nx ny nz"],
    size: int = 1,
    fill_hinges: bool = False,
    periodic: bool = True,
    symmetry: Symmetry = "none",
) -> Cleaned:
    """Removes thin members and islands, fills hinges, and says how much each step changed.

    In this order: opening with a block of the given size, `keep_largest`, and filling every 2 × 2 × 2 block that holds
    a hinge until there is none. The last step only adds material next to what is kept, so the result is free of hinges
    and, for a size of 2 and a periodic cell, without thinner members; it is connected unless several images of a part
    were kept. Every step treats mirror images and permutations alike, so a `symmetry` that the cell has is kept.

    Args:
        cell: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        size: Smallest member to keep, in voxels; 1 keeps all.
        fill_hinges: Whether to fill hinges.
        periodic: Whether opposite faces touch.
        symmetry: "none", "mirror" or "cubic": one that the cell has; all images of the largest part are kept.

    Returns:
        The binary cell in the dtype of the input, and what was changed.

    Raises:
        ValueError: The cell does not have three axes, is traced or does not have the symmetry, or the size is below 1.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> geometry.clean(np.array([1, 1, 0, 1, 0]).reshape(5, 1, 1)).islands_removed
        1
    """
    _check_size(size)
    solid = solid_mask(cell)
    thick = _opened(solid, size, periodic)
    kept = largest_part(thick, periodic, symmetry)
    full = _hinges_filled(kept, periodic) if fill_hinges else kept
    counts = [int(np.count_nonzero(stage)) for stage in (solid, thick, kept, full)]
    result = jnp.asarray(full.astype(_checks.concrete(cell, "cell").dtype))
    return Cleaned(result, counts[0] - counts[1], counts[1] - counts[2], counts[3] - counts[2])
