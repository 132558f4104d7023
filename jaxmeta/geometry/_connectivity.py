"""Connected parts of a cell, with opposite faces joined, and paths which wind around the periodic cell.

Voxels are connected through their faces; a contact through an edge or a corner only does not count. A voxel is solid
where its density exceeds one half. These functions run on the host.
"""

import itertools
from collections import deque
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Int, Shaped

from . import _checks
from .symmetry import Symmetry


def solid_mask(cell: ArrayLike, name: str = "cell") -> np.ndarray:
    """The solid voxels of a concrete cell, (nx, ny, nz) booleans on the host."""
    density = _checks.concrete(cell, name)
    _checks.grid_rank(density, name)
    return density if density.dtype == bool else density > 0.5


def _face_pairs(labels: np.ndarray, axis: int) -> np.ndarray:
    """Pairs (label in the last plane, label in the first plane) of solid voxels that touch across the boundary."""
    last, first = np.take(labels, -1, axis).ravel(), np.take(labels, 0, axis).ravel()
    touching = (last > 0) & (first > 0)
    return np.unique(np.stack([last[touching], first[touching]], axis=1), axis=0)


def block_labels(solid: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels of the parts of a block, without periodicity."""
    from scipy import ndimage

    labels = np.zeros(solid.shape, np.int32)
    count = ndimage.label(solid, output=labels)
    return labels, int(count)  # pyright: ignore[reportArgumentType]


def label(cell: Shaped[ArrayLike, "nx ny nz"], periodic: bool = True) -> tuple[Int[np.ndarray, "nx ny nz"], int]:
    """Numbers the connected parts of a cell.

    Args:
        cell: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        periodic: Whether opposite faces touch.

    Returns:
        (nx, ny, nz) integers on the host, 0 for void and 1 … count for the parts; and the count.

    Raises:
        ValueError: The cell does not have three axes, or is traced.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> bar = np.array([1, 0, 0, 1]).reshape(4, 1, 1)
        >>> geometry.label(bar)[1], geometry.label(bar, periodic=False)[1]
        (1, 2)
    """
    labels, count = block_labels(solid_mask(cell))
    if not periodic or count == 0:
        return labels, count
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.concatenate([_face_pairs(labels, axis) for axis in range(3)])
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count + 1, count + 1))
    parts, merged = connected_components(graph, directed=False)
    # Label 0, void, is in no pair: it stays a component of its own, and the first one.
    return merged.astype(np.int32)[labels], int(parts) - 1


def is_connected(cell: Shaped[ArrayLike, "nx ny nz"], periodic: bool = True) -> bool:
    """Whether the solid is one part, through voxel faces.

    Args:
        cell: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        periodic: Whether opposite faces touch.

    Returns:
        True for exactly one part; False for several, and for an empty cell.

    Raises:
        ValueError: The cell does not have three axes, or is traced.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> geometry.is_connected(np.eye(2).reshape(2, 2, 1))
        False
    """
    return label(cell, periodic)[1] == 1


def keep_largest(
    cell: Shaped[ArrayLike, "nx ny nz"], periodic: bool = True, symmetry: Symmetry = "none"
) -> Shaped[Array, "nx ny nz"]:
    """Removes every part of the solid but the one with most voxels.

    Where that part is one of several mirror images, or of images under permutations of the axes, keeping it alone would
    take the cell's symmetry away; with a `symmetry` all its images are kept.

    Args:
        cell: (nx, ny, nz), the whole cell; solid where it exceeds one half.
        periodic: Whether opposite faces touch.
        symmetry: "none", "mirror" or "cubic": one that the cell has, and is to keep.

    Returns:
        (nx, ny, nz), the cell with zeros in the other parts, in its dtype. Of several largest parts the one that comes
        first in memory is kept; densities up to one half are left as they are.

    Raises:
        ValueError: The cell does not have three axes, is traced, or does not have the symmetry.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> geometry.keep_largest(np.array([1, 1, 0, 1, 0]).reshape(5, 1, 1)).ravel().tolist()
        [1, 1, 0, 0, 0]
    """
    solid, values = solid_mask(cell), np.asarray(cell)
    kept = largest_part(solid, periodic, symmetry)
    return jnp.asarray(np.where(solid & ~kept, np.zeros((), values.dtype), values))


def largest_part(solid: np.ndarray, periodic: bool, symmetry: Symmetry) -> np.ndarray:
    """The voxels of the largest part and of its images under the symmetry."""
    if not np.array_equal(with_images(solid, symmetry), solid):
        raise ValueError(f"Argument `cell` must have {symmetry} symmetry, but images of its solid differ.")
    labels, count = label(solid, periodic)
    if count <= 1:
        return solid
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    return with_images(labels == 1 + int(np.argmax(sizes[1:])), symmetry)


def with_images(mask: np.ndarray, symmetry: Symmetry) -> np.ndarray:
    """A set of voxels and its images under the symmetry."""
    if symmetry == "none":
        return mask
    if symmetry == "cubic":
        _checks.equal_sides(mask.shape, "cell")
        mask = np.logical_or.reduce([mask.transpose(order) for order in itertools.permutations(range(3))])
    for axis in range(3):
        mask = mask | np.flip(mask, axis)
    return mask


class Parts(NamedTuple):
    """What `parts` returns.

    Attributes:
        labels: (nx, ny, nz) integers, 0 for void and 1 … count for the parts.
        sizes: (count,), voxels of each part.
        winds: (count, 3), whether it carries on without end along x, y and z.
    """

    labels: Int[np.ndarray, "nx ny nz"]
    sizes: Int[np.ndarray, "count"]
    winds: Bool[np.ndarray, "count 3"]


def parts(cell: Shaped[ArrayLike, "nx ny nz"]) -> Parts:
    r"""The connected parts of a periodic cell, and along which axes each carries on when the cell is repeated.

    A closed path in the periodic cell has a winding vector $\mathbf w \in \mathbb Z^3$: how often it goes around along
    each axis. A part carries on along axis a when some path in it has $w_a \ne 0$; touching both faces is not enough. A
    part of the void that carries on along none is a closed pore.

    The parts of the block are the nodes of a graph, and every contact across a face is an edge which shifts by one
    cell. A search gives each node a place $\mathbf p \in \mathbb Z^3$; a contact from node i to node j with shift
    $\mathbf s$ closes a path of winding $\mathbf p_i + \mathbf s - \mathbf p_j$. These paths generate all others.

    Args:
        cell: (nx, ny, nz), the whole periodic cell; solid where it exceeds one half.

    Returns:
        The parts on the host, in the order in which they come first in memory.

    Raises:
        ValueError: The cell does not have three axes, or is traced.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> cell = np.zeros((4, 4, 4))
        >>> cell[:, 1, 1] = cell[1, 3, 3] = 1.0
        >>> found = geometry.parts(cell)
        >>> found.sizes.tolist(), found.winds.tolist()
        ([4, 1], [[True, False, False], [False, False, False]])
    """
    labels, count = block_labels(solid_mask(cell))
    part, _, winds = searched(labels, count)
    numbered = part[labels]
    return Parts(numbered, np.bincount(numbered.ravel(), minlength=len(winds) + 1)[1:], winds)


def searched(labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The part of each label of the block, its place among the copies of the cell, and where each part winds."""
    contacts: list[list[tuple[int, int, int]]] = [[] for _ in range(count + 1)]
    for axis in range(3):
        for last, first in _face_pairs(labels, axis).tolist():
            contacts[last].append((first, axis, 1))
            contacts[first].append((last, axis, -1))
    winds: list[list[bool]] = []
    places: dict[int, tuple[int, ...]] = {0: (0, 0, 0)}
    part = np.zeros(count + 1, np.int32)
    for seed in range(1, count + 1):
        if seed in places:
            continue
        winds.append([False] * 3)
        places[seed], part[seed] = (0, 0, 0), len(winds)
        queue = deque([seed])
        while queue:
            node = queue.popleft()
            for other, axis, shift in contacts[node]:
                place = tuple(p + shift * (d == axis) for d, p in enumerate(places[node]))
                if other not in places:
                    places[other], part[other] = place, len(winds)
                    queue.append(other)
                for d in range(3):
                    winds[-1][d] |= place[d] != places[other][d]
    ordered = np.array([places[node] for node in range(count + 1)])
    return part, ordered, np.array(winds, bool).reshape(-1, 3)


def percolates(cell: Shaped[ArrayLike, "nx ny nz"]) -> tuple[bool, bool, bool]:
    r"""Along which axes the solid carries on without end when the cell is repeated; see `parts`.

    Args:
        cell: (nx, ny, nz), the whole periodic cell; solid where it exceeds one half.

    Returns:
        For each of the three axes, whether some part winds around along it.

    Raises:
        ValueError: The cell does not have three axes, or is traced.

    Example:
        >>> import numpy as np
        >>> import jaxmeta.geometry as geometry
        >>> bar = np.zeros((4, 4, 4))
        >>> bar[:, 1, 1] = 1.0
        >>> geometry.percolates(bar)
        (True, False, False)
    """
    winds = parts(cell).winds
    return bool(winds[:, 0].any()), bool(winds[:, 1].any()), bool(winds[:, 2].any())
