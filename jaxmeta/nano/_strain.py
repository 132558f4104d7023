"""The strain around every atom, from how its neighbours move."""

from __future__ import annotations

import numpy as np
from jaxtyping import ArrayLike, Float

from .._numbers import plain_number, refused
from ._cells import checked_cell, checked_positions
from ._evaluate import Flags
from ._neighbors import table_of

_FREE: Flags = (False, False, False)
_FLAT = 1e-6
"""Least share of spread of the neighbours along any direction; below it the strain across is taken as none."""


def local_strain(
    positions: Float[ArrayLike, "n 3"],
    motion: Float[ArrayLike, "n 3"],
    radius: float,
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
) -> Float[np.ndarray, "n 6"]:
    r"""Strain of a small motion, for every atom, by least squares over its neighbours.

    With the vectors r to the neighbours and w the differences of their motions, :math:`\nabla u = (\sum w r^T)(\sum r
    r^T)^{-1}`, and the strain is its symmetric part.

    Args:
        positions: in Å.
        motion: of every atom, such as `Stiffness.displacement`.
        radius: up to which atoms are neighbours, in Å.
        cell, pbc: as for the stiffness.

    Returns:
        11 22 33 23 13 12 with engineering shear, in units of the motion's over Å.

    Raises:
        ValueError: an argument is not as described.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> bar = jm.nano.Lattice((4, 2, 2), 4.05).positions
        >>> strain = jm.nano.local_strain(bar, 0.01 * bar * [1, 0, 0], 3.5)
        >>> bool(np.allclose(strain, [0.01, 0, 0, 0, 0, 0], atol=1e-12))
        True

    References:
        M. L. Falk, J. S. Langer, Phys. Rev. E 57, 7192 (1998).
    """
    where, moved = checked_positions("positions", positions), np.asarray(motion, float)
    if moved.shape != where.shape or not np.isfinite(moved).all():
        raise refused("motion", f"hold finite numbers in the shape {where.shape}", f"has shape {moved.shape}")
    radius = plain_number("radius", radius, "be positive", lambda x: x > 0)
    table = table_of(where, radius, checked_cell(cell, pbc))
    index, offset = np.asarray(table.index), np.asarray(table.offset)
    there = index < len(where)
    w = (np.where(there[:, None], moved[np.where(there, index, 0)].transpose(0, 2, 1), 0) - moved.T) * there[:, None]
    spread, turned = np.einsum("kin,kjn->nij", offset, offset), np.einsum("kin,kjn->nij", w, offset)
    slope = turned @ np.linalg.pinv(spread, rcond=_FLAT, hermitian=True)
    i, j = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
    return 0.5 * (slope[:, i, j] + slope[:, j, i]) * np.where(i == j, 1, 2)
