"""A stiffness that is asked for: whether a cell can have it, and how far a cell is from it."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import ArrayLike, Float

from .._arguments import real_number
from ..elasticity import Isotropic, bounds, cubic_constants, cubic_stiffness, to_mandel
from ..geometry.symmetry import Symmetry

ENTRIES: dict[Symmetry, tuple[tuple[int, int], ...]] = {
    "cubic": ((0, 0), (0, 1), (3, 3)),
    "mirror": ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2), (3, 3), (4, 4), (5, 5)),
    "none": tuple((i, j) for i in range(6) for j in range(i, 6)),
}
"""Entries of C that a symmetry leaves free."""
_SAME = 1e-6
_ROUNDING = 1e-9


class Target(NamedTuple):
    """What is asked for.

    Attributes:
        stiffness: (6, 6).
        volume_fraction: or None for any.
        symmetry: of the cell.
    """

    stiffness: Float[np.ndarray, "6 6"]
    volume_fraction: float | None
    symmetry: Symmetry

    @property
    def _weights(self) -> np.ndarray:
        if self.symmetry == "cubic":
            return np.ones(3)
        kelvin = np.asarray(to_mandel(np.ones((6, 6))))
        return np.array([kelvin[i, j] * (1.0 if i == j else np.sqrt(2.0)) for i, j in ENTRIES[self.symmetry]])

    def entries(self, stiffness: Float[np.ndarray, "6 6"]) -> Float[np.ndarray, " entries"]:
        """The free entries of a tensor, each as often as it counts in the norm."""
        return self._weights * np.array([stiffness[entry] for entry in ENTRIES[self.symmetry]])

    def weighted(self, changes: Float[np.ndarray, "entries k"]) -> Float[np.ndarray, "entries k"]:
        """The same for changes of the free entries."""
        return self._weights[:, None] * changes

    @property
    def norm(self) -> float:
        """|C*|."""
        return float(np.linalg.norm(self.entries(self.stiffness)))

    def error(self, stiffness: Float[np.ndarray, "6 6"]) -> float:
        """|C − C*| / |C*|: over C11, C12 and C44 of a cubic cell, else the norm of all entries in Kelvin's form."""
        return float(np.linalg.norm(self.entries(stiffness) - self.entries(self.stiffness)) / self.norm)


def checked_target(
    stiffness: Float[ArrayLike, "6 6"], volume_fraction: float | None, solid: Isotropic, symmetry: Symmetry = "cubic"
) -> Target:
    """The target, refused where no cell can have it.

    Args:
        stiffness: (6, 6), Voigt, in the unit of the solid's modulus.
        volume_fraction: in (0, 1], or None.
        solid: of the cell.
        symmetry: of the cell.

    Raises:
        ValueError: the stiffness is not a symmetric (6, 6) matrix of finite numbers, has not the symmetry, is not
            positive definite, or is above a bound of Hashin and Shtrikman: at the volume fraction, or for any.
    """
    asked = np.asarray(stiffness)
    if asked.shape != (6, 6) or asked.dtype.kind not in "fiu" or not np.isfinite(asked).all():
        raise ValueError(f"Argument `stiffness` must be (6, 6) and finite, but has shape {asked.shape}, or is not.")
    asked = asked.astype(float)
    size = np.abs(asked).max()
    if np.abs(asked - asked.T).max() > _SAME * size:
        raise ValueError("Argument `stiffness` must be symmetric, but differs from its transpose.")
    free = np.zeros((6, 6), bool)
    for i, j in ENTRIES["mirror" if symmetry == "cubic" else symmetry]:
        free[i, j] = free[j, i] = True
    with jax.enable_x64(True):
        nearest = np.asarray(cubic_stiffness(*cubic_constants(asked)))
    off = np.abs(asked - nearest) if symmetry == "cubic" else np.abs(np.where(free, 0.0, asked))
    if off.max() > _SAME * size:
        raise ValueError(
            f"Argument `stiffness` must have {symmetry} symmetry, as the cell, but is off by {off.max():g}."
        )
    least = np.linalg.eigvalsh(asked)[0]
    if not least > _ROUNDING * size:
        raise ValueError(f"Argument `stiffness` must be positive definite, but has the eigenvalue {least:g}.")
    if volume_fraction is not None:
        real_number("volume_fraction", volume_fraction, "lie in (0, 1]", lambda f: 0 < f <= 1)
    excess = bounds.exceeded(asked, 1.0 if volume_fraction is None else volume_fraction, solid)
    if excess is not None:
        where = "of the solid itself" if volume_fraction is None else f"at the volume fraction {volume_fraction:g}"
        raise ValueError(
            f"Argument `stiffness` must be one that a cell can have, but its {excess.name} modulus {excess.value:.4g} "
            f"is above the bound {excess.bound:.4g} {where}."
        )
    return Target(asked, volume_fraction, symmetry)
