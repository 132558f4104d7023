"""The surface of a cell on a grid twice as fine: how much of its stiffness hangs on the steps of its voxels."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from jaxtyping import Bool

from .. import geometry
from ..solvers import SolverError
from ._cell import Cell
from ._score import Scorer

_MOST = 64**3
"""Voxels, of the octant where there is one, that are solved beside the cell itself: some seconds."""


def filled_surface(cell: Cell) -> Bool[np.ndarray, "x y z"]:
    """The surface of a cell, as it is written, filled with voxels of half the edge.

    Args:
        cell: the cell, binary.

    Returns:
        Twice as many voxels along each axis: the whole cell, or the octant. Triangles of a surface are cut along one of
        two diagonals, which images may not share: of a cubic cell the voxel that most of its images are.

    Example:
        >>> import jaxmeta as jm
        >>> from jaxmeta.cells import filled_surface
        >>> record = jm.dataset.load()[7]
        >>> fine = filled_surface(record)
        >>> fine.shape, bool(abs(fine.mean() / record.volume_fraction - 1) < 0.02)
        ((64, 64, 64), True)
    """
    counts = tuple(2 * side for side in cell.cell.shape)
    vertices, faces = geometry.smooth_triangles(cell.cell)
    solid = geometry.voxelize(vertices[faces], np.zeros(3), np.full(3, 0.5), counts) > 0.5
    part = solid[tuple(slice(2 * side) for side in cell.density.shape)]
    if cell.symmetry == "cubic":
        part = np.mean([part.transpose(order) for order in itertools.permutations(range(3))], axis=0) > 0.5
    return part


def is_scored_finer(cell: Cell) -> bool:
    """Whether the surface of a cell is solved: not of a grey cell, of two solids, without solid, or large."""
    return (
        not cell.is_grey and cell.background is None and bool(np.any(cell.density)) and 8 * cell.density.size <= _MOST
    )


def surface_facts(cell: Cell) -> dict[str, Any] | None:
    """Volume fraction, stiffness and bulk modulus of the surface, from one more solve, in float32 to 1e-4.

    Args:
        cell: the cell.

    Returns:
        `shape` of the finer cell, `volume_fraction`, `stiffness`, `bulk` and `change`, the largest difference of an
        entry of the stiffness over the largest entry; None where it is not `is_scored_finer`, or the solve fails.
    """
    if not is_scored_finer(cell):
        return None
    score = Scorer(cell.solid, spacing=cell.spacing, residual=None, tolerance=1e-4, dtype="float32")
    try:
        fine = score(filled_surface(cell).astype(np.float32), cell.symmetry)
    except SolverError:
        return None
    return {
        "shape": list(fine.cell.shape),
        "volume_fraction": fine.volume_fraction,
        "stiffness": fine.stiffness.tolist(),
        "bulk": float(fine.constants.bulk),
        "change": float(np.abs(fine.stiffness - cell.stiffness).max() / np.abs(cell.stiffness).max()),
    }


def surface_sentence(cell: Cell, surface: dict[str, Any]) -> str:
    """Say in one sentence what the surface has in place of the voxels.

    Args:
        cell: the cell.
        surface: from `surface_facts`.
    """
    counts = " × ".join(map(str, surface["shape"]))
    return (
        f"The surface, filled with {counts} voxels: volume fraction {surface['volume_fraction']:.4g} (cell "
        f"{cell.volume_fraction:.4g}), bulk modulus {surface['bulk']:.4g} (cell {float(cell.constants.bulk):.4g}); no "
        f"entry of C differs by more than {100 * surface['change']:.2g} % of the largest one."
    )
