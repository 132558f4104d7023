"""`jaxmeta interpolate`: a family of cells between two."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .._texts import duration
from ..runs import Progress, stoppable
from ._errors import UsageError
from ._options import Flag, check_positive, flat
from ._output import spent, written
from ._session import session, versions

if TYPE_CHECKING:
    import numpy as np

    from jaxmeta.cells import Cell
    from jaxmeta.dataset import Library
    from jaxmeta.generation import Family


@dataclass(frozen=True)
class Members:
    """How many members there are, and how near they come."""

    members: int = 5
    """Members to begin with, both ends among them."""
    step: float = 0.02
    """Largest difference of the volume fractions of neighbours: gaps are halved until no step is larger."""
    tolerance: float = 5e-4
    """Largest difference of a member's C11, C12 and C44 from those of its place, relative to their norm."""
    smallest_member: int = 2
    """Least thickness of what a cell between both ends is made of, in voxels."""
    max_solves: int = 16
    """Solves after which a start is given up."""
    max_attempts: int = 64
    """Members that are tried before gaps are left open."""
    seed: int = 0
    """What decides among equals."""


@dataclass(frozen=True)
class Interpolate:
    """Make a family of cells between two, of every volume fraction in between, whose neighbours connect.

    From one cell to the other the volume fraction, and bulk and shear moduli as shares of their bounds, change evenly;
    every member is fitted to exactly that. After an interruption the same command goes on.
    """

    first: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="A")]
    """First cell: its number in the library, or a file."""
    second: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="B")]
    """Last cell."""
    source: Literal["library", "model", "both"] = "library"
    """Where members begin, besides at their neighbours: cells of the library, samples of a model from the noise between
    those that lead to both ends, or both."""
    raw: Flag = False
    """Only samples of the model without any condition, as they are, from noises at even steps: nothing is fitted."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="", aliases=("--model",))] = None
    """Weights of the model, from `jaxmeta train` (default: those that come with the package)."""
    library: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Library of cells (default: the one that comes with the package)."""
    family: Members = field(default_factory=Members)
    output: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("jaxmeta-interpolate")
    """Folder for cells, pictures and report, and for what an interrupted run goes on from."""
    pictures: Flag = True
    """Draw no cells."""
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line, for the advice how to go on.

        Returns:
            The exit code: 0; 1 where a step is larger than was asked for; that of the signal which interrupted it.
        """
        self._check()
        began = time.perf_counter()
        try:
            with stoppable() as check, Progress(check=check) as progress, session("float32"):
                family, path, library = self._make(progress)
                facts, files = self._write(family, path, library, began, progress)
        except KeyboardInterrupt as stop:
            again = shlex.join(("jaxmeta", *words))
            print(f"Interrupted; the same command goes on with what is left: {again}", file=sys.stderr)
            return getattr(stop, "code", 130)
        self._tell(facts, files)
        return int(not self.raw and facts["largest_step"] > self.family.step)

    def _check(self) -> None:
        check_positive(step=self.family.step, tolerance=self.family.tolerance)
        for name, least in (("members", 2), ("smallest_member", 1), ("max_solves", 1), ("max_attempts", 1)):
            if getattr(self.family, name) < least:
                raise UsageError(f"Argument `{name}` must be at least {least}, but is {getattr(self.family, name)}.")
        for name in ("weights", "library"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise UsageError(f"Argument `{name}` must be a file, but {path} is none.")
        if self.weights is not None and self.source == "library" and not self.raw:
            raise UsageError("Argument `weights` must come with `source` model or both, or with `raw`.")
        if self.output.exists() and not self.output.is_dir():
            raise UsageError(f"Argument `output` must be a folder, but {self.output} is a file.")

    def _make(self, progress: Progress) -> tuple[Family, np.ndarray, Library]:
        import numpy as np

        from jaxmeta import dataset, diffusion
        from jaxmeta.generation import Path as CellPath
        from jaxmeta.generation import interpolate, raw_family

        progress.phase("Reading", "both cells")
        library = dataset.load(self.library)
        ends = self._end("A", library), self._end("B", library)
        model = diffusion.load(self.weights) if self.raw or self.source != "library" else None
        between, options = CellPath(*ends), self.family
        shown = [_placed(between.volume_fraction(t), between.constants(t), ends[0]) for t in np.linspace(0, 1, 65)]
        if self.raw:
            assert model is not None
            progress.phase("Sampling", f"{options.members} members")
            return raw_family(model, *ends, options.members), np.array(shown), library
        progress.phase("Fitting", "members")

        def report(attempts: int, place: float, found: bool) -> None:
            progress.update("Members tried", attempts, options.max_attempts, place=place, found=float(found))

        family = interpolate(
            *ends,
            options.members,
            options.step,
            library=library if self.source != "model" else None,
            model=model,
            tolerance=options.tolerance,
            smallest_member=options.smallest_member,
            max_solves=options.max_solves,
            max_attempts=options.max_attempts,
            seed=options.seed,
            folder=self.output / "run",
            callback=report,
        )
        return family, np.array(shown), library

    def _end(self, name: Literal["A", "B"], library: Library) -> Cell:
        """A cell of the library by its number, or out of a file."""
        from jaxmeta import cells, io
        from jaxmeta.geometry import symmetry

        given = self.first if name == "A" else self.second
        if given.isdigit():
            found = [int(position) for position in (library.rows == int(given)).nonzero()[0]]
            if not found:
                last = int(library.rows[-1])
                raise UsageError(f"Cell {name} must be the number of a record, from 0 to {last}, but is {given}.")
            return library[found[0]]
        if not Path(given).suffix and not Path(given).exists():
            raise UsageError(f"Cell {name} must be the number of a record, or a file, but is {given}.")
        density = io.read_density(given).density
        sides = {*density.shape}
        if len(sides) > 1 or sides.pop() % 2 or ((density > 0) & (density < 1)).any():
            raise UsageError(f"Cell {name} must be binary with equal and even sides, but {given} holds another one.")
        if symmetry.detect(density) != "cubic":
            raise UsageError(f"Cell {name} must have cubic symmetry, but that in {given} has not.")
        side = len(density) // 2
        return cells.Scorer(library.solid)(density[:side, :side, :side] > 0.5, "cubic", {"file": str(given)})

    def _write(
        self, family: Family, path: np.ndarray, library: Library, began: float, progress: Progress
    ) -> tuple[dict[str, Any], dict[str, str]]:
        import numpy as np

        from jaxmeta import cells, io, render

        progress.phase("Writing", "the members")
        folder, rows = self.output, _rows(family)
        steps, connects = family.steps, family.connects
        facts: dict[str, Any] = {
            "command": "interpolate",
            "members": rows,
            "largest_step": float(steps.max()),
            "open_gaps": list(family.open_gaps),
            "attempts": family.attempts,
            "connecting": float(connects.mean()),
        }
        folder.mkdir(parents=True, exist_ok=True)
        for number, member in enumerate(family.members, 1):
            about = {"place": float(family.places[number - 1]), "provenance": dict(member.provenance)}
            cells.write(
                member, folder / f"member-{number:02d}.npz", settings=about, versions=versions(), overwrite=True
            )
        files = {"member-01.npz, …": "the cells with their stiffness"}
        progress.phase("Drawing", "the family")
        own = np.array([_placed(member.volume_fraction, member.constants, member) for member in family.members])
        pictures = {"Bulk and shear modulus over the volume fraction": render.draw_family(own, path, _shares(library))}
        io.write_bytes(folder / "path.png", next(iter(pictures.values())), overwrite=True)
        files["path.png"] = "the members in property space"
        notes = []
        if self.pictures:
            labels = [f"f {row['volume_fraction']:.3f}   K/K_HS {row['bulk_share']:.3f}" for row in rows]
            try:
                row = [member.cell for member in family.members]
                render.contact_sheet(
                    folder / "members.png", row, labels=labels, columns=min(len(row), 8), overwrite=True
                )
                pictures["The members"] = (folder / "members.png").read_bytes()
                files["members.png"] = "the members in a row"
            except render.PictureError as error:
                notes = [f"There is no picture of the members: {error}"]
        progress.phase("")
        facts |= {"settings": flat(self), "versions": versions(), "seconds": time.perf_counter() - began}
        facts |= {"phases": progress.seconds, "notes": notes}
        files |= {"family.json": "all numbers, for programs", "report.html": "all of it"}
        facts["files"] = [str(folder / name) for name in files]
        io.write_json(folder / "family.json", facts, non_finite="null", overwrite=True)
        render.write_overview(
            folder / "report.html",
            title="A family of cells",
            sentences=_sentences(facts, self.raw),
            table=[_told(row) for row in rows],
            pictures=pictures,
            settings=facts["settings"],
            versions=facts["versions"],
            files={name: what for name, what in files.items() if "…" not in name},
            notes=notes,
            overwrite=True,
        )
        return facts, files

    def _tell(self, facts: dict[str, Any], files: dict[str, str]) -> None:
        from jaxmeta.io import to_json

        if self.json:
            print(to_json(facts, non_finite="null"))
            return
        from ._tables import print_rows

        print_rows([_told(row) for row in facts["members"]])
        for line in (*_sentences(facts, self.raw), *(f"Note: {note}" for note in facts["notes"])):
            print(line)
        print(f"{duration(facts['seconds'])} in all: {spent(facts['phases'])}. Wrote:")
        print(*written(self.output, files), sep="\n")


def _placed(volume_fraction: float, constants: Any, cell: Cell) -> list[float]:
    """Volume fraction, K/K_HS and G/G_HS."""
    import jax

    from jaxmeta.elasticity import bounds

    with jax.enable_x64(True):
        share = bounds.shares(constants, volume_fraction, cell.solid)
    return [float(volume_fraction), float(share.bulk), float(share.shear)]


def _shares(library: Library) -> np.ndarray:
    """The same of all cells of a library."""
    import jax
    import numpy as np

    from jaxmeta.elasticity import CubicConstants, bounds

    volume = library.volume_fraction.astype(float)
    with jax.enable_x64(True):
        share = bounds.shares(CubicConstants(*library.constants.T.astype(float)), volume, library.solid)
    return np.column_stack([volume, np.asarray(share.bulk), np.asarray(share.shear)])


def _rows(family: Family) -> list[dict[str, Any]]:
    connects = [*family.connects.tolist(), None]
    rows = []
    for place, member, meets in zip(family.places, family.members, connects, strict=True):
        volume, bulk, shear = _placed(member.volume_fraction, member.constants, member)
        about = member.provenance
        rows.append(
            {
                "place": float(place),
                "start": str(about.get("start", "end")),
                "volume_fraction": volume,
                "constants": [float(constant) for constant in member.constants],
                "bulk_share": bulk,
                "shear_share": shear,
                "zener": float(member.constants.zener),
                "error": getattr(member, "error", None),
                "solves": getattr(member, "solves", None),
                "connected": member.facts.connected,
                "connects_to_next": meets,
            }
        )
    return rows


def _told(row: dict[str, Any]) -> dict[str, str]:
    """A line of the table."""
    error, meets = row["error"], row["connects_to_next"]
    c11, c12, c44 = row["constants"]
    return {
        "place": f"{row['place']:.3g}",
        "from": row["start"],
        "volume": f"{row['volume_fraction']:.4f}",
        "C11": f"{c11:.4g}",
        "C12": f"{c12:.4g}",
        "C44": f"{c44:.4g}",
        "K/K_HS": f"{row['bulk_share']:.3f}",
        "G/G_HS": f"{row['shear_share']:.3f}",
        "error": "–" if error is None else f"{100 * error:.2g} %",
        "whole": "yes" if row["connected"] else "no",
        "meets next": "–" if meets is None else "yes" if meets else "no",
        "solves": "–" if row["solves"] is None else str(row["solves"]),
    }


def _sentences(facts: dict[str, Any], raw: bool) -> list[str]:
    count = len(facts["members"])
    lines = [
        f"{count} members; the largest step in volume fraction is {facts['largest_step']:.3f}; of {count - 1} pairs of "
        f"neighbours {100 * facts['connecting']:.0f} % have faces with 80 % of the smaller one's solid and 50 % of the "
        "larger one's in common."
    ]
    if raw:
        lines.append("The members are samples without conditions, as the model made them.")
    elif facts["open_gaps"]:
        lines.append(f"{len(facts['open_gaps'])} of {facts['attempts']} members that were tried were not found.")
    return lines
