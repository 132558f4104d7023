"""One member of a family between two cells: where it may begin, and which of its fits is taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ..cells import FitResult, checked_target, fit_stiffness
from ..dataset import Library, nearest
from ..geometry import faces_fit
from ._generate import Generated
from ._path import Noises, Path
from ._starts import FAR, Preparation, finer

_TRIES = 4  # starts that are fitted for a member at most
_NEAR = 3  # cells of a library that are starts for a member


class Attempt(NamedTuple):
    """What came of a member.

    Attributes:
        place: on the path, from 0 to 1.
        octant: the best cell that was fitted; empty where none was near enough.
        stiffness: its C, by an independent float64 solve.
        error: |C − C*| / |C*|.
        solves: that all its starts and fits took.
        start: what the cell began as.
        found: whether it has C within the tolerance, and the volume fraction.
    """

    place: float
    octant: Bool[np.ndarray, "m m m"]
    stiffness: Float[np.ndarray, "6 6"]
    error: float
    solves: int
    start: str
    found: bool


class Maker(NamedTuple):
    """Makes members for places on a path.

    Attributes:
        path: between two cells.
        library: of starts, or None.
        noises: of starts, or None.
        tolerance: of the error.
        smallest_member: in voxels.
        max_solves: of one fit.
        seed: of what is chosen among equals.
    """

    path: Path
    library: Library | None
    noises: Noises | None
    tolerance: float
    smallest_member: int
    max_solves: int
    seed: int

    def __call__(self, place: float, attempts: Sequence[Attempt]) -> Attempt:
        solid, volume = self.path.first.solid, self.path.volume_fraction(place)
        stiffness = np.asarray(self.path.constants(place).stiffness)
        target = checked_target(stiffness, volume, solid)
        around = self._around(place, attempts)
        octants, names = zip(*self._starts(place, around), strict=True)
        side = self.path.first.octant.shape[0]
        preparation = Preparation(target, solid, side, self.smallest_member, False)
        starts = preparation.starts(octants, [{"start": name} for name in names])
        best, solves = (False, 0, 0.0), len(octants)
        taken = Attempt(place, np.zeros((side,) * 3, bool), np.zeros((6, 6)), np.inf, solves, "", False)
        for start in islice((start for start in starts if start.error <= FAR), _TRIES):
            fitted = fit_stiffness(
                start.octant, stiffness, solid=solid, volume_fraction=volume, tolerance=self.tolerance,
                smallest_member=self.smallest_member, max_solves=self.max_solves, seed=self.seed,
            )  # fmt: skip
            solves += fitted.solves
            exact, octant = fitted.result == FitResult.converged, fitted.cell > 0.5
            meets = sum(bool(faces_fit(face(octant), face(other))) for other in around)
            if (exact, meets, -fitted.error) > best or not best[0]:
                best = (exact, meets, -fitted.error)
                name = str(start.provenance["start"])
                taken = Attempt(place, octant, fitted.stiffness, fitted.error, solves, name, exact)
            if exact and meets == len(around):
                break
        return taken._replace(solves=solves)

    def _around(self, place: float, attempts: Sequence[Attempt]) -> list[Bool[np.ndarray, "m m m"]]:
        """The octants of both neighbours."""
        ends = [(0.0, self.path.first.octant > 0.5), (1.0, self.path.second.octant > 0.5)]
        known = ends + [(attempt.place, attempt.octant) for attempt in attempts if attempt.found]
        below, above = (x for x in known if x[0] < place), (x for x in known if x[0] > place)
        return [max(below, key=lambda x: x[0])[1], min(above, key=lambda x: x[0])[1]]

    def _starts(self, place: float, around: list[np.ndarray]) -> Iterator[tuple[Bool[np.ndarray, "m m m"], str]]:
        yield from ((octant, "neighbour") for octant in around)
        constants, volume = self.path.constants(place), self.path.volume_fraction(place)
        young = float(np.asarray(self.path.first.solid.young))
        if self.noises is not None:
            asked = type(constants)(*(constant / young for constant in constants))
            yield self.noises.samples([place], asked, volume)[0], "model"
        if self.library is not None:
            wanted = np.array(constants) / young
            for number in nearest(self.library, wanted, volume, _NEAR, per_family=1).numbers:
                octant = finer(self.library[int(number)], around[0].shape[0])
                meets = [
                    sum(bool(faces_fit(face(turned), face(other))) for other in around)
                    for turned in (octant, octant[::-1, ::-1, ::-1])
                ]
                yield (octant if meets[0] >= meets[1] else octant[::-1, ::-1, ::-1]), f"record {number}"

    def cell(self, attempt: Attempt) -> Generated:
        """The member as a scored cell."""
        return Generated(
            attempt.octant, "cubic", attempt.stiffness, self.path.first.solid, solver={"dtype": "float64"},
            provenance={"start": attempt.start, "place": attempt.place}, error=attempt.error, solves=attempt.solves,
        )  # fmt: skip


def face(octant: np.ndarray) -> Bool[np.ndarray, " pixels"]:
    """The solid on the face of a cell that its neighbour touches."""
    return (octant[0] > 0.5).ravel()
