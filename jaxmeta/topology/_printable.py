"""A binary cell that can be made: no member thinner than asked for, no closed pore, as much solid as is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .. import geometry
from .._numbers import refused, told, whole_number
from ..geometry import symmetry as symmetries
from ._binary import Binary, binarize
from ._filter import Symmetry
from ._held import Held

_ROUNDS, _HALVINGS = 8, 8


@dataclass(frozen=True)
class Making:
    """What is asked of the binary cell, so that it can be made.

    Args:
        smallest_member: in voxels; 1 asks for nothing.
        open_pores: whether closed pores are opened or filled.

    Raises:
        ValueError: one of them is not as described.
    """

    smallest_member: int = 1
    open_pores: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "smallest_member", whole_number("smallest_member", self.smallest_member, least=1))
        if not isinstance(self.open_pores, (bool, np.bool_)):
            raise refused("open_pores", "be True or False", told(self.open_pores))


class Printable(NamedTuple):
    """What `printable` returns.

    Attributes:
        binary: the cell, or its octant, with what was taken out at the last cut.
        drilled: voxels of the whole cell that are void to open pores.
        filled: voxels of the whole cell that are solid in place of pores.
    """

    binary: Binary
    drilled: int
    filled: int


def printable(
    density: Float[jax.Array, "x y z"],
    volume_fraction: float,
    symmetry: Symmetry,
    held: Held | None,
    making: Making,
) -> Printable:
    """Cut a density so that the cell obeys, at a level that leaves as much solid as the volume fraction allows.

    Thin members are taken out after the cut, and contacts through an edge or a corner filled. That frees volume, and a
    larger cut thickens what is left. Closed pores are opened or filled (`geometry.open_pores`) and held so at the cut
    that follows, until there is none.

    Args:
        density: filtered, not projected: of any order of the voxels; (nx, ny, nz), or the octant.
        volume_fraction: most of the cell that is solid.
        symmetry: of the cell.
        held: voxels of the density that are held.
        making: what is asked of the cell.
    """
    order = np.asarray(density)
    fixed = None if held is None else _unfold(np.asarray(held.void) | np.asarray(held.solid), symmetry)
    octant = tuple(slice(side) for side in order.shape)
    drilled, filled = np.zeros(order.shape, bool), np.zeros(order.shape, bool)
    binary = _cut(order, volume_fraction, symmetry, held, making.smallest_member)
    for last in range(_ROUNDS if making.open_pores else 0):
        opened = geometry.open_pores(_unfold(binary.density, symmetry), symmetry, fixed)
        void, solid = opened.drilled[octant], opened.filled[octant]
        if not (void.any() or solid.any()):
            break
        drilled, filled = (drilled & ~solid) | void, (filled & ~void) | solid
        if last == _ROUNDS - 1:  # what the cuts close again and again is opened without another one
            binary = binary._replace(density=opened.cell[octant].astype(order.dtype))
        else:
            # Below all others, or above: the cut is among the rest.
            order = np.where(drilled, -1, np.where(filled, 2, np.asarray(density))).astype(order.dtype)
            binary = _cut(order, volume_fraction, symmetry, held, making.smallest_member)
    copies = 1 if symmetry == "none" else 8
    return Printable(binary, copies * int(drilled.sum()), copies * int(filled.sum()))


def _cut(
    density: Float[np.ndarray, "x y z"],
    volume_fraction: float,
    symmetry: Symmetry,
    held: Held | None,
    smallest_member: int,
) -> Binary:
    """The cut with most solid within the volume fraction, once thin members are out; by halving."""
    best = binarize(jnp.asarray(density), volume_fraction, symmetry, held, smallest_member)
    spare = volume_fraction - best.density.mean()
    if 0 <= spare < 1 / density.size:
        return best
    # Where voxels tie the nearest cut may take too many.
    low, high = (volume_fraction, min(1.0, 2 * volume_fraction)) if spare > 0 else (0.0, volume_fraction)
    for _ in range(_HALVINGS):
        level = (low + high) / 2
        found = binarize(jnp.asarray(density), level, symmetry, held, smallest_member)
        if found.density.mean() > volume_fraction:
            high = level
            continue
        low = level
        if best.density.mean() > volume_fraction or found.density.sum() > best.density.sum():
            best = found
    return best


def _unfold(part: np.ndarray, symmetry: Symmetry) -> np.ndarray:
    return part if symmetry == "none" else np.asarray(symmetries.unfold(part))
