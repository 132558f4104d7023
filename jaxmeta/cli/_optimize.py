"""`jaxmeta optimize`: a cell of least objective under constraints."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .._texts import duration
from ..runs import Progress, stoppable
from ..topology import Course
from ._answers import answer, curves, outcome, sentence, signed
from ._errors import UsageError, name_flags
from ._goals import Goal, Limits, ObjectiveName, Target, make_goal
from ._options import Flag, Output, Solid, Triple, Unset, check_void, flat
from ._output import claimed, spent, written
from ._session import Dtype, session, versions
from ._start import Start

if TYPE_CHECKING:
    from jaxmeta import Optimization
    from jaxmeta.cells import Exported


_START = 0.3
"""Volume fraction of a start, at most."""


@dataclass(frozen=True)
class Mixture:
    """How density becomes stiffness."""

    void: float = 1e-9
    """Modulus of void relative to the solid."""
    penalty: float = 3.0
    """Exponent between density and modulus, which makes grey voxels a bad bargain."""


@dataclass(frozen=True)
class Steps(Course):
    """How the design run goes."""

    filter_radius: float = 2.5


@dataclass(frozen=True)
class Making:
    """What is asked of the binary cell, so that it can be made."""

    smallest_member: int = 2
    """Least thickness in voxels: thinner members are made thicker, and the rest of the cell thinner."""
    open_pores: Flag = False
    """Open or fill all closed pores of the binary cell, so that powder or resin can leave."""


@dataclass(frozen=True)
class Method:
    """What makes the steps."""

    optimizer: Literal["auto", "oc", "mma"] = "auto"
    """Optimality criteria, or the method of moving asymptotes; auto takes the first where it applies."""
    dtype: Dtype = "float32"
    """Precision of the steps; the result is scored in float64."""


@dataclass(frozen=True)
class DesignOutput(Output):
    """What is written, and where."""

    folder: Annotated[Path | None, tyro.conf.arg(name="output", metavar="DIR")] = Path("jaxmeta-optimize")
    """Folder for the cell, its surface, the report, the history and the checkpoint."""
    resume: Flag = False
    """Go on from the checkpoint in the folder; all other options must be those of the first run."""


@dataclass(frozen=True)
class Optimize:
    """Design a periodic cell by topology optimisation.

    Without any option it looks for the largest bulk modulus at volume fraction 0.3, in a cubic cell of 64 × 64 × 64
    voxels. The result is a strictly binary, connected cell with an independent score. Ctrl-C stops after a step and
    says how to go on.
    """

    objective: ObjectiveName = "bulk"
    """Maximise the bulk, shear or Young's modulus, minimise Poisson's ratio or the volume, or match a stiffness."""
    volume_fraction: Unset[float] = None
    """Upper bound of the volume fraction of solid (default: 0.3; for the objective volume there is none)."""
    symmetry: Literal["none", "mirror", "cubic"] = "cubic"
    """Symmetry of the cell."""
    direction: Triple = None
    """Direction of Young's modulus (default: 1 0 0)."""
    target: Target = field(default_factory=Target)
    constraint: Limits = field(default_factory=Limits)
    start: Start = field(default_factory=Start)
    solid: Solid = field(default_factory=Solid)
    mixture: Mixture = field(default_factory=Mixture)
    course: Steps = field(default_factory=Steps)
    making: Making = field(default_factory=Making)
    method: Method = field(default_factory=Method)
    output: DesignOutput = field(default_factory=DesignOutput)

    @property
    def most(self) -> float:
        """Upper bound of the volume fraction."""
        return (1.0 if self.objective == "volume" else _START) if self.volume_fraction is None else self.volume_fraction

    @property
    def checkpoint(self) -> Path:
        """Folder of the checkpoint."""
        return self._folder / "checkpoint"

    @property
    def _folder(self) -> Path:
        return self.output.folder or Path("jaxmeta-optimize")

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line, for the advice how to resume.

        Returns:
            The exit code: 0, or 1 when the solver or the optimiser failed on the way; what there is is written then.
        """
        self._check()
        try:
            found, facts, made = self._make()
        except KeyboardInterrupt as stop:
            print(self._advice(words), file=sys.stderr)
            return getattr(stop, "code", 130)
        self._tell(found, facts, made)
        return 0 if int(found.result) <= 1 else 1

    def _make(self) -> tuple[Optimization, dict[str, Any], Exported]:
        """Designs the cell and writes it; a signal ends it between two parts of the work."""
        from ..runs import clear_checkpoint, keep_seconds, spent_seconds

        began, before = time.perf_counter(), spent_seconds(self.checkpoint) if self.output.resume else 0.0
        with stoppable() as check, Progress(check=check) as progress:
            progress.phase("Starting", quiet=True)
            with session(self.method.dtype):
                goal = self._goal()
                start, spacing = self.start.build(
                    self.symmetry, min(self.most, _START), max(self.course.filter_radius, 1.0), self.method.dtype
                )
                with claimed(self._folder, self.output.overwrite or self.output.resume):
                    if self.output.overwrite:
                        clear_checkpoint(self.checkpoint)
                    try:
                        found = self._optimize(goal, start, spacing, progress)
                        facts, made = self._export(goal, found, spacing, progress)
                        progress.phase("")
                    finally:
                        seconds = before + time.perf_counter() - began
                        keep_seconds(self.checkpoint, seconds)
        facts |= {"seconds": seconds, "phases": progress.seconds}
        return found, facts, made

    def _check(self) -> None:
        check_void(self.mixture.void, self.mixture.penalty)
        self.output.check()
        if self.making.smallest_member < 1:
            raise UsageError(f"Argument `smallest_member` must be at least 1, but is {self.making.smallest_member}.")
        if self.volume_fraction is not None and not 0 < self.volume_fraction < 1:
            raise UsageError(f"Argument `volume_fraction` must lie between 0 and 1, but is {self.volume_fraction:g}.")
        self.constraint.check_features(self.course.filter_radius)
        if self.method.optimizer == "oc" and (
            self.constraint != Limits() or self.objective in ("poisson", "match", "volume")
        ):
            raise UsageError(
                "Argument `optimizer` oc must come with `objective` bulk, shear or young, and without constraints."
            )
        if self.output.resume and self.output.overwrite:
            raise UsageError("Argument `resume` must not come with `overwrite`, which would begin anew.")
        if self.output.resume and not self._resumable():
            raise UsageError(f"Argument `resume` must find a checkpoint, but there is none in {self.checkpoint}.")

    def _resumable(self) -> bool:
        from ..runs import saved_step

        return saved_step(self.checkpoint) is not None

    def _goal(self) -> Goal:
        return make_goal(
            self.objective, self.direction, self.target, self.constraint, self.solid.isotropic(), self.most
        )

    def _optimize(
        self, goal: Goal, start: Any, spacing: tuple[float, float, float], progress: Progress
    ) -> Optimization:
        from jaxmeta import MMA, OC, SIMP, optimize
        from jaxmeta.topology import Printed

        method = {"auto": lambda: None, "oc": OC, "mma": MMA}[self.method.optimizer]()
        return optimize(
            goal.objective,
            start,
            symmetry=self.symmetry,
            solid=self.solid.isotropic(),
            volume_fraction=self.most,
            constraints=goal.constraints,
            interpolation=SIMP(self.mixture.penalty, self.mixture.void),
            optimizer=method,
            spacing=spacing,
            **asdict(self.course),
            **asdict(self.making),
            checkpoint=self.checkpoint,
            callback=Printed(goal.name, goal.sign, progress),
        )

    def _export(
        self, goal: Goal, found: Optimization, spacing: tuple[float, float, float], progress: Progress
    ) -> tuple[dict[str, Any], Exported]:
        """Writes the cell; and what is told of it."""
        from jaxmeta.cells import describe, export

        cell = replace(found.scored, unit=self.solid.unit)
        cell = cell if self.output.size is None else cell.sized(self.output.size)
        facts: dict[str, Any] = {"command": "optimize"} | describe(cell) | {"symmetry": self.symmetry}
        facts["optimization"] = outcome(goal, found)
        settings = flat(self) | {"spacing": list(cell.spacing), "volume_fraction": self.most}
        facts |= {"settings": settings, "versions": versions()}
        notes = [
            *goal.notes,
            *self._not_met(facts),
            *([] if int(found.result) == 0 else [name_flags(found.result.text, self)]),
        ]
        made = export(
            cell,
            self._folder,
            title=_title(goal),
            facts=facts,
            settings=settings,
            versions=facts["versions"],
            notes=notes,
            optimised=_whole(found.density, self.symmetry),
            history=curves(goal, found),
            bounds={"volume fraction": self.most} if self.most < 1 else {},
            objective=f"{goal.name} in {self.solid.unit}" if self.solid.unit else goal.name,
            answers=facts["optimization"]["constraints"],
            tile=self.output.tile,
            extra={"history.json": signed(goal, found.history)},
            pictures=self.output.pictures,
            phase=progress.phase,
            overwrite=self.output.overwrite or self.output.resume,
        )
        facts |= {"files": [str(self._folder / name) for name in made.files], "notes": made.notes}
        return facts | ({"surface": made.surface} if made.surface else {}), made

    def _tell(self, found: Optimization, facts: dict[str, Any], made: Exported) -> None:
        from jaxmeta.cells import properties
        from jaxmeta.io import to_json

        from ._tables import print_result

        if self.output.json:
            print(to_json(facts, non_finite="null"))
            return
        counts, told = " × ".join(map(str, facts["shape"])), facts["optimization"]
        lines = [
            sentence(told),
            *map(answer, told["constraints"]),
            *made.sentences,
            f"{told['steps']} steps, {duration(facts['seconds'])} in all: {spent(facts['phases'])}. Wrote:",
            *written(self._folder, made.files),
        ]
        heading = f"Binary cell of {counts} voxels, {self.symmetry} symmetry, scored in {found.report['scored_in']}"
        print_result(heading, facts, properties(facts), lines, made.notes)

    def _not_met(self, facts: dict[str, Any]) -> list[str]:
        """What was asked of the binary cell, and could not be had by a cut of the density."""
        notes = []
        if self.making.open_pores and facts["closed_pores"]:
            notes.append("Not all pores could be opened: see the sentence about the void.")
        if facts["thinnest_member"] and facts["thinnest_member"] < self.making.smallest_member:
            notes.append(f"Some members are thinner than the {self.making.smallest_member} voxels asked for.")
        if not facts["connected"] and (self.making.open_pores or self.making.smallest_member > 1):
            notes.append("The cell came apart when thin members and walls were taken out: ask for less, or more solid.")
        return notes

    def _advice(self, words: list[str]) -> str:
        if not self._resumable():
            return "Interrupted before the first step: there is nothing to resume."
        kept = [word for word in words if word not in ("--overwrite", "--resume")]
        return f"Interrupted; to go on from the last step: {shlex.join(('jaxmeta', *kept, '--resume'))}"


def _title(goal: Goal) -> str:
    named = f"{goal.name[0].upper()}{goal.name[1:]}"
    return named if goal.most == 1 else f"{named} at volume fraction {goal.most:g}"


def _whole(density: Any, symmetry: str) -> Any:
    import numpy as np

    from jaxmeta.geometry import symmetry as symmetries

    return np.asarray(density if symmetry == "none" else symmetries.unfold(density))
