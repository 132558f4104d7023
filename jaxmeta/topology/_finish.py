"""From the last state of a design run to what it hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..cells import Cell, Scorer
from ..design import ALLOWED, RUNNERS_UP, DesignResult, Kept, Level, Loop, State, lane
from ._correct import corrected, targets
from ._design import Design
from ._printable import Making, Printable, printable
from ._printed import ignored
from ._record import Record
from ._setup import Settings


class Optimization(NamedTuple):
    """An optimised cell.

    Attributes:
        density: physical density as optimised, filtered and projected, of the best step at the last sharpness; the
            octant if the symmetry has one.
        scored: the strictly binary `Cell`, with its stiffness from an independent tight solve in float64; `cell` is the
            whole of it, (nx, ny, nz), and `stiffness` its C, (6, 6).
        history: one list for each quantity, one entry for each step.
        result: a `DesignResult`, which has a `text`.
        report: what binarising cost, connectivity and how the score was computed:

            - `objective_grey`: objective of `density`, which is not eroded, with the interpolation, symmetry and
              tolerance of the optimisation;
            - `objective_binary`: objective of `cell`, with `stiffness`;
            - `constraints_binary`: the constraints of `cell`, the volume fraction's last;
            - `start_kept`: whether `cell` is the one that the run began with, which was better than what it ended with;
            - `loss_from_binarising`: the second minus the first, positive where the cell is worse. With erosion the
              entries of `history` are another thing: each is of the eroded density;
            - `volume_fraction`: of `cell`;
            - `islands_removed`: voxels that hung on nothing and are not in `cell`;
            - `held_apart`: voxels of parts that hang on nothing, but have voxels that are held solid. They are in
              `cell`, which is not connected then;
            - `drilled`, `filled`: voxels that were made void or solid to open closed pores, of the whole cell;
            - `connected`, `percolates`: whether `cell` is in one piece, and spans its period along x, y and z;
            - `scored_in`: dtype of the solve for `stiffness`;
            - `steps`: taken altogether;
            - `seconds`: that the run took, by `optimize`, in all its parts where it was resumed from a checkpoint.
    """

    density: Float[Array, "x y z"]
    scored: Cell
    history: dict[str, list]
    result: DesignResult
    report: dict[str, Any]

    @property
    def cell(self) -> Float[np.ndarray, "nx ny nz"]:
        """Strictly binary, connected, the whole cell."""
        return self.scored.cell

    @property
    def stiffness(self) -> Float[np.ndarray, "6 6"]:
        """C of `cell`, Voigt."""
        return self.scored.stiffness


_WIDE, _NARROW = 0.03, (0.01, 0.003)
"""By which the volume of a cut is moved."""


class _Scored(NamedTuple):
    """A binary cell with what the objective and the constraints say of it."""

    made: Printable
    cell: Cell
    objective: float
    constraints: list[float]

    @property
    def rank(self) -> tuple[float, float]:
        """The less the better."""
        *asked, volume = self.constraints
        # A voxel more than the volume is no fault; but what was asked for is to be had.
        return max(0.0, *asked, volume if volume > ALLOWED else 0.0), self.objective


def finish(
    settings: Settings,
    loop: Loop,
    design: Design,
    start: Float[Array, "x y z"],
    state: State,
    history: dict[str, list],
    phase: Callable[..., None] = ignored,
) -> Optimization:
    """The design that a run kept: cut, cleaned and scored; or the cell that it began with, if that is the better one.

    What is best grey need not be so when it is cut: where more counts than a stiffness that grows with the volume, the
    binary cells of the next best designs, and of the best one at any sharpness, are scored as well.

    Args:
        settings: of the run.
        loop: of the run.
        design: of the run.
        start: its first design variables.
        state: its last one.
        history: of its steps.
        phase: told what is done, before every part of it.
    """
    scored: dict[bytes, _Scored] = {}
    best, state = _best_cut(settings, design, state, phase, scored)
    if asked := targets(settings):
        phase("Correcting", "what the cut missed")
        flipped = corrected(asked, settings, design.held, best.cell)
        if flipped is not None:
            made = best.made._replace(binary=best.made.binary._replace(density=flipped))
            best = min(best, _scored(settings, design, made), key=lambda scored: scored.rank)
    kept = state.kept
    density = design.physical(kept.variables, kept.sharpness)
    # The eroded density is another one, so its objective says nothing of this one.
    grey = float(_solved(design, kept, state.memory) if settings.course.erosion else kept.objective)
    from_start = False
    begun = start if design.held is None else jnp.where(design.held.void, 0, jnp.where(design.held.solid, 1, start))
    if is_cell(start) and float(begun.mean()) <= settings.volume_fraction + 1e-6:
        fraction = float(begun.mean())
        first = _scored(settings, design, printable(begun, fraction, settings.symmetry, design.held, Making()))
        from_start = first.rank < best.rank
        if from_start:
            best, density, grey = first, begun, first.objective
    cell = best.cell
    report = {
        "objective_grey": grey,
        "objective_binary": best.objective,
        "loss_from_binarising": best.objective - grey,
        "constraints_binary": best.constraints,
        "start_kept": from_start,
        "volume_fraction": cell.volume_fraction,
        "islands_removed": best.made.binary.islands_removed,
        "held_apart": best.made.binary.held_apart,
        "drilled": best.made.drilled,
        "filled": best.made.filled,
        "connected": cell.facts.connected,
        "percolates": list(cell.facts.percolates),
        "scored_in": cell.solver["dtype"],
        "steps": int(state.step),
    }
    return Optimization(density, cell, history, DesignResult(int(state.result)), report)


def _best_cut(
    settings: Settings, design: Design, state: State, phase: Callable[..., None], scored: dict[bytes, _Scored]
) -> tuple[_Scored, State]:
    """The best binary cell of the designs that are kept, and the state with the design that it is of."""
    best = _cut(settings, design, state.kept, phase, scored)
    if _rises(settings):
        return best, state
    tried = {0, int(state.kept.step)}  # 0: none yet
    for other in (state.least, *(lane(state.others, k) for k in range(RUNNERS_UP))):
        if int(other.step) in tried:
            continue
        tried.add(int(other.step))
        phase("Scoring", "binary cells")
        if _at(settings, design, other, _level(settings, design, other), scored).rank < best.rank:
            best, state = _cut(settings, design, other, phase, scored), state._replace(kept=other)
    return best, state


def _rises(settings: Settings) -> bool:
    """Whether nothing counts but a stiffness that grows with the volume."""
    return settings.making == Making() and not settings.constraints and getattr(settings.objective, "monotone", False)


def _level(settings: Settings, design: Design, kept: Kept) -> float:
    """Volume fraction of a design as it is cut."""
    return min(settings.volume_fraction, float(design.physical(kept.variables, kept.sharpness).mean()))


def _at(settings: Settings, design: Design, kept: Kept, fraction: float, scored: dict[bytes, _Scored]) -> _Scored:
    """The binary cell of a design at a volume fraction; on a small grid many of them are one that was scored before.

    The projection leaves the order of the voxels, but makes many of them equal; so the density before it is cut.
    """
    filtered, fraction = design.filtered(kept.variables), min(max(fraction, 0.0), 1.0)
    made = printable(filtered, fraction, settings.symmetry, design.held, settings.making)
    cell = made.binary.density.tobytes()
    if cell not in scored:
        scored[cell] = _scored(settings, design, made)
    return scored[cell]


def _cut(
    settings: Settings, design: Design, kept: Kept, phase: Callable[..., None], scored: dict[bytes, _Scored]
) -> _Scored:
    """The binary cell of a design: cut at its volume, or near it where the cell is best if more counts."""

    def at(fraction: float) -> _Scored:
        phase("Scoring", "binary cells")
        return _at(settings, design, kept, fraction, scored)

    fraction = _level(settings, design, kept)
    if _rises(settings):
        return at(fraction)
    changed = settings.making != Making()
    # What is made thicker takes volume from the rest.
    wide = [(at(fraction * (1 - _WIDE * k)), fraction * (1 - _WIDE * k)) for k in range(-1, 9 if changed else 2)]
    best, fraction = min(wide, key=lambda pair: pair[0].rank)
    for step in _NARROW:
        for way in (1 - step, 1 + step):
            moved = False
            while (other := at(fraction * way)).rank < best.rank:
                best, fraction, moved = other, fraction * way, True
            if moved:
                break
    return best


def is_cell(variables: Float[Array, "x y z"]) -> bool:
    """Whether design variables are those of a cell, 0 and 1."""
    values = np.asarray(variables)
    return bool(np.isin(values, (0, 1)).all() and 0 < values.mean() < 1)


def _scored(settings: Settings, design: Design, made: Printable) -> _Scored:
    binary = made.binary
    scorer = Scorer(settings.solid, float(np.asarray(settings.interpolation.void)), settings.spacing)
    cell = scorer(binary.density, settings.symmetry, {"islands_removed": binary.islands_removed})
    dtype = design.volume_fraction.dtype
    stiffness, density, whole = (jnp.asarray(x, dtype) for x in (cell.stiffness, binary.density, cell.cell))
    value, constraints = _judged(design, stiffness, density, whole)
    excess = float(density.mean()) / float(design.volume_fraction) - 1
    return _Scored(made, cell, float(value), [*map(float, constraints), excess])


@jax.jit
def _judged(design: Design, stiffness: Array, density: Array, whole: Array) -> tuple[Array, list[Array]]:
    """Objective and constraints of a binary cell. An objective may count voxels: it sees the whole cell."""
    record = Record(stiffness, density, design.filtering(density), density, design.held, design.filtering)
    seen = record._replace(density=whole, filtered=whole, projected=whole, held=None)
    return design.objective(seen), [term(record) for term in design.constraints]


@jax.jit
def _solved(design: Design, kept: Kept, displacement: Array) -> Array:
    """Objective of a design without erosion."""
    whole = replace(design, erosion=jnp.zeros_like(design.erosion))
    return whole.values(kept.variables, Level(kept.sharpness, jnp.ones_like(kept.sharpness)), displacement)[0]
