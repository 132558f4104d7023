"""Ways to make cells for a target, each with what it cost, to be compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from .. import geometry
from ..cells import Scorer, SolverError, checked_target, fit_stiffness
from ..dataset import Library, nearest, similarity
from ..elasticity import Isotropic, cubic_constants
from ..runs import compile_seconds
from ._samples import sample_octants
from ._settings import Comparison
from ._starts import FAR, Preparation, Start, finer
from ._targets import Targets

if TYPE_CHECKING:
    from ..diffusion import Model

_SCORED = 1e-5  # relative error of C in the independent solves
_LENGTH = 4.0  # correlation length of random starts, in voxels of an octant of 32³


class Made(NamedTuple):
    """The k cells that one way made for one target; or for n of them, with a leading axis.

    Attributes:
        octants: empty ones where nothing was left of a sample that hangs together, (k, m, m, m).
        constants: C11, C12, C44 by an independent float64 solve, relative to the solid; nan where there are none.
        connected: whether the cell was in one part before any clean-up, (k,).
        solves: of linear elasticity that were spent on each, (k,).
        solver_steps: of one pair of loads that guidance took for each, which are all of its solves, (k,).
        seconds: that all took, by the clock, compilation left out.
        cpu_seconds: of the process, with compilation.
    """

    octants: Bool[np.ndarray, "*n k m m m"]
    constants: Float[np.ndarray, "*n k 3"]
    connected: Bool[np.ndarray, "*n k"]
    solves: Int[np.ndarray, "*n k"]
    solver_steps: Int[np.ndarray, "*n k"]
    seconds: float | Float[np.ndarray, " n"]
    cpu_seconds: float | Float[np.ndarray, " n"]


class _Attempt(NamedTuple):
    octant: Bool[np.ndarray, "m m m"]
    connected: bool
    solves: int
    stiffness: Float[np.ndarray, "6 6"] | None = None
    """Where it is known from an independent solve already."""
    solver_steps: int = 0
    error: float = float("inf")
    """Of a fit."""


class _Task(NamedTuple):
    stiffness: Float[np.ndarray, "6 6"]
    volume_fraction: float
    seed: int


@dataclass(frozen=True)
class Bench:
    """Makes cells for targets.

    Args:
        training: cells that neighbours are taken from.
        model: or None, where no way needs one.
        settings: how.
    """

    training: Library
    model: Model | None
    settings: Comparison

    def make(self, way: str, targets: Targets, number: int) -> Made:
        """The cells of one way for one target."""
        volume = float(targets.volume_fraction[number])
        task = _Task(targets.stiffness(number), volume, (self.settings.seed << 20) + number)
        began, spent, compiled = time.perf_counter(), time.process_time(), compile_seconds()
        attempts = _MAKERS[way](self, task)
        seconds = max(time.perf_counter() - began - (compile_seconds() - compiled), 0.0)
        spent = time.process_time() - spent
        constants = np.stack([self._constants(attempt) for attempt in attempts])
        octants, connected, solves, _, steps, _ = zip(*attempts, strict=True)
        whole, solved, stepped = map(np.array, (connected, solves, steps))
        return Made(np.stack(octants), constants, whole, solved, stepped, seconds, spent)

    @property
    def solid(self) -> Isotropic:
        """What the cells are made of, with a Young's modulus of one."""
        return Isotropic(1.0, float(np.asarray(self.training.solid.poisson)))

    @property
    def side(self) -> int:
        """Voxels along an edge of the octants."""
        return self.settings.resolution // 2

    def _constants(self, attempt: _Attempt) -> Float[np.ndarray, "3"]:
        """C11, C12, C44 of what was made."""
        stiffness = attempt.stiffness
        if stiffness is None and attempt.octant.any():
            score = Scorer(self.solid, residual=None, tolerance=_SCORED)
            (cell,) = score.octants([attempt.octant], [{}])
            stiffness = None if cell is None else cell.stiffness
        if stiffness is None:
            return np.full(3, np.nan)
        return np.array(cubic_constants(stiffness), float)

    def samples(self, task: _Task, count: int, guided: int = 0) -> Bool[np.ndarray, "k m m m"]:
        """Samples of the model under all conditions; those without guidance are the same for every way."""
        from ..diffusion import conditions

        assert self.model is not None
        c = task.stiffness
        asked = conditions(c11=c[0, 0], c12=c[0, 1], c44=c[3, 3], volume_fraction=task.volume_fraction)
        keys = jax.random.split(jax.random.key(task.seed), count)
        s = self.settings
        return np.asarray(sample_octants(self.model, asked, keys, self.side, s.steps, float(s.scale), guided))

    def neighbours(self, task: _Task, count: int) -> list[Bool[np.ndarray, "m m m"]]:
        """The nearest training cells, of different families, at the resolution asked for; fewer if there are."""
        most = min(count, len(self.training))
        found = nearest(self.training, task.stiffness, task.volume_fraction, most, per_family=1)
        return [finer(self.training[int(number)], self.side) for number in found.numbers]

    def fitted(self, octants: Sequence[Bool[np.ndarray, "m m m"]], task: _Task, unlike: bool = False) -> list[_Attempt]:
        """Cells freed of thin members, islands and hinges, and fitted to C, out of `tries` times as many.

        The nearest after the clean-up are fitted first, until enough are within the tolerance; with `unlike`, once one
        is, those that are least similar to what there is. What is too far off to begin with is not fitted. The nearest
        come first. Solves are shared out among those that are wanted.
        """
        s, solid = self.settings, self.solid
        target = checked_target(task.stiffness, None, solid)
        numbers = [{"number": number} for number in range(len(octants))]
        starts = Preparation(target, solid, self.side, s.smallest_member, False).starts(list(octants), numbers)
        tried = [_Attempt(np.zeros_like(octants[0]), False, 0)] * s.count
        left = list(starts)
        while left:
            exact = [attempt.octant for attempt in tried if attempt.error <= s.tolerance]
            if len(exact) == s.count:
                break
            start = left.pop(_least_similar(left, exact) if unlike and exact else 0)
            octant, connected = start.octant.astype(bool), _connected(octants[start.provenance["number"]])
            if start.error > FAR:
                tried.append(_Attempt(octant, connected, 0, error=start.error))
                continue
            try:
                found = fit_stiffness(
                    octant,
                    task.stiffness,
                    solid=solid,
                    tolerance=s.tolerance,
                    smallest_member=s.smallest_member,
                    max_solves=s.max_solves,
                    seed=task.seed % 2**32,
                )
            except SolverError:  # a start that cannot be solved is not fitted
                tried.append(_Attempt(octant, connected, 1, error=start.error))
                continue
            tried.append(_Attempt(found.cell.astype(bool), connected, found.solves, found.stiffness, error=found.error))
        solves = len(starts) + sum(attempt.solves for attempt in tried)
        tried.sort(key=lambda attempt: attempt.error)
        return [attempt._replace(solves=-(-solves // s.count)) for attempt in tried[: s.count]]


def _least_similar(starts: Sequence[Start], octants: Sequence[Bool[np.ndarray, "m m m"]]) -> int:
    """Number of the start whose largest similarity to some octants is least; what is too far off comes last."""
    alike = similarity(np.stack([start.octant for start in starts]).astype(bool), np.stack(octants)).max(axis=1)
    return int(np.argmin(alike + (np.array([start.error for start in starts]) > FAR)))


def _connected(octant: Bool[np.ndarray, "m m m"]) -> bool:
    return bool(octant.any()) and geometry.is_connected(np.asarray(geometry.symmetry.unfold(octant)))


def _raw(bench: Bench, task: _Task) -> list[_Attempt]:
    return [_Attempt(octant, _connected(octant), 0) for octant in bench.samples(task, bench.settings.count)]


def _guided(bench: Bench, task: _Task, of_each: int = 1) -> list[_Attempt]:
    from ..diffusion import FiniteElements

    guidance = FiniteElements(
        jnp.array(cubic_constants(task.stiffness)[:3]), last=min(bench.settings.guided, bench.settings.steps)
    )
    solves, steps = guidance.last * guidance.rounds, guidance.solver_steps
    return [
        _Attempt(octant, _connected(octant), solves, solver_steps=steps)
        for octant in bench.samples(task, of_each * bench.settings.count, guidance.last)
    ]


def _fitted(bench: Bench, task: _Task) -> list[_Attempt]:
    tries = bench.settings.tries
    sampled = _guided(bench, task, tries)
    solves, steps = tries * sampled[0].solves, tries * sampled[0].solver_steps
    return [
        fitted._replace(solves=fitted.solves + solves, solver_steps=steps)
        for fitted in bench.fitted([attempt.octant for attempt in sampled], task, unlike=True)
    ]


def _neighbour(bench: Bench, task: _Task) -> list[_Attempt]:
    return [_Attempt(octant, _connected(octant), 0) for octant in bench.neighbours(task, bench.settings.count)]


def _neighbour_fitted(bench: Bench, task: _Task) -> list[_Attempt]:
    return bench.fitted(bench.neighbours(task, bench.settings.tries * bench.settings.count), task)


def _optimized(bench: Bench, task: _Task) -> list[_Attempt]:
    from ..topology import objectives, optimize

    side, s = bench.side, bench.settings
    attempts = []
    for key in jax.random.split(jax.random.key(task.seed), s.count):
        start = geometry.random_field(key, (side,) * 3, _LENGTH * side / 32, task.volume_fraction, "cubic")
        found = optimize(
            objectives.match(jnp.asarray(task.stiffness)),
            start,
            solid=bench.solid,
            volume_fraction=task.volume_fraction,
            max_steps=s.max_steps,
            smallest_member=s.smallest_member,
        )
        whole = found.report["islands_removed"] == 0
        octant = found.cell[:side, :side, :side].astype(bool)
        attempts.append(_Attempt(octant, whole, found.report["steps"], np.asarray(found.stiffness)))
    return attempts


_MAKERS: dict[str, Callable[[Bench, _Task], list[_Attempt]]] = {
    "raw": _raw,
    "guided": _guided,
    "fitted": _fitted,
    "neighbour": _neighbour,
    "neighbour-fitted": _neighbour_fitted,
    "optimized": _optimized,
}
