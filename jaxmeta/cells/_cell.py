"""A scored cell: what it is made of, its stiffness, and what follows from both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Shaped

from ..elasticity import CubicConstants, Isotropic, Moduli, bounds
from ..geometry.symmetry import Symmetry
from ._facts import Facts

_GREY = 1e-3
"""Distance of a density from 0 and 1 up to which a voxel counts as void or solid."""


# As single programs: operation by operation they would take a second to compile.
_upper, _shares = jax.jit(bounds.hashin_shtrikman), jax.jit(bounds.shares)


@dataclass(frozen=True, eq=False)
class Cell:
    """A periodic cell of voxels with its stiffness.

    Whoever makes cells, an optimiser, a library or a generator, gives them in this form; reports, pictures and files
    are made from it.

    Args:
        density: 0 in void and 1 in the solid, or between them; (nx, ny, nz), or (mx, my, mz) of the first octant where
            the symmetry is "mirror" or "cubic".
        symmetry: "none", "mirror" or "cubic".
        stiffness: (6, 6), Voigt order 11 22 33 23 13 12 with engineering shear, in the unit of the solid's modulus.
        solid: where the density is 1.
        background: a second solid where the density is 0, or None for void.
        spacing: voxel edges, three lengths.
        unit: name of the unit of stress.
        solver: how the stiffness was found: `dtype`, `error` and more, as far as it is known.
        provenance: how the cell was made.
        length_unit: name of the unit of the spacing; nothing where only the ratios of the voxel edges matter.

    Raises:
        ValueError: the density does not have three axes, or the stiffness is not (6, 6).

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> octant = np.ones((4, 4, 4))
        >>> octant[1:, 1:, 1:] = 0.0
        >>> cell = jm.cells.Scorer(jm.Isotropic(1.0, 0.3))(octant, "cubic")
        >>> cell.cell.shape, cell.volume_fraction, cell.facts.percolates
        ((8, 8, 8), 0.578125, (True, True, True))
        >>> print(f"K = {cell.constants.bulk:.3f}, {cell.shares.bulk:.0%} of its bound")
        K = 0.278, 97% of its bound
    """

    density: Shaped[np.ndarray, "x y z"]
    symmetry: Symmetry
    stiffness: Float[np.ndarray, "6 6"]
    solid: Isotropic
    background: Isotropic | None = None
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    unit: str = ""
    solver: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    length_unit: str = ""

    def __post_init__(self) -> None:
        if np.ndim(self.density) != 3:
            raise ValueError(f"Argument `density` must have shape (nx, ny, nz), but has shape {self.density.shape}.")
        if np.shape(self.stiffness) != (6, 6):
            raise ValueError(f"Argument `stiffness` must have shape (6, 6), but has shape {self.stiffness.shape}.")

    @cached_property
    def cell(self) -> Shaped[np.ndarray, "nx ny nz"]:
        """The whole cell."""
        return self.density if self.symmetry == "none" else unfolded(self.density)

    @property
    def edges(self) -> tuple[float, float, float]:
        """Edges of the whole cell, in the unit of the spacing."""
        x, y, z = (side * edge for side, edge in zip(self.cell.shape, self.spacing, strict=True))
        return x, y, z

    def sized(self, size: float, unit: str = "mm") -> Cell:
        """This cell with a given longest edge; its stiffness stays, for it does not depend on the size.

        Args:
            size: longest edge of the whole cell.
            unit: of the size.

        Example:
            >>> import numpy as np, jaxmeta as jm
            >>> jm.cells.Cell(np.ones((4, 4, 8)), "mirror", np.eye(6), jm.Isotropic(1.0, 0.3)).sized(10.0).spacing
            (0.625, 0.625, 0.625)
        """
        x, y, z = (edge * size / max(self.edges) for edge in self.spacing)
        return replace(self, spacing=(x, y, z), length_unit=unit)

    @property
    def octant(self) -> Shaped[np.ndarray, "mx my mz"]:
        """The first octant.

        Raises:
            ValueError: the cell has no mirrors.
        """
        if self.symmetry == "none":
            raise ValueError('A cell of symmetry "none" has no octant: use `cell`.')
        return self.density

    @cached_property
    def volume_fraction(self) -> float:
        """Mean density."""
        return float(np.mean(self.density, dtype=np.float64))

    @cached_property
    def is_grey(self) -> bool:
        """Whether some voxels are neither void nor solid, so that bounds on mixtures do not hold."""
        return bool(np.any((self.density > _GREY) & (self.density < 1 - _GREY)))

    @cached_property
    def constants(self) -> CubicConstants:
        """C11, C12 and C44 of the nearest cubic tensor, with the moduli and ratios that follow from them."""
        return CubicConstants.of(np.asarray(self.stiffness, float))

    @cached_property
    def bounds(self) -> Moduli | None:
        """Upper bounds of Hashin and Shtrikman at the volume fraction, plain numbers; None for a grey cell."""
        if self.is_grey:
            return None
        with jax.enable_x64(True):
            upper = _upper(self.volume_fraction, self.solid, self.background)
            return Moduli(*map(float, upper))  # pyright: ignore[reportArgumentType]

    @cached_property
    def shares(self) -> Moduli | None:
        """Bulk modulus and Voigt's average shear modulus as shares of these bounds; None for a grey cell."""
        if self.is_grey:
            return None
        with jax.enable_x64(True):
            shares = _shares(self.constants, self.volume_fraction, self.solid, self.background)
            return Moduli(*map(float, shares))  # pyright: ignore[reportArgumentType]

    @cached_property
    def facts(self) -> Facts:
        """What the voxels tell: parts, paths, contacts, thin members, pores."""
        return Facts(self.cell)


def unfolded(octant: Shaped[np.ndarray, "mx my mz"]) -> Shaped[np.ndarray, "2*mx 2*my 2*mz"]:
    """The whole cell of an octant, on the host and in its dtype."""
    return np.pad(octant, [(0, side) for side in octant.shape], mode="symmetric")
