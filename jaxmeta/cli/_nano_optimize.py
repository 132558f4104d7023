"""`jaxmeta nano optimize`: a body of greatest stiffness from a given number of atoms."""

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
from ._nano_read import Potential
from ._nano_report import write_report
from ._options import Flag, Unset, flat
from ._output import claimed, spent, written
from ._session import session, versions

if TYPE_CHECKING:
    from jaxmeta.nano import EAM, Design
    from jaxmeta.nano import Info as StepInfo
    from jaxmeta.nano import Problem as DesignProblem


@dataclass(frozen=True)
class Body:
    """What is designed."""

    shape: Literal["cantilever", "pillar"] = "cantilever"
    """A beam whose end moves sideways without turning, or a pillar whose end moves along its axis."""
    cells: tuple[int, int, int] = (24, 12, 2)
    """Periods of the lattice along x, y and z; the first and last along x are grips."""
    finite: Flag = False
    """The cantilever ends along z; else it repeats."""
    load: Unset[Literal["axial", "bending"]] = None
    """How the end of the pillar moves (default: axial)."""
    envelope: Unset[Literal["square", "round"]] = None
    """Section of the pillar (default: square)."""
    problem: Annotated[Path | None, tyro.conf.arg(metavar="TOML", help_behavior_hint="")] = None
    """A file with box, supports and load, in place of all these."""

    def check(self) -> None:
        """Refuses options that do not go together."""
        if self.problem is not None and (self != Body(problem=self.problem)):
            raise UsageError("Argument `problem` must come alone, without `shape`, `cells` and the like.")
        if self.shape == "cantilever" and (self.load or self.envelope):
            raise UsageError("Argument `load` and `envelope` must come with `shape` pillar.")
        if self.shape == "pillar" and self.finite:
            raise UsageError("Argument `finite` must come with `shape` cantilever: a pillar is.")
        if self.problem is None and (min(self.cells) < 1 or self.cells[0] < 3):
            raise UsageError(f"Argument `cells` must be at least 3 1 1, but is {' '.join(map(str, self.cells))}.")

    def made(self, lattice_constant: float) -> DesignProblem:
        """The problem."""
        from jaxmeta import nano

        if self.problem is not None:
            return nano.read_problem(self.problem, lattice_constant)
        if self.shape == "cantilever":
            return nano.cantilever(self.cells, lattice_constant, periodic=not self.finite)
        load, envelope = self.load or "axial", self.envelope or "square"
        return nano.pillar(self.cells, lattice_constant, load=load, envelope=envelope)


@dataclass(frozen=True)
class Way:
    """How the design is found."""

    start: Literal["continuum", "full", "random"] = "continuum"
    """The optimum of the same body as an elastic solid, all sites, or such an optimum from a random density."""
    seed: int = 0
    """Of the random density."""
    free: Flag = False
    """Let designs be less symmetric than the problem."""
    rate: float = 0.03
    """Share of the atoms that a step of thinning takes out."""
    trials: int = 32
    """Removals, and as many additions, that an exchange tries."""
    batch: int = 8
    """Changes that an exchange makes at once, at most."""
    patches: Flag = False
    """Try changes by relaxing a patch around each, not the whole body: for more than some 20,000 atoms."""
    thinnest: float = 0.0
    """Width of a ball, in Å, that goes everywhere in the body: thinning takes out thinner members and edges, which in
    bodies of some 100,000 atoms and more slide far; 14 keeps them away."""
    max_steps: int = 200
    """Most steps."""

    def check(self) -> None:
        """Refuses numbers out of range."""
        if not 0 < self.rate < 0.5:
            raise UsageError(f"Argument `rate` must lie between 0 and 0.5, but is {self.rate:g}.")
        if self.thinnest < 0:
            raise UsageError(f"Argument `thinnest` must not be negative, but is {self.thinnest:g}.")
        for name in ("trials", "batch", "max_steps"):
            if getattr(self, name) < 1:
                raise UsageError(f"Argument `{name}` must be at least 1, but is {getattr(self, name)}.")


@dataclass(frozen=True)
class Optimize:
    """Design a body of greatest stiffness from a given number of atoms.

    Atoms are taken out and put in, and a design is accepted only if its relaxed stiffness grows and it is stable. The
    result has the atoms for OVITO, the history and pictures. Ctrl-C stops after a step and says how to go on.
    """

    body: Body = field(default_factory=Body)
    volume_fraction: float = 0.46
    """Atoms over sites, grips included, at most."""
    potential: Potential = field(default_factory=Potential)
    way: Way = field(default_factory=Way)
    output: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("jaxmeta-nano")
    """Folder for the atoms, the history, the pictures and the checkpoint."""
    resume: Flag = False
    """Go on from the checkpoint in the folder; all other options must be those of the first run."""
    overwrite: Flag = False
    """Replace the files of an earlier run."""
    pictures: Flag = True
    """Draw no pictures."""
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line, for the advice how to resume.

        Returns:
            The exit code: 0, or 1 when the design could not be evaluated on the way.
        """
        self._check()
        try:
            found, facts, files = self._make()
        except KeyboardInterrupt as stop:
            print(self._advice(words), file=sys.stderr)
            return getattr(stop, "code", 130)
        self._tell(found, facts, files)
        return 0 if int(found.result) <= 1 else 1

    def _check(self) -> None:
        self.body.check()
        self.way.check()
        if not 0 < self.volume_fraction <= 1:
            raise UsageError(f"Argument `volume_fraction` must lie in (0, 1], but is {self.volume_fraction:g}.")
        if self.resume and self.overwrite:
            raise UsageError("Argument `resume` must not come with `overwrite`, which would begin anew.")
        if self.resume and not self._resumable():
            raise UsageError(f"Argument `resume` must find a checkpoint, but there is none in {self._checkpoint}.")

    @property
    def _checkpoint(self) -> Path:
        return self.output / "checkpoint"

    def _resumable(self) -> bool:
        from ..runs import saved_step

        return saved_step(self._checkpoint) is not None

    def _make(self) -> tuple[Design, dict[str, Any], dict[str, str]]:
        from ..runs import clear_checkpoint

        began = time.perf_counter()
        with stoppable() as check, Progress(check=check) as progress:
            progress.phase("Reading", quiet=True)
            with session("float64"):
                from jaxmeta import nano

                potential = self.potential.made()
                problem = self.body.made(nano.crystal(potential).lattice_constant)
                with claimed(self.output, self.overwrite or self.resume):
                    if self.overwrite:
                        clear_checkpoint(self._checkpoint)
                    found = nano.optimize(
                        potential, problem, self.volume_fraction, start=self.way.start, seed=self.way.seed,
                        symmetric=not self.way.free, rate=self.way.rate, trials=self.way.trials, batch=self.way.batch,
                        patches=self.way.patches, thinnest=self.way.thinnest, max_steps=self.way.max_steps,
                        checkpoint=self._checkpoint, callback=_Told(progress, self.way.max_steps),
                    )  # fmt: skip
                    progress.phase("Writing", "the design")
                    facts = self._facts(found, time.perf_counter() - began)
                    files = self._export(found, potential, facts)
                    progress.phase("")
        return found, facts | {"phases": progress.seconds, "files": [str(self.output / name) for name in files]}, files

    def _facts(self, found: Design, seconds: float) -> dict[str, Any]:
        return {
            "command": "nano optimize", "atoms": int(found.occupancy.sum()), "sites": int(found.problem.domain.sum()),
            "volume_fraction": found.volume_fraction, "k": found.k,
            "lowest_eigenvalue": found.scored.lowest_eigenvalue, "slope": found.scored.slope,
            "energy": found.scored.energy, "result": found.result.name, "text": _TEXTS[found.result.name],
            "steps": len(found.history.get("stiffness", [])), "seconds": seconds, "settings": flat(self),
            "versions": versions(),
        }  # fmt: skip

    def _export(self, found: Design, potential: EAM, facts: dict[str, Any]) -> dict[str, str]:
        from jaxmeta import nano
        from jaxmeta.io import together, write_json

        atoms = found.atoms(potential)
        files = {
            "design.xyz": "relaxed atoms, extended XYZ: grips, site, energy",
            "design.vtp": "the same for ParaView",
            "design.lmp": "their positions for LAMMPS",
            "history.json": "every step",
            "report.json": "all that is told here",
        }
        with together(self.output, overwrite=True) as place:
            for name in list(files)[:3]:
                nano.write_atoms(place / name, atoms, mass=potential.mass)
            write_json(place / "history.json", found.history, overwrite=False)
            write_json(place / "report.json", facts, overwrite=False)
            if self.pictures:
                write_report(place, found, potential, facts, files)
        return files

    def _tell(self, found: Design, facts: dict[str, Any], files: dict[str, str]) -> None:
        from jaxmeta.io import to_json

        if self.json:
            print(to_json(facts, non_finite="null"))
            return
        lines = [
            f"{facts['atoms']} of {facts['sites']} sites ({100 * facts['volume_fraction']:.1f} %): "
            f"k = {found.k:.6g} eV/Å², lowest eigenvalue {facts['lowest_eigenvalue']:.4g} eV/Å²",
            facts["text"],
            f"{facts['steps']} steps, {duration(facts['seconds'])} in all: {spent(facts['phases'])}. Wrote:",
            *written(self.output, files),
        ]
        print("\n".join(lines))

    def _advice(self, words: list[str]) -> str:
        if not self._resumable():
            return "Interrupted before the first step: there is nothing to resume."
        kept = [word for word in words if word not in ("--overwrite", "--resume")]
        return f"Interrupted; to go on from the last step: {shlex.join(('jaxmeta', *kept, '--resume'))}"


_TEXTS = {
    "converged": "The design rests: no exchange of atoms makes k larger.",
    "max_steps_reached": "The design used all its steps: allow more with `--max-steps`.",
    "solver_failed": (
        "No smaller design could be relaxed: the last sound one was kept, perhaps with more atoms than asked for."
    ),
}


class _Told:
    """Shows the course of a run."""

    def __init__(self, progress: Progress, total: int):
        self._progress, self._total = progress, total

    def phase(self, what: str, of: str = "") -> None:
        self._progress.phase(what, of)

    def __call__(self, step: int, info: StepInfo) -> None:
        what = {"thin": "Thinning, step", "exchange": "Exchanging, step"}[info.phase]
        self._progress.update(what, step, self._total, atoms=info.atoms, k=info.stiffness)
