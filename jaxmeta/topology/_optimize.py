"""The design run: prepares the loop, drives it from the host, and scores what comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Bool, Float

from ..cells import Cell, Scorer
from ..elasticity import Isotropic
from ..geometry import symmetry as symmetries
from ..homogenization import SIMP, Interpolation
from ..runs import Checkpoint, digest, function_digest
from ..solvers import Result
from ._binary import binary_cell
from ._design import Design
from ._filter import DensityFilter, Symmetry
from ._loop import Bounds, Info, Loop, State
from ._mma import MMA
from ._oc import OC
from ._projection import Continuation
from .constraints import Constraining, SmallestFeature
from .objectives import Function


class DesignResult(IntEnum):
    """How a design run ended."""

    converged = 0
    max_steps_reached = 1
    solver_failed = 2
    optimizer_failed = 3

    @property
    def text(self) -> str:
        """What happened, and what to try."""
        return _TEXTS[self]


_TEXTS = {
    DesignResult.converged: "The design converged: the last sharpness is reached and the objective rests.",
    DesignResult.max_steps_reached: (
        "The design used all its steps before the objective rested and every constraint held: allow more with "
        "`max_steps`, or shorten the continuation in `projection`."
    ),
    DesignResult.solver_failed: "A homogenization did not converge: raise the interpolation's `void`, or give float64.",
    DesignResult.optimizer_failed: (
        "The optimiser could not make a step: are the constraints possible together, and the gradients finite?"
    ),
}


class Optimization(NamedTuple):
    """An optimised cell.

    Attributes:
        density: physical density as optimised, filtered and projected; the octant if the symmetry has one.
        scored: the strictly binary `Cell`, with its stiffness from an independent tight solve in float64; `cell` is the
            whole of it, (nx, ny, nz), and `stiffness` its C, (6, 6).
        history: one list for each quantity, one entry for each step.
        result: a `DesignResult`, which has a `text`.
        report: what binarising cost, connectivity and how the score was computed:

            - `objective_grey`: objective of `density`, which is not eroded, with the interpolation, symmetry and
              tolerance of the optimisation;
            - `objective_binary`: objective of `cell`, with `stiffness`;
            - `loss_from_binarising`: the second minus the first, positive where the cell is worse. Both are of one and
              the same design; the entries of `history` are not: each is of the eroded density before its step;
            - `volume_fraction`: of `cell`;
            - `islands_removed`: voxels that hung on nothing and are not in `cell`;
            - `connected`, `percolates`: whether `cell` is in one piece, and spans its period along x, y and z;
            - `scored_in`: dtype of the solve for `stiffness`;
            - `steps`: taken altogether.
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


def optimize(
    objective: Function,
    start: Float[ArrayLike, "nx ny nz"],
    *,
    solid: Isotropic,
    volume_fraction: float,
    symmetry: Symmetry = "cubic",
    constraints: Sequence[Constraining] = (),
    interpolation: Interpolation = SIMP(3.0, 1e-9),
    filter_radius: float = 2.0,
    projection: Continuation = Continuation(start=1.0, factor=2.0, every=30, final=32.0),
    optimizer: OC | MMA | None = None,
    max_steps: int = 200,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    passive: tuple[Bool[ArrayLike, "nx ny nz"], Bool[ArrayLike, "nx ny nz"]] | None = None,
    erosion: float = 0.0,
    tolerance: float = 1e-4,
    stop: float = 1e-3,
    checkpoint: str | Path | None = None,
    callback: Callable[[int, Info], None] | None = None,
) -> Optimization:
    r"""Optimise the density of a periodic cell.

    Minimises objective(C(ρ), ρ) subject to g_j(C(ρ), ρ) ≤ 0 and mean(ρ) ≤ volume fraction, where ρ is the filtered and
    projected density of the design variables and C its effective stiffness. The sharpness of the projection grows in
    stages; a stage ends when the objective rests. The final density is cut at its volume fraction, cleaned of parts
    that hang on nothing, and scored by an independent solve of the binary cell in float64.

    Args:
        objective: callable (stiffness (6, 6), density) → scalar, minimised; see `objectives`.
        start: design variables to start from, in [0, 1]; the first octant when symmetry is "mirror" or "cubic".
        solid: the solid.
        volume_fraction: upper bound of the mean density, in (0, 1].
        symmetry: "none", "mirror" or "cubic".
        constraints: callables (stiffness, density) → scalar that must not be positive, or ready-made ones; see
            `constraints`.
        interpolation: from density to modulus.
        filter_radius: in voxels.
        projection: sharpness of the projection, stage by stage.
        optimizer: `OC` or `MMA`; None takes OC with a move limit of 0.05 where the objective is monotone and the volume
            the only constraint, else MMA.
        max_steps: most outer steps.
        spacing: edges of a voxel.
        passive: two masks, of voxels held void and voxels held solid.
        erosion: robustness against thin members and hinges: the objective and the constraints see the density projected
            at the threshold 1/2 + erosion, thinner than the design itself, which is projected at 1/2.
        tolerance: relative error of C in every solve of the optimisation.
        stop: relative change of the objective over ten steps at which a stage ends.
        checkpoint: folder that is saved to, and resumed from if it holds this run.
        callback: called as callback(step, info) after every step.

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
    variables = _checked_start(start, symmetry)
    loop = _loop(
        objective, symmetry, solid, constraints, interpolation, filter_radius, projection, optimizer,
        max_steps, spacing, erosion, tolerance, stop,
    )  # fmt: skip
    bounds = _bounds(variables, volume_fraction, passive)
    state = loop.init(variables, bounds)
    history: dict[str, list] = {}
    saved = None
    if checkpoint is not None:
        saved = Checkpoint(checkpoint, _settings(loop, variables, bounds))
        restored = saved.restore(state)
        if restored is not None:
            state, history = restored
    try:
        state, result = _drive(loop, bounds, state, history, max_steps, saved, callback)
    finally:
        if saved is not None:
            saved.close()
    # A step sees the design that it starts from.
    grey = _solved(loop, state) if loop.design.erosion else _step(loop, state, bounds)[1].objective
    return _finish(loop, bounds, state, history, result, float(grey))


def multistart(
    objective: Function,
    starts: Float[ArrayLike, "count nx ny nz"],
    *,
    solid: Isotropic,
    volume_fraction: float,
    symmetry: Symmetry = "cubic",
    constraints: Sequence[Constraining] = (),
    interpolation: Interpolation = SIMP(3.0, 1e-9),
    filter_radius: float = 2.0,
    projection: Continuation = Continuation(start=1.0, factor=2.0, every=30, final=32.0),
    optimizer: OC | MMA | None = None,
    max_steps: int = 200,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    erosion: float = 0.0,
    tolerance: float = 1e-4,
    stop: float = 1e-3,
) -> list[Optimization]:
    """Optimise from several starts at once, batched by `vmap`, and return the designs with the best one first.

    All starts take the same steps until every one has come to rest; the order is that of the binary cells' objective,
    designs that fell apart last.

    Args:
        objective: as in `optimize`, and so are all arguments below.
        starts: one start for each design, (count, nx, ny, nz).
        solid: the solid.
        volume_fraction: upper bound of the mean density.
        symmetry: of the cell.
        constraints: functions that must not be positive, or ready-made ones.
        interpolation: from density to modulus.
        filter_radius: in voxels.
        projection: sharpness of the projection, stage by stage.
        optimizer: `OC` or `MMA`.
        max_steps: most outer steps.
        spacing: edges of a voxel.
        erosion: robustness against thin members and hinges.
        tolerance: relative error of C in every solve.
        stop: relative change of the objective at which a stage ends.

    Returns:
        One `Optimization` for each start.

    Raises:
        ValueError: an argument is not as described.

    Example:
        >>> import jax, jax.numpy as jnp, jaxmeta as jm
        >>> keys = jax.random.split(jax.random.key(0), 2)
        >>> starts = jnp.stack([jm.geometry.trigonometric(key, (4, 4, 4), volume_fraction=0.5) for key in keys])
        >>> designs = jm.topology.multistart(jm.objectives.maximize_bulk(), starts, solid=jm.Isotropic(1.0, 0.3),
        ...                                  volume_fraction=0.5, max_steps=2)
        >>> len(designs), designs[0].report["objective_binary"] <= designs[1].report["objective_binary"]
        (2, True)
    """
    if len(np.shape(starts)) != 4:
        raise ValueError(f"Argument `starts` must have shape (count, nx, ny, nz), but has shape {np.shape(starts)}.")
    variables = jnp.stack([_checked_start(start, symmetry) for start in jnp.asarray(starts)])
    loop = _loop(
        objective, symmetry, solid, constraints, interpolation, filter_radius, projection, optimizer,
        max_steps, spacing, erosion, tolerance, stop,
    )  # fmt: skip
    bounds = _bounds(variables[0], volume_fraction, None)
    states = jax.vmap(loop.init, in_axes=(0, None))(variables, bounds)
    histories: list[dict[str, list]] = [{} for _ in variables]
    rested = np.zeros(len(variables), bool)
    finals: list[State] = [jax.tree.map(lambda leaf, k=k: leaf[k], states) for k in range(len(variables))]
    for _ in range(max_steps):
        began = time.perf_counter()
        states, infos = jax.block_until_ready(_steps(loop, states, bounds))
        seconds = time.perf_counter() - began
        for k in np.flatnonzero(~rested):
            info = jax.tree.map(lambda leaf, k=k: leaf[k], infos)
            _record(histories[k], info, seconds)
            finals[k] = jax.tree.map(lambda leaf, k=k: leaf[k], states)
            rested[k] = bool(info.done)
        if rested.all():
            break
    if loop.design.erosion:
        greys = [float(_solved(loop, state)) for state in finals]
    else:
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *finals)
        greys = np.asarray(_steps(loop, stacked, bounds)[1].objective).tolist()
    ends = [DesignResult.converged if rest else DesignResult.max_steps_reached for rest in rested]
    designs = [_finish(loop, bounds, *rest) for rest in zip(finals, histories, ends, greys, strict=True)]
    return sorted(designs, key=lambda d: (not d.report["connected"], d.report["objective_binary"]))


def _loop(
    objective: Function,
    symmetry: Symmetry,
    solid: Isotropic,
    constraints: Sequence[Constraining],
    interpolation: Interpolation,
    filter_radius: float,
    projection: Continuation,
    optimizer: OC | MMA | None,
    max_steps: int,
    spacing: tuple[float, float, float],
    erosion: float,
    tolerance: float,
    stop: float,
) -> Loop:
    if max_steps < 1:
        raise ValueError(f"Argument `max_steps` must be at least 1, but is {max_steps}.")
    if not isinstance(solid, Isotropic):
        raise ValueError(f"Argument `solid` must be an Isotropic, but is {type(solid).__name__}.")
    if not 0 <= erosion < 0.5:
        raise ValueError(f"Argument `erosion` must lie in [0, 0.5), but is {erosion}.")
    design = Design(
        objective,
        tuple(constraints),
        symmetry,
        jax.tree.map(float, solid),
        jax.tree.map(float, interpolation),
        DensityFilter(filter_radius, symmetry, spacing),
        spacing,
        tolerance,
        erosion,
    )
    for constraint in design.constraints:
        if isinstance(constraint, SmallestFeature):
            constraint.measure(design.filtering)  # refuses a size that the filter cannot tell
    return Loop(design, _optimizer(optimizer, objective, constraints), projection, stop)


def _settings(loop: Loop, variables: Array, bounds: Bounds) -> dict[str, str | float]:
    """What makes two runs the same, in a form that does not change between processes."""
    design = loop.design
    stiffness = jax.eval_shape(lambda x: design.solve(design.filtered(x), None).stiffness, variables)

    def told(function: Constraining) -> str:
        if isinstance(function, SmallestFeature):
            return digest(function)
        return function_digest(jax.value_and_grad(function, (0, 1)), stiffness, variables)

    parts = {name: getattr(design, name) for name in ("symmetry", "spacing", "tolerance", "erosion")}
    return parts | {
        "objective": told(design.objective),
        "constraints": digest([told(constraint) for constraint in design.constraints]),
        "interpolation": function_digest(jax.value_and_grad(design.interpolation), bounds.volume_fraction),
        "start": digest(variables),
        "volume_fraction": float(bounds.volume_fraction),
        "passive": digest((bounds.lower, bounds.upper)),
        "filter": repr(design.filtering),
        "solid": repr(design.solid),
        "optimizer": repr(loop.optimizer),
        "projection": repr(loop.continuation),
        "stop": loop.tolerance,
    }


_CALM = OC(move=0.05)
"""The OC of a design run. With its own move limit of 0.2 it swings to and fro once the projection is sharp: a bulk
design of 32³ then ended unrested at 91 % of its bound, and with this one at rest at 97 %."""
_step = jax.jit(Loop.step, static_argnums=0)
_steps = jax.jit(lambda loop, states, bounds: jax.vmap(loop.step, (0, None))(states, bounds), static_argnums=0)


@partial(jax.jit, static_argnums=0)
def _solved(loop: Loop, state: State) -> Array:
    """Objective of the density of a state, not eroded."""
    density = loop.design.physical(state.variables, state.beta)
    return loop.design.objective(loop.design.solve(density, state.displacement).stiffness, density)


def _drive(
    loop: Loop,
    bounds: Bounds,
    state: State,
    history: dict[str, list],
    max_steps: int,
    saved: Checkpoint | None,
    callback: Callable[[int, Info], None] | None,
) -> tuple[State, DesignResult]:
    result = DesignResult.max_steps_reached
    # A run that had ended when it was saved is not taken up again.
    if history.get("done", [False])[-1]:
        return state, DesignResult.converged
    try:
        while int(state.step) < max_steps:
            began = time.perf_counter()
            new, info = jax.block_until_ready(_step(loop, state, bounds))
            _record(history, info, time.perf_counter() - began)
            state = new
            if saved is not None:
                saved.save(state, history)
            if callback is not None:
                callback(int(state.step), info)
            if int(info.solver_result) == Result.breakdown or not np.isfinite(float(info.objective)):
                return state, DesignResult.solver_failed
            if bool(info.done):
                result = DesignResult.converged
                break
    finally:
        if saved is not None and history:
            saved.save(state, history, force=True)
    return state, result


def _record(history: dict[str, list], info: Info, seconds: float) -> None:
    row = {
        "objective": float(info.objective),
        "constraints": np.asarray(info.constraints, float).tolist(),
        "volume_fraction": float(info.volume_fraction),
        "stiffness": np.asarray(info.stiffness, float).tolist(),
        "beta": float(info.beta),
        "change": float(info.change),
        "greyness": float(info.greyness),
        "solver_steps": int(info.solver_steps),
        "done": bool(info.done),
        "seconds": seconds,
    }
    for name, value in row.items():
        history.setdefault(name, []).append(value)


def _finish(
    loop: Loop, bounds: Bounds, state: State, history: dict[str, list], result: DesignResult, grey: float
) -> Optimization:
    design = loop.design
    density = design.physical(state.variables, state.beta)
    fraction = min(float(bounds.volume_fraction), float(density.mean()))
    scorer = Scorer(design.solid, float(design.interpolation.void), design.spacing)
    scored = binary_cell(density, fraction, design.symmetry, scorer)
    binary = float(design.objective(*(jnp.asarray(a, density.dtype) for a in (scored.stiffness, scored.cell))))
    report = {
        "objective_grey": grey,
        "objective_binary": binary,
        "loss_from_binarising": binary - grey,
        "volume_fraction": scored.volume_fraction,
        "islands_removed": scored.provenance["islands_removed"],
        "connected": scored.facts.connected,
        "percolates": list(scored.facts.percolates),
        "scored_in": scored.solver["dtype"],
        "steps": int(state.step),
    }
    return Optimization(density, scored, history, result, report)


def _checked_start(start: ArrayLike, symmetry: Symmetry) -> Array:
    if symmetry not in symmetries.SYMMETRIES:
        raise ValueError(f'Argument `symmetry` must be "none", "mirror" or "cubic", but is {symmetry!r}.')
    variables = jnp.asarray(start)
    if not jnp.issubdtype(variables.dtype, jnp.floating):
        variables = variables.astype(jnp.result_type(float))
    if variables.ndim != 3 or 0 in variables.shape:
        raise ValueError(f"Argument `start` must have shape (nx, ny, nz), but has shape {variables.shape}.")
    low, high = float(variables.min()), float(variables.max())
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise ValueError(f"Argument `start` must lie in [0, 1], but ranges from {low} to {high}.")
    if symmetry == "cubic":
        if len(set(variables.shape)) != 1:
            raise ValueError(f"Argument `start` must be a cube for cubic symmetry, but has shape {variables.shape}.")
        variables = symmetries.permute_average(variables)
    return jnp.clip(variables, 0, 1)


def _optimizer(optimizer: OC | MMA | None, objective: Function, constraints: Sequence[Constraining]) -> OC | MMA:
    if optimizer is None:
        return _CALM if getattr(objective, "monotone", False) and not constraints else MMA()
    if isinstance(optimizer, OC) and constraints:
        raise ValueError("Argument `optimizer` must be MMA when there are constraints besides the volume, but is OC.")
    return optimizer


def _bounds(variables: Array, volume_fraction: float, passive: tuple[ArrayLike, ArrayLike] | None) -> Bounds:
    if not 0 < volume_fraction <= 1:
        raise ValueError(f"Argument `volume_fraction` must lie in (0, 1], but is {volume_fraction}.")
    volume = jnp.asarray(volume_fraction, variables.dtype)
    lower, upper = jnp.zeros_like(variables), jnp.ones_like(variables)
    if passive is None:
        return Bounds(lower, upper, volume)
    void, solid = (jnp.asarray(mask, bool) for mask in passive)
    for mask in (void, solid):
        if mask.shape != variables.shape:
            raise ValueError(f"Argument `passive` must hold two masks of shape {variables.shape}, not {mask.shape}.")
    if bool((void & solid).any()):
        raise ValueError("Argument `passive` must hold two masks without a voxel in common, but they overlap.")
    return Bounds(jnp.where(solid, 1, lower), jnp.where(void, 0, upper), volume)
