"""From voxels as they come to a cell that holds together and keeps its symmetry."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from .. import geometry
from ..geometry.symmetry import Symmetry
from ._cell import unfolded


class Cleaned(NamedTuple):
    """What `clean` returns.

    Attributes:
        density: 0 and 1, of the shape and dtype that were given.
        thin_removed: voxels of members that were too thin.
        islands_removed: voxels that hung on nothing.
        hinges_filled: voxels that were added. All counts are of the whole cell.
    """

    density: Shaped[np.ndarray, "x y z"]
    thin_removed: int
    islands_removed: int
    hinges_filled: int


def clean(
    density: Shaped[np.ndarray, "x y z"],
    symmetry: Symmetry = "none",
    *,
    smallest_member: int = 1,
    fill_hinges: bool = False,
) -> Cleaned:
    """Take thin members and islands out of a cell, and fill its hinges.

    Parts hang together in the whole, periodic cell, while its symmetry is that of the octant: what is taken out and
    filled is the same in all images. A largest part that is one of several images is kept with them, and the cell is
    not connected then.

    Args:
        density: solid where it exceeds one half; (nx, ny, nz), or (mx, my, mz) of the first octant where the symmetry
            is "mirror" or "cubic".
        symmetry: "none", "mirror" or "cubic"; of a cubic cell the octant must not change under permutations.
        smallest_member: in voxels; 1 keeps all.
        fill_hinges: whether contacts through an edge or a corner are filled.

    Returns:
        The density, and what was changed.

    Raises:
        ValueError: the density does not have three axes, or does not have the symmetry.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> octant = np.zeros((4, 4, 4))
        >>> octant[0, :2, :2] = octant[:2, 0, :2] = octant[:2, :2, 0] = octant[3, 3, 3] = 1.0
        >>> jm.cells.clean(octant, "cubic").islands_removed
        8
    """
    whole = density if symmetry == "none" else unfolded(density)
    cell, *counts = geometry.clean(whole, smallest_member, fill_hinges, symmetry=symmetry)
    kept = np.asarray(cell)[tuple(slice(side) for side in density.shape)]
    return Cleaned(kept.astype(density.dtype), *counts)
