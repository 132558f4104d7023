"""Which shells of a closed surface bound a body, and which a hollow.

A shell bounds a *hollow* if it lies inside a body that faces the other way, and a body by itself if not: a file may
hold bodies that are turned inside out. Where all shells face the same way, all are bodies.
"""

import numpy as np
from jaxtyping import Bool, Float

from ._crossings import crossings
from ._shells import Shells, SurfaceError, split

_ROUNDING = 1e-6  # of a surface's size: closer than this is touching; coordinates are often float32
_POINTS = 1 << 14


def orient(
    corners: Float[np.ndarray, "triangles 3 3"],
) -> tuple[Float[np.ndarray, "kept 3 3"], Bool[np.ndarray, "kept"]]:
    """Turns every shell outward and tells which of them bound hollows.

    Args:
        corners: Shape (triangles, 3, 3), a length; corners belong together where their coordinates are equal.

    Returns:
        The triangles without those that have two equal corners, each shell facing outward; and whether a triangle
        belongs to a hollow.

    Raises:
        SurfaceError: The surface is not closed, or a shell of it has no volume or could be a hollow as well as a body.
    """
    corners, shells = split(corners)
    if shells.area[shells.flat].sum() > 1e-6 * shells.area.sum():  # slivers do not matter
        raise SurfaceError(
            "a surface around a volume",
            "a part has none: its triangles lie back to back, or bound two bodies that face different ways",
        )
    turned = (shells.volume < 0)[shells.of]
    return np.where(turned[:, None, None], corners[:, ::-1], corners), _hollows(shells)[shells.of]


def _hollows(shells: Shells) -> np.ndarray:
    """Whether each shell bounds a hollow, shape (shells,)."""
    sign = np.where(shells.flat, 0, np.sign(shells.volume))
    hollow = np.zeros(len(sign), bool)
    around = np.full(len(sign), -1)  # the smallest shell around each that makes it a hollow
    order = np.argsort(-np.abs(shells.volume), kind="stable")
    for place, outer in enumerate(order.tolist() if np.ptp(sign) == 2 else ()):
        hollow[outer] = around[outer] >= 0
        if hollow[outer] and hollow[around[outer]]:
            raise SurfaceError(
                "bodies with hollows, and bodies again in these",
                "a part within a hollow is turned like the hollow, and may be a body or a hollow",
            )
        # What faces a body around it, or like a hollow around it, is a hollow.
        wanted = sign[outer] if hollow[outer] else -sign[outer]
        later = order[place + 1 :]
        boxed = (shells.low[later] >= shells.low[outer]) & (shells.high[later] <= shells.high[outer])
        later = later[(sign[later] == wanted) & boxed.all(axis=1)]
        if len(later):
            around[later[_are_inside(shells, later, outer)]] = outer
    return hollow


def _are_inside(shells: Shells, inner: np.ndarray, outer: int) -> np.ndarray:
    """Whether each of the shells `inner` lies inside the shell `outer`, shape (inner,)."""
    surface = shells.corners[outer]
    near = _ROUNDING * float(np.linalg.norm(shells.high[outer] - shells.low[outer]))
    points = [np.unique(shells.corners[shell].reshape(-1, 3), axis=0) for shell in inner]
    winding, touches = _windings(surface, np.concatenate(points), near)
    ends = np.cumsum([len(part) for part in points])[:-1]
    within = np.array([part.all() for part in np.split((winding != 0) | touches, ends)])
    for index in np.flatnonzero(within & [part.any() for part in np.split(touches, ends)]):
        # Corners and edges may touch, as those of voxels do; faces may not.
        winding, touches = _windings(surface, shells.corners[inner[index]].mean(axis=1), near)
        within[index] = ((winding != 0) | touches).all() and not touches.all()  # else it is the same body again
        if within[index] and touches.any():
            raise SurfaceError(
                "hollows strictly inside their bodies, or bodies that all face outward",
                "a part that is turned inside out touches the body around it",
            )
    return within


def _windings(corners: np.ndarray, points: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Winding numbers of a closed surface at points, and whether they lie on it."""
    from scipy.spatial import KDTree

    winding = np.zeros(len(points), np.int64)
    touches = np.isfinite(KDTree(corners.reshape(-1, 3)).query(points, distance_upper_bound=tolerance)[0])
    for axes in ((1, 2, 0), (2, 0, 1), (0, 1, 2)):  # lines along x, y, z: none of the triangles is along all of them
        surface, around = corners[:, :, axes], points[:, axes]
        low, high = surface[:, :, :2].min(axis=1), surface[:, :, :2].max(axis=1)
        reach = (high - low).max(axis=1) / 2 * (1 + 1e-9) + tolerance
        for start in range(0, len(points), _POINTS):
            block = around[start : start + _POINTS]
            near = KDTree(block[:, :2]).query_ball_point((low + high) / 2, reach, p=np.inf)
            owner = np.repeat(np.arange(len(surface)), [len(which) for which in near])
            which = np.concatenate(near).astype(np.int64)
            turn, height = crossings(surface[owner], block[which, 0], block[which, 1])
            away = block[which, 2] - height
            touches[start + which[(turn != 0) & (np.abs(away) <= tolerance)]] = True
            if axes[2] == 2:
                np.add.at(winding, start + which, np.where(away > 0, -turn, 0))
    return winding, touches
