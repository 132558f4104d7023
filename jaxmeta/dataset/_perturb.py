"""Children of the cells of a library: deformed at random, aimed at properties that are thin so far."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from . import _file, _overlap, _records, _space, _wedge
from ._deform import deform, displacement

CHILDREN_OF_A_TASK = 25
TRIES = 4
"""Deformations of one parent until a child holds together and is another cell."""
ALIKE = 0.95
"""Overlap with its parent from which on a child is not kept."""


@dataclass(frozen=True)
class Perturbation:
    """What one round of `perturb` is given.

    Args:
        count: children.
        seed: of all choices.
        amplitude: of the displacement in voxels of an octant of 32, lowest and highest; small ones are as frequent as
            large ones on a logarithmic scale.
        length: of its smoothing, likewise.
        level: at which the deformed cell is cut, lowest and highest; most are near the middle.
        lowest, highest: volume fractions of the children.
    """

    count: int
    seed: int = 0
    amplitude: tuple[float, float] = (0.3, 3.0)
    length: tuple[float, float] = (2.0, 6.0)
    level: tuple[float, float] = (0.25, 0.75)
    lowest: float = 0.1
    highest: float = 0.95

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"Argument `count` must be at least 1, but is {self.count}.")
        for name in ("amplitude", "length"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"Argument `{name}` must be positive, lowest and highest, but is {low}, {high}.")
        if not 0 < self.level[0] < self.level[1] < 1:
            raise ValueError(f"Argument `level` must lie in (0, 1), lowest and highest, but is {self.level}.")
        if not 0 <= self.lowest < self.highest <= 1:
            raise ValueError(
                f"Arguments `lowest` and `highest` must satisfy 0 ≤ lowest < highest ≤ 1, but are {self.lowest} and "
                f"{self.highest}."
            )

    @property
    def tasks(self) -> int:
        """Tasks of `CHILDREN_OF_A_TASK` children."""
        return -(-self.count // CHILDREN_OF_A_TASK)

    def settings(self, number: int) -> dict[str, Any]:
        """As they are kept beside the results of a round."""
        return {"command": "perturb", "round": number, **asdict(self)}


def thinness(columns: _file.Columns) -> Float[np.ndarray, " n"]:
    """Weights of the records as parents: one over the number of records in the same box of property space."""
    box, counts = _space.boxes(columns)
    weights = 1 / counts[box]
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
        inherited = {name: columns[name][row] for name in ("family", "objective", "isotropic", "asked")}
        own = {"identity": base + item, "parent": columns["identity"][row], "seed": item, "round": number}
        for attempt in range(TRIES):
            random = np.random.default_rng([p.seed, number, item, attempt])
            made = _child(p, random, columns["wedge"][row], side, inherited | own)
            if made is not None:
                rows.append(made)
                break
    return _records.columns(rows, side)


def _child(
    p: Perturbation, random: np.random.Generator, parent: np.ndarray, side: int, provenance: dict[str, Any]
) -> dict[str, Any] | None:
    scale = side / 32
    amplitude = scale * np.exp(random.uniform(*np.log(p.amplitude)))
    moved = displacement(random, side, amplitude, scale * random.uniform(*p.length))
    level = random.triangular(p.level[0], (p.level[0] + p.level[1]) / 2, p.level[1])
    octant = _records.sound(deform(_wedge.unpack(parent, side), moved, level))
    if octant is None or not p.lowest <= octant.mean() <= p.highest:
        return None
    if _overlap.of_two(parent, _wedge.pack(octant), side) > ALIKE:
        return None
    return _records.record(octant, provenance)
