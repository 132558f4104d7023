"""Children of the cells of a library: deformed at random, aimed at properties that are thin so far."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from . import _file, _overlap, _records, _space, _wedge
from ._deform import deform, displacement
from ._settings import Perturbation

CHILDREN_OF_A_TASK = 25
TRIES = 4
"""Deformations of one parent until a child holds together and is another cell."""
ALIKE = 0.95
"""Overlap with its parent from which on a child is not kept."""


def tasks(p: Perturbation) -> int:
    """Tasks of `CHILDREN_OF_A_TASK` children in a round."""
    return -(-p.count // CHILDREN_OF_A_TASK)


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
    items = range(first, min(first + CHILDREN_OF_A_TASK, p.count))
    tries = {item: _tries(p, [p.seed, number, item], columns["wedge"][chosen[item]], side) for item in items}
    rows: dict[int, dict[str, Any] | None] = dict.fromkeys(items)
    while tries:
        octants = {item: octant for item in tries if (octant := next(tries[item], None)) is not None}
        found = []
        for item, octant in octants.items():
            row = chosen[item]
            inherited = {name: columns[name][row] for name in ("family", "objective", "isotropic", "asked")}
            own = {"identity": base + item, "parent": columns["identity"][row], "seed": item, "round": number}
            found.append((octant, inherited | own))
        rows |= zip(octants, _records.records(found, p.batch), strict=True)
        tries = {item: tries[item] for item in octants if rows[item] is None}
    return _records.columns(rows.values(), side)


def _tries(p: Perturbation, seed: list[int], parent: np.ndarray, side: int) -> Iterator[np.ndarray]:
    """The deformations of a parent that may be its child."""
    for attempt in range(TRIES):
        octant = _child(p, np.random.default_rng([*seed, attempt]), parent, side)
        if octant is not None:
            yield octant


def _child(p: Perturbation, random: np.random.Generator, parent: np.ndarray, side: int) -> np.ndarray | None:
    """An octant that holds together and is another cell than its parent, or None."""
    scale = side / 32
    amplitude = scale * np.exp(random.uniform(*np.log(p.amplitude)))
    moved = displacement(random, side, amplitude, scale * random.uniform(*p.length))
    level = random.triangular(p.level[0], (p.level[0] + p.level[1]) / 2, p.level[1])
    octant = _records.sound(deform(_wedge.unpack(parent, side), moved, level))
    if octant is None or not p.lowest <= octant.mean() <= p.highest:
        return None
    return None if _overlap.of_two(parent, _wedge.pack(octant), side) > ALIKE else octant
