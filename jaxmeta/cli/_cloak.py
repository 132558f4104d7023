"""`jaxmeta cloak`: a structure with a hole that nobody outside can tell."""

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

    from jaxmeta.multiscale import Cloak, Resolved, Section

_INEXACT = "of the cloak's cells are not within the tolerance: a run with another `--smoothness` has other cells."


@dataclass(frozen=True)
class Making:
    """How the cloak and its cells are made."""

    smoothness: Annotated[float | None, tyro.conf.arg(help_behavior_hint="")] = None
    """Weight of differences between neighbours (default: 1e-6 around plates, 3e-5 around isotropic cells)."""
    max_steps: int = 200
    """Steps of the design."""
    tolerance: float = 5e-4
    """Largest difference of a cell's C11, C12 and C44 from the design, relative to their norm."""
    homogenized: Flag = False
    """Stop at the stiffnesses of the cells, and make no voxels."""
    resolve: Flag = False
    """Solve the whole structure with all its voxels too: some 10 GB and half an hour where the pull is on both sides,
    twice as much with rollers."""


@dataclass(frozen=True)
class CloakCommand:
    """Design a mechanical cloak: cells around a hole for which nobody outside can tell that it is there.

    The structure is a block of cells under tension. The cells around its hole are given stiffnesses that cells of the
    library can have, then voxels: each is fitted to its stiffness, and neighbours are chosen together so that they
    connect. After an interruption the same command goes on.
    """

    hole: Literal["cylinder", "square"] = "cylinder"
    """Shape of the hole."""
    reference: Literal["plates", "isotropic"] = "plates"
    """Cell of the structure: plates of 8 in 128 voxels on each face, or an isotropic cell of the library."""
    pull: Literal["rollers", "sides"] = "rollers"
    """Traction on one face, with rollers on the opposite one; or on both."""
    cells: int = 40
    """Cells of the structure along each edge."""
    inner: float = 20 / 3
    """Radius of the cylinder, or half of the square's edge, in cells."""
    outer: float = 40 / 3
    """Radius of the cloak, in cells."""
    library: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Library of cells (default: the one that comes with the package)."""
    making: Making = field(default_factory=Making)
    output: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("jaxmeta-cloak")
    """Folder for what is made, and for what an interrupted run goes on from."""
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line, for the advice how to go on.

        Returns:
            The exit code: 0; 1 where a cell was not found, or the structure is not in one piece; that of the signal
            which interrupted it.
        """
        section = self._section()
        began = time.perf_counter()
        try:
            with stoppable() as check, Progress(check=check) as progress, session("float32"):
                made, resolved = self._make(section, progress)
                facts, files = self._write(made, resolved, began, progress)
        except KeyboardInterrupt as stop:
            again = shlex.join(("jaxmeta", *words))
            print(f"Interrupted; the same command goes on with what is left: {again}", file=sys.stderr)
            return getattr(stop, "code", 130)
        self._tell(facts, files)
        return 0 if self.making.homogenized or (not facts["share_outside"] and facts["one_piece"]) else 1

    def _section(self) -> Section:
        from ..multiscale import Section  # which needs no JAX

        check_positive(tolerance=self.making.tolerance, inner=self.inner, outer=self.outer)
        if self.making.max_steps < 1:
            raise UsageError(f"Argument `max_steps` must be at least 1, but is {self.making.max_steps}.")
        if self.making.smoothness is not None and not self.making.smoothness >= 0:
            raise UsageError(f"Argument `smoothness` must not be negative, but is {self.making.smoothness:g}.")
        if self.making.resolve and self.making.homogenized:
            raise UsageError("Argument `resolve` must not come with `homogenized`: there are no voxels then.")
        if self.output.exists() and not self.output.is_dir():
            raise UsageError(f"Argument `output` must be a folder, but {self.output} is a file.")
        if self.library is not None and not self.library.is_file():
            raise UsageError(f"Argument `library` must be a file, but {self.library} is none.")
        return Section(self.hole, self.pull, self.cells, self.inner, self.outer)

    def _make(self, section: Section, progress: Progress) -> tuple[Cloak, Resolved | None]:
        from jaxmeta import dataset
        from jaxmeta.multiscale import make_cloak

        progress.phase("Reading", "the library")
        library = dataset.load(self.library)
        progress.phase("Designing", "the cloak")

        def report(what: str, done: int, of: int, numbers: dict[str, float]) -> None:
            progress.phase("Designing" if what == "Design" else "Fitting", "its cells")
            progress.update(what, done, of, **{name: value for name, value in numbers.items() if name != "seconds"})

        made = make_cloak(
            section,
            self.reference,
            library=library,
            smoothness=self.making.smoothness,
            cells=not self.making.homogenized,
            tolerance=self.making.tolerance,
            max_steps=self.making.max_steps,
            folder=self.output / "run",
            callback=report,
        )
        if not self.making.resolve:
            return made, None
        progress.phase("Solving", "all voxels")
        return made, made.resolve()

    def _write(
        self, made: Cloak, resolved: Resolved | None, began: float, progress: Progress
    ) -> tuple[dict[str, Any], dict[str, str]]:
        import numpy as np

        from jaxmeta import io

        progress.phase("Writing", "the results")
        design, tiles = made.design, made.tiles
        facts: dict[str, Any] = {
            "command": "cloak",
            "distortion_without": design.distortion_without,
            "distortion": design.distortion,
            "distortion_cells": made.distortion_cells,
            "distortion_resolved": None if resolved is None else resolved.with_cloak,
            "distortion_resolved_without": None if resolved is None else resolved.without,
            "share_outside": design.share_outside,
            "reference": dict(zip(("C11", "C12", "C44"), made.reference.constants.tolist(), strict=True)),
            "distinct_cells": len(design.constants),
            "result": design.result.name,
        }
        if tiles is not None and made.contacts is not None:
            errors = np.array([tile.error for tile in tiles])
            facts["share_outside"] = float((errors > self.making.tolerance).mean())
            facts |= {"largest_error": float(errors.max()), "solves": sum(tile.solves for tile in tiles)}
            facts |= {"contacts": made.contacts._asdict(), "one_piece": made.one_piece, "taken": list(made.taken)}
        folder = self.output
        files = {"cloak.npz": "stiffness and place of every cell of the cloak, displacements"}
        fields = _displacements(made)
        arrays = {"constants": design.constants, "classes": design.classes, "places": design.places, **fields}
        if tiles is not None:
            arrays["octants"] = np.packbits(np.stack([tile.octant for tile in tiles]), axis=-1)
            arrays["cell_constants"] = np.stack([tile.constants for tile in tiles])
            files["cloak.npz"] += "; voxels of the distinct cells, as bits"
        io.write_arrays(folder / "cloak.npz", arrays, overwrite=True)
        progress.phase("Drawing", "the report")
        files |= self._draw(made, fields, facts)
        progress.phase("")
        facts |= {"settings": flat(self), "versions": versions(), "seconds": time.perf_counter() - began}
        facts |= {"phases": progress.seconds, "files": [str(folder / name) for name in (*files, "cloak.json")]}
        io.write_json(folder / "cloak.json", facts, non_finite="null", overwrite=True)
        return facts, files | {"cloak.json": "all numbers, for programs"}

    def _draw(self, made: Cloak, fields: dict[str, np.ndarray], facts: dict[str, Any]) -> dict[str, str]:
        import numpy as np

        from jaxmeta import io, render

        folder, section = self.output, made.section
        there = ~section.in_hole
        moved = [
            render.Moved("Hole without a cloak", fields["without"][:, :, 0, :2], there),
            render.Moved("Hole with the cloak", fields["with_cloak"][:, :, 0, :2], there),
        ]
        c11 = np.full(section.shape[:2], made.reference.constants[0])
        c11[tuple(made.design.places.T)] = made.design.constants[made.design.classes, 0]
        pictures = {"displacement.png": render.draw_sections(moved, fields["undisturbed"][:, :, 0, :2], c11)}
        files = {"displacement.png": "displacement with and without the cloak, and the stiffness of its cells"}
        captions = ["Displacement, and its distance from that of the structure without hole; the upper half"]
        if made.tiles is not None:
            from jaxmeta.multiscale import section_voxels

            pictures["section.png"] = render.draw_voxels(section_voxels(section, made.octants())[..., -1])
            pictures["cells.png"] = render.draw_cells(_block(made), (1,))[1]
            files |= {"section.png": "the cells, cut through their middles", "cells.png": "3 × 3 × 3 of them"}
            captions += ["The middles of the cells", "Three by three by three cells at the hole's edge"]
        for name, png in pictures.items():
            io.write_bytes(folder / name, png, overwrite=True)
        numbers = {name: value for name, value in facts.items() if not isinstance(value, dict) and name != "command"}
        render.write_structure_report(
            folder / "report.html",
            title=f"A cloak around a {self.hole}",
            sentences=_sentences(facts),
            sections=moved,
            pictures=dict(zip(captions, pictures.values(), strict=True)),
            numbers=numbers,
            history={"objective": made.design.history["distortion"], "roughness": made.design.history["roughness"]},
            settings=flat(self),
            versions=versions(),
            files=files,
            notes=_notes(facts),
            overwrite=True,
        )
        return files | {"report.html": "all of it, to be turned"}

    def _tell(self, facts: dict[str, Any], files: dict[str, str]) -> None:
        from jaxmeta.io import to_json

        if self.json:
            print(to_json(facts, non_finite="null"))
            return
        for line in (*_sentences(facts), *_notes(facts)):
            print(line)
        print(f"{duration(facts['seconds'])} in all: {spent(facts['phases'])}. Wrote:")
        print(*written(self.output, files), sep="\n")


def _displacements(made: Cloak) -> dict[str, np.ndarray]:
    """Of the structure without hole, with the hole, and with the cloak."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    problem, design = made.design.problem, made.design
    own = design.constants if made.tiles is None else np.stack([tile.constants for tile in made.tiles])
    base = np.broadcast_to(made.reference.constants, own.shape)
    with jax.enable_x64(True):
        found = {
            name: np.asarray(problem.structure.solve(problem.field(jnp.asarray(constants))).displacement[0])
            for name, constants in (("without", base), ("with_cloak", own))
        }
    return {"undisturbed": np.asarray(problem.reference), **found}


def _block(made: Cloak) -> np.ndarray:
    """The voxels of 3 × 3 × 3 cells of the cloak, every second one."""
    import numpy as np

    octants = made.octants()
    i, j = made.design.places[np.argmin(np.hypot(*(made.design.places - made.section.in_hole.shape[0] // 2).T))]
    i, j = (min(max(int(k), 1), side - 2) for k, side in zip((i, j), octants.shape[:2], strict=True))
    half = octants[i - 1 : i + 2, j - 1 : j + 2, ::2, ::2, ::2]
    for axis in (2, 3, 4):
        half = np.concatenate([half, np.flip(half, axis)], axis)
    side = half.shape[2]
    plane = half.transpose(0, 2, 1, 3, 4).reshape(3 * side, 3 * side, side)
    return np.tile(plane, (1, 1, 3)).astype(np.float32)


def _sentences(facts: dict[str, Any]) -> list[str]:
    """What the cloak does."""
    lines = [
        f"The displacement outside is distorted by {_percent(facts['distortion_without'])} with the hole alone, and by "
        f"{_percent(facts['distortion'])} with the cloak."
    ]
    if facts["distortion_cells"] is not None:
        contacts = facts["contacts"]
        lines.append(
            f"With the stiffness that its cells of voxels have it is {_percent(facts['distortion_cells'])}; the "
            f"largest error of a cell is {_percent(facts['largest_error'])}."
        )
        lines.append(
            f"{_percent(contacts['fitting'])} of neighbours have faces that fit each other, {contacts['apart']} have "
            f"nothing in common; the structure is {'one connected solid' if facts['one_piece'] else 'not connected'}."
        )
        if taken := facts["taken"]:
            lines.append(
                f"No start led to the stiffness that was asked for at {len(taken)} of the cells: there the design has "
                f"that of the cell which came nearest, at most {_percent(max(taken))} away."
            )
    if facts["distortion_resolved"] is not None:
        lines.append(
            "With all voxels, nothing homogenized, the hole distorts by "
            f"{_percent(facts['distortion_resolved_without'])} and the cloaked hole by "
            f"{_percent(facts['distortion_resolved'])}."
        )
    return lines


def _notes(facts: dict[str, Any]) -> list[str]:
    share = facts["share_outside"]
    return [f"{_percent(share)} {_INEXACT}"] if share and facts["distortion_cells"] is not None else []


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
