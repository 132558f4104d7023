"""From the optimised density to a strictly binary, connected cell with an independent score."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import geometry
from ..elasticity import Isotropic
from ..geometry import symmetry as symmetries
from ..homogenization import SIMP, homogenize
from ._filter import Symmetry
from ._held import Held


class Binary(NamedTuple):
    """A strictly binary cell.

    Attributes:
        cell: the whole cell, 0 and 1, (nx, ny, nz).
        islands_removed: number of voxels that hung on nothing.
        held_apart: number of those that were left, because their part holds voxels that are held solid.
    """

    cell: np.ndarray
    islands_removed: int
    held_apart: int


def binarize(density: jax.Array, volume_fraction: float, symmetry: Symmetry, held: Held | None = None) -> Binary:
    """Cut a density at its volume fraction, and keep the largest connected part and those with voxels held solid.

    Args:
        density: the cell, or its octant, (nx, ny, nz).
        volume_fraction: fraction of solid voxels wanted, those included that are held.
        symmetry: of the cell.
        held: voxels of the density that are held.
    """
    values = np.asarray(density)
    if symmetry == "cubic":
        # Voxels that a permutation of the axes exchanges are cut together, whatever rounding did to them.
        values = values[tuple(np.sort(np.indices(values.shape), axis=0))]
    if held is None:
        cut, fixed = np.asarray(geometry.threshold(values, volume_fraction)), np.zeros(values.shape, bool)
    else:
        # Below all others, and above: the cut is among those that are free.
        void, fixed = np.asarray(held.void), np.asarray(held.solid)
        values = np.where(void, -1, np.where(fixed, 2, values))
        cut = (np.asarray(geometry.threshold(values, volume_fraction)) | fixed) & ~void
    cell, fixed = (part if symmetry == "none" else np.asarray(symmetries.unfold(part)) for part in (cut, fixed))
    largest = np.asarray(geometry.keep_largest(cell, periodic=True)) > 0.5
    parts, _ = geometry.label(cell, periodic=True)
    kept = largest | np.isin(parts, np.unique(parts[fixed & cell]))
    return Binary(kept.astype(density.dtype), int(cell.sum() - kept.sum()), int(kept.sum() - largest.sum()))


def score(
    cell: np.ndarray, solid: Isotropic, void: float, spacing: tuple[float, float, float], residual: float = 1e-6
) -> tuple[np.ndarray, str]:
    """Stiffness of a binary cell in float64, from a solve that shares nothing with the optimisation's last one.

    The whole cell is solved under six loads unless it is mirror-symmetric, when its octant is.

    Args:
        cell: 0 and 1, (nx, ny, nz).
        solid: the solid.
        void: modulus of void relative to the solid.
        spacing: edges of a voxel.
        residual: relative residual of every load.

    Returns:
        C (6, 6) and the dtype it was computed in.
    """
    with jax.enable_x64(True):
        field = jnp.asarray(np.asarray(cell, np.float64))
        symmetry = symmetries.detect(field)
        if symmetry == "cubic" and len(set(spacing)) != 1:
            symmetry = "mirror"
        part = field if symmetry == "none" else symmetries.fold(field)
        fixed = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf, np.float64)), solid)
        h = homogenize(
            part, fixed, interpolation=SIMP(1.0, float(void)), spacing=spacing, symmetry=symmetry, residual=residual
        )
        return np.asarray(h.stiffness), str(h.stiffness.dtype)
