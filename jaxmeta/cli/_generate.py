"""`jaxmeta generate`: different cells of one wanted stiffness."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .._texts import duration
from ..runs import Progress, stoppable
from ._answers import components
from ._errors import UsageError, name_flags
from ._goals import Target
from ._options import Flag, Output, Solid, Unset, check_positive, flat
from ._output import claimed, spent, written
from ._session import session, versions

if TYPE_CHECKING:
    import numpy as np

    from jaxmeta.cells import Exported
    from jaxmeta.generation import Generated

_CONSTANTS = {"C11": (0, 0), "C12": (0, 1), "C44": (3, 3)}


@dataclass(frozen=True)
class Wanted(Target):
    """The stiffness of the cells, in the unit of --young: a file, three constants, or E and Poisson's ratio."""


@dataclass(frozen=True)
class Fit:
    """How near the cells come, and what they must be."""

    tolerance: float = 5e-4
    """Largest difference from the wanted C11, C12 and C44, relative to their norm."""
    smallest_member: int = 2
    """Least thickness of a member, in voxels."""
    open_pores: Flag = False
    """Open all closed pores, so that powder or resin can leave."""
    max_solves: int = 16
    """Solves after which a start is given up."""
    seed: int = 0
    """What decides among equals; another one gives other cells."""


@dataclass(frozen=True)
class CellsOutput(Output):
    """What is written, and where."""

    folder: Annotated[Path | None, tyro.conf.arg(name="output", metavar="DIR")] = Path("jaxmeta-generate")
    """Folder for a folder of each cell, with its surface, picture and report, and a table of all of them."""


@dataclass(frozen=True)
class Generate:
    """Make different cells of one wanted stiffness.

    The nearest cells of a library, of different families, are freed of thin members and brought to the stiffness by
    flips of voxels at their interface, until an independent solve finds it within the tolerance.
    """

    target: Wanted = field(default_factory=Wanted)
    volume_fraction: Unset[float] = None
    """Volume fraction of solid, met within 0.002 (default: any)."""
    count: int = 4
    """Number of cells."""
    resolution: Literal[64, 128] = 64
    """Voxels along an edge of the cells."""
    library: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Library of starts (default: the one that comes with the package)."""
    source: Literal["library", "model"] = "library"
    """Where starts come from: cells of a library, or samples of a diffusion model."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Weights of the model, from `jaxmeta train`."""
    fit: Fit = field(default_factory=Fit)
    solid: Solid = field(default_factory=Solid)
    output: CellsOutput = field(default_factory=CellsOutput)

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line; not needed here.

        Returns:
            The exit code: 0, or 1 when there are fewer cells within the tolerance than were asked for.
        """
        self._check()
        began = time.perf_counter()
        folder = self.output.folder or Path("jaxmeta-generate")
        with stoppable() as check, Progress(check=check) as progress, session("float32"):
            stiffness, solid = self.target.stiffness(), self.solid.isotropic()
            self.target.check_bounds(solid, 1.0 if self.volume_fraction is None else self.volume_fraction)
            with claimed(folder, self.output.overwrite):
                cells = self._make(stiffness, progress)
                facts, files = self._write(cells, stiffness, folder, progress)
                progress.phase("")
        facts |= {"seconds": time.perf_counter() - began, "phases": progress.seconds}
        exact = sum(bool(record["exact"]) for record in facts["cells"])
        self._tell(facts, files, exact)
        return 0 if exact == self.count else 1

    def _check(self) -> None:
        self.output.check()
        self.target.check_whole()
        check_positive(tolerance=self.fit.tolerance)
        for name, value in (("count", self.count), ("smallest_member", self.fit.smallest_member),
                            ("max_solves", self.fit.max_solves)):  # fmt: skip
            if value < 1:
                raise UsageError(f"Argument `{name}` must be at least 1, but is {value}.")
        if self.weights is not None and self.source != "model":
            raise UsageError("Argument `weights` must come with `source` model.")
        if self.volume_fraction is not None and not 0 < self.volume_fraction < 1:
            raise UsageError(f"Argument `volume_fraction` must lie between 0 and 1, but is {self.volume_fraction:g}.")

    def _make(self, stiffness: np.ndarray, progress: Progress) -> list[Generated]:
        from jaxmeta import dataset, diffusion, generate

        progress.phase("Reading", f"the {self.source}")
        library = dataset.load(self.library)
        model = diffusion.load(self.weights) if self.source == "model" else None
        progress.phase("Fitting", "cells")

        def report(made: int, cell: Generated) -> None:
            progress.update("Cells", made, self.count, error=cell.error, solves=float(cell.solves))

        return generate(
            stiffness,
            self.volume_fraction,
            self.count,
            resolution=self.resolution,
            key=self.fit.seed,
            solid=self.solid.isotropic(),
            source=self.source,
            library=library,
            model=model,
            tolerance=self.fit.tolerance,
            smallest_member=self.fit.smallest_member,
            open_pores=self.fit.open_pores,
            max_solves=self.fit.max_solves,
            callback=report,
        )

    def _write(
        self, cells: list[Generated], stiffness: np.ndarray, folder: Path, progress: Progress
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Writes every cell into a folder of its own, and the table of all."""
        from jaxmeta import io, render
        from jaxmeta.cells import describe
        from jaxmeta.elasticity import voigt_average

        facts: dict[str, Any] = {"command": "generate", "wanted": self._wanted(stiffness)}
        facts |= {"settings": flat(self), "versions": versions(), "cells": []}
        files: dict[str, str] = {}
        for number, cell in enumerate(cells, 1):
            answers = _answers(cell, stiffness, self.volume_fraction)
            record = {"folder": f"cell-{number}", "error": cell.error, "exact": cell.error <= self.fit.tolerance}
            record |= {"result": cell.result.name, "solves": cell.solves, "provenance": dict(cell.provenance)}
            isotropic = voigt_average(cell.stiffness)
            record |= {"young": float(isotropic.young), "poisson": float(isotropic.poisson)}
            made = self._export(cell, folder / f"cell-{number}", answers, record | facts, progress)
            facts["cells"].append(record | {"asked": answers} | describe(cell))
            files[f"cell-{number}"] = f"{len(made.files)} files: surface, picture, report, arrays"
        if self.output.pictures and cells:
            progress.phase("Drawing", "all cells")
            sheet, labels = folder / "cells.png", [f"cell-{number}" for number in range(1, len(cells) + 1)]
            render.contact_sheet(
                sheet, [cell.cell for cell in cells], labels=labels, columns=4, overwrite=self.output.overwrite
            )
            files["cells.png"] = "all cells on one sheet"
        files["cells.json"] = "all numbers, for programs"
        facts["files"] = [str(folder / name) for name in files]
        io.write_json(folder / "cells.json", facts, non_finite="null", overwrite=self.output.overwrite)
        return facts, files

    def _export(
        self, cell: Generated, folder: Path, answers: list[dict[str, Any]], facts: dict[str, Any], progress: Progress
    ) -> Exported:
        from jaxmeta.cells import export

        folder.mkdir(exist_ok=True)
        sized = replace(cell, unit=self.solid.unit)
        sized = sized if self.output.size is None else sized.sized(self.output.size)
        return export(
            sized,
            folder,
            title=f"A cell of wanted stiffness, {folder.name}",
            facts=facts,
            settings=facts["settings"],
            versions=facts["versions"],
            notes=[] if facts["exact"] else [name_flags(cell.result.text, self)],
            answers=answers,
            tile=self.output.tile,
            pictures=self.output.pictures,
            phase=progress.phase,
            overwrite=self.output.overwrite,
        )

    def _wanted(self, stiffness: np.ndarray) -> dict[str, float]:
        wanted = {name: float(stiffness[entry]) for name, entry in _CONSTANTS.items()}
        return wanted if self.volume_fraction is None else wanted | {"volume fraction": self.volume_fraction}

    def _tell(self, facts: dict[str, Any], files: dict[str, str], exact: int) -> None:
        from jaxmeta.io import to_json

        from ._tables import print_cells

        if self.output.json:
            print(to_json(facts, non_finite="null"))
            return
        lines = [
            "Error: norm of the difference of C11, C12 and C44 over that of the wanted ones, by an independent float64 "
            "solve of the binary cell.",
            f"{duration(facts['seconds'])} in all: {spent(facts['phases'])}. Wrote:",
            *written(self.output.folder or Path("jaxmeta-generate"), files),
        ]
        notes = []
        if exact < self.count:
            notes = [
                f"{exact} of {self.count} cells have the stiffness within the tolerance: no start of another family "
                "came nearer. Other cells of the library may, with another `--seed` or a looser `--tolerance`."
            ]
        print_cells(facts, lines, notes)


def _answers(cell: Generated, stiffness: np.ndarray, volume_fraction: float | None) -> list[dict[str, Any]]:
    """What was asked, and what the cell has."""
    rows = components(stiffness, cell.stiffness)
    if volume_fraction is not None:
        difference = cell.volume_fraction - volume_fraction
        row = {"name": "volume fraction", "asked": volume_fraction, "got": cell.volume_fraction}
        rows.append(row | {"difference": difference})
    return rows
