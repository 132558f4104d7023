"""From an octant to a record: cleaned, labelled and checked against the bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float

from ..cells import Cell, Facts, Scorer, clean
from ..elasticity import CubicConstants, Isotropic, bounds
from ..geometry import symmetry
from . import _file, _wedge

YOUNG, POISSON = 1.0, 0.3
SOLID = Isotropic(YOUNG, POISSON)
VOID = 1e-9
SCORER = Scorer(SOLID, VOID, residual=None, tolerance=1e-5, dtype="float32")
ALLOWED = 0.01
"""Share of a bound by which a record may lie above it: voxels that touch are stiffer than what they stand for."""
ABOVE_A_BOUND = 1
"""Flag of such a record."""


def sound(octant: Bool[np.ndarray, "m m m"]) -> Bool[np.ndarray, "m m m"] | None:
    """The octant with exact symmetry, without parts that hang on nothing, and with every contact through an edge or a
    corner filled; None where that is not in one piece, or does not span the cell along every axis."""
    kept = clean(_wedge.unpack(_wedge.pack(octant), octant.shape[0]), "cubic").density
    if not Facts(_whole(kept)).connected:  # images of one part, which filling could join
        return None
    full = clean(kept, "cubic", fill_hinges=True).density
    return full if all(Facts(_whole(full)).percolates) else None


def _whole(octant: Bool[np.ndarray, "m m m"]) -> np.ndarray:
    return np.asarray(symmetry.unfold(octant))


def shares(
    constants: Float[np.ndarray, "*batch 3"], volume_fraction: Float[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch 2"]:
    """Bulk modulus and Voigt-average shear modulus as shares of their Hashin–Shtrikman bounds, in float64 whatever the
    precision of the caller, so that all see the same flags and boxes."""
    with jax.enable_x64(True):
        cubic = CubicConstants(*np.moveaxis(np.asarray(constants, np.float64), -1, 0))
        return np.stack(bounds.shares(cubic, np.asarray(volume_fraction, np.float64), SOLID), axis=-1)


def records(
    found: Sequence[tuple[Bool[np.ndarray, "m m m"], dict[str, Any]]], count: int
) -> list[dict[str, Any] | None]:
    """Rows of the file; None for a cell whose solve does not converge or whose stiffness is beyond what is possible.

    Args:
        found: octants, solid or void, as `sound` returns them, and the columns that say how each was made.
        count: octants whose stiffness is computed at once.
    """
    cells = SCORER.octants([octant for octant, _ in found], [provenance for _, provenance in found], count)
    return [None if cell is None else record(cell) for cell in cells]


def record(cell: Cell) -> dict[str, Any] | None:
    """The row of a cell; None where its stiffness is beyond what is possible."""
    constants = cell.stiffness[[0, 0, 3], [0, 1, 3]]
    above = shares(constants, np.asarray(cell.volume_fraction)).max() - 1
    if not CubicConstants(*constants).positive or above > ALLOWED:
        return None
    row = {"wedge": _wedge.pack(cell.octant), "constants": constants, "volume_fraction": cell.volume_fraction}
    row |= {"error": cell.solver["error"], "split": 0, "flags": ABOVE_A_BOUND if above > 0 else 0}
    return row | dict(cell.provenance)


def columns(rows: Iterable[dict[str, Any] | None], side: int) -> _file.Columns:
    """Rows as columns of the file, without those that are None."""
    made, kept = {}, [row for row in rows if row is not None]
    for name, (kind, _) in _file.COLUMNS.items():
        if name != "checksum":
            width = {"wedge": (_wedge.length(side),), "constants": (3,)}.get(name, ())
            made[name] = np.array([row[name] for row in kept], kind).reshape(len(kept), *width)
    return made
