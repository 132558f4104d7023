"""`jaxmeta dataset generate`, `perturb`, `select` and `refine`: commands that make a library."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ..dataset import Generation, Perturbation, Refinement, Selection
from ..runs import Workers
from ._options import Flag
from ._output import spinner
from ._session import session
from ._tasks import DTYPE, run_tasks, tell

if TYPE_CHECKING:
    from jaxmeta.runs import Report

Source = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
Output = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUTPUT")]


@dataclass(frozen=True)
class Generate:
    """Make a library of optimised cells.

    Each cell is optimised for bulk modulus, shear modulus or Poisson's ratio from a random start. What is done is kept
    in the folder OUTPUT.run, with a picture of the properties reached so far, coverage.png; after an interruption the
    same command goes on with what is left. The same command on other machines that see the folder shares the work.
    """

    output: Output
    """File of the library, .h5; made when all is done."""
    generation: Generation = field(default_factory=Generation)
    workers: Workers = field(default_factory=Workers)
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line, for the advice how to go on.

        Returns:
            The exit code: 0, 1 when a process or a job failed on the way, or 130 when interrupted.
        """
        return run_tasks(self, words, self.generation.count)

    def make(self, report: Report) -> int:
        """Makes the library and returns its number of records."""
        from jaxmeta import dataset

        return dataset.generate(self.output, self.generation, workers=self.workers, report=report)


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
    perturbation: Perturbation
    workers: Workers = field(default_factory=Workers)
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command, as that of `Generate`."""
        return run_tasks(self, words, self.perturbation.count, self.source)

    def make(self, report: Report) -> int:
        """Makes the library and returns its number of records."""
        from jaxmeta import dataset

        return dataset.perturb(self.source, self.output, self.perturbation, workers=self.workers, report=report)


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
    refinement: Refinement = field(default_factory=Refinement)
    workers: Workers = field(default_factory=Workers)
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command, as that of `Generate`."""
        return run_tasks(self, words, None)

    def make(self, report: Report) -> int:
        """Makes the library and returns its number of records."""
        from jaxmeta import dataset

        return dataset.refine(self.source, self.output, self.refinement, workers=self.workers, report=report)


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
    selection: Selection = field(default_factory=Selection)
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command; `words` is not needed here."""
        from jaxmeta import dataset

        with session(DTYPE):
            began = time.perf_counter()
            with spinner("Comparing the cells"):
                records = dataset.select(self.source, self.output, self.selection)
            tell(self, records, began)
        return 0
