"""The cells that are measured, as fields on any grid: NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Problem:
    """A cell, its grid and what is asked of it.

    Attributes:
        name: as it stands in the results.
        field: (n) → density (n, n, n) of the whole cell.
        size: voxels along an edge of the whole cell.
        symmetry: "none" (six loads on the cell) or "cubic" (two loads on the octant).
        penalty: SIMP exponent.
        void: modulus of void relative to the solid.
    """

    name: str
    field: Callable[[int], np.ndarray]
    size: int
    symmetry: str
    penalty: float = 3.0
    void: float = 1e-9

    def density(self) -> np.ndarray:
        """What is handed to the solver: the cell, or its octant."""
        cell = self.field(self.size)
        half = self.size // 2
        return cell if self.symmetry == "none" else cell[:half, :half, :half]

    def stiffened(self, density: np.ndarray) -> np.ndarray:
        """Young's modulus of a density, relative to the solid's."""
        return self.void + (1 - self.void) * density**self.penalty

    def modulus(self) -> np.ndarray:
        """Young's modulus (n, n, n) of the whole cell."""
        return self.stiffened(self.field(self.size).astype(float))


def _angles(n: int) -> list[np.ndarray]:
    x = 2 * np.pi * (np.arange(n) + 0.5) / n
    return np.meshgrid(x, x, x, indexing="ij")


def _gyroid(n: int) -> np.ndarray:
    x, y, z = _angles(n)
    return np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)


def _p_surface(n: int) -> np.ndarray:
    x, y, z = _angles(n)
    return np.cos(x) + np.cos(y) + np.cos(z)


def _binary(level_set: Callable[[int], np.ndarray]) -> Callable[[int], np.ndarray]:
    return lambda n: (level_set(n) > 0).astype(float)


def _grey(level_set: Callable[[int], np.ndarray]) -> Callable[[int], np.ndarray]:
    def field(n: int) -> np.ndarray:
        values = level_set(n)
        return (values - values.min()) / (values.max() - values.min())

    return field


def _filtered(n: int) -> np.ndarray:
    """The binary gyroid under a Gaussian of one voxel and a half."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(_binary(_gyroid)(n), 1.5, mode="wrap")


def _random(n: int) -> np.ndarray:
    """A filtered random field cut at volume fraction 0.4."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(0).standard_normal((n, n, n)), 2.0, mode="wrap")
    return (field > np.quantile(field, 0.6)).astype(float)


PROBLEMS = {
    p.name: p
    for p in [
        Problem("p_surface_128_cubic", _binary(_p_surface), 128, "cubic"),
        Problem("p_surface_128_cubic_grey", _grey(_p_surface), 128, "cubic"),
        Problem("gyroid_64", _binary(_gyroid), 64, "none"),
        Problem("gyroid_64_grey", _grey(_gyroid), 64, "none"),
        Problem("gyroid_64_filtered", _filtered, 64, "none"),
        Problem("gyroid_64_true_void", _binary(_gyroid), 64, "none", void=0.0),
        Problem("random_64", _random, 64, "none"),
        Problem("gyroid_32", _binary(_gyroid), 32, "none"),
        Problem("gyroid_32_grey", _grey(_gyroid), 32, "none"),
        Problem("gyroid_128", _binary(_gyroid), 128, "none"),
    ]
}
"""The table: E = 1, nu = 0.3, periodic, trilinear hexahedra, SIMP 3."""
