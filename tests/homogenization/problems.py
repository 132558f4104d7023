"""Cells, their exact stiffness from the oracle, and the measures of error, shared by the tests of homogenization.

The oracle takes longer than what it is to check, so that its results on named cells are committed: `exact.npz`. They
are written anew, after a change of the cells or of the oracle, by `python -m tests.homogenization.problems`;
`test_oracle.py` derives them again.
"""

import hashlib
from functools import cache
from pathlib import Path

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


def modulus(density: np.ndarray, void: float, penalty: float = 3.0) -> np.ndarray:
    """SIMP, written down once more."""
    return void + (1 - void) * np.asarray(density, np.float64) ** penalty


LOOSE = {
    "single voxels": lambda n: (np.random.default_rng(0).random((n, n, n)) < 0.6).astype(float),
    "one voxel alone": lambda n: np.eye(1, n**3, 100).reshape(n, n, n),
    **{name: cells.CELLS[name] for name in ("p_surface", "random_grey", "islands", "slab")},
}
"""Cells that carry, and cells with parts that hang on nothing, whose motions are null vectors in true void."""
NAMED = cells.CELLS | LOOSE

Setting = tuple[str, int, float, tuple[float, float, float]]
SETTINGS_OF_8 = [(1e-1, CUBE), (1e-6, BRICK), (1e-9, BRICK), (0.0, CUBE)]
"""Void and spacing."""
AT_12 = ("gyroid", "random_grey", "truss", "random_binary", "slab", "bridge")
AT_16 = (("gyroid", 1e-9), ("random_binary", 0.0))
COMMITTED: list[Setting] = [
    *((name, 8, void, spacing) for name in NAMED for void, spacing in [*SETTINGS_OF_8, (1e-9, CUBE)]),
    *((name, 12, void, CUBE) for name in AT_12 for void in (1e-9, 0.0)),
    *((name, 16, void, CUBE) for name, void in AT_16),
]
"""Name, voxels along an edge, void and spacing of what is in the file."""
FILE = Path(__file__).with_name("exact.npz")


def derived(name: str, n: int, void: float, spacing: tuple[float, float, float] = CUBE) -> np.ndarray:
    """C of a named cell by the oracle, (6, 6)."""
    return reference.homogenize(modulus(NAMED[name](n), void), BASE, spacing=spacing).stiffness


def _key(name: str, n: int, void: float, spacing: tuple[float, float, float]) -> str:
    """With the cell itself: of one that has changed nothing is in the file."""
    digest = hashlib.sha256(np.round(NAMED[name](n), 6).tobytes()).hexdigest()[:12]
    return f"{name} {n} {void:g} {spacing} {digest}"


@cache
def _committed() -> dict[str, np.ndarray]:
    with np.load(FILE) as file:
        return dict(zip(file["keys"].tolist(), file["stiffness"], strict=True))


@cache
def exact(name: str, n: int, void: float, spacing: tuple[float, float, float] = CUBE) -> np.ndarray:
    """As `derived`, from the file."""
    return _committed()[_key(name, n, void, spacing)]


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


if __name__ == "__main__":
    np.savez_compressed(
        FILE, keys=[_key(*setting) for setting in COMMITTED], stiffness=[derived(*setting) for setting in COMMITTED]
    )
