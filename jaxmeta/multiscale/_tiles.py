"""Voxels for the cells of a cloak: starts that fit each other, each brought to its stiffness."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ..cells import fit_stiffness
from ..elasticity import cubic_constants, cubic_stiffness
from ..geometry import faces_fit
from ..io import write_arrays
from ..runs import Run, digest
from ._choice import Catalogue, Choice, choose, ranked

_TRIES, _FREE = 6, 2  # starts that are fitted for a cell at most, and those of them whose faces may change at last
_MEMBERS, _SOLVES = (2, 1), 12  # least thickness of members, in voxels, and where that leads nowhere; solves of each


class Tile(NamedTuple):
    """The voxels of one cell.

    Attributes:
        octant: as it stands in the structure: the first plane along each axis is the cell's face.
        constants: C11, C12, C44 by an independent float64 solve, in the library's unit.
        error: |C − C*| / |C*| over them.
        record: number in the catalogue of the cell that it was fitted from.
        moved: whether that was moved by half a period.
        solves: that its fits took.
    """

    octant: Bool[np.ndarray, "n n n"]
    constants: Float[np.ndarray, "3"]
    error: float
    record: int
    moved: bool
    solves: int


class Contacts(NamedTuple):
    """How neighbours meet.

    Attributes:
        pairs: of neighbours with at least one cell in the cloak.
        fitting: share of them whose faces have 80 % of the smaller one's solid and 50 % of the larger one's in common.
        apart: number of them with nothing in common.
    """

    pairs: int
    fitting: float
    apart: int


def fit_tiles(
    catalogue: Catalogue,
    constants: Float[np.ndarray, "n 3"],
    pairs: Int[np.ndarray, "2 p"],
    beside: Bool[np.ndarray, "pixels"],
    *,
    tolerance: float = 5e-4,
    folder: str | Path | None = None,
    callback: Callable[[int, int, Tile], None] | None = None,
) -> list[Tile]:
    """A cell of voxels for every place: starts chosen together, then each fitted to its constants.

    A fit keeps the face of its start. Where it does not come within the tolerance, the next best starts are tried, at
    last with faces that may change, and the best cell is taken.

    Args:
        catalogue: cells to start from.
        constants: C11, C12, C44 wanted at every place.
        pairs: neighbours, as `CloakProblem` has them.
        beside: solid on the face of the reference cell.
        tolerance: of the error.
        folder: where finished cells are kept, so that an interrupted run goes on.
        callback: called as callback(done, of, tile) with every cell that is made.

    Raises:
        ValueError: nothing in the catalogue is near the constants of a place.
    """
    choice = choose(catalogue, constants, pairs, beside)
    settings = {"what": "tiles", "constants": digest(np.asarray(constants)), "pairs": digest(np.asarray(pairs)),
                "beside": digest(np.asarray(beside)), "catalogue": digest(np.asarray(catalogue.constants)),
                "tolerance": tolerance}  # fmt: skip

    def make(place: int) -> Tile:
        return _fitted(catalogue, choice, place, constants[place], pairs, beside, tolerance)

    with tempfile.TemporaryDirectory() as other:
        run = Run(Path(other if folder is None else folder), settings, len(constants), _write, _read, ".npz")
        done = len(run.done())
        for place in run.work(make):
            done += 1
            if callback is not None:
                callback(done, len(constants), run.read(run.file(place)))
        return run.parts()


def contacts(tiles: list[Tile], pairs: Int[np.ndarray, "2 p"], beside: Bool[np.ndarray, "pixels"]) -> Contacts:
    """How the faces of neighbours meet."""
    faces = np.stack([*(tile.octant[0].ravel() for tile in tiles), beside])
    one, other = faces[pairs[0]], faces[pairs[1]]
    return Contacts(pairs.shape[1], float(faces_fit(one, other).mean()), int((~(one & other).any(axis=1)).sum()))


def _fitted(
    catalogue: Catalogue, choice: Choice, place: int, wanted: np.ndarray, pairs: np.ndarray, beside: np.ndarray,
    tolerance: float,
) -> Tile:  # fmt: skip
    best: Tile | None = None
    solves = 0
    starts = ranked(catalogue, choice, place, wanted, pairs, beside)[:_TRIES]
    for k, (record, moved) in enumerate([*starts, *starts[:_FREE]]):
        tile = _from(catalogue, record, moved, wanted, tolerance, keep=k < len(starts))
        solves += tile.solves
        if best is None or tile.error < best.error:
            best = tile
        if best.error <= tolerance:
            break
    assert best is not None
    octant = best.octant[::-1, ::-1, ::-1] if best.moved else best.octant
    return best._replace(octant=octant, solves=solves)


def _from(catalogue: Catalogue, record: int, moved: bool, wanted: np.ndarray, tolerance: float, keep: bool) -> Tile:
    """A record of the catalogue, fitted, its face kept or not; not yet moved."""
    octant, constants = catalogue.octant(record), catalogue.constants[record]
    face = (np.indices(octant.shape) == (len(octant) - 1 if moved else 0)).any(axis=0)
    error, solves = float(np.linalg.norm(constants - wanted) / np.linalg.norm(wanted)), 0
    for member in () if octant.all() else _MEMBERS:
        found = fit_stiffness(
            octant,
            np.asarray(cubic_stiffness(*wanted)),
            solid=catalogue.library.solid,
            tolerance=tolerance,
            smallest_member=member,
            keep=face if keep else None,
            max_solves=_SOLVES,
        )
        octant, constants, error = found.cell > 0.5, np.array(cubic_constants(found.stiffness)), found.error
        solves += found.solves
        if error <= tolerance:
            break
    return Tile(octant, constants, error, record, moved, solves)


def _write(path: Path, tile: Tile) -> None:
    write_arrays(path, tile._asdict())


def _read(path: Path) -> Tile:
    with np.load(path, allow_pickle=False) as found:
        return Tile(
            found["octant"], found["constants"], float(found["error"]), int(found["record"]), bool(found["moved"]),
            int(found["solves"]),
        )  # fmt: skip
