"""A binary cell that can be made: no member thinner than asked for, no closed pore."""

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

_ROUNDS = 8


@dataclass(frozen=True)
class Making:
    """What is asked of the binary cell, so that it can be made.

    Args:
        smallest_member: in voxels: thinner members are made thicker; 1 asks for nothing.
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
    """Cut a density, make thin members thicker, and open pores.

    Closed pores are opened or filled (`geometry.open_pores`) and held so at the cut that follows, until there is none.

    Args:
        density: filtered, not projected: of any order of the voxels; (nx, ny, nz), or the octant.
        volume_fraction: of the cut.
        symmetry: of the cell.
        held: voxels of the density that are held.
        making: what is asked of the cell.
    """
    order = np.asarray(density)
    fixed = None if held is None else _unfold(np.asarray(held.void) | np.asarray(held.solid), symmetry)
    octant = tuple(slice(side) for side in order.shape)
    drilled, filled = np.zeros(order.shape, bool), np.zeros(order.shape, bool)
    binary = binarize(density, volume_fraction, symmetry, held, making.smallest_member)
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
            binary = binarize(jnp.asarray(order), volume_fraction, symmetry, held, making.smallest_member)
    copies = 1 if symmetry == "none" else 8
    return Printable(binary, copies * int(drilled.sum()), copies * int(filled.sum()))


def _unfold(part: np.ndarray, symmetry: Symmetry) -> np.ndarray:
    return part if symmetry == "none" else np.asarray(symmetries.unfold(part))
