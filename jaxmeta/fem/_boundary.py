"""Boundary conditions as one linear map: what the ghost nodes of a block hold, and which components are held.

The element kernel knows no boundary. Let B(ρ) be its operator on a block with one layer of ghost nodes, and E the map
from the independent unknowns to that block. Then K = Eᵀ B(ρ) E, and

- a **periodic** cell: the unknowns are the (nx, ny, nz) nodes of one period; E copies the opposite planes into the
  ghosts. Elements are copied in the same way, so every unknown node sees all its eight elements and Eᵀ is a
  restriction;
- a **block** with (nx+1, ny+1, nz+1) nodes: ghosts and ghost elements are zero, and E sets the held components to zero.
  The octant of a mirror-symmetric cell (sliding or antisymmetric faces, by load case) and a clamped structure are both
  of this kind;
- a periodic cell **shared** among devices: every device holds a block of its nodes and elements, and E is the halo
  exchange: the planes next to a face come from the device beyond it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Bool, Float

_LEAST_BLOCK = 1000
"""A coarser grid of which a device would hold fewer elements is held whole by every device."""


def _zero_border(field: Array) -> Array:
    return lax.pad(field, jnp.zeros((), field.dtype), [(0, 0, 0)] * (field.ndim - 3) + [(1, 1, 0)] * 3)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Periodic:
    """All unknowns free, opposite faces identified.

    Args:
        names: inside a `shard_map`, the mesh axes along which the three axes of the grid are shared; None where an axis
            is whole.
    """

    names: tuple[str | None, ...] = field(default=(None, None, None), metadata={"static": True})

    def nodes(self, elements: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the unknown nodes for a shape of elements."""
        return elements

    @property
    def whole(self) -> bool:
        """Whether the grid is all here, none of it on another device."""
        return self.names == (None, None, None)

    def ghosts(self, displacement: Float[Array, "3 x y z"]) -> Float[Array, "3 x+2 y+2 z+2"]:
        """E: the unknowns with their ghost layer."""
        return self._extended(displacement, 1)

    def ghost_elements(self, field: Float[Array, "x y z"]) -> Float[Array, "x+1 y+1 z+1"]:
        """A per-element field with the copies that the first nodes need."""
        return self._extended(field, 0)

    def before(self, field: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
        """The plane before the first one of an axis, which is counted from the last one, −1."""
        size = field.shape[axis]
        return self._passed(lax.slice_in_dim(field, size - 1, size, axis=axis), axis, 1)

    def after(self, field: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
        """The plane after the last one of an axis, which is counted from the last one, −1."""
        return self._passed(lax.slice_in_dim(field, 0, 1, axis=axis), axis, -1)

    def _passed(self, plane: Array, axis: int, by: int) -> Array:
        name = self.names[axis]
        if name is None:
            return plane
        count = lax.axis_size(name)
        return lax.ppermute(plane, name, [(i, (i + by) % count) for i in range(count)])

    def _extended(self, field: Array, high: int) -> Array:
        for axis in (-3, -2, -1):
            parts = [self.before(field, axis), field] + [self.after(field, axis)] * high
            field = lax.concatenate(parts, field.ndim + axis)
        return field

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

    @property
    def whole(self) -> bool:
        """Whether the grid is all here, none of it on another device."""
        return True

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


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Shared:
    """A periodic cell in equal blocks, one on each device of a mesh.

    Args:
        mesh: its axes share the first axes of the grid, in order.
        halvings: how often the grid is halved until every device holds the coarser one whole.
    """

    mesh: Mesh = field(metadata={"static": True})
    halvings: int = field(metadata={"static": True})

    @classmethod
    def of(cls, mesh: Mesh, elements: tuple[int, ...]) -> Shared:
        """The condition of a grid.

        Raises:
            ValueError: the grid can't be cut into equal blocks, with an even number of voxels along a shared axis.
        """
        counts = tuple(mesh.devices.shape) + (1,) * (3 - mesh.devices.ndim)
        if mesh.devices.ndim > 3 or any(n % (2 * c) for n, c in zip(elements, counts, strict=True) if c > 1):
            raise ValueError(
                "Argument `mesh` must have at most three axes, each of which cuts an axis of the grid into blocks of "
                f"an even number of voxels, but has shape {mesh.devices.shape} for a grid of {elements}."
            )
        halvings, block = 0, [n // c for n, c in zip(elements, counts, strict=True)]
        while all(n % 2 == 0 for n in block) and np.prod(block) >= 8 * _LEAST_BLOCK:
            halvings, block = halvings + 1, [n // 2 for n in block]
        return cls(mesh, halvings)

    @property
    def whole(self) -> bool:
        """Whether the grid is all here, none of it on another device."""
        return False

    @property
    def names(self) -> tuple[str | None, ...]:
        """The mesh axes that share the three axes of the grid."""
        return (*self.mesh.axis_names, None, None, None)[:3]

    def sharding(self, ndim: int = 3) -> NamedSharding:
        """That of a field whose last three axes are the grid's."""
        return NamedSharding(self.mesh, self._spec(ndim))

    def _spec(self, ndim: int) -> PartitionSpec:
        return PartitionSpec(*[None] * (ndim - 3), *self.names) if ndim >= 3 else PartitionSpec()

    def nodes(self, elements: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the unknown nodes for a shape of elements."""
        return elements

    def free(self, displacement: Float[Array, "3 x y z"]) -> Float[Array, "3 x y z"]:
        """Held components set to zero: none here."""
        return displacement

    def coarse(self) -> Shared | Periodic:
        """The same condition on the grid of half as many elements."""
        return Shared(self.mesh, self.halvings - 1) if self.halvings else Periodic()

    def on_coarse(self, field: Array) -> Array:
        """A field of the coarser grid where that grid lives: in blocks, or whole on every device."""
        spec = self._spec(field.ndim) if self.halvings else PartitionSpec()
        return lax.with_sharding_constraint(field, NamedSharding(self.mesh, spec))

    def on_blocks(self, function: Callable[..., Array], *fields: Any, mean: bool) -> Array:
        """`by_blocks` on the devices of the mesh."""

        def block(*fields: Any) -> Array:
            value = function(Periodic(self.names), *fields)
            return lax.pmean(value, self.mesh.axis_names) if mean else value

        specs = jax.tree.map(lambda leaf: self._spec(jnp.ndim(leaf)), fields)
        out = PartitionSpec() if mean else self._spec(4)
        return jax.shard_map(block, mesh=self.mesh, in_specs=specs, out_specs=out)(*fields)


Boundary = Periodic | Block | Shared


def by_blocks(boundary: Boundary, function: Callable[..., Array], *fields: Any, mean: bool = False) -> Array:
    """`function(boundary, *fields)`; of a shared cell, computed on every device from its own block and its neighbours'.

    Args:
        boundary: the condition; `function` is given the one of its block.
        function: returns a field (…, x, y, z) of four axes, or with `mean` an array of which the mean counts.
        fields: arrays and pytrees of arrays; those of three axes or more are fields on the grid.
        mean: which of these two.
    """
    if isinstance(boundary, Shared):
        return boundary.on_blocks(function, *fields, mean=mean)
    return function(boundary, *fields)


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
