"""Which of the two forms of the element a grid is computed with."""

from __future__ import annotations

from types import ModuleType

from . import _corners, _kernel
from ._fields import MaterialField

FEW_VOXELS = 1000
"""Grids up to this size, ghosts included, use the element's matrices: these compile sooner and run no slower there."""


def form(ghosted: MaterialField) -> ModuleType:
    """The module whose `internal_force` and `nodal_blocks` serve a grid, from its moduli with ghosts."""
    return _corners if ghosted.diagonal[0].size <= FEW_VOXELS else _kernel
