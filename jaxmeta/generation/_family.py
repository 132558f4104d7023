"""A family of cells between two: members of every volume fraction on a path, each exact, neighbours that connect."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Bool, Float

from .._arguments import real_number
from .._numbers import refused, whole_number
from ..cells import Cell, Scorer
from ..dataset import Library
from ..geometry import faces_fit
from ..io import write_arrays
from ..runs import Run, digest
from ._member import Attempt, Maker, face
from ._path import Noises, Path

if TYPE_CHECKING:
    from ..diffusion import Model


@dataclass(frozen=True, eq=False)
class Family:
    """Cells in a row, the two that it lies between first and last.

    Args:
        members: the cells.
        places: on the path, from 0 to 1.
        open_gaps: places where no member was found, so that the step across stays larger than was asked for.
        attempts: members that were tried.
    """

    members: Sequence[Cell]
    places: Sequence[float]
    open_gaps: Sequence[float] = ()
    attempts: int = 0

    @property
    def steps(self) -> Float[np.ndarray, " pairs"]:
        """Differences of the volume fractions of neighbours."""
        return np.abs(np.diff([member.volume_fraction for member in self.members]))

    @property
    def connects(self) -> Bool[np.ndarray, " pairs"]:
        """Whether neighbours that stand side by side have faces that fit, by `geometry.faces_fit`."""
        faces = np.stack([face(member.octant) for member in self.members])
        return faces_fit(faces[:-1], faces[1:])


def interpolate(
    first: Cell,
    second: Cell,
    members: int = 5,
    step: float = 0.02,
    *,
    library: Library | None = None,
    model: Model | None = None,
    tolerance: float = 5e-4,
    smallest_member: int = 2,
    max_solves: int = 16,
    max_attempts: int = 64,
    seed: int = 0,
    folder: str | FilePath | None = None,
    callback: Callable[[int, float, bool], None] | None = None,
) -> Family:
    """Cells between two, each with exactly the stiffness of its place on the path between them.

    On the path volume fraction, K/K_HS, C'/G_HS and C44/G_HS go straight from one cell to the other. The first members
    are placed evenly. Then the widest gap in volume fraction is halved, again and again, until no step is larger than
    asked, or no member is found within it. A member begins as a sample of a model from the noise between those that
    lead to both cells, as a neighbour that was found already, or as one of the nearest cells of a library, as it stands
    or moved by half a period, whichever is nearest; it is fitted to C and the volume fraction. Among exact ones that is
    taken whose faces fit both neighbours.

    Args:
        first: a binary cubic cell in one part.
        second: another one, of the same side and solid; moved by half a period along all axes where it then has more
            in common with the first.
        members: number of cells to begin with, both ends among them.
        step: largest difference of the volume fractions of neighbours.
        library: where starts come from, or None.
        model: the same.
        tolerance: of a member's error |C − C*| / |C*|.
        smallest_member: no member of a cell is thinner than this, in voxels; both ends stay as they are.
        max_solves: of one fit.
        max_attempts: after which gaps are left open.
        seed: of what is chosen among equals.
        folder: where attempts are kept, so that an interrupted run goes on.
        callback: called as callback(attempts, place, found) with every attempt.

    Raises:
        ValueError: the cells are not as described, or an argument is out of range.
        FileError: the folder cannot be written, or holds another run.

    References:
        Y. Yang and others, "Guided diffusion for fast inverse design of density-based mechanical metamaterials",
        Fig. 5.
    """
    _check_ends(first, second)
    second = _aligned(first, second)
    if model is not None:
        _check_model(model, first)
    members = whole_number("members", members, 2)
    real_number("step", step, "be positive", lambda value: value > 0)
    maker = Maker(
        Path(first, second), library, model and Noises.of(model, first.octant > 0.5, second.octant > 0.5),
        tolerance, smallest_member, max_solves, seed,
    )  # fmt: skip
    ends = first.volume_fraction, second.volume_fraction
    first_places = np.linspace(0, 1, members)[1:-1].tolist()
    stated = {
        "what": "family", "ends": digest([np.asarray(end.octant) for end in (first, second)]), "members": members,
        "step": step, "tolerance": tolerance, "smallest_member": smallest_member, "max_solves": max_solves,
        "seed": seed,
        "library": None if library is None else digest(np.asarray(library.column("checksum"))),
        "model": None if model is None else digest([np.asarray(leaf) for leaf in jax.tree.leaves(model.weights)]),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as other:
        target = FilePath(other if folder is None else folder)
        run: Run[Attempt] = Run(target, stated, whole_number("max_attempts", max_attempts, 1), _write, _read, ".npz")
        attempts = run.parts()

        def make(_: int) -> Attempt:
            place = _next(ends, attempts, first_places, step)
            assert place is not None
            return maker(place, attempts)

        if _next(ends, attempts, first_places, step) is not None:
            for number in run.work(make):
                attempts.append(run.read(run.file(number)))
                if callback is not None:
                    callback(len(attempts), attempts[-1].place, attempts[-1].found)
                if _next(ends, attempts, first_places, step) is None:
                    break
    found = [(0.0, first), *sorted((a.place, maker.cell(a)) for a in attempts if a.found), (1.0, second)]
    places, cells = zip(*found, strict=True)
    return Family(cells, places, [a.place for a in attempts if not a.found], len(attempts))


def _check_ends(first: Cell, second: Cell) -> None:
    for name, cell in (("first", first), ("second", second)):
        if cell.symmetry != "cubic" or cell.is_grey:
            raise refused(name, "be a binary cubic cell", "is another one")
        if not cell.facts.connected:
            raise refused(name, "be one connected part", f"is in {cell.facts.parts}")
    if first.octant.shape != second.octant.shape:
        raise refused("second", f"have an octant of shape {first.octant.shape}", f"has {second.octant.shape}")


def _aligned(first: Cell, second: Cell) -> Cell:
    """The second cell as it stands, or moved by half a period along all axes: the position with more in common."""
    one, other = first.octant > 0.5, second.octant > 0.5
    moved = other[::-1, ::-1, ::-1]
    if (one & moved).sum() <= (one & other).sum():
        return second
    return replace(second, density=second.density[::-1, ::-1, ::-1])


def _check_model(model: Model, first: Cell) -> None:
    if model.side != first.octant.shape[0]:
        raise refused("model", f"make octants of {first.octant.shape[0]}³ voxels", f"makes {model.side}³")


def _next(
    ends: tuple[float, float], attempts: Sequence[Attempt], first_places: Sequence[float], step: float
) -> float | None:
    """Where the next member is to be: an even place, or the middle of the widest gap that is not given up.

    Args:
        ends: volume fractions of both.
        attempts: so far.
        first_places: even ones.
        step: largest difference of volume fractions.
    """
    tried = [attempt.place for attempt in attempts]
    for place in first_places:
        if place not in tried:
            return place
    found = [(0.0, ends[0]), (1.0, ends[1])]
    found += [(attempt.place, float(attempt.octant.mean())) for attempt in attempts if attempt.found]
    gaps = [
        (abs(above[1] - below[1]), (below[0] + above[0]) / 2)
        for below, above in pairwise(sorted(found))
        if not any(below[0] < attempt.place < above[0] for attempt in attempts)
    ]
    widest, middle = max(gaps, default=(0.0, 0.0))
    return middle if widest > step else None


def _write(path: FilePath, attempt: Attempt) -> None:
    write_arrays(path, attempt._asdict())


def _read(path: FilePath) -> Attempt:
    with np.load(path, allow_pickle=False) as file:
        kept: dict[str, Any] = {name: file[name] for name in Attempt._fields}
    scalars = {name: kept[name].item() for name in ("place", "error", "solves", "start", "found")}
    return Attempt(**{**kept, **scalars})


def raw_family(model: Model, first: Cell, second: Cell, members: int = 5) -> Family:
    """Samples of a model between two cells, without conditions and as they are.

    The sampler run backwards leads from both cells to noises; between these members are placed evenly by spherical
    interpolation, and the sampler leads down again.

    Args:
        model: of cells.
        first: a binary cubic cell of the model's side.
        second: another one.
        members: number of cells, both ends among them.

    Raises:
        ValueError: the cells are not as described.
        SolverError: the stiffness of a sample was not found.

    References:
        Y. Yang and others, "Guided diffusion for fast inverse design of density-based mechanical metamaterials",
        Fig. 5a.
    """
    _check_ends(first, second)
    _check_model(model, first)
    second = _aligned(first, second)
    places = np.linspace(0, 1, whole_number("members", members, 2)).tolist()
    octants = Noises.of(model, first.octant > 0.5, second.octant > 0.5).samples(places[1:-1]) if members > 2 else []
    score = Scorer(first.solid, residual=None)
    cells = [score(octant, "cubic", {"start": "model"}) for octant in octants]
    return Family([first, *cells, second], places)
