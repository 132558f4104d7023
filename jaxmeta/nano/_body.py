"""Atoms in their reference positions, with all that relaxation and stiffness need of them."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float

from .._numbers import refused
from ._cells import Cell
from ._coarse import Coarse, block_inverses, coarse_grid
from ._crystal import Crystal, crystal
from ._curvature import Hessian, hessian
from ._eam import EAM, derivatives
from ._energy import Geometry
from ._halo import placed
from ._neighbors import LEAST_DISTANCE, SKIN, Neighbors, table_of

_LARGE = 50_000
"""Atoms from which on memory is worth the tenth of a second that it takes to free it."""
_FEW, _WIDE = 1000, 2.0
"""Atoms for which a local body has room at least, and how much further than the cutoff its tables reach, in Å."""
_NEAR, _SMOOTH = 0.02, 1e-6
"""A cutoff is on a shell if pairs are nearer to it, in Å, and a slope there is larger, in eV/Å."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Body:
    """Atoms, the last of which may be there to fill up a round number only. A pytree.

    Args:
        potential: of the atoms.
        table: of their neighbours in the reference positions.
        occupancy: (n,).
        free: one for atoms that move, zero for those that are held or not there, (n,).
        coarse: grid for the preconditioner; None where nothing is held, or the cell is skew.
    """

    potential: EAM
    table: Neighbors
    occupancy: Array
    free: Array
    coarse: Coarse | None

    def geometry(self, displacement: Float[Array, "3 n"]) -> Geometry:
        """The atoms displaced."""
        return Geometry(self.table, displacement, self.occupancy)

    def hessian(self, displacement: Float[Array, "3 n"]) -> Hessian:
        """The Hessian of the atoms displaced, held ones included."""
        return hessian(self.potential, self.geometry(displacement))

    def corrections(self) -> Callable[[Array], Array]:
        """The part of the preconditioner that does not change with the displacement."""
        return jnp.zeros_like if self.coarse is None else self.coarse.correction()

    def preconditioner(self, operator: Hessian, corrections: Callable[[Array], Array]) -> Callable[[Array], Array]:
        """Near the inverse of the Hessian of the free atoms; symmetric and positive on them."""
        local = block_inverses(operator, self.free)
        return lambda residual: local(residual) + corrections(residual)


def body_of(
    potential: EAM,
    where: np.ndarray,
    held: np.ndarray,
    box: Cell,
    occupancy: np.ndarray | None = None,
    total: int | None = None,
    frame: np.ndarray | None = None,
    local: bool = False,
    mesh: Mesh | None = None,
    known: Crystal | None = None,
) -> Body:
    """The body of checked arguments.

    Args:
        potential, where, held, box, occupancy: of the atoms.
        total: length of its arrays; the number of atoms, `rounded`, if omitted.
        frame: lowest and highest positions of the preconditioner's grid, (2, 3); those of the atoms if omitted.
        local: a few atoms among others that are held: without grids, and so that one compiled program serves many.
        mesh: of devices that share the atoms in equal blocks, in their order.
        known: the potential's crystal, if it has been computed; half of the time of a small body goes into it.
    """
    count = len(where)
    if total is None:
        total = 1 << max(count - 1, _FEW).bit_length() if local else rounded(count, mesh)
    if not local:
        _let_go(total)
    there = np.ones(count) if occupancy is None else occupancy
    reach = potential.cutoff + (_WIDE if local else SKIN)
    if there.all():
        made = table_of(where, reach, box, total, frame=frame, boxes=not local)
    else:  # an atom may pass a site where there is none
        made = table_of(where, reach, box, total, 0.0, frame, not local)
        table_of(where[there > 0], LEAST_DISTANCE, box)
    _require_off_shells(potential, made)
    table = jax.block_until_ready(made.sorted(mesh))
    del made
    if not local:  # those that are made one after the other leave one behind at most
        _let_go(total)
    free = np.zeros(total)
    free[:count] = ~held & (there > 0)
    coarse = None
    if held.any() and box.straight and not local:
        metal = crystal(potential) if known is None else known
        coarse = coarse_grid(where, there > 0, free[:count], box, metal, total, frame, table.halo)
    fields = np.pad(there, (0, total - count)), free
    occupied, loose = (jnp.asarray(x) if mesh is None else placed(x, mesh) for x in fields)
    return Body(potential, table, occupied, loose, coarse)


def _let_go(total: int) -> None:
    """Free what JAX holds of arrays that it has copied, or deleted, until Python collects garbage."""
    if total > _LARGE:
        gc.collect()


def rounded(count: int, mesh: Mesh | None = None) -> int:
    """A number of atoms, and a few per cent more, so that one compiled program serves bodies of nearly one size; as
    many on every device of a mesh."""
    step = math.lcm(max(64, 1 << max(count.bit_length() - 5, 0)), 1 if mesh is None else mesh.size)
    return -(-count // step) * step


def _require_off_shells(potential: EAM, table: Neighbors) -> None:
    if float(_slope_at_the_end(potential)) < _SMOOTH:
        return
    if any((abs(distance - potential.cutoff) < _NEAR).any() for distance in table.distances()):
        raise refused("potential", "end off the shells of neighbours", f"ends at {potential.cutoff:g} Å, on one")


@jax.jit
def _slope_at_the_end(potential: EAM) -> Array:
    """The largest value or slope just before the cutoff."""
    end = jnp.asarray([potential.cutoff * (1 - 1e-9)])
    return jnp.abs(jnp.stack([d for f in (potential.pair, potential.density) for d in derivatives(f, end, 1)])).max()


def checked_held(held: Any, count: int) -> np.ndarray:
    """An argument that says which atoms are held.

    Raises:
        ValueError: it is no array of truth values of shape (n,).
    """
    if held is None:
        return np.zeros(count, bool)
    flags = np.asarray(held)
    if flags.shape != (count,):
        raise refused("held", f"have shape ({count},)", f"has shape {flags.shape}")
    if flags.dtype != bool and not (flags.dtype.kind in "iuf" and ((flags == 0) | (flags == 1)).all()):
        raise refused("held", "hold truth values", f"is {flags.dtype}")
    return flags.astype(bool)
