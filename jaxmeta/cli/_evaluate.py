"""`jaxmeta evaluate`: ways to make cells of wanted stiffness, put to the test on the same targets."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from .._texts import duration
from ..generation import WAYS, Comparison, Way
from ..runs import Progress, stoppable
from ._errors import UsageError
from ._options import Flag, flat
from ._output import spent, written
from ._session import session, versions

if TYPE_CHECKING:
    from jaxmeta.generation import Evaluation
    from jaxmeta.generation import Targets as DrawnTargets

_DRAWN = 4  # targets whose cells are drawn


@dataclass(frozen=True)
class Drawn:
    """What is asked for: midpoints of training cells and test cells in turn, and what lies just outside."""

    targets: int = 24
    """Targets inside the property space."""
    outside: int = 0
    """Targets just outside of it, besides."""
    draw: int = 0
    """Seed of the draw: another one gives other targets."""


@dataclass(frozen=True)
class Evaluate:
    """Compare ways to make cells of wanted stiffness on targets that are the same for all.

    Every cell is scored by an independent float64 solve, and compared with all training cells. What is finished is kept
    target by target: after an interruption the same command goes on.
    """

    ways: Annotated[tuple[Way, ...], tyro.conf.arg(metavar="WAY", help_behavior_hint="")] = (
        "raw",
        "fitted",
        "neighbour",
        "neighbour-fitted",
    )
    """Any of raw (samples of the model as they are), guided (by finite elements), fitted, neighbour (the nearest
    training cells), neighbour-fitted and optimized (topology optimisation from random starts); default: raw, fitted,
    neighbour, neighbour-fitted."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="", aliases=("--model",))] = None
    """Weights of the model, from `jaxmeta train` (default: those that come with the package)."""
    library: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Library of cells (default: the one that comes with the package)."""
    drawn: Drawn = field(default_factory=Drawn)
    making: Comparison = field(default_factory=Comparison)
    output: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("jaxmeta-evaluate")
    """Folder for results, figures and report, and for what an interrupted run goes on from."""
    pictures: Flag = True
    """Draw no cells."""
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line, for the advice how to go on.

        Returns:
            The exit code: 0, or that of the signal which interrupted it.
        """
        self._check()
        began = time.perf_counter()
        try:
            with stoppable() as check, Progress(check=check) as progress, session("float32"):
                found = self._make(progress)
                facts, files = self._write(found, began, progress)
        except KeyboardInterrupt as stop:
            again = shlex.join(("jaxmeta", *words))
            print(f"Interrupted; the same command goes on with what is left: {again}", file=sys.stderr)
            return getattr(stop, "code", 130)
        self._tell(facts, files)
        return 0

    def _check(self) -> None:
        for name in ("targets", "outside", "draw"):
            if getattr(self.drawn, name) < 0:
                raise UsageError(f"Argument `{name}` must not be negative, but is {getattr(self.drawn, name)}.")
        if not self.drawn.targets + self.drawn.outside:
            raise UsageError("Argument `targets` must be at least 1, but is 0, and none are `outside`.")
        if len({*self.ways}) < max(len(self.ways), 1):
            raise UsageError(f"Argument `ways` must name some of {', '.join(WAYS)}, each once.")
        for name in ("weights", "library"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise UsageError(f"Argument `{name}` must be a file, but {path} is none.")
        if self.output.exists() and not self.output.is_dir():
            raise UsageError(f"Argument `output` must be a folder, but {self.output} is a file.")

    def _make(self, progress: Progress) -> Evaluation:
        from jaxmeta import dataset, diffusion
        from jaxmeta.generation import draw_targets, evaluate, of_model

        progress.phase("Reading", "library and model")
        library = dataset.load(self.library)
        model = diffusion.load(self.weights) if of_model(self.ways) else None
        progress.phase("Choosing", "targets")
        targets = draw_targets(library, self.drawn.targets, self.drawn.outside, self.drawn.draw)
        progress.phase("Making", f"cells for {len(targets.constants)} targets")
        found = evaluate(
            library,
            targets,
            self.ways,
            self.making,
            model=model,
            folder=self.output / "run",
            callback=lambda done, of, part: progress.update(
                "Targets", done, of, seconds=float(sum(made.seconds for made in part.values()))
            ),
        )
        progress.phase("Comparing", "with all training cells")
        _ = found.measures, found.held_out
        return found

    def _write(self, found: Evaluation, began: float, progress: Progress) -> tuple[dict[str, Any], dict[str, str]]:
        from jaxmeta import io, render

        progress.phase("Writing", "the results")
        facts: dict[str, Any] = {"command": "evaluate", "rows": found.rows(), "cells": _cells(found)}
        io.write_arrays(self.output / "cells.npz", _arrays(found), overwrite=True)
        files = {"cells.npz": "voxels of all cells as bits, and what was asked"}
        progress.phase("Drawing", "the figures")
        ways = {
            way: render.Compared(found.targets.constants, made.constants, measures.plain, measures.nearest)
            for (way, made), measures in zip(found.made.items(), found.measures.values(), strict=True)
        }
        pictures = {"errors.png": render.draw_errors(ways, self.making.tolerance)}
        pictures["asked.png"] = render.draw_asked_and_got(ways)
        captions = ["Errors, and errors over the similarity to the most similar training cell", "Asked and got"]
        files |= {"errors.png": "errors, and errors over novelty", "asked.png": "stiffness asked for, and got"}
        for name, png in pictures.items():
            io.write_bytes(self.output / name, png, overwrite=True)
        notes = self._draw(found) if self.pictures else []
        if self.pictures and not notes:
            pictures["cells.png"] = (self.output / "cells.png").read_bytes()
            captions.append(f"The first cell of every way for the first {_DRAWN} targets")
            files["cells.png"] = "some of the cells"
        progress.phase("")
        facts |= {"settings": flat(self), "versions": versions(), "seconds": time.perf_counter() - began}
        facts |= {"phases": progress.seconds, "notes": notes}
        files |= {"results.json": "all numbers, for programs", "report.html": "all of it"}
        facts["files"] = [str(self.output / name) for name in files]
        io.write_json(self.output / "results.json", facts, non_finite="null", overwrite=True)
        render.write_overview(
            self.output / "report.html",
            title="Ways to make cells, compared",
            sentences=[f"{way}: {WAYS[way]}." for way in found.made] + _EXPLAINED,
            table=[_row(row) for row in facts["rows"]],
            pictures=dict(zip(captions, pictures.values(), strict=True)),
            settings=facts["settings"],
            versions=facts["versions"],
            files=files,
            notes=notes,
            overwrite=True,
        )
        return facts, files

    def _draw(self, found: Evaluation) -> list[str]:
        """Draws some cells, and says why where it cannot."""
        import numpy as np

        from jaxmeta.render import PictureError, contact_sheet

        cells, labels = [], []
        for number in range(min(_DRAWN, len(found.targets.constants))):
            for way, made in found.made.items():
                octant = made.octants[number, 0]
                error = found.measures[way].plain[number, 0]
                if octant.any():
                    cells.append(np.pad(octant, [(0, side) for side in octant.shape], mode="symmetric"))
                    labels.append(f"{number + 1} {way}: {_percent(error)}")
        if not cells:
            return ["There are no pictures of cells: none were made."]
        try:
            contact_sheet(self.output / "cells.png", cells, labels=labels, columns=len(found.made), overwrite=True)
        except PictureError as error:
            return [f"There are no pictures of cells: {error}"]
        return []

    def _tell(self, facts: dict[str, Any], files: dict[str, str]) -> None:
        from jaxmeta.io import to_json

        if self.json:
            print(to_json(facts, non_finite="null"))
            return
        from ._tables import print_rows

        print_rows([_row(row) for row in facts["rows"]])
        for line in (*_EXPLAINED, *(f"Note: {note}" for note in facts["notes"])):
            print(line)
        print(f"{duration(facts['seconds'])} in all: {spent(facts['phases'])}. Wrote:")
        print(*written(self.output, files), sep="\n")


_EXPLAINED = [
    "Error: |C − C*| / |C*| over C11, C12 and C44, by an independent float64 solve; Eq. 3: mean of the differences "
    "over the ranges of Yang and others, 1.3308, 0.6674 and 0.3834. Of each target's first cell, and of its best.",
    "Alike: mean similarity of pairs of cells of one target (Eq. 4). Known: similarity to the most similar training "
    "cell, median; held-out: that of real cells of the test split, of the volume that was asked for. Nearer: share of "
    "cells that are nearer to the target than that one. Whole: cells in one part before any clean-up. CPU s: of making "
    "a cell, median.",
]


def _row(row: dict[str, Any]) -> dict[str, str]:
    """A line of the table."""
    eq3, plain = row["eq3"], row["plain"]
    return {
        "way": row["way"],
        "targets": row["targets"],
        "cells": str(row["cells"]),
        "Eq. 3, mean": _percent(eq3["first"]),
        "best": _percent(eq3["best"]),
        "error, median": _percent(plain["first_median"]),
        "best ": _percent(plain["best_median"]),
        "exact": _percent(row["exact"]),
        "whole": _percent(row["connected"]),
        "volume": _percent(row["volume_error"]),
        "alike": _share(row["pair_similarity"]),
        "known": _share(row["library_similarity"]),
        "held-out": _share(row["held_out_similarity"]),
        "nearer": _percent(row["nearer"]),
        "solves": f"{row['solves']:.3g}",
        "CPU s": f"{row['cpu_seconds']:.2g}",
        "failed": str(row["failed"]),
    }


def _percent(share: float | None) -> str:
    return "–" if share is None or share != share else f"{100 * share:.3g} %"


def _share(share: float | None) -> str:
    return "–" if share is None or share != share else f"{share:.3f}"


def _cells(found: Evaluation) -> list[dict[str, Any]]:
    """What was asked, and what each way gave, target by target."""
    from jaxmeta.generation import KINDS

    told = []
    for number, constants in enumerate(found.targets.constants):
        one: dict[str, Any] = {"kind": KINDS[found.targets.kind[number]], "constants": constants.tolist()}
        one |= {"volume_fraction": float(found.targets.volume_fraction[number])}
        one["origin"] = found.targets.origin[number].tolist()
        for way, made in found.made.items():
            measures = found.measures[way]
            one[way] = {
                "constants": made.constants[number].tolist(),
                "eq3": measures.eq3[number].tolist(),
                "error": measures.plain[number].tolist(),
                "volume_error": measures.volume[number].tolist(),
                "connected": made.connected[number].tolist(),
                "library_similarity": measures.nearest[number].tolist(),
                "solves": made.solves[number].tolist(),
                "solver_steps": made.solver_steps[number].tolist(),
            }
        told.append(one)
    return told


def _arrays(found: Evaluation) -> dict[str, Any]:
    import numpy as np

    targets: DrawnTargets = found.targets
    arrays: dict[str, Any] = {f"targets.{name}": value for name, value in targets._asdict().items()}
    for way, made in found.made.items():
        arrays |= {f"{way}.octants": np.packbits(made.octants, axis=-1), f"{way}.constants": made.constants}
    return arrays
