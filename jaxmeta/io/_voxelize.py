"""Which voxel centres lie inside a closed triangle surface.

A line along z through each column of voxel centres meets the surface at some heights. Adding +1 where it enters and −1
where it leaves (the sign of the triangle's normal along z) and summing upward gives the winding number at each centre;
inside is where that is not zero. Unlike counting crossings this stays right where closed bodies overlap, as struts of a
lattice often do.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32

_PAIRS = 1 << 21


def is_closed(corners: Float[np.ndarray, "triangles 3 3"]) -> bool:
    """Tells whether a surface has no boundary: every edge is run through as often in one direction as in the other.

    Args:
        corners: Shape (triangles, 3, 3), a length; corners belong together where their coordinates are equal.

    Returns:
        True if it is closed.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import is_closed, surface
        >>> vertices, faces = surface(np.ones((2, 2, 2)))
        >>> is_closed(vertices[faces]), is_closed(vertices[faces[1:]])
        (True, False)
    """
    index = np.zeros(corners.shape[0] * 3, np.int64)
    for axis in range(3):  # one axis at a time: far quicker than sorting rows
        _, rank = np.unique(corners[:, :, axis].ravel(), return_inverse=True)
        _, index = np.unique(index * (rank.max() + 1) + rank, return_inverse=True)
    triangles = index.reshape(-1, 3)
    start, end = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    key = np.minimum(start, end) * np.int64(index.max() + 1) + np.maximum(start, end)
    _, edge = np.unique(key, return_inverse=True)
    return not np.bincount(edge.ravel(), weights=np.sign(end - start)).any()


def voxelize(
    corners: Float[np.ndarray, "triangles 3 3"],
    origin: Float[np.ndarray, "3"],
    spacing: Float[np.ndarray, "3"],
    counts: tuple[int, ...],
) -> Float32[np.ndarray, "nx ny nz"]:
    """Fills a closed surface.

    Args:
        corners: Shape (triangles, 3, 3), a length.
        origin: The grid's lowest corner, shape (3,).
        spacing: Voxel edges, shape (3,).
        counts: (nx, ny, nz).

    Returns:
        One where a voxel's centre is inside, else zero; shape (nx, ny, nz).

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import surface
        >>> from jaxmeta.io._voxelize import voxelize
        >>> vertices, faces = surface(np.ones((2, 2, 2)))
        >>> voxelize(vertices[faces], np.zeros(3), np.ones(3), (2, 2, 2)).sum()
        np.float32(8.0)
    """
    nx, ny, nz = counts
    # In units of voxels with centres at whole numbers.
    points = (corners - origin) / spacing - 0.5
    # Steps of the winding number: entry k holds for all centres from k upward.
    steps = np.zeros((nx, ny, nz + 1), np.int16)
    low = np.clip(np.ceil(points[:, :, :2].min(axis=1)), 0, None).astype(np.int64)
    high = np.minimum(np.floor(points[:, :, :2].max(axis=1)), [nx - 1, ny - 1]).astype(np.int64)
    span = np.maximum(high - low + 1, 0)
    pairs = span[:, 0] * span[:, 1]
    ends = np.cumsum(pairs)
    first = 0
    while first < len(points):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + _PAIRS, side="right")))
        _add_crossings(steps, points[first:last], low[first:last], span[first:last], pairs[first:last])
        first = last
    np.cumsum(steps, axis=2, out=steps)
    return (steps[:, :, :nz] != 0).astype(np.float32)


def _add_crossings(steps: np.ndarray, points: np.ndarray, low: np.ndarray, span: np.ndarray, pairs: np.ndarray) -> None:
    owner = np.repeat(np.arange(len(points)), pairs)
    local = np.arange(len(owner)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    i = low[owner, 0] + local // np.maximum(span[owner, 1], 1)
    j = low[owner, 1] + local % np.maximum(span[owner, 1], 1)
    areas, inside = [], np.ones((2, len(owner)), bool)
    for corner in range(3):
        area, left, right = _side(points[owner, (corner + 1) % 3], points[owner, (corner + 2) % 3], i, j)
        areas.append(area)
        inside &= np.stack((left, right))
    turn = inside[0].astype(np.int16) - inside[1].astype(np.int16)
    weights = np.stack(areas, axis=1)
    hit = (turn != 0) & (weights.sum(axis=1) != 0)
    weights = weights[hit]
    heights = np.einsum("pc,pc->p", weights, points[owner[hit], :, 2]) / weights.sum(axis=1)
    # Upward normal: the line leaves the body there; downward: it enters.
    k = np.clip(np.ceil(heights), 0, steps.shape[2] - 1).astype(np.int64)
    np.add.at(steps, (i[hit], j[hit], k), -turn[hit])


def _side(
    start: np.ndarray, end: np.ndarray, i: np.ndarray, j: np.ndarray
) -> tuple[np.ndarray, Bool[np.ndarray, "pairs"], Bool[np.ndarray, "pairs"]]:
    """Returns twice the signed area of (start, end, point), and whether the point is left or right of the edge.

    A point on the edge counts as left or right by the edge's direction alone, as if it were moved by a tiny (−δ, ε),
    δ ≪ ε, so that of two triangles with a common edge exactly one has the point. The area is computed in one
    direction for both, so that both round alike.
    """
    swap = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    a, b = np.where(swap[:, None], end, start), np.where(swap[:, None], start, end)
    area = (b[:, 0] - a[:, 0]) * (j - a[:, 1]) - (b[:, 1] - a[:, 1]) * (i - a[:, 0])
    left = area >= 0
    return np.where(swap, -area, area), left ^ swap, ~left ^ swap
