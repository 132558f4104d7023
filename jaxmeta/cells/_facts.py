"""What the voxels of a cell tell of it: parts, paths, contacts, thin members, pores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Shaped

from .. import geometry
from ..geometry import Hinges

THIN = 2
"""Voxels from which on a member is not thin."""


@dataclass(frozen=True, eq=False)
class Facts:
    """Facts of a periodic cell, each found when it is first asked for, and kept.

    Args:
        cell: the whole cell, (nx, ny, nz); solid where it exceeds one half.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> bar = np.zeros((8, 8, 8))
        >>> bar[:, 2:6, 2:6] = 1.0
        >>> facts = jm.cells.Facts(bar)
        >>> facts.connected, facts.percolates, facts.thin, facts.open_pores
        (True, (True, False, False), 0.0, True)
    """

    cell: Shaped[np.ndarray, "nx ny nz"]

    @cached_property
    def parts(self) -> int:
        """Number of connected parts of the solid, through voxel faces."""
        return geometry.label(self.cell)[1]

    @property
    def connected(self) -> bool:
        """Whether the solid is in one part."""
        return self.parts == 1

    @cached_property
    def percolates(self) -> tuple[bool, bool, bool]:
        """Whether the solid carries on without end along x, y and z."""
        return geometry.percolates(self.cell)

    @cached_property
    def hinges(self) -> Hinges:
        """Contacts through an edge only, and through a corner only."""
        return geometry.count_hinges(self.cell)

    @cached_property
    def thin(self) -> float:
        """Share of the solid that lies in members thinner than two voxels."""
        return geometry.minimum_member(self.cell, THIN)

    @cached_property
    def open_pores(self) -> bool:
        """Whether the void is in one part that carries on along x, y and z, so that powder or resin can leave."""
        void = np.asarray(self.cell) <= 0.5
        return geometry.is_connected(void) and all(geometry.percolates(void))
