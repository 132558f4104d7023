"""Tables of neighbours, with the images of periodic cells.

A table is made at reference positions X. It holds for every atom i its neighbours j and their *offsets*, the vectors
X_j + images − X_i, nearest first, up to a radius R. Whatever is computed from it takes displacements u from X: an
interatomic vector is offset + u_j − u_i. So a cell thinner than the cutoff is no special case (one atom is several
neighbours of another, or of itself), and differences of small displacements keep their digits.

**Certificate.** Two atoms that are not in the table are further than R apart at X, hence further than the cutoff as
long as their displacements do not differ by more than R less the cutoff. Atoms far from each other would have to differ
by more: with boxes, only those whose boxes touch are compared as long as no two displacements differ by more than the
edge of a box less the cutoff. So a large body may stretch and bend as a whole.

**Dummy.** Atoms have different numbers of neighbours. Rows are filled up with the number n, of an atom that is not
there: it has displacement `FAR` and no weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from .._numbers import plain_number, refused
from ._boxes import Boxes, boxes_of
from ._cells import Cell, checked_cell, checked_positions
from ._halo import Halo, placed, shared

FAR = 1e3
"""Displacement in Å of the atom that is not there: no distance to it is below a cutoff."""
SKIN = 0.7
"""How much further than the cutoff tables reach, in Å. In an FCC crystal of aluminium five shells are then in them."""
LEAST_DISTANCE = 1.0
"""Atoms that are nearer to each other are refused, in Å."""
_MULTIPLE = 40
"""There are a multiple of so many rows, so that one compiled program serves several tables."""
_LARGE = 5_000
"""Atoms from which on a body has boxes."""
_TOGETHER = 1 << 15
"""Atoms whose neighbours are looked up at once."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Neighbors:
    """A table of neighbours. A pytree.

    Args:
        index: numbers of the neighbours of every atom, nearest first, (k, n); n where there is none.
        offset: vectors from every atom to its neighbours in the reference positions, in Å, (k, 3, n).
        radius: in Å; up to it all pairs are in the table.
        nearest: shortest offset of every row, (k,), by which sums leave out rows beyond the cutoff. Without it sums are
            of all rows, and can be differentiated backwards, too.
        boxes: in which the atoms are; None for a body that is not large.
        halo: of atoms that devices share; `index` then has the numbers that it takes. None if one device has all.
    """

    index: Int[np.ndarray, "k n"] | Array
    offset: Float[np.ndarray, "k 3 n"] | Array
    radius: float | Array
    nearest: Float[np.ndarray, "k"] | Array | None = None
    boxes: Boxes | None = None
    halo: Halo | None = None

    @property
    def count(self) -> int:
        """Number of atoms."""
        return self.index.shape[1]

    def certified(self, displacement: Float[Array, "3 n"], cutoff: float) -> Bool[Array, ""]:
        """Whether no pair within the cutoff can be missing."""
        return self.parting(displacement, cutoff) <= self.radius - cutoff

    def parting(self, displacement: Float[Array, "3 n"], cutoff: float) -> Float[Array, ""]:
        """A bound of the difference of the displacements of two atoms that are, or come, within the cutoff."""
        of_all = _parting(displacement)
        if self.boxes is None:
            return of_all
        near = jnp.minimum(of_all, self.boxes.parting(displacement))
        return jnp.where(of_all <= self.boxes.edge - cutoff, near, of_all)

    def rows(self, displacement: Float[Array, "3 n"], cutoff: float) -> int | Int[Array, ""]:
        """How many rows hold neighbours within the cutoff."""
        if self.nearest is None:
            return self.index.shape[0]
        return jnp.sum(jnp.asarray(self.nearest) < cutoff + self.parting(displacement, cutoff), dtype=jnp.int32)

    def sorted(self, mesh: Mesh | None = None) -> Neighbors:
        """The table with `nearest`, as arrays of JAX, in blocks on the devices of a mesh."""
        shortest = jnp.asarray([distance.min(initial=np.inf) for distance in self.distances()])
        if mesh is None:
            return Neighbors(jnp.asarray(self.index), jnp.asarray(self.offset), self.radius, shortest, self.boxes)
        index, halo = shared(np.asarray(self.index), mesh)
        boxes = None if self.boxes is None else replace(self.boxes, number=placed(self.boxes.number, mesh))
        return Neighbors(placed(index, mesh), placed(self.offset, mesh), self.radius, shortest, boxes, halo)

    def numbers(self, rows: int | None = None) -> Int[np.ndarray, "k n"]:
        """The first rows of the table, all if omitted, with the numbers of the atoms themselves."""
        index = self.index[:rows]
        if self.halo is None:
            return np.asarray(index)
        find = self.halo.lookup(jnp.arange(self.count, dtype=jnp.int32), self.count)
        return np.stack([np.asarray(find(jnp.asarray(row))) for row in index])

    def distances(self) -> Iterator[Float[np.ndarray, "m"]]:
        """Row by row the distances of the neighbours that are there, in the reference positions."""
        for index, offset in zip(np.asarray(self.index), np.asarray(self.offset), strict=True):
            yield np.sqrt((offset**2).sum(0))[index < self.count]


def _parting(displacement: Array) -> Array:
    """A bound of the difference of two displacements."""
    middle = 0.5 * (displacement.max(1) + displacement.min(1))
    return 2 * jnp.sqrt(jnp.sum((displacement - middle[:, None]) ** 2, 0).max(initial=0.0))


def neighbors(
    positions: Float[np.ndarray, "n 3"],
    radius: float,
    cell: Float[np.ndarray, "3 3"] | None = None,
    pbc: tuple[bool, bool, bool] = (False, False, False),
) -> Neighbors:
    """The table of all neighbours up to a radius.

    Args:
        positions: in Å.
        radius: in Å.
        cell: its rows are the lattice vectors, in Å; those of axes that are not periodic do not matter.
        pbc: along which of them the atoms repeat.

    Raises:
        ValueError: an argument is not as described, or two atoms are less than 1 Å apart.

    Example:
        Every atom of an FCC crystal has 12 nearest neighbours, also in a cell of one atom.

        >>> import numpy as np, jaxmeta as jm
        >>> cell = 4.05 / 2 * (1 - np.eye(3))
        >>> table = jm.nano.neighbors(np.zeros((1, 3)), 3.0, cell, pbc=(True, True, True))
        >>> int((table.index < table.count).sum())
        12
    """
    radius = plain_number("radius", radius, "be positive and finite", lambda x: 0 < x < np.inf)
    where = checked_positions("positions", positions)
    return table_of(where, radius, checked_cell(cell, pbc))


def table_of(
    where: np.ndarray,
    radius: float,
    cell: Cell,
    total: int | None = None,
    least: float = LEAST_DISTANCE,
    frame: np.ndarray | None = None,
    boxes: bool = True,
) -> Neighbors:
    """The table of checked atoms.

    Args:
        where: their positions.
        radius: of the table.
        cell: of the atoms.
        total: number of atoms in the table; those added have no neighbours.
        least: atoms that are nearer to each other are refused.
        frame: of the boxes of a large body.
        boxes: whether it has them.
    """
    count = len(where)
    total = count if total is None else total
    inside, moved = cell.wrapped(where)
    images, source = cell.images(inside, radius)
    tree = cKDTree(np.concatenate([inside, images]))
    number = np.concatenate([np.arange(count), source])
    some = inside[:: max(1, count // 1000)]
    most = int(tree.query_ball_point(some, radius, return_length=True).max(initial=0))
    index, offset = _rows(most, total)
    number, place = np.append(number, total), np.append(tree.data, np.zeros((1, 3)), 0)  # the last is not there
    for first in range(0, count, _TOGETHER):
        part = slice(first, min(first + _TOGETHER, count))
        while True:  # the nearest is the atom itself
            near = np.arange(2, len(index) + 3)
            distance, found = tree.query(inside[part], k=near, distance_upper_bound=radius, workers=-1)
            _require_apart(distance, number[found], first, least)
            if not np.isfinite(distance[:, -1]).any():
                break
            more = _rows(1, total)
            index, offset = np.concatenate([index, more[0]]), np.concatenate([offset, more[1]])
        distance, found = distance[:, :-1].T, found[:, :-1].T
        index[:, part] = number[found]
        for k, axis in enumerate(inside[part].T):
            offset[:, k, part] = np.where(np.isfinite(distance), place[:, k][found] - axis, 0)
    return Neighbors(
        index, offset, radius, None, boxes_of(inside, cell, total, frame) if boxes and total > _LARGE else None
    )


def _rows(most: int, total: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and offsets of no neighbours, in rows for as many."""
    rows = max(1, -(-most // _MULTIPLE)) * _MULTIPLE
    return np.full((rows, total), total, np.int32), np.zeros((rows, 3, total))


def _require_apart(distance: np.ndarray, neighbor: np.ndarray, first: int, least: float) -> None:
    """Refuse atoms, from number `first` on, that are too near to their neighbours, nearest first."""
    if distance.size and distance[:, 0].min() < least:
        row = int(distance[:, 0].argmin())
        one, other = first + row, int(neighbor[row, 0])
        what = f"atoms {one} and {other} are" if one != other else f"atom {one} and its image are"
        raise refused("positions", f"keep atoms {least:g} Å apart", f"{what} at {distance[row, 0]:.3g} Å")
