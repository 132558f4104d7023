"""Cells, their exact stiffness from the oracle, and the measures of error, shared by the tests of homogenization."""

from functools import cache

import jax.numpy as jnp
import numpy as np

import jaxmeta as jm
from tests import example_cells as cells
from tests import reference

SOLID = jm.Isotropic(young=1.0, poisson=0.3)
BASE = reference.isotropic_young(1.0, 0.3)
CUBE = (1.0, 1.0, 1.0)
BRICK = (1.0, 0.7, 1.9)
EXACT = 1e-12
"""The relative residual at which nothing but rounding is left."""
VOIDS = (1e-1, 1e-3, 1e-6, 1e-9, 0.0)
"""Void moduli relative to the solid; zero is true void."""

Shape = int | tuple[int, int, int]


def modulus(density: np.ndarray, void: float, penalty: float = 3.0) -> np.ndarray:
    """SIMP, written down once more."""
    return void + (1 - void) * np.asarray(density, np.float64) ** penalty


@cache
def exact(name: str, shape: Shape, void: float, spacing: tuple[float, float, float] = CUBE) -> np.ndarray:
    """C of a named cell by the oracle, (6, 6)."""
    return reference.homogenize(modulus(cells.CELLS[name](shape), void), BASE, spacing=spacing).stiffness


def random_field(shape: tuple[int, int, int], seed: int, low: float = 0.0) -> np.ndarray:
    """Independent densities in every voxel."""
    return np.random.default_rng(seed).uniform(low, 1.0, shape)


def relative_error(actual, expected: np.ndarray, floor: float = 0.0) -> float:
    """max |ΔC_ij| / √(C_ii C_jj), of the exact C; `floor` is the least that counts as C_ii."""
    diagonal = np.sqrt(np.maximum(np.diag(expected), floor))
    return float(np.max(np.abs(np.asarray(actual, np.float64) - expected) / np.outer(diagonal, diagonal)))


def homogenize(
    density: np.ndarray, void: float = 1e-9, dtype=jnp.float64, **options
) -> jm.homogenization.Homogenization:
    """`jm.homogenize` with penalty 3, without raising: tests look at the result."""
    return jm.homogenize(jnp.asarray(density, dtype), SOLID, interpolation=jm.SIMP(3.0, void), throw=False, **options)
