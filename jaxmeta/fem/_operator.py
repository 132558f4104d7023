"""The stiffness operator of a voxel grid with its boundary condition, and its coarser versions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from . import _corners
from ._blocks import block_product, nodal_blocks
from ._boundary import Block, Boundary, Grids, Periodic, Shared, by_blocks
from ._fields import MaterialField, is_known
from ._form import form
from ._voxel_ops import force, residual_force, swept


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Stiffness:
    """K = Eᵀ B(material) E on the unknown nodes of a grid.

    Args:
        material: moduli in every voxel, (nx, ny, nz).
        spacing: edges of a voxel, (3,).
        boundary: what every axis is, and which components are held.
    """

    material: MaterialField
    spacing: Float[Array, "3"]
    boundary: Boundary

    @property
    def elements(self) -> tuple[int, ...]:
        """Number of voxels along each axis."""
        return self.material.diagonal[0].shape

    @property
    def nodes(self) -> tuple[int, ...]:
        """Number of unknown nodes along each axis."""
        return self.boundary.nodes(self.elements)

    @jax.jit
    def __call__(
        self, displacement: Float[Array, "3 x y z"], macro: Float[Array, "6"] | None = None
    ) -> Float[Array, "3 x y z"]:
        """Nodal forces of a displacement, under a uniform strain as well if `macro` is given."""
        if macro is None:
            macro = jnp.zeros(6, displacement.dtype)
        return by_blocks(self.boundary, _forces, displacement, self.material, self.spacing, macro)

    def residual(self, displacement: Float[Array, "3 x y z"], load: Float[Array, "3 x y z"]) -> Float[Array, "3 x y z"]:
        """load − K displacement on the free components, where the held ones of the displacement are zero."""
        if is_known(self.material) and self.boundary.whole:
            force = residual_force(self.material, self.spacing, displacement, load, self.boundary.periodic)
            return self.boundary.free(force)
        return self.boundary.free(load - self(displacement))

    def swept(
        self, displacement: Float[Array, "3 x y z"], load: Float[Array, "3 x y z"], blocks: Float[Array, "6 x y z"]
    ) -> Float[Array, "3 x y z"]:
        """displacement + D (load − K displacement), with D the symmetric 3×3 `blocks` on the free components."""
        if is_known(self.material) and self.boundary.whole:
            return swept(self.material, self.spacing, displacement, load, blocks, self.boundary.periodic)
        return displacement + block_product(blocks, load - self(displacement), self.boundary)

    def diagonal(self) -> Float[Array, "3 x y z"]:
        """Diagonal of the matrix; zero at held components and in void."""
        return self.boundary.free(self.blocks()[:3])

    def blocks(self) -> Float[Array, "6 x y z"]:
        """Diagonal 3×3 blocks of the matrix, entries 11, 22, 33, 23, 13, 12, held components included."""
        return by_blocks(self.boundary, nodal_blocks, self.material, self.spacing)

    def matrix(self) -> Float[Array, "n n"]:
        """The dense matrix, unknowns in the order of a nodal field (3, x, y, z); zero in held rows and columns."""
        size = 3 * math.prod(self.nodes)
        # Numbered from one on, so that what E sets to zero is the number zero, whose row and column are dropped.
        numbers = jnp.arange(1, size + 1, dtype=self.spacing.dtype).reshape(3, *self.nodes)
        boundary = Periodic() if isinstance(self.boundary, Shared) else self.boundary
        ghosts = boundary.ghosts(numbers).astype(jnp.int32)
        inner = tuple(slice(1, n + 2) for n in self.elements)
        rows = _corners.corners(ghosts[:, *inner])
        matrices = _corners.element_matrices(self.material, self.spacing)
        return jnp.zeros((size + 1, size + 1), matrices.dtype).at[rows[:, None], rows[None]].add(matrices)[1:, 1:]

    def coarse(self, elements: tuple[int, int, int]) -> Stiffness:
        """The operator on a coarser grid of the same block: a coarse modulus is the mean over its voxel."""
        nx, ny, nz = self.elements
        grids = Grids((nx, ny, nz), elements)
        material = self.material.map(partial(_means, grids))
        boundary = self.boundary.coarse(grids)
        if isinstance(self.boundary, Shared):
            material = material.map(self.boundary.on_coarse)
        widths = np.divide(grids.fine, grids.coarse)
        return Stiffness(material, self.spacing * jnp.asarray(widths, self.spacing.dtype), boundary)


def _forces(
    boundary: Periodic | Block, displacement: Array, material: MaterialField, spacing: Array, macro: Array
) -> Array:
    if is_known(material) and boundary.whole:
        return boundary.free(force(material, spacing, boundary.free(displacement), macro, boundary.periodic))
    ghosts, ghosted = boundary.ghosts(displacement), material.map(boundary.ghost_elements)
    return boundary.free(form(ghosted).internal_force(ghosts, ghosted, spacing, macro))


def _means(grids: Grids, field: Array) -> Array:
    """Means over the coarse voxels.

    Of n = 2N − 1 voxels along an axis, N coarse ones are 2 − 1/N wide; the one with number J holds the voxel 2J whole,
    and of those beside it J/N and 1 − (J + 1)/N.
    """
    for axis, (fine, coarse) in enumerate(zip(grids.fine, grids.coarse, strict=True)):
        if fine == coarse:
            continue
        whole = (*field.shape[:axis], coarse, 2, *field.shape[axis + 1 :])
        if fine % 2 == 0:
            field = field.reshape(whole).mean(axis + 1)
            continue
        number = (np.arange(coarse) / coarse).reshape([-1 if a == axis else 1 for a in range(3)])
        low, high = (jnp.asarray(share, field.dtype) for share in (number, 1 - 1 / coarse - number))
        padded = jnp.pad(field, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        before, at, after = (lax.slice_in_dim(padded, k, k + fine, 2, axis) for k in (0, 1, 2))
        field = (low * before + at + high * after) / (2 - 1 / coarse)
    return field
