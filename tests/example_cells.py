"""Named test cells as functions of the grid: NumPy only, deterministic, shared by all tests.

A cell is a field of modulus scales in [0, 1] at the voxel centres x = (i + ½)/n of the unit cell. The smooth ones
sample the same function on every grid. Tests parametrise over `CELLS`, or over `select(...)` for those with a given
property; `stiffness_field` is a field of general anisotropic stiffness.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Shape = int | tuple[int, int, int]


@dataclass(frozen=True)
class Cell:
    """A test cell and what is known of it. The flags hold for 8³ voxels and more, n even."""

    name: str
    make: Callable[[Shape], np.ndarray]
    """From n or (nx, ny, nz) to the field (nx, ny, nz)."""
    percolates: bool
    """The positive voxels form, through their faces, a periodic network along all three axes: C is regular. Cells that
    hold together by edges only do not count, though their C on a grid is regular too."""
    binary: bool
    """Zeros and ones only; zero is void."""
    random: bool = False
    mirror: bool = False
    """Unchanged by x → 1 − x along every axis, so that one octant is enough."""
    cubic: bool = False
    """Unchanged by permutations of the axes, on a grid of equal sides."""

    def __call__(self, n: Shape) -> np.ndarray:
        return self.make(n)


def gyroid(n: Shape) -> np.ndarray:
    """One of the two networks of the gyroid, volume fraction near 0.3."""
    return _binary(_gyroid(n) > 0.6)


def gyroid_grey(n: Shape) -> np.ndarray:
    """The gyroid's level-set function as a grey field between 0.001 and 1."""
    return np.clip(0.5 + 0.4 * _gyroid(n), 0.001, 1.0)


def p_surface(n: Shape) -> np.ndarray:
    """One network of the Schwarz P surface, volume fraction near 0.36."""
    return _binary(_p(n) > 0.5)


def p_sheet(n: Shape) -> np.ndarray:
    """The sheet around the Schwarz P surface."""
    return _binary(np.abs(_p(n)) < 0.7)


def cross(n: Shape) -> np.ndarray:
    """Three square bars along the axes that meet in the middle."""
    near = [np.abs(x - 0.5) < 0.2 for x in _grid(n)]
    return _binary(near[0] & near[1] | near[0] & near[2] | near[1] & near[2])


def truss(n: Shape) -> np.ndarray:
    """Round struts of radius 0.16 along the four body diagonals."""
    # By mirror symmetry only the diagonal of the first octant; distance² = |x|² − (x·1)²/3.
    points = [0.5 - np.abs(x - 0.5) for x in _grid(n)]
    square = sum(p**2 for p in points) - sum(points) ** 2 / 3
    return _binary(square < 0.16**2)


def plates(n: Shape) -> np.ndarray:
    """A closed box: walls one voxel thick on all faces of the cell."""
    inner = np.ones(_shape(n), bool)
    for axis in range(3):
        np.moveaxis(inner, axis, 0)[[0, -1]] = False
    return _binary(~inner)


def hole(n: Shape) -> np.ndarray:
    """A solid with a spherical void of radius 0.4."""
    return _binary(sum((x - 0.5) ** 2 for x in _grid(n)) >= 0.4**2)


def sphere(n: Shape) -> np.ndarray:
    """A stiff sphere of radius 0.35 in a matrix of scale 0.1."""
    return np.where(sum((x - 0.5) ** 2 for x in _grid(n)) < 0.35**2, 1.0, 0.1)


def random_grey(n: Shape) -> np.ndarray:
    """A smooth random field, longer along x than along z, between 0.001 and 1."""
    return np.clip(0.5 + 0.35 * _smooth(n, seed=1), 0.001, 1.0)


def random_binary(n: Shape) -> np.ndarray:
    """A smooth random field, thresholded near half of the volume."""
    return _binary(_smooth(n, seed=2) > 0.0)


def noise_grey(n: Shape) -> np.ndarray:
    """Independent voxels, log-uniform between 1e-3 and 1."""
    return 10.0 ** np.random.default_rng(3).uniform(-3.0, 0.0, _shape(n))


def noise_binary(n: Shape) -> np.ndarray:
    """Independent voxels, 60 % solid: far from the percolation threshold 0.3116, with loose voxels inside."""
    return _binary(np.random.default_rng(4).uniform(size=_shape(n)) < 0.6)


def slab(n: Shape) -> np.ndarray:
    """Solid but for one layer of void across z: C33, C23 and C13 are zero."""
    cell = np.ones(_shape(n))
    cell[:, :, -1] = 0.0
    return cell


def islands(n: Shape) -> np.ndarray:
    """Two blocks that touch neither each other nor their periodic images: C is zero."""
    x, y, z = _grid(n)
    large = (x > 0.1) & (x < 0.55) & (y > 0.1) & (y < 0.9) & (z > 0.1) & (z < 0.9)
    small = (x > 0.7) & (x < 0.9) & (y > 0.3) & (y < 0.8) & (z > 0.1) & (z < 0.5)
    return _binary(large | small)


def bridge(n: Shape) -> np.ndarray:
    """A block held to its periodic images by bars one voxel thick, off its centre: it nearly falls apart."""
    x, y, z = _grid(n)
    cell = _binary((x > 0.2) & (x < 0.8) & (y > 0.2) & (y < 0.8) & (z > 0.2) & (z < 0.8))
    i, j, k = (s // 2 for s in cell.shape)
    cell[:, j, k] = cell[i, :, k] = cell[i, j, :] = 1.0
    return cell


def checkerboard(n: Shape) -> np.ndarray:
    """A 3-D checkerboard, 2 × 2 × 2 blocks: the cubes touch along edges only."""
    x, y, z = (2 * s // 1 for s in _grid(n))
    return _binary((x + y + z) % 2 == 0)


def rotating_squares(n: Shape) -> np.ndarray:
    """Square columns along z that touch along edges, which are hinges: turning them against each other costs nothing.

    K has this null vector beside the three translations. The columns are at their widest, so that to first order the
    motion has no macroscopic strain, and C on a grid is regular.
    """
    x, y, z = (2 * s // 1 for s in _grid(n))
    return _binary((x + y + 0 * z) % 2 == 0)


def laminate_x(n: Shape) -> np.ndarray:
    """Four equal layers across x, scales `LAYERS`."""
    return _layers(n, 0)


def laminate_y(n: Shape) -> np.ndarray:
    """Four equal layers across y, scales `LAYERS`."""
    return _layers(n, 1)


def laminate_z(n: Shape) -> np.ndarray:
    """Four equal layers across z, scales `LAYERS`."""
    return _layers(n, 2)


def uniform(n: Shape) -> np.ndarray:
    """The solid itself."""
    return np.ones(_shape(n))


LAYERS = (1.0, 0.2, 0.05, 0.7)

_TABLE = (
    Cell("uniform", uniform, percolates=True, binary=True, mirror=True, cubic=True),
    Cell("gyroid", gyroid, percolates=True, binary=True),
    Cell("gyroid_grey", gyroid_grey, percolates=True, binary=False),
    Cell("p_surface", p_surface, percolates=True, binary=True, mirror=True, cubic=True),
    Cell("p_sheet", p_sheet, percolates=True, binary=True, mirror=True, cubic=True),
    Cell("cross", cross, percolates=True, binary=True, mirror=True, cubic=True),
    Cell("truss", truss, percolates=True, binary=True, mirror=True, cubic=True),
    Cell("plates", plates, percolates=True, binary=True, mirror=True, cubic=True),
    Cell("hole", hole, percolates=True, binary=True, mirror=True, cubic=True),
    Cell("sphere", sphere, percolates=True, binary=False, mirror=True, cubic=True),
    Cell("random_grey", random_grey, percolates=True, binary=False, random=True),
    Cell("random_binary", random_binary, percolates=True, binary=True, random=True),
    Cell("noise_grey", noise_grey, percolates=True, binary=False, random=True),
    Cell("noise_binary", noise_binary, percolates=True, binary=True, random=True),
    Cell("slab", slab, percolates=False, binary=True),
    Cell("islands", islands, percolates=False, binary=True),
    Cell("bridge", bridge, percolates=True, binary=True, cubic=True),
    Cell("checkerboard", checkerboard, percolates=False, binary=True, cubic=True),
    Cell("rotating_squares", rotating_squares, percolates=False, binary=True),
    Cell("laminate_x", laminate_x, percolates=True, binary=False),
    Cell("laminate_y", laminate_y, percolates=True, binary=False),
    Cell("laminate_z", laminate_z, percolates=True, binary=False),
)
CELLS = {cell.name: cell for cell in _TABLE}


def select(**flags: bool) -> list[Cell]:
    """The cells whose flags have the given values: `select(percolates=True, cubic=True)`."""
    return [cell for cell in _TABLE if all(getattr(cell, name) == value for name, value in flags.items())]


def stiffness_field(n: Shape, seed: int = 0) -> np.ndarray:
    """A field of general anisotropic stiffness, without any symmetry and positive definite in every voxel.

    Args:
        n: n or (nx, ny, nz).
        seed: Seed of the field.

    Returns:
        (nx, ny, nz, 6, 6).
    """
    root = np.random.default_rng(seed).normal(size=(*_shape(n), 6, 6))
    return root @ np.swapaxes(root, -1, -2) + 0.5 * np.eye(6)


def _shape(n: Shape) -> tuple[int, int, int]:
    return (n, n, n) if isinstance(n, int) else n


def _grid(n: Shape) -> list[np.ndarray]:
    """Voxel centres in the unit cell, three arrays that broadcast to (nx, ny, nz)."""
    return list(np.meshgrid(*((np.arange(s) + 0.5) / s for s in _shape(n)), indexing="ij"))


def _binary(solid: np.ndarray) -> np.ndarray:
    return solid.astype(np.float64)


def _gyroid(n: Shape) -> np.ndarray:
    x, y, z = (2.0 * np.pi * s for s in _grid(n))
    return np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)


def _p(n: Shape) -> np.ndarray:
    # The cosines of one quarter of a period, so that mirror images agree to the last bit.
    return -sum(np.cos(2.0 * np.pi * (0.5 - np.abs(s - 0.5))) for s in _grid(n))


def _smooth(n: Shape, seed: int) -> np.ndarray:
    """Twenty-four random plane waves of variance one in all; the same function on every grid."""
    rng = np.random.default_rng(seed)
    field = np.zeros(_shape(n))
    for _ in range(24):
        wave = rng.integers((-1, -2, -3), (1, 2, 3), endpoint=True)
        phase = rng.uniform(0.0, 2.0 * np.pi)
        field += np.cos(2.0 * np.pi * sum(k * x for k, x in zip(wave, _grid(n), strict=True)) + phase)
    return field / np.sqrt(12.0)


def _layers(n: Shape, axis: int) -> np.ndarray:
    shape = _shape(n)
    if shape[axis] % 4:
        raise ValueError(f"A laminate of four layers needs a multiple of four voxels along axis {axis}, but n = {n}.")
    along = np.repeat(np.array(LAYERS), shape[axis] // 4)
    return np.moveaxis(np.broadcast_to(along, tuple(np.delete(shape, axis)) + along.shape), -1, axis).copy()
