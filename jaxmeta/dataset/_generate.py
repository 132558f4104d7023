"""Optimised cells, one for each number: objective, volume fraction and start follow from a seed and the number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import geometry
from ..homogenization import SIMP
from ..topology import MMA, OC, Bounds, Continuation, DensityFilter, Design, Loop, constraints, objectives
from . import _file, _records

DESIGNS_OF_A_TASK = 5
"""Two for bulk modulus, two for shear modulus, one for Poisson's ratio: 10 : 10 : 5."""
BULK, SHEAR, LOWEST, HIGHEST = range(4)
"""Objectives, numbered as in the file: bulk modulus, shear modulus, lowest and highest Poisson's ratio."""
GREY = 0.1
"""Greyness, mean of 4 ρ (1 − ρ), above which a design is not cut: it would be another one."""
_FLOORS = {
    LOWEST: ((0.45, 0.016), (1.0, 0.05)),
    HIGHEST: ((0.4, 0.06), (1.0, 0.25)),
}
"""Least C11 in units of Young's modulus, up to a volume fraction: with less a cell for Poisson's ratio falls apart."""


@dataclass(frozen=True)
class Generation:
    """What `generate` is given.

    Args:
        count: designs.
        seed: of all choices.
        side: voxels along an edge of the octant, even.
        lowest, highest: volume fractions.
        isotropic: share of the designs for bulk and shear modulus that are constrained to isotropy.
        frequencies: of the trigonometric starts.
    """

    count: int = 2000
    seed: int = 0
    side: int = 32
    lowest: float = 0.2
    highest: float = 0.9
    isotropic: float = 0.3
    frequencies: int = 3

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"Argument `count` must be at least 1, but is {self.count}.")
        if self.side < 8 or self.side % 2:
            raise ValueError(f"Argument `side` must be even and at least 8, but is {self.side}.")
        if not 0 < self.lowest <= self.highest < 1:
            raise ValueError(
                f"Arguments `lowest` and `highest` must satisfy 0 < lowest ≤ highest < 1, but are {self.lowest} and "
                f"{self.highest}."
            )
        if not 0 <= self.isotropic <= 1:
            raise ValueError(f"Argument `isotropic` must be from 0 to 1, but is {self.isotropic}.")
        if self.frequencies < 1:
            raise ValueError(f"Argument `frequencies` must be at least 1, but is {self.frequencies}.")

    @property
    def tasks(self) -> int:
        """Tasks of `DESIGNS_OF_A_TASK` designs."""
        return -(-self.count // DESIGNS_OF_A_TASK)

    def settings(self) -> dict[str, Any]:
        """As they are kept beside the results."""
        return {"command": "generate", **asdict(self)}


def task(g: Generation, number: int) -> _file.Columns:
    """Records of one task; a design that stays grey or falls apart has none."""
    first = number * DESIGNS_OF_A_TASK
    rows = [_design(g, item) for item in range(first, min(first + DESIGNS_OF_A_TASK, g.count))]
    return _records.columns([row for row in rows if row is not None], g.side)


def _design(g: Generation, item: int) -> dict[str, Any] | None:
    random = np.random.default_rng([g.seed, item])
    place = item % DESIGNS_OF_A_TASK
    # Of the designs for Poisson's ratio every third one is for a high one.
    last = HIGHEST if item // DESIGNS_OF_A_TASK % 3 == 2 else LOWEST
    goal = (BULK, BULK, SHEAR, SHEAR, last)[place]
    volume_fraction = random.uniform(g.lowest, g.highest)
    isotropic = goal in (BULK, SHEAR) and random.uniform() < g.isotropic
    # Blurred starts end near the optimum, sharp ones near themselves.
    sharpness = float(np.exp(random.uniform(np.log(1.5), np.log(8.0))))
    key = jax.random.key(random.integers(2**31))
    start = geometry.trigonometric(key, (g.side // 2,) * 3, "cubic", g.frequencies, volume_fraction, sharpness)
    octant = optimized(stages(goal, isotropic, volume_fraction), start, volume_fraction)
    octant = None if octant is None else _records.sound(octant)
    provenance = {
        "identity": item, "parent": -1, "family": item, "seed": item, "objective": goal, "isotropic": int(isotropic),
        "asked": volume_fraction, "round": 0,
    }  # fmt: skip
    return None if octant is None else _records.record(octant, provenance)


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


_step = jax.jit(Loop.step, static_argnums=0)


@partial(jax.jit, static_argnums=0)
def _density(loop: Loop, variables: Array, beta: Array) -> Array:
    return loop.design.physical(variables, beta)


def optimized(stages: tuple[Stage, ...], start: Array, volume_fraction: float) -> np.ndarray | None:
    """The binary octant, or None where the density stays grey or a solve fails.

    Args:
        stages: one after the other, each on a grid of twice the resolution.
        start: for the first one, (m, m, m).
        volume_fraction: upper bound.
    """
    variables, density = start, np.asarray(start)
    for number, stage in enumerate(stages):
        if number:
            for axis in range(3):
                variables = jnp.repeat(variables, 2, axis)
        found = _run(stage, variables, volume_fraction)
        if found is None:
            return None
        variables, density = found
    return None if (4 * density * (1 - density)).mean() > GREY else density > 0.5


def _run(stage: Stage, variables: Array, volume_fraction: float) -> tuple[Array, np.ndarray] | None:
    """The variables after the steps of a stage, and the density as its last step saw the projection."""
    fraction = jnp.asarray(volume_fraction, variables.dtype)
    bounds = Bounds(jnp.zeros_like(variables), jnp.ones_like(variables), fraction)
    state = stage.loop.init(variables, bounds)
    beta = state.beta
    for _ in range(stage.steps):
        beta = state.beta
        state, info = _step(stage.loop, state, bounds)
        if not np.isfinite(float(info.objective)):
            return None
        if bool(info.done):
            break
    return state.variables, np.asarray(_density(stage.loop, state.variables, beta))
