"""From the optimised density to a strictly binary, connected cell with an independent score."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Float

from .. import geometry
from ..cells import Cell, Scorer, clean
from ._filter import Symmetry


def cut(density: Float[jax.Array, "x y z"], volume_fraction: float, symmetry: Symmetry) -> Float[np.ndarray, "x y z"]:
    """The density cut at a volume fraction, 0 and 1.

    Args:
        density: the cell, or its octant, (nx, ny, nz).
        volume_fraction: fraction of solid voxels wanted.
        symmetry: of the cell.
    """
    values = np.asarray(density)
    if symmetry == "cubic":
        # Voxels that a permutation of the axes exchanges are cut together, whatever rounding did to them.
        values = values[tuple(np.sort(np.indices(values.shape), axis=0))]
    return np.asarray(geometry.threshold(values, volume_fraction)).astype(values.dtype)


def binary_cell(density: Float[jax.Array, "x y z"], volume_fraction: float, symmetry: Symmetry, score: Scorer) -> Cell:
    """Cut a density at its volume fraction, keep the largest connected part, and score it.

    Args:
        density: the cell, or its octant, (nx, ny, nz).
        volume_fraction: fraction of solid voxels wanted.
        symmetry: of the cell.
        score: computes the stiffness.

    Returns:
        The cell; `islands_removed` of its provenance counts the voxels that hung on nothing.
    """
    cleaned = clean(cut(density, volume_fraction, symmetry), symmetry)
    return score(cleaned.density, symmetry, {"islands_removed": cleaned.islands_removed})
