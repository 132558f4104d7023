"""The design run: the loop with its history, checkpoint and callback."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from jaxtyping import ArrayLike, Bool, Float

from ..design import Continuation, DesignResult, append, compile_step, run
from ..elasticity import Isotropic
from ..homogenization import SIMP, Interpolation
from ..optimizers import Optimizer
from ..runs import Checkpoint
from ._course import Course
from ._filter import Symmetry
from ._finish import Optimization, finish, is_cell
from ._info import Info
from ._printable import Making
from ._printed import ignored
from ._record import Function
from ._setup import Settings, checked_start
from .constraints import Constraining


def optimize(
    objective: Function,
    start: Float[ArrayLike, "nx ny nz"],
    *,
    solid: Isotropic,
    volume_fraction: float,
    symmetry: Symmetry = "cubic",
    constraints: Sequence[Constraining] = (),
    interpolation: Interpolation = SIMP(3.0, 1e-9),
    filter_radius: float = Course.filter_radius,
    projection: Continuation = Continuation(start=1.0, factor=2.0, every=30, final=32.0),
    optimizer: Optimizer | None = None,
    max_steps: int = Course.max_steps,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    passive: tuple[Bool[ArrayLike, "nx ny nz"], Bool[ArrayLike, "nx ny nz"]] | None = None,
    erosion: float = Course.erosion,
    tolerance: float = Course.tolerance,
    stop: float = Course.stop,
    smallest_member: int = Making.smallest_member,
    open_pores: bool = Making.open_pores,
    checkpoint: str | Path | None = None,
    callback: Callable[[int, Info], None] | None = None,
) -> Optimization:
    r"""Optimise the density of a periodic cell.

    Minimises objective(C(ρ), ρ) subject to g_j(C(ρ), ρ) ≤ 0 and mean(ρ) ≤ volume fraction, where ρ is the filtered and
    projected density of the design variables and C its effective stiffness. The sharpness of the projection grows in
    stages; a stage ends when the objective rests. The best density of the last stage is cut at its volume fraction,
    cleaned of parts that hang on nothing, and scored by an independent solve of the binary cell in float64. Where more
    counts than a stiffness that grows with the volume, the level of the cut is the one, near that volume, whose binary
    cell is best.

    Args:
        objective: callable (stiffness (6, 6), density) → scalar, minimised; see `objectives`.
        start: design variables to start from, in [0, 1]; the first octant when symmetry is "mirror" or "cubic". A cell,
            of 0 and 1 only, starts at the last sharpness, which leaves it what it is, and is handed back where the run
            ends with a worse one.
        solid: the solid.
        volume_fraction: upper bound of the mean density, in (0, 1].
        symmetry: "none", "mirror" or "cubic".
        constraints: callables (stiffness, density) → scalar that must not be positive, or ready-made ones; see
            `constraints`.
        interpolation: from density to modulus.
        filter_radius: in voxels.
        projection: sharpness of the projection, stage by stage.
        optimizer: `OC`, `MMA`, `topology.GCMMA` or any `optimizers.Optimizer`; None takes OC with a move limit of
            0.05 where the objective is monotone and the volume the only constraint, else MMA.
        max_steps: most outer steps. A step is one evaluation.
        spacing: edges of a voxel.
        passive: two masks, of voxels held void and voxels held solid: they are 0 and 1 in `density` and in `cell`, and
            count as volume. With symmetry "cubic" the masks must not change under permutations of the axes.
        erosion: robustness against thin members and hinges: the objective and the constraints see the density projected
            at the threshold 1/2 + erosion, thinner than the design itself, which is projected at 1/2.
        tolerance: relative error of C in every solve of the optimisation.
        stop: relative change of the objective over ten steps at which a stage ends.
        smallest_member: least thickness of a member of the binary cell, in voxels. Thinner ones are completed to cubes
            of so many voxels, where the density is largest, and the cut is moved so that the constraints hold.
        open_pores: whether closed pores of the binary cell are opened by channels through their thinnest walls, or
            filled where that takes less (`geometry.open_pores`), so that powder or resin can leave.
        checkpoint: folder that is saved to, and resumed from if it holds this run.
        callback: called as callback(step, info) after every step; `topology.Printed` shows the course. Where it has a
            method `phase`, that is called as phase(what, of, steps) when the run begins to compile, to take steps and
            to score binary cells, before every one of these, and as phase("") at the end. Whatever it raises ends the
            run; one with a checkpoint goes on from there.

    Returns:
        An `Optimization`.

    Raises:
        ValueError: an argument is not as described.

    Example:
        >>> import jax, jaxmeta as jm
        >>> start = jm.geometry.trigonometric(jax.random.key(0), (4, 4, 4), symmetry="cubic", volume_fraction=0.4)
        >>> d = jm.optimize(jm.objectives.maximize_bulk(), start, solid=jm.Isotropic(1.0, 0.3), volume_fraction=0.4,
        ...                 filter_radius=1.5, max_steps=3)
        >>> d.cell.shape, len(d.history["objective"])
        ((8, 8, 8), 3)
    """
    variables = checked_start(start, symmetry)
    if is_cell(variables) and isinstance(projection, Continuation):
        projection = replace(projection, start=projection.final)
    settings = Settings(
        objective, solid, volume_fraction, symmetry, constraints, interpolation, projection, optimizer, spacing,
        passive, Course(filter_radius, max_steps, erosion, tolerance, stop),
        Making(smallest_member, open_pores),
    )  # fmt: skip
    loop, design = settings.problem(variables)
    state = loop.init(design, variables)
    history: dict[str, list] = {}
    phase, began = getattr(callback, "phase", ignored), time.monotonic()
    saved = None
    if checkpoint is not None:
        saved = Checkpoint(checkpoint, settings.told(loop, design, state))
    try:
        if saved is not None:
            state, history = saved.restore(state) or (state, history)
        if int(state.step) < max_steps and int(state.result) == DesignResult.max_steps_reached:
            phase("Compiling", "the step")
            compile_step(loop, design, state)
            phase("Optimising", steps=max_steps)
        for turn in run(loop, design, state, max_steps):
            state, info = turn.state, Info.of(turn.info)
            append(history, {**info._asdict(), "seconds": turn.seconds})
            if saved is not None:
                saved.save(state, history)
            if callback is not None:
                callback(int(state.step), info)
        if saved is not None and history:
            saved.save(state, history, force=True)
        found = finish(settings, loop, design, variables, state, history, phase)
        phase("")
    finally:
        if saved is not None:
            if history:
                saved.save(state, history, force=True)
            saved.close()
    found.report["seconds"] = time.monotonic() - began if saved is None else saved.seconds
    return found
