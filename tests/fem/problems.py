"""Material fields and boundary conditions shared by the tests of the element kernel, and the assembled matrix."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxmeta.fem import (
    Block,
    Boundary,
    CubicField,
    GeneralField,
    IsotropicField,
    Kind,
    MaterialField,
    Periodic,
    octant,
)
from tests import example_cells as cells
from tests import reference

SPACING = (0.7, 1.1, 1.6)


def isotropic(shape: tuple[int, int, int]) -> tuple[MaterialField, np.ndarray]:
    """Independent λ and μ in every voxel; the field, and the same as (nx, ny, nz, 6, 6)."""
    lmbda, mu = np.random.default_rng(0).uniform(0.1, 2.0, (2, *shape))
    matrices = np.array([reference.isotropic(*pair) for pair in zip(lmbda.ravel(), mu.ravel(), strict=True)])
    return IsotropicField(jax.device_put(lmbda), jax.device_put(mu)), matrices.reshape(*shape, 6, 6)


def cubic(shape: tuple[int, int, int]) -> tuple[MaterialField, np.ndarray]:
    """Independent C11, C12 and C44 in every voxel."""
    c12, gap, c44 = np.random.default_rng(1).uniform(0.1, 2.0, (3, *shape))
    c11 = c12 + gap
    matrices = np.zeros((*shape, 6, 6))
    matrices[..., :3, :3] = c12[..., None, None]
    for i in range(3):
        matrices[..., i, i] = c11
        matrices[..., 3 + i, 3 + i] = c44
    return CubicField(jax.device_put(c11), jax.device_put(c12), jax.device_put(c44)), matrices


def general(shape: tuple[int, int, int]) -> tuple[MaterialField, np.ndarray]:
    """Twenty-one independent constants in every voxel."""
    matrices = cells.stiffness_field(shape, seed=2)
    return GeneralField.from_matrix(jax.device_put(matrices)), matrices


FIELDS: dict[str, Callable] = {"isotropic": isotropic, "cubic": cubic, "general": general}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TransverselyIsotropic:
    """A field of a user's own: moduli in every voxel, z the axis of symmetry, and a factor that all voxels share."""

    moduli: tuple[jax.Array, ...]
    factor: jax.Array

    def map(self, function):
        return TransverselyIsotropic(tuple(function(modulus) for modulus in self.moduli), self.factor)

    def stress(self, strain):
        c11, c12, c13, c33, c44 = (self.factor * modulus for modulus in self.moduli)
        xx, yy, zz, yz, xz, xy = (0.0 * c11 if e is None else e for e in strain)
        pressure = c12 * (xx + yy) + c13 * zz
        return [
            pressure + (c11 - c12) * xx,
            pressure + (c11 - c12) * yy,
            c13 * (xx + yy) + c33 * zz,
            c44 * yz,
            c44 * xz,
            0.5 * (c11 - c12) * xy,
        ]

    @property
    def diagonal(self):
        c11, c12, c13, c33, c44 = (self.factor * modulus for modulus in self.moduli)
        return c11, c11, c33, c44, c44, 0.5 * (c11 - c12)


def transversely_isotropic(shape: tuple[int, int, int]) -> tuple[MaterialField, np.ndarray]:
    """A material field that the package does not know."""
    c12, c13, gap, c33, c44 = np.random.default_rng(7).uniform(0.5, 1.0, (5, *shape))
    c11 = c12 + gap
    matrices = np.zeros((*shape, 6, 6))
    for i, j, entry in [(0, 1, c12), (0, 2, c13), (1, 2, c13)]:
        matrices[..., i, j] = matrices[..., j, i] = 1.5 * entry
    for i, entry in enumerate([c11, c11, 1 + c33, c44, c44, gap / 2]):
        matrices[..., i, i] = 1.5 * entry
    moduli = tuple(jax.device_put(m) for m in (c11, c12, c13, 1 + c33, c44))
    return TransverselyIsotropic(moduli, jnp.asarray(1.5)), matrices


MIXED: dict[str, tuple[Kind, Kind, Kind]] = {
    "periodic_mirror_free": ("periodic", "mirror", "free"),
    "free_periodic_mirror": ("free", "periodic", "mirror"),
    "mirror_periodic_periodic": ("mirror", "periodic", "periodic"),
    "periodic_free_periodic": ("periodic", "free", "periodic"),
}
"""One kind for each axis; a tenth of the components is held on top."""
EVEN = (True, False, False)
"""Components that are even across the mirrors of these."""


def nodes(boundary: str, shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Number of independent nodes along each axis."""
    around = periodic(boundary)
    return tuple(n if p else n + 1 for n, p in zip(shape, around, strict=True))


def periodic(boundary: str) -> tuple[bool, ...]:
    """Which axes are periodic."""
    if boundary in MIXED:
        return tuple(kind == "periodic" for kind in MIXED[boundary])
    return (boundary == "periodic",) * 3


def _held_at_random(boundary: str, shape: tuple[int, int, int]) -> np.ndarray:
    share = {"clamped": 0.2, **dict.fromkeys(MIXED, 0.1)}.get(boundary, 0.0)
    return np.random.default_rng(5).uniform(size=(3, *nodes(boundary, shape))) < share


def clamped(shape: tuple[int, int, int]) -> Block:
    """A block with a random fifth of its components held."""
    return Block(mask=jax.device_put(~_held_at_random("clamped", shape)))


def mixed(boundary: str, shape: tuple[int, int, int]) -> Block:
    """Different conditions along the axes."""
    kinds = MIXED[boundary]
    even = tuple(jnp.array(EVEN) if kind == "mirror" else None for kind in kinds)
    return Block(kinds, even, jax.device_put(~_held_at_random(boundary, shape)))


BOUNDARIES: dict[str, Callable[[tuple[int, int, int]], Boundary]] = {
    "periodic": lambda shape: Periodic(),
    "free": lambda shape: Block(),
    "clamped": clamped,
    **{f"octant_{load}": (lambda shape, load=load: octant(load)) for load in range(6)},
    **{name: partial(mixed, name) for name in MIXED},
}


@dataclass(frozen=True)
class Assembled:
    """The dense matrix and loads of a block or cell, put together by the oracle's element."""

    matrix: np.ndarray
    """(3 n, 3 n), degrees of freedom node by node."""
    loads: np.ndarray
    """(3 n, 6): forces of the six unit strains."""


def held(boundary: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Held degrees of freedom, node by node, from the definition of each condition."""
    out = np.moveaxis(_held_at_random(boundary, shape), 0, -1)
    if boundary in MIXED:
        for axis, kind in enumerate(MIXED[boundary]):
            if kind == "mirror":
                np.moveaxis(out, axis, 0)[[0, -1], ..., 1:] = True
    if boundary.startswith("octant"):
        pair = {3: {1, 2}, 4: {0, 2}, 5: {0, 1}}.get(int(boundary[-1]), set())
        for axis in range(3):
            # Under the mirror `axis` the load xx is even; a shear of the axes i, j is odd under the mirrors i and j.
            odd = axis in pair
            for face in (0, -1):
                for component in range(3):
                    if (component == axis) != odd:
                        np.moveaxis(out, axis, 0)[face, ..., component] = True
    return out.reshape(-1)


def assemble(
    matrices: np.ndarray,
    boundary: str,
    spacing: tuple[float, float, float] = SPACING,
    mask: np.ndarray | None = None,
) -> Assembled:
    """K and the six loads, with the rows and columns of held components (or of those of a mask) set to zero."""
    shape = matrices.shape[:3]
    voxels = np.argwhere(np.ones(shape, bool))
    dofs = reference._dofs(voxels, shape, periodic(boundary))
    k_e, f_e = reference.element_matrices(spacing, matrices.reshape(-1, 6, 6))
    size = 3 * int(np.prod(nodes(boundary, shape)))
    matrix, loads = np.zeros((size, size)), np.zeros((size, 6))
    for dof, k, f in zip(dofs, k_e, f_e, strict=True):
        np.add.at(matrix, (dof[:, None], dof[None, :]), k)
        np.add.at(loads, dof, f)
    mask = held(boundary, shape) if mask is None else mask
    matrix[mask] = matrix[:, mask] = loads[mask] = 0.0
    return Assembled(matrix, loads)


def to_vector(field: np.ndarray) -> np.ndarray:
    """A nodal field (3, x, y, z) as a vector, node by node."""
    return np.moveaxis(np.asarray(field), 0, -1).reshape(-1)
