"""Optimised cells, one for each number: objective, volume fraction and start follow from a seed and the number."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import geometry
from ..topology import Continuation, constraints, objectives, optimize
from . import _file, _records

DESIGNS_OF_A_TASK = 5
"""Two for bulk modulus, two for shear modulus, one for Poisson's ratio: 10 : 10 : 5."""
_KINDS = (0, 0, 1, 1, 2)


def _stiff_enough(stiffness: Array, density: Array) -> Array:
    return stiffness[0, 0] - 0.04 * density.mean()


# Made once, so that all designs of a kind share one compiled step.
_OBJECTIVES = (objectives.maximize_bulk(), objectives.maximize_shear(), objectives.minimize_poisson())
_ISOTROPIC = (constraints.isotropic(0.05),)
_POISSON = (constraints.at_least(_stiff_enough, 0.0),)


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

    count: int = 1500
    seed: int = 0
    side: int = 32
    lowest: float = 0.2
    highest: float = 0.9
    isotropic: float = 0.3
    frequencies: int = 3

    @property
    def tasks(self) -> int:
        """Tasks of `DESIGNS_OF_A_TASK` designs."""
        return -(-self.count // DESIGNS_OF_A_TASK)

    def settings(self) -> dict[str, Any]:
        """As they are kept beside the results."""
        return {"command": "generate", **asdict(self)}


def task(g: Generation, number: int) -> _file.Columns:
    """Records of one task; a design that falls apart has none."""
    first = number * DESIGNS_OF_A_TASK
    rows = [_design(g, item) for item in range(first, min(first + DESIGNS_OF_A_TASK, g.count))]
    return _records.columns([row for row in rows if row is not None], g.side)


def _design(g: Generation, item: int) -> dict[str, Any] | None:
    random = np.random.default_rng([g.seed, item])
    kind = _KINDS[item % len(_KINDS)]
    volume_fraction = random.uniform(g.lowest, g.highest)
    isotropic = kind < 2 and random.uniform() < g.isotropic
    start = geometry.trigonometric(
        jax.random.key(random.integers(2**31)), (g.side // 2,) * 3, "cubic", g.frequencies, volume_fraction, 1.0
    )
    limits = _POISSON if kind == 2 else _ISOTROPIC if isotropic else ()
    try:
        octant = _optimized(kind, limits, start, volume_fraction)
    except ValueError:  # nothing is left of the cell at the cut
        return None
    provenance = {
        "identity": item, "parent": -1, "family": item, "seed": item, "objective": kind, "isotropic": int(isotropic),
        "asked": volume_fraction, "round": 0,
    }  # fmt: skip
    return _records.record(octant, provenance)


def _optimized(kind: int, limits: tuple, start: Array, volume_fraction: float) -> np.ndarray:
    """On half as many voxels along an edge first, then on all of them with a sharp projection from the beginning."""

    def run(start: Array, projection: Continuation, max_steps: int):
        return optimize(
            _OBJECTIVES[kind],
            start,
            solid=_records.SOLID,
            volume_fraction=volume_fraction,
            constraints=limits,
            filter_radius=2.0 if kind == 2 else 1.5,
            projection=projection,
            max_steps=max_steps,
            stop=3e-3,
        )

    coarse = run(start, Continuation(1.0, 2.0, 12, 16.0), 70).density
    fine = coarse
    for axis in range(3):
        fine = jnp.repeat(fine, 2, axis)
    return np.asarray(geometry.symmetry.fold(run(fine, Continuation(8.0, 2.0, 8, 32.0), 24).cell)) > 0.5
