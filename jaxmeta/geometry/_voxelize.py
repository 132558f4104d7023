"""Which voxel centres lie inside closed surfaces.

A line along z through each column of voxel centres meets a surface at some heights. Adding +1 where it enters and −1
where it leaves (the sign of the triangle's normal along z) and summing upward gives the winding number at each centre.
Unlike counting crossings this stays right where closed bodies overlap, as struts of a lattice often do. Bodies and
hollows are counted apart: a centre is inside where more bodies than hollows have it, so that hollows may overlap, and
a body may fill what is hollow in another.
"""

import numpy as np
from jaxtyping import Float, Float32

from ._crossings import crossings
from ._hollows import orient
from ._shells import SurfaceError

_PAIRS = 1 << 21


def voxelize(
    corners: Float[np.ndarray, "triangles 3 3"],
    origin: Float[np.ndarray, "3"],
    spacing: Float[np.ndarray, "3"],
    counts: tuple[int, ...],
) -> Float32[np.ndarray, "nx ny nz"]:
    """Fills closed surfaces: the union of their bodies, each without its own hollows.

    Whether a body's triangles face outward or inward does not matter as long as they all do the same. A hollow is a
    closed surface within a body that faces the other way than the body.

    Args:
        corners: Shape (triangles, 3, 3): triangle, corner, coordinate; a length. Corners belong together where their
            coordinates are equal.
        origin: The grid's lowest corner, shape (3,).
        spacing: Voxel edges, shape (3,).
        counts: (nx, ny, nz).

    Returns:
        One where a voxel's centre is inside, else zero; shape (nx, ny, nz).

    Raises:
        SurfaceError: The surface is not closed, a part of it has no volume or could be a hollow as well as a body, or
            no voxel's centre is inside.

    Example:
        >>> import numpy as np
        >>> from jaxmeta import geometry
        >>> mesh = geometry.surface(np.ones((2, 2, 2)))
        >>> geometry.voxelize(mesh.triangles, np.zeros(3), np.ones(3), (2, 2, 2)).sum()
        np.float32(8.0)
    """
    outward, hollow = orient(corners)
    # In units of voxels with centres at whole numbers.
    points = (outward - origin) / spacing - 0.5
    inside = np.abs(_windings(points[~hollow], counts))
    if hollow.any():
        inside = inside > np.abs(_windings(points[hollow], counts))
    if not inside.any():
        raise SurfaceError("a body around the centre of a voxel", "there is none, and finer voxels would be needed")
    return (inside != 0).astype(np.float32)


def _windings(points: np.ndarray, counts: tuple[int, ...]) -> np.ndarray:
    nx, ny, nz = counts
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
        _add_steps(steps, points[first:last], low[first:last], span[first:last], pairs[first:last])
        first = last
    return np.cumsum(steps, axis=2, out=steps)[:, :, :nz]


def _add_steps(steps: np.ndarray, points: np.ndarray, low: np.ndarray, span: np.ndarray, pairs: np.ndarray) -> None:
    owner = np.repeat(np.arange(len(points)), pairs)
    local = np.arange(len(owner)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    i = low[owner, 0] + local // np.maximum(span[owner, 1], 1)
    j = low[owner, 1] + local % np.maximum(span[owner, 1], 1)
    turn, heights = crossings(points[owner], i.astype(float), j.astype(float))
    hit = turn != 0
    # Upward normal: the line leaves the body there; downward: it enters.
    k = np.clip(np.ceil(heights[hit]), 0, steps.shape[2] - 1).astype(np.int64)
    np.add.at(steps, (i[hit], j[hit], k), -turn[hit].astype(np.int16))
