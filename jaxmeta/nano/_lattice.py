"""Sites of the FCC lattice in a box whose axes are any three crystal directions at right angles.

Sites are counted in halves of the lattice constant: whole numbers whose sum is even. The period along a direction
[h k l] without a common factor is the vector [h k l]/2 if h + k + l is even, else [h k l]. A box has a whole number of
periods along each axis and holds the sites from 0 on to below its length, so that all is decided in whole numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from .._numbers import plain_number, refused, whole_number

Direction = tuple[int, int, int]
CUBE: tuple[Direction, Direction, Direction] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
_MOST = 50_000_000
"""Sites of a box; more would not fit into memory."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """The FCC sites of a box.

    Args:
        cells: numbers of periods along the axes of the box.
        lattice_constant: in Å.
        axes: crystal directions of the axes of the box.

    Raises:
        ValueError: an argument is not as described; axes are not at right angles, or are left-handed.

    Example:
        >>> import jaxmeta as jm
        >>> beam = jm.nano.Lattice((24, 12, 2), 4.05)
        >>> len(beam), beam.lengths.round(2).tolist()
        (2304, [97.2, 48.6, 8.1])
        >>> len(jm.nano.Lattice((2, 2, 2), 4.05, ((1, 1, 0), (-1, 1, 0), (0, 0, 1))))
        16
    """

    cells: tuple[int, int, int]
    lattice_constant: float
    axes: tuple[Direction, Direction, Direction] = CUBE

    def __post_init__(self) -> None:
        if not (isinstance(self.cells, (tuple, list)) and len(self.cells) == 3):
            raise refused("cells", "be three whole numbers", f"is {self.cells!r}")
        cells = tuple(whole_number("cells", n, 1) for n in self.cells)
        constant = plain_number("lattice_constant", self.lattice_constant, "be positive and finite", _positive)
        object.__setattr__(self, "cells", cells)
        object.__setattr__(self, "lattice_constant", constant)
        object.__setattr__(self, "axes", _checked_axes(self.axes))
        volume = abs(np.linalg.det(self.periods.astype(float))) * math.prod(cells)
        if volume / 2 > _MOST:
            raise refused("cells", f"give at most {_MOST} sites", f"gives {volume / 2:.0f}")

    def __len__(self) -> int:
        return len(self.sites)

    @property
    def periods(self) -> Int[np.ndarray, "3 3"]:
        """The period along each axis, in halves of the lattice constant."""
        return np.array([[k * (1 if sum(axis) % 2 == 0 else 2) for k in axis] for axis in self.axes])

    @property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """Unit vectors of the box's axes in the crystal, one in every row: turns crystal components into the box's."""
        axes = np.array(self.axes, float)
        return axes / np.linalg.norm(axes, axis=1)[:, None]

    @property
    def lengths(self) -> Float[np.ndarray, "3"]:
        """Edges of the box, in Å."""
        return np.linalg.norm(self.periods, axis=1) * np.array(self.cells) * (self.lattice_constant / 2)

    @property
    def cell(self) -> Float[np.ndarray, "3 3"]:
        """The edges as lattice vectors, a diagonal matrix, in Å."""
        return np.diag(self.lengths)

    @cached_property
    def sites(self) -> Int[np.ndarray, "n 3"]:
        """The sites in the crystal's frame, in halves of the lattice constant; sorted along x, then y, then z."""
        ends = self.periods * np.array(self.cells)[:, None]
        corners = np.array([a * ends[0] + b * ends[1] + c * ends[2] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
        low, high = corners.min(0), corners.max(0)
        axes = np.array(self.axes)
        limit = (ends * axes).sum(1)
        found = []
        for first in range(low[0], high[0] + 1):  # a plane at a time: turned boxes have wide surroundings
            grid = np.meshgrid([first], *[np.arange(a, b + 1) for a, b in zip(low[1:], high[1:], strict=True)])
            plane = np.stack(grid, -1).reshape(-1, 3)
            plane = plane[plane.sum(1) % 2 == 0]
            along = plane @ axes.T
            found.append(plane[((along >= 0) & (along < limit)).all(1)])
        sites = np.concatenate(found)
        along = sites @ axes.T
        return sites[np.lexsort((along[:, 2], along[:, 1], along[:, 0]))]

    @cached_property
    def positions(self) -> Float[np.ndarray, "n 3"]:
        """The sites in the box's frame, in Å."""
        along = (self.sites @ np.array(self.axes).T).astype(float)
        return along / np.linalg.norm(self.axes, axis=1) * (self.lattice_constant / 2)


def _positive(x: float) -> bool:
    return 0 < x < math.inf


def _checked_axes(axes: Any) -> tuple[Direction, Direction, Direction]:
    given = np.asarray(axes)
    if given.shape != (3, 3) or given.dtype.kind != "i":
        raise refused("axes", "be three crystal directions of three whole numbers", f"is {axes!r}")
    if not given.any(1).all():
        raise refused("axes", "be no zero vectors", f"is {given.tolist()}")
    reduced = given // np.gcd.reduce(given, axis=1)[:, None]
    if np.count_nonzero(reduced @ reduced.T - np.diag((reduced**2).sum(1))):
        raise refused("axes", "be at right angles", f"is {given.tolist()}")
    if np.linalg.det(reduced) < 0:
        raise refused("axes", "be right-handed", f"is {given.tolist()}")
    x, y, z = (tuple(int(k) for k in axis) for axis in reduced)
    return x, y, z  # pyright: ignore[reportReturnType]
