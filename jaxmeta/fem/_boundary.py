"""Boundary conditions as one linear map: what the ghost nodes of a block hold, and which components are held.

The element kernel knows no boundary. Let B(ρ) be its operator on a block with one layer of ghost nodes, and E the map
from the independent unknowns to that block. Then K = Eᵀ B(ρ) E. Every axis of a grid is of one kind:

- **periodic**: the unknowns are the n nodes of one period; E copies the opposite planes into the ghosts. Elements are
  copied in the same way, so every unknown node sees all its eight elements and Eᵀ is a restriction;
- **mirror**: n + 1 nodes; ghosts and ghost elements are zero. Both end faces are mirror planes, across which every
  component of the displacement is even or odd, and E sets the odd ones to zero on these faces;
- **free**: n + 1 nodes; ghosts and ghost elements are zero, and nothing is said of the ends.

On top of that E may hold any components of any nodes. A periodic cell, the octant of a mirror-symmetric cell under one
load and a clamped structure are made of these; a structure of cells may be periodic along one axis and mirrored along
another. A periodic cell may be **shared** among devices: every device holds a block of its nodes and elements, and E is
the halo exchange: the planes next to a face come from the device beyond it.

What works on a grid asks for the kinds; nothing is told from numbers of nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Bool, Float

_LEAST_BLOCK = 1000
"""A coarser grid of which a device would hold fewer elements is held whole by every device."""

Kind = Literal["periodic", "mirror", "free"]
Kinds = tuple[Kind, Kind, Kind]


class Grids(NamedTuple):
    """Elements along each axis of a grid and of the next coarser one: ⌈n/2⌉ for n, or as many where it stays."""

    fine: tuple[int, int, int]
    coarse: tuple[int, int, int]

    @property
    def halve(self) -> bool:
        """Whether every axis has half as many elements."""
        return all(f == 2 * c for f, c in zip(self.fine, self.coarse, strict=True))


def nodes(elements: tuple[int, ...], periodic: tuple[bool, ...]) -> tuple[int, ...]:
    """Number of nodes along each axis for a number of elements: one more, unless the axis is periodic."""
    return tuple(n if p else n + 1 for n, p in zip(elements, periodic, strict=True))


class _Here:
    """E and its parts, axis by axis, of a grid whose nodes are on this device."""

    kinds: Kinds
    names: tuple[str | None, ...]

    @property
    def whole(self) -> bool:
        """Whether the grid is all here, none of it on another device."""
        return self.names == (None, None, None)

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Which axes are periodic."""
        return tuple(kind == "periodic" for kind in self.kinds)

    def nodes(self, elements: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the unknown nodes for a shape of elements."""
        return nodes(elements, self.periodic)

    @property
    def holds(self) -> bool:
        """Whether some components may be held."""
        return False

    def free(self, displacement: Float[Array, "3 x y z"]) -> Float[Array, "3 x y z"]:
        """Held components set to zero."""
        return displacement

    def ghosts(self, displacement: Float[Array, "3 x y z"]) -> Float[Array, "3 x+2 y+2 z+2"]:
        """E: held components set to zero, and a ghost layer of copies or of zeros."""
        return self._extended(self.free(displacement), 1)

    def ghost_elements(self, field: Float[Array, "x y z"]) -> Float[Array, "X Y Z"]:
        """A per-element field with those around the nodes: copies before the first of a period, void at other ends."""
        return self._extended(field, 0)

    def corners(self, displacement: Float[Array, "*loads 3 x y z"]) -> Float[Array, "*loads 3 X Y Z"]:
        """The displacement of every corner of every element: a period has its first plane once more at its end."""
        for axis, periodic in zip((-3, -2, -1), self.periodic, strict=True):
            if periodic:
                displacement = lax.concatenate([displacement, self.after(displacement, axis)], displacement.ndim + axis)
        return displacement

    def before(self, field: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
        """The plane before the first one of a periodic axis, which is counted from the last one, −1."""
        size = field.shape[axis]
        return self._passed(lax.slice_in_dim(field, size - 1, size, axis=axis), axis, 1)

    def after(self, field: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
        """The plane after the last one of a periodic axis, which is counted from the last one, −1."""
        return self._passed(lax.slice_in_dim(field, 0, 1, axis=axis), axis, -1)

    def _passed(self, plane: Array, axis: int, by: int) -> Array:
        name = self.names[axis]
        if name is None:
            return plane
        count = lax.axis_size(name)
        return lax.ppermute(plane, name, [(i, (i + by) % count) for i in range(count)])

    def _extended(self, field: Array, high: int) -> Array:
        pads = [(0, 0, 0)] * (field.ndim - 3) + [(0, 0, 0) if periodic else (1, 1, 0) for periodic in self.periodic]
        if any(before for before, _, _ in pads):
            field = lax.pad(field, jnp.zeros((), field.dtype), pads)
        for axis, periodic in zip((-3, -2, -1), self.periodic, strict=True):
            if periodic:
                parts = [self.before(field, axis), field] + [self.after(field, axis)] * high
                field = lax.concatenate(parts, field.ndim + axis)
        return field


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Periodic(_Here):
    """All unknowns free, opposite faces identified.

    Args:
        names: inside a `shard_map`, the mesh axes along which the three axes of the grid are shared; None where an axis
            is whole.
    """

    names: tuple[str | None, ...] = field(default=(None, None, None), metadata={"static": True})

    @property
    def kinds(self) -> Kinds:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What every axis is."""
        return "periodic", "periodic", "periodic"

    def coarse(self, grids: Grids) -> Periodic:
        """The same condition on a coarser grid."""
        return self


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Block(_Here):
    """A block with a kind for every axis, and held components.

    Args:
        kinds: "periodic", "mirror" or "free", for each axis.
        even: for each axis that is a mirror, which components are even across its two planes (True) and which are odd
            and held there (False), (3,); None for the others.
        mask: nodes and components that are held (False) or free (True), (3, x, y, z), beyond those; None if all are.
    """

    kinds: Kinds = field(default=("free", "free", "free"), metadata={"static": True})
    even: tuple[Bool[Array, "*loads 3"] | None, ...] = (None, None, None)
    mask: Bool[Array, "*loads 3 x y z"] | None = None

    @property
    def names(self) -> tuple[str | None, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """No axis is shared."""
        return None, None, None

    @property
    def holds(self) -> bool:
        """Whether some components may be held."""
        return self.mask is not None or any(even is not None for even in self.even)

    def free(self, displacement: Float[Array, "3 x y z"]) -> Float[Array, "3 x y z"]:
        """Held components set to zero."""
        for axis, even in enumerate(self.even):
            if even is not None:
                inner = np.ones(displacement.shape[1 + axis], bool)
                inner[[0, -1]] = False
                kept = even[:, None] | inner[None]
                shape = (3, *(displacement.shape[1 + a] if a == axis else 1 for a in range(3)))
                displacement = displacement * kept.reshape(shape).astype(displacement.dtype)
        return displacement if self.mask is None else displacement * self.mask.astype(displacement.dtype)

    @classmethod
    def of(cls, periodic: tuple[bool, ...]) -> Block:
        """The block with nothing held of which some axes are periodic, and the others free."""

        def kind(axis: int) -> Kind:
            return "periodic" if periodic[axis] else "free"

        return cls((kind(0), kind(1), kind(2)))

    def released(self) -> Block:
        """The same with nothing held."""
        return Block.of(self.periodic)

    def coarse(self, grids: Grids) -> Block:
        """The same condition on a coarser grid: a coarse node is held where the nearest fine one is."""
        mask = self.mask
        if mask is not None:
            for axis, (f, c) in enumerate(zip(grids.fine, grids.coarse, strict=True)):
                nearest = np.rint(np.arange(c + (not self.periodic[axis])) * (f / c)).astype(int)
                mask = jnp.take(mask, nearest, 1 + axis)
        return replace(self, mask=mask)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Shared:
    """A periodic cell in equal blocks, one on each device of a mesh.

    Args:
        mesh: its axes share the first axes of the grid, in order.
        halvings: how often the grid is coarsened until every device holds the coarser one whole.
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
        while np.prod(block) >= 8 * _LEAST_BLOCK and all(
            n % 2 == 0 for n, c in zip(block, counts, strict=True) if c > 1
        ):
            halvings, block = halvings + 1, [-(-n // 2) for n in block]
        return cls(mesh, halvings)

    @property
    def kinds(self) -> Kinds:
        """What every axis is."""
        return "periodic", "periodic", "periodic"

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Which axes are periodic: all."""
        return True, True, True

    @property
    def holds(self) -> bool:
        """Whether some components may be held."""
        return False

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

    def coarse(self, grids: Grids) -> Shared | Periodic:
        """The same condition on a coarser grid."""
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


def octant(load: int) -> Block:
    """The first octant of a mirror-symmetric periodic cell under one unit strain.

    A normal load leaves the cell mirror-symmetric: across a mirror with normal i the fluctuation's component i is odd
    and the others are even. A shear load of the plane (i, j) is antisymmetric under the mirrors i and j, where odd and
    even change places, and symmetric under the third one.

    Args:
        load: Voigt index 0…5 of the unit strain.
    """
    sheared = {3: (1, 2), 4: (0, 2), 5: (0, 1)}.get(load, ())
    even = [np.array([(c != axis) != (axis in sheared) for c in range(3)]) for axis in range(3)]
    return Block(("mirror", "mirror", "mirror"), tuple(jnp.asarray(e) for e in even))
