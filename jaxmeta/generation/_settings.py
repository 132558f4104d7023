"""How generators are compared: plain numbers, which need no JAX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .._numbers import plain_number, whole_number

Way = Literal["raw", "guided", "fitted", "neighbour", "neighbour-fitted", "optimized"]
WAYS: dict[str, str] = {
    "raw": "samples of the model as they are",
    "guided": "samples guided by finite elements",
    "fitted": "of some guided samples, cleaned, the nearest fitted, then those least like what there is",
    "neighbour": "nearest training cells of different families",
    "neighbour-fitted": "of some of those, cleaned, the nearest fitted",
    "optimized": "topology optimisation from random starts",
}
"""What is compared, and what it is."""


def of_model(ways: Sequence[str]) -> bool:
    """Whether some of the ways need a model."""
    return bool({"raw", "guided", "fitted"} & {*ways})


@dataclass(frozen=True)
class Comparison:
    """How cells are made for every target.

    Args:
        count: Cells of every way for each target.
        resolution: Voxels along an edge of the cells: 64, or 128, with a library and a model of 64³ cells.
        steps: Evaluations of the network for a sample.
        scale: Of guidance without a classifier; 1 is none.
        guided: Last steps of a sample that finite elements guide, where they do; all, if there are fewer.
        tries: Samples, or neighbours, for each fitted cell. The nearest is fitted first, others until enough are exact.
        tolerance: Error of C11, C12 and C44 at which a fit ends.
        smallest_member: Least thickness of a member of a fitted cell, in voxels.
        max_solves: Solves after which a fit ends.
        max_steps: Steps of a topology optimisation.
        seed: Of the noise and of random starts.
    """

    count: int = 4
    resolution: int = 64
    steps: int = 16
    scale: float = 3.0
    guided: int = 2
    tries: int = 4
    tolerance: float = 5e-4
    smallest_member: int = 2
    max_solves: int = 16
    max_steps: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("count", 1), ("steps", 2), ("guided", 1), ("tries", 1), ("smallest_member", 1),
                            ("max_solves", 1), ("max_steps", 1), ("seed", 0), ("resolution", 2)):  # fmt: skip
            whole_number(name, getattr(self, name), least)
        plain_number("scale", self.scale, "not be negative", lambda x: 0 <= x < float("inf"))
        plain_number("tolerance", self.tolerance, "be positive", lambda x: 0 < x < float("inf"))
