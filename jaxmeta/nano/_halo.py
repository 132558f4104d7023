"""Atoms in equal blocks, one on each device of a mesh, and what every device sees of the blocks next to its own.

Atoms are sorted along an axis, so that a block is a slice of the body and its neighbours are in the slices before and
after. A field of the atoms is (…, n) with its last axis in blocks. Before atoms look at neighbours, every device gets
the values of those atoms of the two next devices that its own can reach, its halo: two slices are passed, and no device
ever holds a whole field. It is the exchange of ghost planes of a voxel grid that devices share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float, Int

from .._arguments import require_kind
from .._numbers import refused

Lookup = Callable[[Array], Array]
_STEP = 256
"""Halos have a multiple of so many atoms, so that one compiled program serves several bodies."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Halo:
    """What the devices of a mesh see of each other's atoms. A pytree.

    Args:
        up: for every block, which of its atoms the next block sees, by their numbers in it, (blocks, h).
        down: which the block before sees, (blocks, h).
        mesh: of the devices, one for each block.
    """

    up: Int[Array, "blocks h"]
    down: Int[Array, "blocks h"]
    mesh: Mesh = field(metadata={"static": True})

    def lookup(self, field: Float[Array, "*c n"], value: float = 0.0) -> Lookup:
        """Values of a field of the atoms by their numbers in `local`; `value` at the atom that is not there."""
        *lead, count = field.shape
        own = field.reshape(*lead, self.mesh.size, -1)
        before = jnp.roll(_along(own, self.up), 1, -2)
        after = jnp.roll(_along(own, self.down), -1, -2)
        none = jnp.full((*lead, self.mesh.size, 1), value, field.dtype)
        seen = lax.concatenate([own, before, after, none], len(lead) + 1)
        return lambda index: _along(seen, index.reshape(self.mesh.size, -1)).reshape(*lead, count)

    def summed(self, function: Callable[..., Array], *fields: Array) -> Array:
        """The sum over the blocks of what a function makes of the fields (…, n / blocks) of each; whole everywhere."""
        parts = [field.reshape(*field.shape[:-1], self.mesh.size, -1) for field in fields]
        total = jnp.sum(jax.vmap(function, in_axes=-2)(*parts), 0)
        return lax.with_sharding_constraint(total, NamedSharding(self.mesh, PartitionSpec()))


def _along(fields: Array, index: Array) -> Array:
    """Entries of the last axis by numbers (blocks, m), in every block its own."""
    wide = jnp.broadcast_to(index, (*fields.shape[:-2], *index.shape))
    return jnp.take_along_axis(fields, wide, -1, mode="promise_in_bounds")


def placed(leaf: Any, mesh: Mesh) -> Array:
    """An array whose last axis the devices of a mesh share."""
    spec = PartitionSpec(*[None] * (np.ndim(leaf) - 1), mesh.axis_names[0])
    return jax.device_put(np.asarray(leaf), NamedSharding(mesh, spec))


def checked_mesh(mesh: Any) -> Mesh | None:
    """An argument that says which devices share the atoms.

    Raises:
        ValueError: it is no mesh of one axis.
    """
    if mesh is None:
        return None
    require_kind("mesh", mesh, (Mesh,))
    if mesh.devices.ndim != 1:
        raise refused("mesh", "have one axis", f"has {mesh.devices.ndim}")
    # The compiler places what is between the blocks, whatever the mesh was made for.
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,))


def slices(where: Float[np.ndarray, "n 3"], mesh: Mesh | None) -> Int[np.ndarray, "n"]:
    """The order of atoms in which equal blocks of them are slices across the longest side of the body."""
    if mesh is None:
        return np.arange(len(where))
    return np.argsort(where[:, np.ptp(where, axis=0).argmax()], kind="stable")


def unsorted(values: np.ndarray, order: Int[np.ndarray, "n"]) -> np.ndarray:
    """Values of sorted atoms, one row for each, in the order in which the atoms came."""
    out = np.empty_like(values)
    out[order] = values
    return out


def shared(index: Int[np.ndarray, "k n"], mesh: Mesh) -> tuple[Int[np.ndarray, "k n"], Halo]:
    """A table of neighbours among n atoms with the numbers that `Halo.lookup` takes, and its halo.

    Raises:
        ValueError: atoms of one block see others than those of the blocks next to it.
    """
    count, blocks = index.shape[1], mesh.size
    size = count // blocks
    here = np.arange(count) // size
    of = np.append(here, -1)[index]  # which block the neighbours are of, (k, n)
    passed: list[list[np.ndarray]] = []
    for block in range(blocks):
        own = slice(block * size, (block + 1) * size)
        sides = {(block - 1) % blocks, (block + 1) % blocks, block, -1}
        if not np.isin(of[:, own], list(sides)).all():
            raise refused("mesh", "cut the body into slices thicker than the cutoff", f"has {blocks} devices")
        before, after = (np.unique(index[:, own][of[:, own] == side % blocks]) for side in (block - 1, block + 1))
        passed.append([before if blocks > 1 else before[:0], after if blocks > 2 else after[:0]])
    most = max(len(part) for parts in passed for part in parts)
    room = min(-(-most // _STEP) * _STEP, size)
    up, down = np.zeros((blocks, room), np.int32), np.zeros((blocks, room), np.int32)
    local = np.empty_like(index)
    for block, (before, after) in enumerate(passed):
        up[(block - 1) % blocks, : len(before)] = before % size
        down[(block + 1) % blocks, : len(after)] = after % size
        own = slice(block * size, (block + 1) * size)
        number = np.zeros(count + 1, np.int32)
        number[before] = size + np.arange(len(before))
        number[after] = size + room + np.arange(len(after))
        number[own] = np.arange(size)
        number[count] = size + 2 * room
        local[:, own] = number[index[:, own]]
    sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names[0]))
    return local, Halo(jax.device_put(up, sharding), jax.device_put(down, sharding), mesh)
