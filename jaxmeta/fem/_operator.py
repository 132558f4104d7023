"""The stiffness operator of a voxel grid with its boundary condition, and its coarser versions."""

from __future__ import annotations

from dataclasses import dataclass

import jax
from jax import Array
from jaxtyping import Float

from ._boundary import Boundary
from ._fields import MaterialField
from ._kernel import internal_force, nodal_blocks


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Stiffness:
    """K = Eᵀ B(material) E on the unknown nodes of a grid.

    Args:
        material: moduli in every voxel, (nx, ny, nz).
        spacing: edges of a voxel, (3,).
        boundary: periodic, or a block with held components.
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

    def _ghosted(self) -> MaterialField:
        return self.material.map(self.boundary.ghost_elements)

    def __call__(
        self, displacement: Float[Array, "3 x y z"], macro: Float[Array, "6"] | None = None
    ) -> Float[Array, "3 x y z"]:
        """Nodal forces of a displacement, under a uniform strain as well if `macro` is given."""
        ghosts = self.boundary.ghosts(displacement)
        return self.boundary.free(internal_force(ghosts, self._ghosted(), self.spacing, macro))

    def diagonal(self) -> Float[Array, "3 x y z"]:
        """Diagonal of the matrix; zero at held components and in void."""
        return self.boundary.free(self.blocks()[:3])

    def blocks(self) -> Float[Array, "6 x y z"]:
        """Diagonal 3×3 blocks of the matrix, entries 11, 22, 33, 23, 13, 12, held components included."""
        return nodal_blocks(self._ghosted(), self.spacing)

    @property
    def halves(self) -> bool:
        """Whether every axis has an even number of elements."""
        return all(n % 2 == 0 for n in self.elements)

    def coarse(self) -> Stiffness:
        """The operator on the grid of half as many elements: a coarse modulus is the mean of its eight children's."""
        return Stiffness(self.material.map(_mean_of_children), 2 * self.spacing, self.boundary.coarse())


def _mean_of_children(field: Array) -> Array:
    nx, ny, nz = field.shape
    return field.reshape(nx // 2, 2, ny // 2, 2, nz // 2, 2).mean((1, 3, 5))
