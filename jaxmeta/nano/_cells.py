"""Periodic cells: rows are the lattice vectors. Checks of positions and cells."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from jax.core import Tracer
from jaxtyping import Float

from .._numbers import refused, told


@dataclass(frozen=True)
class Cell:
    """A cell with a lattice vector in every row, of which those that are not periodic are made up.

    Args:
        vectors: in Å, (3, 3), independent.
        pbc: which are periodic.
    """

    vectors: Float[np.ndarray, "3 3"]
    pbc: tuple[bool, bool, bool]

    @property
    def heights(self) -> Float[np.ndarray, "3"]:
        """Distances between the planes that the other two vectors span."""
        return 1 / np.linalg.norm(np.linalg.inv(self.vectors), axis=0)

    @property
    def straight(self) -> bool:
        """Whether the periodic vectors lie along x, y and z."""
        periodic = list(self.pbc)
        return not np.count_nonzero(self.vectors[periodic] * (1 - np.eye(3))[periodic])

    def wrapped(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The positions moved into the cell along its periodic vectors, and by how many of these."""
        if not any(self.pbc):
            return positions, np.zeros(positions.shape)
        turns = -np.floor(positions @ np.linalg.inv(self.vectors)) * np.array(self.pbc)
        return positions + turns @ self.vectors, turns

    def images(self, inside: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
        """Images within a radius of the cell of atoms that are in it, and the numbers of the atoms."""
        if not any(self.pbc):
            return np.empty((0, 3)), np.empty(0, int)
        reach = radius / self.heights
        counts = [int(np.ceil(r)) if p else 0 for r, p in zip(reach, self.pbc, strict=True)]
        fractions = inside @ np.linalg.inv(self.vectors)
        places, numbers = [], []
        for turn in product(*[range(-c, c + 1) for c in counts]):
            if turn == (0, 0, 0):
                continue
            there = fractions + np.array(turn)
            near = ((there >= -reach) & (there <= 1 + reach) | ~np.array(self.pbc)).all(1)
            numbers.append(np.flatnonzero(near))
            places.append(inside[near] + np.array(turn) @ self.vectors)
        return np.concatenate(places), np.concatenate(numbers)


def checked_cell(cell: Any, pbc: Any) -> Cell:
    """The cell of arguments `cell` and `pbc`.

    Raises:
        ValueError: they are no lattice vectors and no three truth values.
    """
    flags = (pbc,) * 3 if isinstance(pbc, (bool, np.bool_)) else tuple(np.asarray(pbc).ravel().tolist())
    if len(flags) != 3 or any(flag not in (0, 1) for flag in flags):
        raise refused("pbc", "be three truth values", told(pbc) if len(flags) == 3 else f"has {len(flags)}")
    periodic = (bool(flags[0]), bool(flags[1]), bool(flags[2]))
    if cell is None:
        if any(periodic):
            raise refused("cell", "be given where `pbc` says that atoms repeat", "is None")
        return Cell(np.eye(3), periodic)
    vectors = _reals("cell", cell)
    if vectors.shape == (3,):
        vectors = np.diag(vectors)
    if vectors.shape != (3, 3):
        raise refused("cell", "have shape (3, 3), a lattice vector in every row", f"has shape {vectors.shape}")
    return Cell(_completed(vectors, periodic), periodic)


def _completed(vectors: np.ndarray, periodic: tuple[bool, bool, bool]) -> np.ndarray:
    """The vectors with those that are not periodic replaced, where they are no good, by others square to the rest."""
    if _independent(vectors):
        return vectors
    kept = vectors[list(periodic)]
    if not _independent(kept):
        raise refused("cell", "have lattice vectors that are independent", f"is {vectors.tolist()}")
    basis = np.linalg.svd(kept)[2][len(kept) :] if len(kept) else np.eye(3)
    out, others = vectors.copy(), iter(basis)
    for axis, p in enumerate(periodic):
        if not p:
            out[axis] = next(others)
    return out


def _independent(vectors: np.ndarray) -> bool:
    lengths = np.linalg.norm(vectors, axis=1)
    if not len(vectors) or not (lengths > 0).all():
        return not len(vectors)
    return bool(np.linalg.svd(vectors / lengths[:, None], compute_uv=False)[-1] > 1e-6)


def checked_positions(name: str, positions: Any) -> Float[np.ndarray, "n 3"]:
    """An argument of positions, or of other vectors of atoms, as float64.

    Raises:
        ValueError: it has another shape than (n, 3), or a number in it is not finite.
    """
    if isinstance(positions, Tracer):
        raise refused(name, "hold numbers, since tables of neighbours are made on the host", "is traced")
    where = _reals(name, positions)
    if where.ndim != 2 or where.shape[1] != 3:
        raise refused(name, "have shape (n, 3)", f"has shape {where.shape}")
    return where


def _reals(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "iuf" and str(array.dtype) != "bfloat16":
            raise refused(name, "be an array of real numbers", f"is {array.dtype}")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        if str(error).startswith("Argument"):
            raise
        raise refused(name, "be an array of real numbers", "cannot be made one") from None
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        raise refused(name, "be finite", f"is {array[place]} at entry {place}")
    return array
