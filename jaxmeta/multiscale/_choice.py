"""Which cells to start from, chosen together so that neighbours have faces that fit each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from .._numbers import refused
from ..dataset import Library
from ..geometry import LARGER, SMALLER

_NEAR = 150  # cells of the library that are looked at for each
_SCALE, _WEIGHT = 0.05, 0.1  # a relative difference of C of 5 % costs a tenth of a pair that does not fit
_FAR, _TOO_FAR = 0.12, 5.0  # from which on a fit is not to be hoped for, and what that costs
_HOPELESS = 0.5  # from which on there is no start at all
_NONE = 20.0  # what a pair costs that has nothing in common
_SWEEPS, _COOLING, _HOT = 60, 0.9, 50  # of the search: sweeps, factor on the noise, sweeps with noise


class Catalogue(NamedTuple):
    """Cells to choose from: those of a library, and last the solid itself.

    Attributes:
        library: of octants.
        constants: C11, C12, C44 in the library's unit, (m, 3).
        faces: solid on the face of a cell as it stands, and moved by half a period along all axes, (2, m, side²).
    """

    library: Library
    constants: Float[np.ndarray, "m 3"]
    faces: Bool[np.ndarray, "2 m pixels"]

    @classmethod
    def of(cls, library: Library) -> Catalogue:
        """Of a whole library."""
        octants = library.octants(np.arange(len(library)))
        whole = np.asarray(library.solid.stiffness, float)
        constants = np.concatenate([library.constants, [[whole[0, 0], whole[0, 1], whole[3, 3]]]])
        faces = np.stack([octants[:, 0], octants[:, -1, ::-1, ::-1]]).reshape(2, len(library), -1)
        return cls(library, constants, np.concatenate([faces, np.ones((2, 1, faces.shape[2]), bool)], axis=1))

    def octant(self, record: int) -> Bool[np.ndarray, "n n n"]:
        """The octant of a record."""
        if record == len(self.library):
            return np.ones((self.library.side,) * 3, bool)
        return self.library.octants(np.array([record]))[0]


class Choice(NamedTuple):
    """A cell of the catalogue for every place.

    Attributes:
        records: numbers in the catalogue, (n,).
        moved: whether the cell is moved by half a period, (n,).
        distances: |C − C*| / |C*| over C11, C12, C44, (n,).
    """

    records: Int[np.ndarray, " n"]
    moved: Bool[np.ndarray, " n"]
    distances: Float[np.ndarray, " n"]


def choose(
    catalogue: Catalogue,
    constants: Float[np.ndarray, "n 3"],
    pairs: Int[np.ndarray, "2 p"],
    beside: Bool[np.ndarray, " pixels"],
    seed: int = 0,
) -> Choice:
    """A cell for every place, near its constants and fitting its neighbours, by annealed sweeps over the places.

    Args:
        catalogue: what there is.
        constants: wanted at every place.
        pairs: neighbours, by their numbers; number n is the reference.
        beside: solid on the reference's face.
        seed: of the noise.

    Raises:
        ValueError: nothing in the catalogue is near the constants of a place, or neighbours cannot connect.
    """
    count, rng = len(constants), np.random.default_rng(seed)
    near, distance = _candidates(catalogue, constants)
    if not (distance.min(axis=1) < _HOPELESS).all():
        place = int(distance.min(axis=1).argmax())
        raise refused("constants", "be near some cell of the library", f"has {constants[place].tolist()}")
    faces = np.concatenate([catalogue.faces[0][near], catalogue.faces[1][near]], axis=1).astype(np.float32)
    sizes = faces.sum(axis=2)
    own = _price(distance)
    links: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(count)]
    for one, other in pairs.T:
        one, other = (one, other) if one < count else (other, one)
        if other == count:
            own[one] += _misfit(faces[one], sizes[one], beside[None].astype(np.float32), beside.sum()[None])[:, 0]
        else:
            cost = _misfit(faces[one], sizes[one], faces[other], sizes[other])
            links[one].append((other, cost))
            links[other].append((one, cost.T))
    pick = own.argmin(axis=1)
    for sweep in range(_SWEEPS):
        noise = 0.5 * _COOLING**sweep * (sweep < _HOT)
        for place in rng.permutation(count):
            cost = own[place] + sum(table[:, pick[other]] for other, table in links[place])
            pick[place] = (cost + noise * rng.gumbel(size=cost.shape)).argmin()
    everywhere = np.arange(count)
    _require_contact(np.concatenate([faces[everywhere, pick], beside[None]]) > 0, pairs)
    looked = near.shape[1]
    return Choice(near[everywhere, pick % looked], pick >= looked, distance[everywhere, pick])


def _require_contact(faces: Bool[np.ndarray, "n pixels"], pairs: Int[np.ndarray, "2 p"]) -> None:
    """Refuse neighbours with nothing in common, before any of them is fitted."""
    apart = int((~(faces[pairs[0]] & faces[pairs[1]]).any(axis=1)).sum())
    if apart:
        raise refused("catalogue", "have cells that connect", f"leaves {apart} of {pairs.shape[1]} neighbours apart")


def ranked(
    catalogue: Catalogue, choice: Choice, place: int, wanted: np.ndarray, pairs: np.ndarray, beside: np.ndarray
) -> list[tuple[int, bool]]:
    """Records for a place, moved or not, the best first, each but once; the others as chosen."""
    near, distance = _candidates(catalogue, wanted[None])
    faces = np.concatenate([catalogue.faces[0][near[0]], catalogue.faces[1][near[0]]]).astype(np.float32)
    cost = _price(distance[0])
    for one, other in pairs.T:
        if place in (one, other):
            there = other if one == place else one
            face = beside if there == len(choice.records) else (
                catalogue.faces[int(choice.moved[there])][choice.records[there]])  # fmt: skip
            cost += _misfit(faces, faces.sum(axis=1), face[None].astype(np.float32), face.sum()[None])[:, 0]
    first = (int(choice.records[place]), bool(choice.moved[place]))
    found = {first[0]: first}
    for pick in np.argsort(cost, kind="stable"):
        record = int(near[0, pick % near.shape[1]])
        found.setdefault(record, (record, bool(pick >= near.shape[1])))
    return list(found.values())


def _candidates(
    catalogue: Catalogue, constants: Float[np.ndarray, "n 3"]
) -> tuple[Int[np.ndarray, "n k"], Float[np.ndarray, "n 2k"]]:
    """The nearest records of every place, and how far they are, as they stand and moved."""
    apart = np.linalg.norm(catalogue.constants[None] - constants[:, None], axis=2)
    apart /= np.linalg.norm(constants, axis=1)[:, None]
    near = np.argsort(apart, axis=1, kind="stable")[:, :_NEAR]
    return near, np.tile(np.take_along_axis(apart, near, 1), 2)


def _price(distance: np.ndarray) -> np.ndarray:
    return _WEIGHT * (distance / _SCALE) ** 2 + _TOO_FAR * (distance > _FAR)


def _misfit(one: np.ndarray, sizes: np.ndarray, other: np.ndarray, others: np.ndarray) -> np.ndarray:
    """One for a pair of faces that do not fit, 20 more for one with nothing in common."""
    common = one @ other.T
    small, large = np.minimum(sizes[:, None], others[None]), np.maximum(sizes[:, None], others[None])
    return ((common < SMALLER * small) | (common < LARGER * large)) + _NONE * (common < 1)
