"""Boundary conditions as one linear map: what the ghost nodes of a block hold, and which components are held.

The element kernel knows no boundary. Let B(ρ) be its operator on a block with one layer of ghost nodes, and E the map
from the independent unknowns to that block. Then K = Eᵀ B(ρ) E, and

- a **periodic** cell: the unknowns are the (nx, ny, nz) nodes of one period; E copies the opposite planes into the
  ghosts. Elements are copied in the same way, so every unknown node sees all its eight elements and Eᵀ is a
  restriction;
- a **block** with (nx+1, ny+1, nz+1) nodes: ghosts and ghost elements are zero, and E sets the held components to zero.
  The octant of a mirror-symmetric cell (sliding or antisymmetric faces, by load case) and a clamped structure are both
  of this kind;
- a block shared among devices: E would be the halo exchange.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float


def _wrap(field: Array, low: int, high: int) -> Array:
    for axis in range(field.ndim - 3, field.ndim):
        size = field.shape[axis]
        parts = [lax.slice_in_dim(field, size - low, size, axis=axis), field]
        if high:
            parts.append(lax.slice_in_dim(field, 0, high, axis=axis))
        field = lax.concatenate(parts, axis)
    return field


def _zero_border(field: Array) -> Array:
    return lax.pad(field, jnp.zeros((), field.dtype), [(0, 0, 0)] * (field.ndim - 3) + [(1, 1, 0)] * 3)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Periodic:
    """All unknowns free, opposite faces identified."""

    def nodes(self, elements: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the unknown nodes for a shape of elements."""
        return elements

    def ghosts(self, displacement: Float[Array, "3 x y z"]) -> Float[Array, "3 x+2 y+2 z+2"]:
        """E: the unknowns with their ghost layer."""
        return _wrap(displacement, 1, 1)

    def ghost_elements(self, field: Float[Array, "x y z"]) -> Float[Array, "x+1 y+1 z+1"]:
        """A per-element field with the copies that the first nodes need."""
        return _wrap(field, 1, 0)

    def free(self, displacement: Float[Array, "3 x y z"]) -> Float[Array, "3 x y z"]:
        """Held components set to zero: none here."""
        return displacement

    def coarse(self) -> Periodic:
        """The same condition on the grid of half as many elements."""
        return self


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Block:
    """A block whose boundary is free, except for held components.

    Args:
        masks: held (False) or free (True); their product is the mask of the nodal field (3, nx+1, ny+1, nz+1); each has
            four axes, of full length or of length one.
    """

    masks: tuple[Bool[Array, "..."], ...] = ()

    def nodes(self, elements: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the unknown nodes for a shape of elements."""
        return tuple(n + 1 for n in elements)

    def ghosts(self, displacement: Float[Array, "3 x y z"]) -> Float[Array, "3 x+2 y+2 z+2"]:
        """E: held components set to zero, and a ghost layer of zeros."""
        return _zero_border(self.free(displacement))

    def ghost_elements(self, field: Float[Array, "x y z"]) -> Float[Array, "x+2 y+2 z+2"]:
        """A per-element field with a layer of void around it."""
        return _zero_border(field)

    def free(self, displacement: Float[Array, "3 x y z"]) -> Float[Array, "3 x y z"]:
        """Held components set to zero."""
        for mask in self.masks:
            displacement = displacement * mask.astype(displacement.dtype)
        return displacement

    def coarse(self) -> Block:
        """The same condition on the grid of half as many elements: a coarse node is held where the fine one is."""
        return Block(tuple(m[:, *(slice(None, None, 2 if n > 1 else 1) for n in m.shape[1:])] for m in self.masks))


Boundary = Periodic | Block


def octant(shape: tuple[int, ...], load: int) -> Block:
    """Held components of the first octant of a mirror-symmetric periodic cell under one unit strain.

    A normal load leaves the cell mirror-symmetric: on a face with normal i the fluctuation has ũ_i = 0. A shear load of
    the plane (i, j) is antisymmetric under the mirrors i and j and symmetric under the third, k: on the i-faces
    ũ_j = ũ_k = 0, on the j-faces ũ_i = ũ_k = 0, on the k-faces ũ_k = 0.

    Args:
        shape: elements of the octant along the three axes.
        load: Voigt index 0…5 of the unit strain.

    Returns:
        The block with three masks, one for each pair of faces.
    """
    sheared = {3: (1, 2), 4: (0, 2), 5: (0, 1)}.get(load, ())
    masks = []
    for axis in range(3):
        held = [c for c in range(3) if c != axis] if axis in sheared else [axis]
        mask = np.ones((3, 1, 1, 1)) * np.ones([shape[a] + 1 if a == axis else 1 for a in range(3)])
        faces = np.moveaxis(mask, 1 + axis, 1)
        faces[held, 0] = faces[held, -1] = 0.0
        masks.append(jnp.asarray(mask, bool))
    return Block(tuple(masks))
