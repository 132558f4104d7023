"""Where lines along z pass through triangles, so that no line passes through two neighbours at their common edge."""

import numpy as np
from jaxtyping import Bool, Float, Int


def crossings(
    corners: Float[np.ndarray, "pairs 3 3"], x: Float[np.ndarray, "pairs"], y: Float[np.ndarray, "pairs"]
) -> tuple[Int[np.ndarray, "pairs"], Float[np.ndarray, "pairs"]]:
    """Crosses each triangle with a line along z.

    Args:
        corners: Shape (pairs, 3, 3): pair, corner, coordinate; a length.
        x: Where the lines are, shape (pairs,).
        y: The same, shape (pairs,).

    Returns:
        1 where the line crosses upward through a triangle whose normal points upward, −1 where downward, 0 where it
        passes by; and the heights z of the crossings, which hold no meaning where there is none.
    """
    areas, inside = [], np.ones((2, len(corners)), bool)
    for corner in range(3):
        area, left, right = _side(corners[:, (corner + 1) % 3], corners[:, (corner + 2) % 3], x, y)
        areas.append(area)
        inside &= np.stack((left, right))
    weights = np.stack(areas, axis=1)
    total = weights.sum(axis=1)
    hit = (inside[0] != inside[1]) & (total != 0)
    heights = np.einsum("pc,pc->p", weights, corners[:, :, 2]) / np.where(hit, total, 1.0)
    return np.where(hit, inside[0].astype(np.int64) - inside[1], 0), heights


def _side(
    start: np.ndarray, end: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, Bool[np.ndarray, "pairs"], Bool[np.ndarray, "pairs"]]:
    """Returns twice the signed area of (start, end, point), and whether the point is left or right of the edge.

    A point on the edge counts as left or right by the edge's direction alone, as if it were moved by a tiny (−δ, ε),
    δ ≪ ε, so that of two triangles with a common edge exactly one has the point. The area is computed in one
    direction for both, so that both round alike.
    """
    swap = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    a, b = np.where(swap[:, None], end, start), np.where(swap[:, None], start, end)
    area = (b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])
    left = area >= 0
    return np.where(swap, -area, area), left ^ swap, ~left ^ swap
