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
        same_as: name of a problem with the same stiffness, from which the reference is taken.
    """

    name: str
    field: Callable[[int], np.ndarray]
    size: int
    symmetry: str
    penalty: float = 3.0
    void: float = 1e-9
    same_as: str | None = None

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


def _cross(n: int) -> np.ndarray:
    """Three bars along the axes, 0.3 of the cell wide."""
    inside = [np.abs(x - np.pi) < 0.3 * np.pi for x in _angles(n)]
    pairs = [inside[i] & inside[j] for i, j in ((0, 1), (1, 2), (0, 2))]
    return np.logical_or.reduce(pairs).astype(float)


def _sphere(n: int) -> np.ndarray:
    """A spherical pore of diameter 0.9."""
    return (sum((x - np.pi) ** 2 for x in _angles(n)) > (0.9 * np.pi) ** 2).astype(float)


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
        Problem("gyroid_64_void_1e-6", _binary(_gyroid), 64, "none", void=1e-6),
        Problem("gyroid_100", _binary(_gyroid), 100, "none"),
        Problem("gyroid_128", _binary(_gyroid), 128, "none"),
        Problem("p_surface_256", _binary(_p_surface), 256, "none", same_as="p_surface_256_cubic"),
        *(Problem(f"cross_{n}_cubic", _cross, n, "cubic") for n in (32, 64, 128)),
        *(Problem(f"sphere_{n}_cubic", _sphere, n, "cubic") for n in (32, 64, 128)),
        *(Problem(f"p_surface_{n}_cubic", _binary(_p_surface), n, "cubic") for n in (32, 64, 256)),
    ]
}
"""The table: E = 1, nu = 0.3, periodic, trilinear hexahedra, SIMP 3."""
