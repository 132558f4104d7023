"""From the optimised density to a strictly binary, connected cell."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from .. import geometry
from ..cells import clean
from ..geometry import symmetry as symmetries
from ._filter import Symmetry
from ._held import Held


class Binary(NamedTuple):
    """A strictly binary density.

    Attributes:
        density: 0 and 1, of the shape of the grey one.
        islands_removed: voxels that hung on nothing.
        held_apart: voxels that hang on nothing and are there all the same, for their part holds voxels that are held
            solid. Both counts are of the whole cell.
    """

    density: Float[np.ndarray, "x y z"]
    islands_removed: int
    held_apart: int


def cut(
    density: Float[jax.Array, "x y z"], volume_fraction: float, symmetry: Symmetry, held: Held | None = None
) -> Float[np.ndarray, "x y z"]:
    """The density cut at a volume fraction, 0 and 1.

    Args:
        density: the cell, or its octant, (nx, ny, nz).
        volume_fraction: fraction of solid voxels wanted, those included that are held.
        symmetry: of the cell.
        held: voxels of the density that are held.
    """
    values = _symmetric(density, symmetry)
    dtype = values.dtype
    if held is None:
        return np.asarray(geometry.threshold(values, volume_fraction)).astype(dtype)
    # Held voxels are below all others, or above, so that the cut is among those that are free.
    void, solid = np.asarray(held.void), np.asarray(held.solid)
    values = np.where(void, -1, np.where(solid, 2, values)).astype(dtype)
    return ((np.asarray(geometry.threshold(values, volume_fraction)) | solid) & ~void).astype(dtype)


def binarize(
    density: Float[jax.Array, "x y z"],
    volume_fraction: float,
    symmetry: Symmetry,
    held: Held | None = None,
    smallest_member: int = 1,
) -> Binary:
    """Cut a density at its volume fraction; keep the largest connected part, and those with voxels held solid.

    Args:
        density: the cell, or its octant, (nx, ny, nz).
        volume_fraction: fraction of solid voxels wanted, those included that are held.
        symmetry: of the cell.
        held: voxels of the density that are held.
        smallest_member: in voxels; thinner members are made thicker.
    """
    whole = cut(density, volume_fraction, symmetry, held)
    if smallest_member > 1:
        whole = _thicker(whole, density, symmetry, held, smallest_member)
    cleaned = clean(whole, symmetry)
    if held is None:
        return Binary(cleaned.density, cleaned.islands_removed, 0)
    solid = np.asarray(held.solid)
    if symmetry != "none":
        whole, solid = (np.asarray(symmetries.unfold(part)) for part in (whole, solid))
    parts, _ = geometry.label(whole, periodic=True)
    wanted = np.isin(parts, np.unique(parts[solid]))[tuple(slice(side) for side in density.shape)]
    kept = np.where(wanted, 1, cleaned.density).astype(whole.dtype)
    back = int((kept - cleaned.density).sum()) * (whole.size // kept.size)
    return Binary(kept, cleaned.islands_removed - back, back)


def _symmetric(density: Float[jax.Array, "x y z"], symmetry: Symmetry) -> np.ndarray:
    """Voxels that a permutation of the axes exchanges have one value, whatever rounding did to them."""
    values = np.asarray(density)
    return values[tuple(np.sort(np.indices(values.shape), axis=0))] if symmetry == "cubic" else values


def _thicker(
    part: np.ndarray, density: Float[jax.Array, "x y z"], symmetry: Symmetry, held: Held | None, size: int
) -> np.ndarray:
    values = _symmetric(density, symmetry).astype(float)
    reluctance = np.where(values < 0, np.inf, 1 - values)
    if held is not None:
        reluctance = np.where(np.asarray(held.void), np.inf, reluctance)
    fields = part, reluctance
    if symmetry != "none":
        fields = tuple(np.asarray(symmetries.unfold(field)) for field in fields)
    thicker = geometry.thicken(fields[0], size, fields[1])
    return thicker[tuple(slice(side) for side in part.shape)].astype(part.dtype)
