"""What the commands that make a library are given; the options of the command line are these."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Generation:
    """Which cells to optimise.

    Args:
        count: Number of designs; those that stay grey or fall apart give no record.
        seed: Seed of all choices.
        side: Voxels along an edge of the octant, an even number; the cell has twice as many.
        lowest: Lowest volume fraction.
        highest: Highest volume fraction.
        isotropic: Share of the designs for bulk and shear modulus that are constrained to isotropy.
        frequencies: Frequencies of the random starts: more of them make finer cells.
        batch: Designs of one kind that are optimised at once on a device; a CPU gains nothing by more than one.
    """

    count: int = 2000
    seed: int = 0
    side: int = 32
    lowest: float = 0.2
    highest: float = 0.9
    isotropic: float = 0.3
    frequencies: int = 3
    batch: int = 1

    def __post_init__(self) -> None:
        _at_least_one(self, "count", "batch", "frequencies")
        if self.side < 8 or self.side % 2:
            raise ValueError(f"Argument `side` must be even and at least 8, but is {self.side}.")
        if not 0 < self.lowest <= self.highest < 1:
            raise ValueError(
                f"Arguments `lowest` and `highest` must satisfy 0 < lowest ≤ highest < 1, but are {self.lowest} and "
                f"{self.highest}."
            )
        if not 0 <= self.isotropic <= 1:
            raise ValueError(f"Argument `isotropic` must be from 0 to 1, but is {self.isotropic}.")

    def settings(self) -> dict[str, Any]:
        """As they are kept beside the results."""
        return {"command": "generate", **asdict(self)}


@dataclass(frozen=True)
class Perturbation:
    """How to deform cells, and how many.

    Args:
        count: Number of children in every round; those that fall apart or are like their parents give no record.
        seed: Seed of all choices.
        rounds: Number of rounds; children of one round are parents in the next.
        amplitude: Root mean square of the displacement, in voxels of an octant of 32, lowest and highest; small ones
            are as frequent as large ones on a logarithmic scale.
        length: Length over which the displacement is smoothed, in the same voxels, lowest and highest.
        level: Level at which the deformed cell is cut, lowest and highest: with less than a half its walls grow
            thicker.
        lowest: Lowest volume fraction of a child.
        highest: Highest volume fraction of a child.
        batch: Children whose stiffness is computed at once on a device.
    """

    count: int
    seed: int = 0
    rounds: int = 1
    amplitude: tuple[float, float] = (0.3, 3.0)
    length: tuple[float, float] = (2.0, 6.0)
    level: tuple[float, float] = (0.25, 0.75)
    lowest: float = 0.1
    highest: float = 0.95
    batch: int = 1

    def __post_init__(self) -> None:
        _at_least_one(self, "count", "rounds", "batch")
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

    def settings(self) -> dict[str, Any]:
        """As they are kept beside the results."""
        return {"command": "perturb", **asdict(self)}


@dataclass(frozen=True)
class Refinement:
    """Which cells to refine, and how.

    Args:
        count: Number of records, from the first one on; all of them if it is not given.
        steps: Steps of the optimisation on the finer grid, for optimised cells.
    """

    count: int | None = None
    steps: int = 8

    def __post_init__(self) -> None:
        _at_least_one(self, "count", "steps")

    def settings(self) -> dict[str, Any]:
        """As they are kept beside the results."""
        return {"command": "refine", **asdict(self)}


@dataclass(frozen=True)
class Selection:
    """How many cells to keep, and which count as one.

    Args:
        count: Largest number of records; all that are distinct if it is not given.
        overlap: Cells whose solid (above a volume fraction of a half their void) overlaps by more than this share are
            near-duplicates, of which one is kept, also where one of them is moved by half a period.
        seed: Seed of the order within a box of property space, and within a turn.
    """

    count: int | None = None
    overlap: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least_one(self, "count")
        if not 0 < self.overlap <= 1:
            raise ValueError(f"Argument `overlap` must lie in (0, 1], but is {self.overlap}.")


def _at_least_one(settings: Any, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise ValueError(f"Argument `{name}` must be at least 1, but is {value}.")
