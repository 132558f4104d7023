"""`jaxmeta homogenize`: the effective stiffness of a cell in a file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .._texts import duration
from ..homogenization import Solving
from ..runs import Progress, compile_seconds, stoppable
from ._errors import UsageError
from ._options import Flag, Output, Solid, Triple, Unset, check_positive, check_void, flat
from ._output import claimed, spent, written
from ._session import Dtype, prepare, session, versions

if TYPE_CHECKING:
    import numpy as np

    from jaxmeta.cells import Cell, Exported
    from jaxmeta.homogenization import Homogenization
    from jaxmeta.io import VoxelFile

Drawn = Callable[[], dict[int, bytes]]


@dataclass(frozen=True)
class Reading:
    """How the file is read."""

    name: Unset[str] = None
    """Name of the array in a .npz, .h5 or .vti file (default: density, or the only one)."""
    resolution: Annotated[tuple[int, ...] | None, tyro.conf.arg(metavar="N [N N]", help_behavior_hint="")] = None
    """Voxels along the longest edge, or along x, y and z, for a .stl file."""
    shape: Annotated[tuple[int, int, int] | None, tyro.conf.arg(metavar="NX NY NZ", help_behavior_hint="")] = None
    """Voxels along x, y and z, for a .raw file."""
    raw_type: Unset[str] = None
    """Type of the numbers in a .raw file, such as uint8 or float32."""
    order: Unset[Literal["C", "F"]] = None
    """Order of a .raw file: C, z runs fastest (default), or F, x runs fastest."""
    scale: Unset[float] = None
    """Density per number in the file, such as 0.00392156862745098 for bytes from 0 to 255."""
    spacing: Triple = None
    """Voxel edges along x, y and z, in place of those in the file."""

    def read(self, path: Path) -> VoxelFile:
        """Reads the density.

        Raises:
            FileError: If the file cannot be read.
            UsageError: If the options do not fit to the file.
        """
        from jaxmeta.io import FileError, read_density

        counts = self.resolution
        if counts is not None and len(counts) not in (1, 3):
            raise UsageError(f"Argument `resolution` must be one number or three, but has {len(counts)}.")
        for edge in self.spacing or ():
            check_positive(spacing=edge)
        try:
            return read_density(
                path,
                shape=self.shape,
                dtype=self.raw_type,
                name=self.name,
                resolution=counts[0] if counts is not None and len(counts) == 1 else counts,
                order=self.order,
                scale=self.scale,
            )
        except FileError:
            raise
        except ValueError as error:
            raise UsageError(str(error).replace("`dtype`", "`raw_type`")) from None


@dataclass(frozen=True)
class Mixture:
    """How density becomes stiffness."""

    void: Unset[float] = None
    """Modulus of void relative to the solid (default: 1e-9)."""
    penalty: float = 3.0
    """Exponent between density and modulus in grey voxels; 1 is a linear mixture."""
    background_young: Unset[float] = None
    """Young's modulus of a second solid in place of void."""
    background_poisson: Unset[float] = None
    """Poisson's ratio of the second solid (default: that of the solid)."""


@dataclass(frozen=True)
class Method:
    """Which symmetry the solver makes use of, and its precision."""

    symmetry: Literal["auto", "none", "mirror", "cubic"] = "auto"
    """Symmetry to make use of: auto finds that of the cell; none solves the whole cell."""
    octant: Flag = False
    """The file holds the first octant of a cell with mirror or cubic symmetry."""
    dtype: Dtype = "float64"
    """Precision of the solver."""


@dataclass(frozen=True)
class Homogenize:
    """Compute the effective stiffness of a periodic cell in a file.

    The cell is given as voxels with densities from 0 to 1, or as a closed surface. It prints the stiffness matrix, the
    moduli, and how they compare with the solid and with the bounds of Hashin and Shtrikman. With --output it also
    writes the result, the cell for ParaView, its surface, and a report with pictures.
    """

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The cell: .npy .npz .h5 .vti .stl or .raw."""
    solid: Solid = field(default_factory=Solid)
    mixture: Mixture = field(default_factory=Mixture)
    reading: Reading = field(default_factory=Reading)
    method: Method = field(default_factory=Method)
    solving: Solving = field(default_factory=Solving)
    output: Output = field(default_factory=Output)

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line; not needed here.

        Returns:
            The exit code.
        """
        check_void(self.mixture.void, self.mixture.penalty)
        self.output.check()
        prepare()
        began = time.perf_counter()
        with claimed(self.output.folder, self.output.overwrite), Progress() as progress:
            progress.phase("Reading", str(self.file), quiet=True)
            file = self.reading.read(self.file)
            # Before JAX is loaded, for drawing takes as long as all the rest.
            with self._drawing(file) as drawn, session(self.method.dtype):
                cell, facts = self._solve(file, progress)
                made = self._export(cell, facts, drawn, progress)
        facts |= {"seconds": time.perf_counter() - began, "phases": progress.seconds}
        self._tell(facts, made)
        return 0

    def _drawing(self, file: VoxelFile) -> AbstractContextManager[Drawn | None]:
        """The pictures, by another process where there is a processor for it."""
        wanted = self.output.folder is not None and self.output.pictures and not self.method.octant
        if not wanted or (os.cpu_count() or 1) < 2 or not (file.density > 0.5).any():
            return nullcontext()
        from jaxmeta.render import drawn_apart

        return drawn_apart(file.density, spacing=self.reading.spacing or file.spacing)

    def _solve(self, file: VoxelFile, progress: Progress) -> tuple[Cell, dict[str, Any]]:
        """The cell with its stiffness; and what is told of it."""
        from jaxmeta.cells import Cell, describe

        solid, background = self.solid.isotropic(), self._background()
        spacing = self.reading.spacing or file.spacing
        part, symmetry = self._reduce(file.density, spacing)
        progress.phase("Solving", f"{' × '.join(map(str, part.shape))} voxels, after compilation")
        began, compiled = time.perf_counter(), compile_seconds()
        h = self._homogenized(part, solid, background, symmetry, spacing)
        stiffness = _host(h.stiffness)
        compiled = compile_seconds() - compiled
        solver = {
            "result": "converged",
            "steps": _host(h.stats.steps).tolist(),
            "residual": _host(h.stats.residual).tolist(),
            "error": _host(h.stats.error).tolist(),
            "dtype": self.method.dtype,
            "seconds": time.perf_counter() - began - compiled,
            "compile_seconds": compiled,
        }
        source = {"source": file.source}
        cell = Cell(part, symmetry, stiffness, solid, background, spacing, self.solid.unit, solver, source)
        cell = cell if self.output.size is None else cell.sized(self.output.size)
        progress.phase("Describing", "the cell")
        facts: dict[str, Any] = {"command": "homogenize"} | source | describe(cell)
        facts |= {"symmetry": symmetry, "solver": solver}
        settings = flat(self) | {"symmetry": symmetry, "spacing": list(cell.spacing)}
        if background is None:
            settings["void"] = self._void()
        return cell, facts | {"settings": settings, "versions": versions()}

    def _export(self, cell: Cell, facts: dict[str, Any], drawn: Drawn | None, progress: Progress) -> Exported:
        """Writes the cell, if there is a folder; a signal ends it between two parts of the work."""
        from jaxmeta.cells import Exported, export, sentences

        notes = _grey_note(cell, self.mixture.penalty)
        if self.output.folder is None:
            progress.phase("")
            made = Exported({}, notes, sentences(facts), None)
        else:
            with stoppable() as check:

                def told(what: str, of: str = "") -> None:
                    check()
                    progress.phase(what, of)

                made = export(
                    cell,
                    self.output.folder,
                    title=f"Stiffness of {self.file.name}",
                    facts=facts,
                    settings=facts["settings"],
                    versions=facts["versions"],
                    notes=notes,
                    tile=self.output.tile,
                    pictures=self.output.pictures,
                    drawn=drawn,
                    phase=told,
                    overwrite=self.output.overwrite,
                )
                told("")
            facts["files"] = [str(self.output.folder / name) for name in made.files]
        facts["notes"] = made.notes
        if made.surface:
            facts["surface"] = made.surface
        return made

    def _tell(self, facts: dict[str, Any], made: Exported) -> None:
        from jaxmeta.cells import properties
        from jaxmeta.io import to_json

        from ._tables import print_result

        if self.output.json:
            print(to_json(facts, non_finite="null"))
            return
        solver = facts["solver"]
        steps = solver["steps"]
        several = f"{min(steps)} to {max(steps)}" if min(steps) < max(steps) else f"{steps[0]}"
        lines = [
            *made.sentences,
            f"Solved {len(steps)} loads in {several} steps and {duration(solver['seconds'])}, after "
            f"{duration(solver['compile_seconds'])} of compilation, to a relative error of about "
            f"{max(solver['error']):.0e}.",
        ]
        if self.output.folder is not None:
            lines += [f"{duration(facts['seconds'])} in all: {spent(facts['phases'])}. Wrote:"]
            lines += written(self.output.folder, made.files)
        counts, symmetry = " × ".join(map(str, facts["shape"])), facts["symmetry"]
        named = {"none": "no symmetry used", "mirror": "mirror symmetry", "cubic": "cubic symmetry"}[symmetry]
        heading = f"{self.file}: {counts} voxels, {named}, {self.method.dtype}"
        print_result(heading, facts, properties(facts), lines, made.notes)

    def _void(self) -> float:
        return 1e-9 if self.mixture.void is None else self.mixture.void

    def _background(self) -> Any:
        from jaxmeta import Isotropic

        young, poisson = self.mixture.background_young, self.mixture.background_poisson
        if young is None:
            if poisson is not None:
                raise UsageError("Argument `background_poisson` must come with `background_young`, which is missing.")
            return None
        if self.mixture.void is not None:
            raise UsageError("Argument `void` must not be given with `background_young`, which takes its place.")
        check_positive(background_young=young)
        return Isotropic(young=young, poisson=self.solid.poisson if poisson is None else poisson)

    def _reduce(
        self, density: np.ndarray, spacing: tuple[float, float, float]
    ) -> tuple[np.ndarray, Literal["none", "mirror", "cubic"]]:
        """Returns what is solved, the whole cell or its octant, and the symmetry."""
        from jaxmeta import symmetry as symmetries

        asked = self.method.symmetry
        if self.method.octant and asked == "none":
            raise UsageError("Argument `octant` must not be given with `symmetry` none: an octant has mirrors.")
        whole = _host(symmetries.unfold(density)) if self.method.octant else density
        found = symmetries.detect(whole)
        equal = max(spacing) - min(spacing) <= 1e-6 * max(spacing)
        if found == "cubic" and not equal:
            found = "mirror"
        if asked == "auto":
            asked = found
        order = ("none", "mirror", "cubic")
        if order.index(asked) > order.index(found):
            raise UsageError(
                f"Argument `symmetry` must be one that the cell has, but {asked} was asked for and {self.file} has "
                f"{'none' if found == 'none' else found + ' symmetry only'}."
            )
        return (whole if asked == "none" else _host(symmetries.fold(whole))), asked

    def _homogenized(
        self, part: np.ndarray, solid: Any, background: Any, symmetry: Any, spacing: Any
    ) -> Homogenization:
        import jax
        import jax.numpy as jnp

        from jaxmeta import SIMP, homogenize

        from ._kept import kept

        how = {"symmetry": symmetry, "throw": False, **asdict(self.solving)}

        def solve(density: Any, solid: Any, background: Any, interpolation: Any, spacing: Any) -> Homogenization:
            return homogenize(
                density, solid, interpolation=interpolation, spacing=spacing, background=background, **how
            )

        density = jnp.asarray(part, self.method.dtype)
        mixture = SIMP(self.mixture.penalty, self._void())
        h = kept(solve, density, solid, background, mixture, jnp.asarray(spacing, density.dtype), said=how)
        jax.block_until_ready(h).check()
        return h


def _host(array: Any) -> np.ndarray:
    import numpy as np

    return np.asarray(array)


def _grey_note(cell: Any, penalty: float) -> list[str]:
    if not cell.is_grey:
        return []
    return [f"Some voxels are grey: their modulus goes with the power {penalty:g} of the density, and no bound holds."]
