"""The folder of a result: claimed before the work begins, filled when it is done."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from ._moduli import Cell


@dataclass(frozen=True)
class Result:
    """All that is written.

    Attributes:
        title: Heading of the report.
        cell: The cell with its stiffness.
        facts: The JSON object; without `files`, which are added.
        rows: Table of properties.
        settings: What the result was computed with.
        versions: Package to version.
        notes: Sentences to be seen first.
        fields: More cell data for `cell.vti`, shape (nx, ny, nz) each.
        history: Quantities over the steps of an optimisation, for the report.
        bounds: Bounds of those quantities.
        extra: File name to data, for further JSON files.
        optimised: Grey density, shape (nx, ny, nz), for `density.npz`.
    """

    title: str
    cell: Cell
    facts: dict[str, Any]
    rows: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    notes: Sequence[str] = ()
    history: Mapping[str, Sequence[float]] | None = None
    bounds: Mapping[str, float] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    optimised: np.ndarray | None = None


@contextmanager
def claimed(folder: Path | None, overwrite: bool) -> Iterator[None]:
    """Makes sure that a folder can be written, before hours of work; leaves no empty folder behind when they fail.

    Args:
        folder: The folder, or None for no output.
        overwrite: Whether it may hold files already.

    Raises:
        UsageError: If it is no folder, cannot be written, or is not empty.
    """
    if folder is None:
        yield
        return
    made = not folder.exists()
    _claim(folder, overwrite)
    try:
        yield
    except BaseException:
        if made:
            with suppress(OSError):
                folder.rmdir()
        raise


def _claim(folder: Path, overwrite: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        count = len(os.listdir(folder))
        probe = folder / f".{secrets.token_hex(6)}.tmp"
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or "it is not").lower()
        raise UsageError(f"Argument `output` must be a folder that can be written, but {folder}: {reason}.") from None
    if count and not overwrite:
        raise UsageError(
            f"Argument `output` must be a new or empty folder, but {folder} holds {count} file{'s' * (count > 1)}: add "
            "`overwrite` to replace those of an earlier run."
        )


def write_result(folder: Path, result: Result, *, overwrite: bool, pictures: bool) -> tuple[list[str], list[str]]:
    """Writes all files of a result.

    Args:
        folder: An existing folder.
        result: What to write.
        overwrite: Whether files there may be replaced.
        pictures: Whether the report has still pictures.

    Returns:
        Names of the files, and all notes, those of the report among them.

    Raises:
        FileError: If a file cannot be written.
    """
    from jaxmeta import io
    from jaxmeta.render import write_report

    cell, names, notes = result.cell, [], list(result.notes)

    def target(name: str) -> Path:
        names.append(name)
        return folder / name

    unit = cell.unit or "that of the solid's Young's modulus"
    common: dict[str, Any] = {
        "spacing": cell.spacing,
        "units": {"density": "1", "stiffness": unit, "spacing": "any, only ratios matter"},
        "settings": result.settings,
        "versions": result.versions,
        "overwrite": overwrite,
    }
    io.write_npz(target("result.npz"), cell.density, cell.stiffness, **common)
    io.write_h5(target("result.h5"), cell.density, cell.stiffness, **common)
    fields = None
    if result.optimised is not None:
        io.write_npz(target("density.npz"), result.optimised, **common)
        fields = {"optimised": result.optimised}
    io.write_vti(target("cell.vti"), cell.density, spacing=cell.spacing, fields=fields, overwrite=overwrite)
    try:
        vertices, faces = io.surface(cell.density, spacing=cell.spacing)
    except ValueError:
        notes.append("No surface is written, since no voxel is solid.")
    else:
        io.write_stl(target("cell.stl"), vertices, faces, overwrite=overwrite)
    for name, data in result.extra.items():
        io.write_json(target(name), data, non_finite="null", overwrite=overwrite)
    notes = write_report(
        target("report.html"),
        title=result.title,
        cell=cell.density,
        stiffness=cell.stiffness,
        properties=_report_rows(result.rows),
        history=result.history,
        bounds=result.bounds,
        settings=result.settings,
        versions=result.versions,
        notes=notes,
        spacing=cell.spacing,
        unit=cell.unit,
        pictures=pictures,
        overwrite=overwrite,
    )
    path = target("report.json")
    facts = result.facts | {"notes": notes, "files": [str(folder / name) for name in names]}
    io.write_json(path, facts, non_finite="null", overwrite=overwrite)
    return names, notes


def _report_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows without the column that the report has not: what is relative to the solid becomes rows of their own."""
    plain = [{key: value for key, value in row.items() if key != "relative"} for row in rows]
    relative = [
        {"name": f"{row['name']} / that of the solid", "value": row["relative"]}
        for row in rows
        if row["relative"] is not None
    ]
    return plain + relative
