"""Optimised cells, one for each number: objective, volume fraction and start follow from a seed and the number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import geometry
from ..design import Continuation, DesignResult, Loop, run, stack
from ..homogenization import SIMP
from ..optimizers import MMA, OC
from ..topology import DensityFilter, Design, constraints, objectives
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
    def kind(self) -> tuple[int, bool, float]:
        """Designs of one kind share their stages."""
        return _kind(self.goal, self.isotropic, self.volume_fraction)

    @property
    def stages(self) -> tuple[Stage, Stage]:
        """What is done one after the other."""
        return _stages(*self.kind)

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
        kinds.setdefault(plan.kind, []).append(plan)
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
    """A design, of which the volume fraction is open; its loop, and its number of steps."""

    design: Design
    loop: Loop
    steps: int


def stages(goal: int, isotropic: bool, volume_fraction: float) -> tuple[Stage, Stage]:
    """On half as many voxels along an edge first, then on all of them with a sharp projection from the beginning."""
    return _stages(*_kind(goal, isotropic, volume_fraction))


def _kind(goal: int, isotropic: bool, volume_fraction: float) -> tuple[int, bool, float]:
    """What tells the stages of designs apart: the goal, with isotropy or without, and the least C11."""
    return goal, isotropic, next((least for top, least in _FLOORS.get(goal, ()) if volume_fraction <= top), 0.0)


@cache
def _stages(goal: int, isotropic: bool, floor: float) -> tuple[Stage, Stage]:
    limits = (constraints.isotropic(0.05),) if isotropic else (constraints.at_least(_c11, floor),) if floor else ()
    if goal in (BULK, SHEAR):
        method = MMA(move=0.15) if isotropic else OC(move=0.1)
        radii, steps = (1.5, 2.0), (50, 16)
        sharpness = Continuation(1.0, 2.0, 10, 16.0), Continuation(8.0, 2.0, 4, 32.0)
    else:
        method, radii, steps = MMA(move=0.1), (1.7, 2.5), (60, 25)
        sharpness = Continuation(1.0, 2.0, 15, 16.0), Continuation(4.0, 2.0, 5, 64.0)
    coarse, fine = (
        Design.of(
            _OBJECTIVES[goal],
            limits,
            solid=_records.SOLID,
            volume_fraction=1.0,
            filtering=DensityFilter(radius, "cubic"),
            interpolation=SIMP(3.0, _records.VOID),
            tolerance=1e-3,
        )
        for radius in radii
    )
    return (
        Stage(coarse, Loop(method, sharpness[0], 3e-3), steps[0]),
        Stage(fine, Loop(method, sharpness[1], 3e-3), steps[1]),
    )


def _high_poisson(stiffness: Array, density: Array) -> Array:
    return -_OBJECTIVES[LOWEST](stiffness, density)


_OBJECTIVES = (
    objectives.maximize_bulk(),
    objectives.maximize_shear(),
    objectives.minimize_poisson(),
    objectives.Objective("maximize Poisson's ratio", _high_poisson),
)


def _c11(stiffness: Array, density: Array) -> Array:
    return stiffness[0, 0]


def optimized(stages: tuple[Stage, ...], start: Array, volume_fractions: Sequence[float]) -> list[np.ndarray | None]:
    """The binary octants, None where the density stays grey or a solve fails.

    Args:
        stages: one after the other, each on a grid of twice the resolution.
        start: for the first one, of designs that are optimised at once, (n, m, m, m).
        volume_fractions: upper bounds, n of them.
    """
    variables, density, failed = start, start, jnp.zeros(len(start), bool)
    for number, (design, loop, steps) in enumerate(stages):
        if number:
            for axis in (1, 2, 3):
                variables = jnp.repeat(variables, 2, axis)
        designs = stack([replace(design, volume_fraction=jnp.asarray(f)) for f in volume_fractions])
        designs = jax.tree.map(lambda leaf: leaf.astype(start.dtype), designs)
        state = jax.vmap(loop.init)(designs, variables)
        state = state._replace(result=jnp.where(failed, DesignResult.solver_failed, state.result))
        for turn in run(loop, designs, state, steps):
            state = turn.state
        # The next stage begins with the design that the last update made; what is handed back was evaluated.
        variables, failed = state.variables, state.result >= DesignResult.solver_failed
        density = jax.vmap(Design.physical)(designs, state.kept.variables, state.kept.sharpness)
    return [
        None if bad or (4 * rho * (1 - rho)).mean() > GREY else rho > 0.5
        for rho, bad in zip(np.asarray(density), np.asarray(failed), strict=True)
    ]
