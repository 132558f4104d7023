"""Where cells of a wanted stiffness begin: the nearest cells of a library, of different families."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from .. import geometry
from ..cells import Cell, Scorer, Target, clean, filled_surface
from ..dataset import Library, nearest
from ..elasticity import Isotropic

_LOOSE = 1e-4  # relative error of C that orders starts


class Start(NamedTuple):
    """A cell to fit.

    Attributes:
        octant: binary, without thin members, islands and hinges.
        error: |ΔC| / |C| to what is wanted, after that.
        provenance: where it comes from.
    """

    octant: Bool[np.ndarray, "m m m"]
    error: float
    provenance: dict[str, Any]


def library_starts(
    library: Library, target: Target, solid: Isotropic, side: int, member: int, open_pores: bool, count: int
) -> Iterator[Start]:
    """Starts in the order of their distance, one of each family, in groups that are scored together.

    The order is that of the cleaned cells: what is thin in a cell may carry much of its stiffness, and the library's
    labels are those of its own solid.

    Args:
        library: of cells.
        target: what is wanted.
        solid: of which the cells will be.
        side: voxels along an edge of the octants.
        member: least thickness of a member, in voxels.
        open_pores: whether closed pores are opened.
        count: starts in a group.
    """
    wanted, seen = target.stiffness / float(solid.young), 0
    while seen < len(library):
        most = min(len(library), seen + count)
        numbers = nearest(library, wanted, target.volume_fraction, most, per_family=1).numbers[seen:]
        if not len(numbers):
            return
        yield from _scored([library[int(n)] for n in numbers], target, solid, side, member, open_pores)
        seen += count


def _scored(
    records: list[Cell], target: Target, solid: Isotropic, side: int, member: int, open_pores: bool
) -> list[Start]:
    octants = [_prepared(record, side, member, open_pores) for record in records]
    whole = [k for k, octant in enumerate(octants) if octant is not None]
    score = Scorer(solid, residual=None, tolerance=_LOOSE, dtype="float32")
    cells = score.octants([octants[k] for k in whole], [records[k].provenance for k in whole])
    starts = [
        Start(cell.density, target.error(cell.stiffness), {"start": "library", **cell.provenance})
        for cell in cells
        if cell is not None
    ]
    return sorted(starts, key=lambda start: start.error)


def _prepared(record: Cell, side: int, member: int, open_pores: bool) -> Bool[np.ndarray, "m m m"] | None:
    """The octant at the resolution that is asked for, cleaned; None if nothing is left that hangs together."""
    octant = record.density
    while octant.shape[0] < side:  # the surface, filled with finer voxels
        octant = filled_surface(replace(record, density=octant))
    if open_pores:
        octant = geometry.open_pores(geometry.symmetry.unfold(octant), "cubic").cell[:side, :side, :side]
    octant = clean(octant, "cubic", smallest_member=member, fill_hinges=True).density.astype(bool)
    return octant if octant.any() and geometry.is_connected(geometry.symmetry.unfold(octant)) else None
