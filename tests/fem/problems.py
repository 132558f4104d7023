"""Material fields and boundary conditions shared by the tests of the element kernel, and the assembled matrix."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from jaxmeta.fem import Block, Boundary, CubicField, GeneralField, IsotropicField, MaterialField, Periodic, octant
from tests import example_cells as cells
from tests import reference

SPACING = (0.7, 1.1, 1.6)


def isotropic(shape: tuple[int, int, int]) -> tuple[MaterialField, np.ndarray]:
    """Independent λ and μ in every voxel; the field, and the same as (nx, ny, nz, 6, 6)."""
    lmbda, mu = np.random.default_rng(0).uniform(0.1, 2.0, (2, *shape))
    matrices = np.array([reference.isotropic(*pair) for pair in zip(lmbda.ravel(), mu.ravel(), strict=True)])
    return IsotropicField(jnp.asarray(lmbda), jnp.asarray(mu)), matrices.reshape(*shape, 6, 6)


def cubic(shape: tuple[int, int, int]) -> tuple[MaterialField, np.ndarray]:
    """Independent C11, C12 and C44 in every voxel."""
    c12, gap, c44 = np.random.default_rng(1).uniform(0.1, 2.0, (3, *shape))
    c11 = c12 + gap
    matrices = np.zeros((*shape, 6, 6))
    matrices[..., :3, :3] = c12[..., None, None]
    for i in range(3):
        matrices[..., i, i] = c11
        matrices[..., 3 + i, 3 + i] = c44
    return CubicField(jnp.asarray(c11), jnp.asarray(c12), jnp.asarray(c44)), matrices


def general(shape: tuple[int, int, int]) -> tuple[MaterialField, np.ndarray]:
    """Twenty-one independent constants in every voxel."""
    matrices = cells.stiffness_field(shape, seed=2)
    return GeneralField.from_matrix(jnp.asarray(matrices)), matrices


FIELDS: dict[str, Callable] = {"isotropic": isotropic, "cubic": cubic, "general": general}


def clamped(shape: tuple[int, int, int]) -> Block:
    """A block with a random fifth of its components held."""
    held = np.random.default_rng(5).uniform(size=(3, *(n + 1 for n in shape))) < 0.2
    return Block((jnp.asarray(~held),))


def free(shape: tuple[int, int, int]) -> Block:
    """A block with nothing held."""
    return Block()


BOUNDARIES: dict[str, Callable[[tuple[int, int, int]], Boundary]] = {
    "periodic": lambda shape: Periodic(),
    "free": free,
    "clamped": clamped,
    **{f"octant_{load}": (lambda shape, load=load: octant(shape, load)) for load in range(6)},
}


@dataclass(frozen=True)
class Assembled:
    """The dense matrix and loads of a block or cell, put together by the oracle's element."""

    matrix: np.ndarray
    """(3 n, 3 n), degrees of freedom node by node."""
    loads: np.ndarray
    """(3 n, 6): forces of the six unit strains."""


def held(boundary: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Held degrees of freedom, node by node, from the definition of each condition; none in a periodic cell."""
    if boundary == "periodic":
        return np.zeros(3 * int(np.prod(shape)), bool)
    nodes = tuple(n + 1 for n in shape)
    out = np.zeros((*nodes, 3), bool)
    if boundary == "clamped":
        out |= ~np.moveaxis(np.asarray(clamped(shape).masks[0]), 0, -1)
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


def assemble(matrices: np.ndarray, boundary: str, spacing: tuple[float, float, float] = SPACING) -> Assembled:
    """K and the six loads, with the rows and columns of held components set to zero."""
    shape = matrices.shape[:3]
    periodic = boundary == "periodic"
    voxels = np.argwhere(np.ones(shape, bool))
    dofs = reference._dofs(voxels, shape, periodic=periodic)
    k_e, f_e = reference.element_matrices(spacing, matrices.reshape(-1, 6, 6))
    size = 3 * int(np.prod(shape if periodic else [n + 1 for n in shape]))
    matrix, loads = np.zeros((size, size)), np.zeros((size, 6))
    for dof, k, f in zip(dofs, k_e, f_e, strict=True):
        np.add.at(matrix, (dof[:, None], dof[None, :]), k)
        np.add.at(loads, dof, f)
    mask = held(boundary, shape)
    matrix[mask] = matrix[:, mask] = loads[mask] = 0.0
    return Assembled(matrix, loads)


def to_vector(field: np.ndarray) -> np.ndarray:
    """A nodal field (3, x, y, z) as a vector, node by node."""
    return np.moveaxis(np.asarray(field), 0, -1).reshape(-1)
