"""Cells of twice the resolution from those of a library."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool
from scipy.ndimage import gaussian_filter

from . import _file, _generate, _records, _wedge
from ._settings import Refinement

_BLUR = 1.2
"""Gaussian that rounds off the steps of split voxels, in fine voxels."""


def task(r: Refinement, columns: _file.Columns, side: int, number: int) -> _file.Columns:
    """The record of one cell; none where the finer cell falls apart."""
    octant = _wedge.unpack(columns["wedge"][number], side)
    kept = ("identity", "parent", "family", "seed", "objective", "isotropic", "asked", "round")
    provenance = {name: columns[name][number] for name in kept}
    fine = _smoothed(octant) if provenance["round"] else _optimized(r, octant, provenance)
    fine = None if fine is None else _records.sound(fine)
    found = [] if fine is None else [(fine, provenance | {"split": columns["split"][number]})]
    return _records.columns(_records.records(found, 1), 2 * side)


def _split(octant: Bool[np.ndarray, "m m m"]) -> Bool[np.ndarray, "2m 2m 2m"]:
    for axis in range(3):
        octant = np.repeat(octant, 2, axis)
    return octant


def _smoothed(octant: Bool[np.ndarray, "m m m"]) -> Bool[np.ndarray, "2m 2m 2m"]:
    """Split, blurred, and cut at the same volume."""
    fine = _split(octant)
    blurred = gaussian_filter(fine.astype(float), _BLUR, mode="reflect")
    return blurred >= np.quantile(blurred, 1 - fine.mean(), method="higher")


def _optimized(r: Refinement, octant: Bool[np.ndarray, "m m m"], provenance: dict[str, Any]) -> np.ndarray | None:
    stage = _generate.stages(int(provenance["objective"]), bool(provenance["isotropic"]), float(octant.mean()))[-1]
    start = jnp.asarray(_split(octant)[None], jnp.float32)
    return _generate.optimized((stage._replace(steps=r.steps),), start, [float(octant.mean())])[0]
