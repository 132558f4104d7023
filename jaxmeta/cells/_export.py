"""A cell as files: for Python, for ParaView, for a mesher or a printer, and as a report for the eye."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from .. import geometry, io
from ..io import Path
from ..render import PictureError, draw_cells, write_report
from ._cell import Cell
from ._describe import describe, properties, sentences
from ._refine import is_scored_finer, surface_facts, surface_sentence


def _ignored(what: str, of: str = "") -> None:
    """What is told of a phase where nobody listens."""


def write(
    cell: Cell,
    path: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    fields: Mapping[str, Shaped[np.ndarray, "nx ny nz"]] | None = None,
    tile: int = 1,
    overwrite: bool = False,
) -> None:
    """Write one file of a cell; it holds the whole cell.

    Args:
        cell: the cell.
        path: `.npz` or `.h5` with density, stiffness, settings and versions; `.vti` with the density; `.stl` with the
            closed surface.
        settings: what the stiffness was computed with.
        versions: package to version.
        fields: more cell data for a `.vti` file, (nx, ny, nz) each.
        tile: copies of the cell along each axis in an `.stl` file.
        overwrite: whether an existing file may be replaced.

    Raises:
        FileError: the file exists or cannot be written.
        ValueError: the suffix is another one, or a surface is asked for where no voxel is solid.

    Example:
        >>> import jaxmeta as jm
        >>> record = jm.dataset.load()[7]
        >>> for kind in ("npz", "vti", "stl"):
        ...     jm.cells.write(record, f"cell.{kind}", overwrite=True)
        >>> jm.io.read_density("cell.npz").density.shape
        (64, 64, 64)
    """
    kind = pathlib.Path(path).suffix
    if kind in (".npz", ".h5"):
        write_arrays = io.write_npz if kind == ".npz" else io.write_h5
        about = {"settings": settings, "versions": versions, "overwrite": overwrite}
        write_arrays(path, cell.cell, cell.stiffness, spacing=cell.spacing, units=_units(cell), **about)
    elif kind == ".vti":
        io.write_vti(path, cell.cell, spacing=cell.spacing, fields=fields, overwrite=overwrite)
    elif kind == ".stl":
        io.write_stl(path, *geometry.smooth_triangles(cell.cell, cell.spacing, (tile,) * 3), overwrite=overwrite)
    else:
        raise ValueError(f"Argument `path` must end in .npz, .h5, .vti or .stl, but is {path}.")


def _units(cell: Cell) -> dict[str, str]:
    stress = cell.unit or "that of the solid's Young's modulus"
    return {"density": "1", "stiffness": stress, "spacing": cell.length_unit or "any, only ratios matter"}


class Exported(NamedTuple):
    """What `export` wrote.

    Attributes:
        files: name to what is in it.
        notes: all sentences to be seen first, those of the report among them.
        sentences: all that is said of the cell, and of its surface where that was solved.
        surface: what the surface has on a grid twice as fine, or None.
    """

    files: dict[str, str]
    notes: list[str]
    sentences: list[str]
    surface: dict[str, Any] | None

    @property
    def names(self) -> list[str]:
        """Names of the files."""
        return list(self.files)


def export(
    cell: Cell,
    folder: Path,
    *,
    title: str,
    facts: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    optimised: Shaped[np.ndarray, "nx ny nz"] | None = None,
    history: Mapping[str, Sequence[float]] | None = None,
    bounds: Mapping[str, float] | None = None,
    extra: Mapping[str, Any] | None = None,
    objective: str = "objective",
    answers: Sequence[Mapping[str, Any]] = (),
    tile: int = 1,
    pictures: bool = True,
    drawn: Callable[[], dict[int, bytes]] | None = None,
    phase: Callable[..., None] = _ignored,
    overwrite: bool = False,
) -> Exported:
    """Write a cell into a folder, in all forms: `result.npz`, `result.h5`, `cell.vti`, `cell.stl`, `cell.png`, and a
    report as `report.html` for the eye and `report.json` for programs.

    Args:
        cell: the cell.
        folder: that is there.
        title: heading of the report.
        facts: for `report.json`, beside those of `describe`.
        settings: what the result was computed with.
        versions: package to version.
        notes: sentences to be seen first.
        optimised: the grey density that the cell was cut from, for `density.npz` and `cell.vti`.
        history: quantities over the steps of an optimisation, for the report.
        bounds: of those quantities.
        extra: data of further JSON files by their names.
        answers: what was asked of the cell and what it has, for the report, as in `write_report`.
        objective: name of what `history` has under this word, with its unit.
        tile: copies of the cell along each axis in `cell.stl`.
        pictures: whether there is a picture, and still pictures in the report; and, of a binary cell that is not large,
            what its surface has on a grid twice as fine, from one more solve.
        drawn: waits for pictures of the cell, and of two by two by two, that are being drawn: `render.drawn_apart`.
        phase: called as phase(what, of) before every part of the work: scoring the surface, drawing, writing each file.
            All files are put into the folder at the end, together: if this raises, there is none of them.
        overwrite: whether files may be replaced.

    Raises:
        FileError: a file exists or cannot be written.

    Example:
        >>> import pathlib, jaxmeta as jm
        >>> pathlib.Path("out").mkdir(exist_ok=True)
        >>> made = jm.cells.export(jm.dataset.load()[7], "out", title="A record", pictures=False, overwrite=True)
        >>> made.names
        ['result.npz', 'result.h5', 'cell.vti', 'cell.stl', 'report.html', 'report.json']
    """
    files, remarks, found = {}, list(notes), describe(cell)
    solid = bool(np.any(cell.density > 0.5))
    sealed = cell.facts.sealed_cavities(tile) if solid else 0
    said, surface = sentences(found), None
    if pictures and is_scored_finer(cell):
        phase("Scoring", "the surface")
        surface = surface_facts(cell)
    if surface:
        found["surface"] = surface
        said.append(surface_sentence(cell, surface))
    phase("Drawing", "the pictures")
    stills = {} if drawn is None else drawn()
    if pictures and solid and not stills:
        with contextlib.suppress(PictureError):  # the report says why there is none
            stills = draw_cells(cell.cell, (1, 2), cell.spacing)

    kind = "grey" if cell.is_grey else "binary"
    files["result.npz"] = f"{kind} density and stiffness, for Python"
    files["result.h5"] = f"{kind} density and stiffness, as HDF5"
    if optimised is not None:
        files["density.npz"] = "grey density as optimised, from which the cell was cut"
    both = "" if optimised is None else ", and the grey one as optimised"
    files["cell.vti"] = f"{kind} density{both}, for ParaView"
    if solid:
        files["cell.stl"] = _surface(cell, tile, sealed)
    if sealed:
        remarks.append(f"The surface in cell.stl has {_cavities(sealed)}.")
    if not solid:
        remarks.append("No surface is written, since no voxel is solid.")
    files |= dict.fromkeys(extra or {}, "quantities over the steps")
    if stills:
        files["cell.png"] = "picture of the surface"
    files |= {"report.html": "report for the eye, in one file", "report.json": "all numbers, for programs"}

    with io.together(folder, overwrite) as place:
        remarks = write_report(
            place / "report.html",
            title=title,
            cell=cell.cell,
            stiffness=cell.stiffness,
            properties=properties(found),
            sentences=said,
            answers=answers,
            history=history,
            bounds=bounds,
            objective=objective,
            settings=settings,
            versions=versions,
            files=files,
            notes=remarks,
            spacing=cell.spacing,
            unit=cell.unit,
            stills=stills,
            pictures=pictures,
        )
        told = {**(facts or {}), **found, "notes": remarks, "files": [str(pathlib.Path(folder) / n) for n in files]}
        about: dict[str, Any] = {"settings": settings, "versions": versions}
        writers: dict[str, Callable[[pathlib.Path], None]] = {
            "density.npz": lambda path: io.write_npz(
                path, np.asarray(optimised), spacing=cell.spacing, units=_units(cell), **about
            ),
            "cell.png": lambda path: io.write_bytes(path, stills[1], overwrite=False),
            "report.json": lambda path: io.write_json(path, told, non_finite="null"),
        }
        for name in files:
            phase("Writing", "the files")
            if name in writers:
                writers[name](place / name)
            elif name in (extra or {}):
                io.write_json(place / name, (extra or {})[name], non_finite="null")
            elif name != "report.html":
                fields = {"optimised": optimised} if name == "cell.vti" and optimised is not None else None
                write(cell, place / name, fields=fields, tile=tile, **about)
        phase("Writing")
    return Exported(files, remarks, said, surface)


def _surface(cell: Cell, tile: int, sealed: int) -> str:
    edges = " × ".join(f"{tile * edge:.4g}" for edge in cell.edges)
    size = f"{edges} {cell.length_unit}" if cell.length_unit else f"{edges} in the unit of the voxel edges"
    copies = f" of {tile} × {tile} × {tile} cells" if tile > 1 else ""
    return f"closed surface{copies}, {size}" + (f"; {_cavities(sealed)}" if sealed else "")


def _cavities(count: int) -> str:
    them = "them" if count > 1 else "it"
    return f"{count} sealed cavit{'ies' if count > 1 else 'y'}: powder or resin cannot leave {them}"
