"""A cell as files: for Python, for ParaView, for a mesher or a printer, and as a report for the eye."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from .. import geometry, io
from ..io import Path
from ..render import write_report
from ._cell import Cell
from ._describe import describe, properties


def write(
    cell: Cell,
    path: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    fields: Mapping[str, Shaped[np.ndarray, "nx ny nz"]] | None = None,
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
        mesh = geometry.smooth_surface(cell.cell, cell.spacing)
        io.write_stl(path, np.asarray(mesh.vertices), np.asarray(mesh.faces), overwrite=overwrite)
    else:
        raise ValueError(f"Argument `path` must end in .npz, .h5, .vti or .stl, but is {path}.")


def _units(cell: Cell) -> dict[str, str]:
    stress = cell.unit or "that of the solid's Young's modulus"
    return {"density": "1", "stiffness": stress, "spacing": "any, only ratios matter"}


class Exported(NamedTuple):
    """What `export` wrote.

    Attributes:
        names: of the files.
        notes: all sentences to be seen first, those of the report among them.
    """

    names: list[str]
    notes: list[str]


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
    pictures: bool = True,
    overwrite: bool = False,
) -> Exported:
    """Write a cell into a folder, in all forms: `result.npz`, `result.h5`, `cell.vti`, `cell.stl`, and a report as
    `report.html` for the eye and `report.json` for programs.

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
        pictures: whether the report has still pictures.
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
    place, names, remarks = pathlib.Path(folder), [], list(notes)
    about: dict[str, Any] = {"settings": settings, "versions": versions, "overwrite": overwrite}

    def target(name: str) -> pathlib.Path:
        names.append(name)
        return place / name

    write(cell, target("result.npz"), **about)
    write(cell, target("result.h5"), **about)
    if optimised is not None:
        io.write_npz(target("density.npz"), optimised, spacing=cell.spacing, units=_units(cell), **about)
    fields = None if optimised is None else {"optimised": optimised}
    write(cell, target("cell.vti"), fields=fields, overwrite=overwrite)
    if np.any(cell.density > 0.5):
        write(cell, target("cell.stl"), overwrite=overwrite)
    else:
        remarks.append("No surface is written, since no voxel is solid.")
    for name, data in (extra or {}).items():
        io.write_json(target(name), data, non_finite="null", overwrite=overwrite)
    found = describe(cell)
    remarks = write_report(
        target("report.html"),
        title=title,
        cell=cell.cell,
        stiffness=cell.stiffness,
        properties=_of_a_report(properties(found)),
        history=history,
        bounds=bounds,
        settings=settings,
        versions=versions,
        notes=remarks,
        spacing=cell.spacing,
        unit=cell.unit,
        pictures=pictures,
        overwrite=overwrite,
    )
    path = target("report.json")
    told = {**(facts or {}), **found, "notes": remarks, "files": [str(place / name) for name in names]}
    io.write_json(path, told, non_finite="null", overwrite=overwrite)
    return Exported(names, remarks)


def _of_a_report(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows without the column that the report has not: what is relative to the solid becomes rows of their own."""
    plain = [{key: value for key, value in row.items() if key != "relative"} for row in rows]
    relative = [
        {"name": f"{row['name']} / that of the solid", "value": row["relative"]}
        for row in rows
        if row["relative"] is not None
    ]
    return plain + relative
