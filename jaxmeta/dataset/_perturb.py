"""Children of the cells of a library: deformed at random, aimed at properties that are thin so far."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ..elasticity import bounds
from . import _file, _records, _wedge
from ._deform import deform, displacement

CHILDREN_OF_A_TASK = 25
TRIES = 4
"""Deformations of one parent until a child holds together."""


@dataclass(frozen=True)
class Perturbation:
    """What one round of `perturb` is given.

    Args:
        count: children.
        seed: of all choices.
        amplitude: of the displacement in voxels of an octant of 32, lowest and highest.
        length: of its smoothing, likewise.
        level: at which the deformed cell is cut, lowest and highest.
    """

    count: int
    seed: int = 0
    amplitude: tuple[float, float] = (0.5, 3.0)
    length: tuple[float, float] = (2.0, 6.0)
    level: tuple[float, float] = (0.3, 0.7)

    @property
    def tasks(self) -> int:
        """Tasks of `CHILDREN_OF_A_TASK` children."""
        return -(-self.count // CHILDREN_OF_A_TASK)

    def settings(self, number: int) -> dict[str, Any]:
        """As they are kept beside the results of a round."""
        return {"command": "perturb", "round": number, **asdict(self)}


def properties(columns: _file.Columns) -> Float[np.ndarray, "n 3"]:
    """Volume fraction, Poisson's ratio C12/(C11 + C12), and the bulk modulus relative to its bound."""
    c11, c12, _ = columns["constants"].T
    fraction = columns["volume_fraction"]
    limit = np.asarray(bounds.hashin_shtrikman(fraction, _records.SOLID).bulk)
    return np.column_stack([fraction, c12 / (c11 + c12), (c11 + 2 * c12) / 3 / limit])


BOX = np.array([0.05, 0.05, 0.1])
"""Edges of the boxes of property space in which records are counted."""


def thinness(columns: _file.Columns) -> Float[np.ndarray, " n"]:
    """Weights of the records as parents: one over the number of records in the same box of property space."""
    boxes = np.floor(properties(columns) / BOX).astype(int)
    _, inverse, counts = np.unique(boxes, axis=0, return_inverse=True, return_counts=True)
    weights = 1 / counts[inverse.ravel()]
    return weights / weights.sum()


def parents(p: Perturbation, columns: _file.Columns, number: int) -> Int[np.ndarray, " count"]:
    """Rows of the parents of a round."""
    random = np.random.default_rng([p.seed, number])
    return random.choice(len(columns["identity"]), p.count, p=thinness(columns))


def task(
    p: Perturbation, columns: _file.Columns, side: int, chosen: Int[np.ndarray, " count"], number: int, task: int
) -> _file.Columns:
    """Records of one task of a round."""
    first = task * CHILDREN_OF_A_TASK
    base = int(columns["identity"].max()) + 1
    rows = []
    for item in range(first, min(first + CHILDREN_OF_A_TASK, p.count)):
        row = chosen[item]
        octant = _wedge.unpack(columns["wedge"][row], side)
        inherited = {name: columns[name][row] for name in ("family", "objective", "isotropic", "asked")}
        own = {"identity": base + item, "parent": columns["identity"][row], "seed": item, "round": number}
        for attempt in range(TRIES):
            random = np.random.default_rng([p.seed, number, item, attempt])
            scale = side / 32
            amplitude, length = scale * random.uniform(*p.amplitude), scale * random.uniform(*p.length)
            moved = displacement(random, side, amplitude, length)
            made = _records.record(deform(octant, moved, random.uniform(*p.level)), inherited | own)
            if made is not None:
                rows.append(made)
                break
    return _records.columns(rows, side)
