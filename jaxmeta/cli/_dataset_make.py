"""`jaxmeta dataset generate`, `perturb`, `select` and `refine`: commands that make a library."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ._crew import Crew
from ._homogenize import spinner
from ._options import Flag, Unset
from ._session import session
from ._tasks import DTYPE, run_tasks, tell

if TYPE_CHECKING:
    from jaxmeta.dataset._workers import Report

Source = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
Output = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUTPUT")]
Range = Annotated[tuple[float, float], tyro.conf.arg(metavar="LOW HIGH")]


@dataclass(frozen=True)
class Generate:
    """Make a library of optimised cells.

    Each cell is optimised for bulk modulus, shear modulus or Poisson's ratio from a random start. What is done is kept
    in the folder OUTPUT.run, with a picture of the properties reached so far, coverage.png; after an interruption the
    same command goes on with what is left. The same command on other machines that see the folder shares the work.
    """

    output: Output
    """File of the library, .h5; made when all is done."""
    count: int = 2000
    """Number of designs; those that stay grey or fall apart give no record."""
    seed: int = 0
    """Seed of all choices."""
    side: int = 32
    """Voxels along an edge of the octant, an even number; the cell has twice as many."""
    lowest: float = 0.2
    """Lowest volume fraction."""
    highest: float = 0.9
    """Highest volume fraction."""
    isotropic: float = 0.3
    """Share of the designs for bulk and shear modulus that are constrained to isotropy."""
    frequencies: int = 3
    """Frequencies of the random starts: more of them make finer cells."""
    batch: int = 1
    """Designs of one kind that are optimised at once on a device; a CPU gains nothing by more than one."""
    workers: Crew = field(default_factory=Crew)
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line, for the advice how to go on.

        Returns:
            The exit code: 0, 1 when a process or a job failed on the way, or 130 when interrupted.
        """
        return run_tasks(self, words, self.count)

    def make(self, report: Report) -> int:
        """Makes the library and returns its number of records."""
        from jaxmeta import dataset

        settings = dataset.Generation(**_settings(self, dataset.Generation))
        return dataset.generate(self.output, settings, workers=self.workers.workers(), report=report)


@dataclass(frozen=True)
class Perturb:
    """Add children to a library: its cells, deformed at random.

    Parents are drawn most often where cells are rare, anew in every round. The new library holds the old one too. What
    is done is kept in the folder OUTPUT.run, with a picture of the properties reached so far, coverage.png; after an
    interruption the same command goes on with what is left.
    """

    source: Source
    """File of the library."""
    output: Output
    """File of the library with the children, .h5; made when all is done."""
    count: int
    """Number of children in every round; those that fall apart or are like their parents give no record."""
    rounds: int = 1
    """Number of rounds; children of one round are parents in the next."""
    seed: int = 0
    """Seed of all choices."""
    amplitude: Range = (0.3, 3.0)
    """Root mean square of the displacement, in voxels of an octant of 32."""
    length: Range = (2.0, 6.0)
    """Length over which the displacement is smoothed, in the same voxels."""
    level: Range = (0.25, 0.75)
    """Level at which the deformed cell is cut: with less than a half its walls grow thicker."""
    lowest: float = 0.1
    """Lowest volume fraction of a child."""
    highest: float = 0.95
    """Highest volume fraction of a child."""
    batch: int = 1
    """Children whose stiffness is computed at once on a device."""
    workers: Crew = field(default_factory=Crew)
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command, as that of `Generate`."""
        return run_tasks(self, words, self.count, self.source)

    def make(self, report: Report) -> int:
        """Makes the library and returns its number of records."""
        from jaxmeta import dataset

        settings = dataset.Perturbation(**_settings(self, dataset.Perturbation))
        workers = self.workers.workers()
        return dataset.perturb(self.source, self.output, settings, rounds=self.rounds, workers=workers, report=report)


@dataclass(frozen=True)
class Refine:
    """Make a library of twice the resolution.

    Every voxel is split in eight, and the surface smoothed: optimised cells take a few more steps of their
    optimisation, children are blurred and cut at their volume. What is done is kept in the folder OUTPUT.run, with a
    picture of the properties reached so far, coverage.png; after an interruption the same command goes on with what is
    left.
    """

    source: Source
    """File of the library."""
    output: Output
    """File of the finer library, .h5; made when all is done."""
    count: Unset[int] = None
    """Number of records, from the first one on (default: all)."""
    steps: int = 8
    """Steps of the optimisation on the finer grid."""
    workers: Crew = field(default_factory=Crew)
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command, as that of `Generate`."""
        return run_tasks(self, words, None)

    def make(self, report: Report) -> int:
        """Makes the library and returns its number of records."""
        from jaxmeta import dataset

        settings = dataset.Refinement(**_settings(self, dataset.Refinement))
        return dataset.refine(self.source, self.output, settings, workers=self.workers.workers(), report=report)


@dataclass(frozen=True)
class Select:
    """Make a library without near-duplicates, in even order.

    The first records, however many one takes, lie evenly in property space. Every record belongs to training,
    validation or test, together with its relatives.
    """

    source: Source
    """File of the library."""
    output: Output
    """File of the new library, .h5."""
    count: Unset[int] = None
    """Largest number of records (default: all that are distinct)."""
    overlap: float = 0.95
    """Cells that overlap by more than this share are near-duplicates, of which one is kept."""
    seed: int = 0
    """Seed of the order."""
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command; `words` is not needed here."""
        from jaxmeta import dataset

        with session(DTYPE):
            began = time.perf_counter()
            options = {"count": self.count, "overlap": self.overlap, "seed": self.seed}
            with spinner("Comparing the cells"):
                records = dataset.select(self.source, self.output, **options)
            tell(self, records, began)
        return 0


def _settings(command: Any, settings: type) -> dict[str, Any]:
    """The options that are fields of the settings of a run."""
    return {field.name: getattr(command, field.name) for field in fields(settings)}
