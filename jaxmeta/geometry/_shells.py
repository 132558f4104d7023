"""Closed surfaces as sets of triangles, and the shells they consist of.

A *shell* is what hangs together by edges. Where four triangles or more meet in one edge it is not clear which of them
are neighbours. Triangles of two bodies that are written one after another are not; beyond this, those are that enclose
a wedge of material between them, so that bodies which touch are shells of their own.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_ANGLE = 1e-5  # two triangles at one edge that are this close, in radians, lie upon each other


class SurfaceError(ValueError):
    """Triangles do not bound a volume.

    Attributes:
        expected: What should be there.
        found: What is there instead.
    """

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected, self.found = expected, found

    def __str__(self) -> str:
        return f"Argument `corners` must be {self.expected}, but {self.found}."


def is_closed(corners: Float[np.ndarray, "triangles 3 3"]) -> bool:
    """Tells whether a surface has no boundary: every edge is run through as often in one direction as in the other.

    Args:
        corners: Shape (triangles, 3, 3), a length; corners belong together where their coordinates are equal.

    Returns:
        True if it is closed.

    Example:
        >>> import numpy as np
        >>> from jaxmeta import geometry
        >>> triangles = geometry.surface(np.ones((2, 2, 2))).triangles
        >>> geometry.is_closed(triangles), geometry.is_closed(triangles[1:])
        (True, False)
    """
    return _edges(_indices(corners)).closed


class Shells(NamedTuple):
    """The shells of a closed surface; a volume is positive where the triangles face outward."""

    of: np.ndarray
    """The shell of each triangle, shape (triangles,)."""
    corners: list[np.ndarray]
    """The triangles of each shell, shape (its triangles, 3, 3)."""
    low: np.ndarray
    """Lowest corner of the box around each shell, shape (shells, 3)."""
    high: np.ndarray
    """Highest corner, shape (shells, 3)."""
    volume: np.ndarray
    """The sum over its triangles (a, b, c) of a · (b × c) / 6, shape (shells,)."""
    area: np.ndarray
    """Shape (shells,)."""

    @property
    def flat(self) -> np.ndarray:
        """Whether a shell has no volume, beyond rounding; shape (shells,)."""
        return np.abs(self.volume) <= 1e-12 * self.area * np.linalg.norm(self.high - self.low, axis=1)


def split(corners: Float[np.ndarray, "triangles 3 3"]) -> tuple[np.ndarray, Shells]:
    """Splits a closed surface into its shells.

    Args:
        corners: Shape (triangles, 3, 3), a length; corners belong together where their coordinates are equal.

    Returns:
        The triangles without those that have two equal corners, and their shells.

    Raises:
        SurfaceError: The surface is not closed.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    indices = _indices(corners)
    # A triangle with two equal corners runs through its edge both ways, and has no area.
    whole = (indices != np.roll(indices, 1, axis=1)).all(axis=1)
    corners, indices = corners[whole], indices[whole]
    edges = _edges(indices)
    if not edges.closed or not len(corners):
        raise SurfaceError("a closed surface", "it has open edges or triangles turned inside out")
    pairs = _neighbours(corners, indices, edges) // 3
    graph = coo_array((np.ones(len(pairs), bool), tuple(pairs.T)), shape=(len(corners),) * 2)
    return corners, _measure(corners, connected_components(graph, directed=False)[1])


def _measure(corners: np.ndarray, of: np.ndarray) -> Shells:
    order = np.argsort(of, kind="stable")
    first = np.flatnonzero(np.diff(of[order], prepend=-1))
    low = np.minimum.reduceat(corners.min(axis=1)[order], first)
    high = np.maximum.reduceat(corners.max(axis=1)[order], first)
    a, b, c = np.moveaxis(corners - ((low + high) / 2)[of][:, None], 1, 0)
    volume = np.bincount(of, np.einsum("ti,ti->t", a, np.cross(b, c)) / 6)
    area = np.bincount(of, np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)
    return Shells(of, np.split(corners[order], first[1:]), low, high, volume, area)


class _Edges(NamedTuple):
    """Sides of triangles, three to a triangle, and the edges they lie on."""

    edge: np.ndarray
    """Number of the edge."""
    direction: np.ndarray
    """1 if the side runs from the corner with the smaller index to the one with the larger, else −1; 0 if none."""
    closed: bool


def _indices(corners: np.ndarray) -> np.ndarray:
    """Numbers for corners, equal where the coordinates are; shape (triangles, 3)."""
    index = np.zeros(corners.shape[0] * 3, np.int64)
    for axis in range(3):  # one axis at a time: far quicker than sorting rows
        _, rank = np.unique(corners[:, :, axis].ravel(), return_inverse=True)
        _, index = np.unique(index * (rank.max(initial=0) + 1) + rank, return_inverse=True)
    return index.reshape(-1, 3)


def _edges(indices: np.ndarray) -> _Edges:
    start, end = indices.ravel(), np.roll(indices, -1, axis=1).ravel()
    key = np.minimum(start, end) * np.int64(indices.max(initial=0) + 1) + np.maximum(start, end)
    _, edge = np.unique(key, return_inverse=True)
    direction = np.sign(end - start)
    return _Edges(edge.ravel(), direction, not np.bincount(edge.ravel(), weights=direction).any())


def _runs(corners: np.ndarray, edges: _Edges) -> np.ndarray:
    """Numbers for runs of triangles, one after another in the file, that are closed and have a volume by themselves.

    All other triangles share one number.
    """
    order = np.argsort(edges.edge, kind="stable")
    # What an edge misses after each of its sides; it ends with zero at every edge.
    missing = np.cumsum(edges.direction[order])[:-1] != 0
    change = np.zeros(len(corners) + 1, np.int64)
    np.add.at(change, order[:-1][missing] // 3, 1)
    np.add.at(change, order[1:][missing] // 3, -1)
    closed = np.cumsum(change)[:-1] == 0  # after this triangle
    run = np.cumsum(closed) - closed
    flat = _measure(corners, run).flat
    return np.where(flat[run], len(flat), run)


def _neighbours(corners: np.ndarray, indices: np.ndarray, edges: _Edges) -> np.ndarray:
    """Pairs of sides that belong together, one running each way through the edge; shape (pairs, 2)."""
    edge = edges.edge
    if np.bincount(edge).max() > 2:
        run = np.repeat(_runs(corners, edges), 3)
        _, edge = np.unique(edge * (run.max() + 1) + run, return_inverse=True)
    # By edge, the sides that run forward first, each half in the order of the file.
    order = np.lexsort((-edges.direction, edge))
    sizes = np.bincount(edge)
    first = np.cumsum(sizes) - sizes
    found = []
    for size in np.unique(sizes):
        sides = order[first[sizes == size][:, None] + np.arange(size)]
        forward, backward = np.split(sides, 2, axis=1)
        if size > 2:
            backward = _match(_angles(corners, indices, sides), backward)
        found.append(np.stack((forward.ravel(), backward.ravel()), axis=1))
    return np.concatenate(found)


def _match(angles: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """For every forward side in turn, the backward one that is left at the end of the narrowest wedge of material."""
    forward_angles, backward_angles = np.split(angles, 2, axis=1)
    # With the normal outward, material lies at smaller angles than a forward side. Triangles that lie upon each other
    # enclose all the space around the edge, not none.
    wedge = (forward_angles[:, :, None] - backward_angles[:, None, :]) % (2 * np.pi)
    wedge = np.where(wedge < _ANGLE, 2 * np.pi, wedge)
    rows, partner = np.arange(len(backward)), np.empty_like(backward)
    for rank in range(backward.shape[1]):
        best = np.argmin(wedge[:, rank], axis=1)
        partner[:, rank] = backward[rows, best]
        wedge[rows, :, best] = np.inf
    return partner


def _angles(corners: np.ndarray, indices: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Angles of the sides' triangles around their common edge, shape of `sides`."""
    triangle, side = sides // 3, sides % 3
    ends = np.stack((side, (side + 1) % 3), axis=-1)
    forward = np.diff(np.take_along_axis(indices[triangle], ends, axis=-1), axis=-1) > 0
    ends = np.where(forward, ends, ends[..., ::-1])
    start, end = (corners[triangle, ends[..., which]] for which in (0, 1))
    along = (end - start) / np.linalg.norm(end - start, axis=-1, keepdims=True)
    arm = corners[triangle, (side + 2) % 3] - start
    across = np.cross(along, np.eye(3)[np.argmin(np.abs(along), axis=-1)])
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    return np.arctan2((np.cross(along, across) * arm).sum(axis=-1), (across * arm).sum(axis=-1))
