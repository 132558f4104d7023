"""Optimised cells, one for each number: objective, volume fraction and start follow from a seed and the number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import geometry
from ..homogenization import SIMP
from ..topology import MMA, OC, Bounds, Continuation, DensityFilter, Design, Loop, State, constraints, objectives
from . import _file, _records
from ._settings import Generation

BULK, SHEAR, LOWEST, HIGHEST = range(4)
"""Objectives, numbered as in the file: bulk modulus, shear modulus, lowest and highest Poisson's ratio."""
GREY = 0.1
"""Greyness, mean of 4 ρ (1 − ρ), above which a design is not cut: it would be another one."""
_FLOORS = {
    LOWEST: ((0.45, 0.016), (1.0, 0.05)),
    HIGHEST: ((0.4, 0.06), (1.0, 0.25)),
}
"""Least C11 in units of Young's modulus, up to a volume fraction: with less a cell for Poisson's ratio falls apart."""


class Plan(NamedTuple):
    """What a design is for, and what it starts from; it follows from the seed and the number of the design."""

    item: int
    goal: int
    isotropic: bool
    volume_fraction: float
    sharpness: float
    key: int

    @property
    def stages(self) -> tuple[Stage, Stage]:
        """The same for all designs of a kind."""
        return stages(self.goal, self.isotropic, self.volume_fraction)

    def start(self, g: Generation) -> Array:
        """Density on an octant of half the resolution."""
        key, shape = jax.random.key(self.key), (g.side // 2,) * 3
        return geometry.trigonometric(key, shape, "cubic", g.frequencies, self.volume_fraction, self.sharpness)

    def provenance(self) -> dict[str, Any]:
        """Columns of the file."""
        origin = {"identity": self.item, "parent": -1, "family": self.item, "seed": self.item, "round": 0}
        return origin | {"objective": self.goal, "isotropic": int(self.isotropic), "asked": self.volume_fraction}


def tasks(g: Generation) -> list[list[Plan]]:
    """Batches of designs of one kind, in the order of their first designs."""
    kinds: dict[Any, list[Plan]] = {}
    for item in range(g.count):
        plan = _plan(g, item)
        kinds.setdefault(plan.stages, []).append(plan)
    batches = [kind[first : first + g.batch] for kind in kinds.values() for first in range(0, len(kind), g.batch)]
    return sorted(batches, key=lambda plans: plans[0].item)


def task(g: Generation, batches: list[list[Plan]], number: int) -> _file.Columns:
    """Records of one task; a design that stays grey or falls apart has none."""
    plans = batches[number]
    padded = plans + plans[:1] * (g.batch - len(plans))  # the last batch of a kind is run by the same program
    start = jnp.stack([plan.start(g) for plan in padded])
    octants = optimized(padded[0].stages, start, [plan.volume_fraction for plan in padded])
    sound = [None if octant is None else _records.sound(octant) for octant in octants[: len(plans)]]
    kept = [(octant, plan.provenance()) for octant, plan in zip(sound, plans, strict=True) if octant is not None]
    return _records.columns(_records.records(kept, g.batch), g.side)


def _plan(g: Generation, item: int) -> Plan:
    random = np.random.default_rng([g.seed, item])
    # Of the designs for Poisson's ratio every third one is for a high one.
    last = HIGHEST if item // 5 % 3 == 2 else LOWEST
    goal = (BULK, BULK, SHEAR, SHEAR, last)[item % 5]
    volume_fraction = random.uniform(g.lowest, g.highest)
    isotropic = goal in (BULK, SHEAR) and random.uniform() < g.isotropic
    # Blurred starts end near the optimum, sharp ones near themselves.
    sharpness = float(np.exp(random.uniform(np.log(1.5), np.log(8.0))))
    return Plan(item, goal, isotropic, volume_fraction, sharpness, int(random.integers(2**31)))


class Stage(NamedTuple):
    """A loop, and its number of steps."""

    loop: Loop
    steps: int


def stages(goal: int, isotropic: bool, volume_fraction: float) -> tuple[Stage, Stage]:
    """On half as many voxels along an edge first, then on all of them with a sharp projection from the beginning."""
    return _stages(
        goal, isotropic, next((least for top, least in _FLOORS.get(goal, ()) if volume_fraction <= top), 0.0)
    )


@cache
def _stages(goal: int, isotropic: bool, floor: float) -> tuple[Stage, Stage]:
    """Cached, as are the floors of a few values, so that all designs of a kind share their compiled steps."""
    limits = (constraints.isotropic(0.05),) if isotropic else (_at_least(floor),) if floor else ()
    if goal in (BULK, SHEAR):
        method = MMA(move=0.15) if isotropic else OC(move=0.1)
        radii, steps = (1.5, 2.0), (50, 16)
        sharpness = Continuation(1.0, 2.0, 10, 16.0), Continuation(8.0, 2.0, 4, 32.0)
    else:
        method, radii, steps = MMA(move=0.1), (1.7, 2.5), (60, 25)
        sharpness = Continuation(1.0, 2.0, 15, 16.0), Continuation(4.0, 2.0, 5, 64.0)
    solid = jax.tree.map(float, _records.SOLID)
    coarse, fine = (
        Design(
            _OBJECTIVES[goal],
            limits,
            "cubic",
            solid,
            SIMP(3.0, _records.VOID),
            DensityFilter(radius, "cubic", (1.0, 1.0, 1.0)),
            (1.0, 1.0, 1.0),
            1e-3,
        )
        for radius in radii
    )
    return (
        Stage(Loop(coarse, method, sharpness[0], 3e-3), steps[0]),
        Stage(Loop(fine, method, sharpness[1], 3e-3), steps[1]),
    )


def _high_poisson(stiffness: Array, density: Array) -> Array:
    return -_OBJECTIVES[LOWEST](stiffness, density)


_OBJECTIVES = (
    objectives.maximize_bulk(),
    objectives.maximize_shear(),
    objectives.minimize_poisson(),
    objectives.Objective("maximize Poisson's ratio", _high_poisson),
)


def _at_least(floor: float) -> Callable[[Array, Array], Array]:
    return constraints.at_least(lambda stiffness, _: stiffness[0, 0], floor)


class Lane(NamedTuple):
    """A design of a batch.

    Attributes:
        state: of the optimiser.
        beta: sharpness at the last step.
        going: whether it is to take another step.
        solved: whether all its solves were.
    """

    state: State
    beta: Array
    going: Array
    solved: Array


@partial(jax.jit, static_argnums=0)
def _init(loop: Loop, variables: Array, bounds: Bounds, solved: Array) -> Lane:
    state = jax.vmap(loop.init)(variables, bounds)
    return Lane(state, state.beta, solved, solved)


@partial(jax.jit, static_argnums=0)
def _step(loop: Loop, lanes: Lane, bounds: Bounds) -> Lane:
    def step(lane: Lane, bounds: Bounds) -> Lane:
        state, info = loop.step(lane.state, bounds)
        finite = jnp.isfinite(info.objective)
        new = Lane(state, lane.state.beta, finite & ~info.done, lane.solved & finite)
        return jax.tree.map(partial(jnp.where, lane.going), new, lane)

    return jax.vmap(step)(lanes, bounds)


@partial(jax.jit, static_argnums=0)
def _density(loop: Loop, variables: Array, beta: Array) -> Array:
    return jax.vmap(loop.design.physical)(variables, beta)


def optimized(stages: tuple[Stage, ...], start: Array, volume_fractions: Sequence[float]) -> list[np.ndarray | None]:
    """The binary octants, None where the density stays grey or a solve fails.

    Args:
        stages: one after the other, each on a grid of twice the resolution.
        start: for the first one, of designs that are optimised at once, (n, m, m, m).
        volume_fractions: upper bounds, n of them.
    """
    variables, beta = start, jnp.zeros(len(start), start.dtype)
    fraction, solved = jnp.asarray(volume_fractions, start.dtype), jnp.ones(len(start), bool)
    for number, stage in enumerate(stages):
        if number:
            for axis in (1, 2, 3):
                variables = jnp.repeat(variables, 2, axis)
        bounds = Bounds(jnp.zeros_like(variables), jnp.ones_like(variables), fraction)
        lanes = _init(stage.loop, variables, bounds, solved)
        for _ in range(stage.steps):
            lanes = _step(stage.loop, lanes, bounds)
            if not np.asarray(lanes.going).any():
                break
        variables, solved, beta = lanes.state.variables, lanes.solved, lanes.beta
    density = _density(stages[-1].loop, variables, beta)  # as the last step saw the projection
    return [
        rho > 0.5 if whole and (4 * rho * (1 - rho)).mean() <= GREY else None
        for rho, whole in zip(np.asarray(density), np.asarray(solved), strict=True)
    ]
