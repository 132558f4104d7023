"""What the voxels of a cell tell of it: parts, paths, contacts, thin members, pores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Shaped

from .. import geometry
from ..geometry import Hinges, Parts

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
        >>> facts.connected, facts.percolates, facts.thin, facts.thinnest, facts.open_pores
        (True, (True, False, False), 0.0, 4, True)
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
    def thinnest(self) -> int:
        """Width of the thinnest member in voxels; 0 where no voxel is solid."""
        return geometry.thinnest_member(self.cell)

    @cached_property
    def void(self) -> Parts:
        """Connected parts of the void, through voxel faces."""
        return geometry.parts(np.asarray(self.cell) <= 0.5)

    @property
    def void_connected(self) -> bool:
        """Whether the void is in one part."""
        return len(self.void.sizes) == 1

    @property
    def closed_pores(self) -> int:
        """Number of parts of the void that end within the repeated cell, so that powder or resin cannot leave."""
        return int(np.count_nonzero(~self.void.winds.any(axis=1)))

    @property
    def closed_share(self) -> float:
        """Share of the void that lies in closed pores; 0 where there is no void."""
        sizes = self.void.sizes
        return float(sizes[~self.void.winds.any(axis=1)].sum() / sizes.sum()) if len(sizes) else 0.0

    @property
    def open_pores(self) -> bool:
        """Whether all void carries on without end, so that powder or resin can leave."""
        return self.closed_pores == 0

    def sealed_cavities(self, tile: int = 1) -> int:
        """Number of cavities in a block of copies of the cell that do not reach the block's faces.

        A closed pore that the faces of a single cell cut open is none of them.

        Args:
            tile: copies along each axis.
        """
        void = np.pad(np.tile(np.asarray(self.cell) <= 0.5, (tile,) * 3), 1, constant_values=True)
        return geometry.label(void, periodic=False)[1] - 1
