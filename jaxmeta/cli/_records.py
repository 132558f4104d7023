"""Records of a library as files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import UsageError
from ._output import claimed

if TYPE_CHECKING:
    from jaxmeta.dataset import Library

_KINDS = (".npz", ".vti", ".stl")
_SHEET = 48


@contextmanager
def claimed_files(folder: Path | None, names: Sequence[str], overwrite: bool) -> Iterator[None]:
    """Makes sure that files can be written into a folder, which may hold others.

    Args:
        folder: The folder, made if it is not there; or None for no output.
        names: Of the files.
        overwrite: Whether they may be there.

    Raises:
        UsageError: If the folder cannot be written, or a file is there.
    """
    if folder is not None and not overwrite:
        for name in names:
            if os.path.lexists(folder / name):
                raise UsageError(
                    f"Argument `output` must be a folder without the files to be written, but {folder} holds {name}: "
                    "add `overwrite` to replace it."
                )
    with claimed(folder, overwrite=True):
        yield


def find(library: Library, records: Sequence[int]) -> list[int]:
    """Positions of records in the library by their numbers in the file, each once and in order.

    Raises:
        UsageError: If there is no such record, or it is damaged.
    """
    wanted, last = sorted({*records}), int(library.rows[-1]) if len(library) else -1
    positions = np.searchsorted(library.rows, wanted)
    for record, position in zip(wanted, positions, strict=True):
        if not 0 <= record <= last:
            raise UsageError(f"Argument `record` must be from 0 to {last}, but is {record}.")
        if library.rows[position] != record:
            raise UsageError(f"Argument `record` must be a whole record, but {record} is damaged.")
    return positions.tolist()


def export(library: Library, numbers: Sequence[int] | np.ndarray, folder: Path, overwrite: bool) -> list[str]:
    """Writes each record as `.npz` with stiffness and provenance, `.vti` and `.stl`.

    Args:
        library: The library.
        numbers: Positions in it.
        folder: Made if it is not there.
        overwrite: Whether files may be replaced.

    Returns:
        The files.

    Raises:
        UsageError: If a file is there already, or the folder cannot be written.
        FileError: If a record is damaged.
    """
    rows = [int(library.rows[number]) for number in numbers]
    names = [f"record-{row:06d}{kind}" for row in rows for kind in _KINDS]
    library.octants(np.asarray(numbers))  # all are whole, before the first one is written
    with claimed_files(folder, names, overwrite):
        for row, number in zip(rows, numbers, strict=True):
            _write(library, int(number), row, folder / f"record-{row:06d}", overwrite)
    return [str(folder / name) for name in names]


def _write(library: Library, number: int, row: int, stem: Path, overwrite: bool) -> None:
    from jaxmeta.cells import write

    record, made = library[number], library.origin
    about: dict[str, Any] = {
        "library": Path(library.path).name,
        "record": row,
        "volume_fraction": record.volume_fraction,
        "licence": made["licence"],
        "solid": made["solid"],
        "provenance": record.provenance,
    }
    for kind in _KINDS:
        path, versions = stem.with_suffix(kind), {"jaxmeta": made["version"]}
        write(record, path, settings=about, versions=versions, overwrite=overwrite)


def draw_sheet(folder: Path, library: Library, overwrite: bool) -> str:
    """Draws the first cells, with number, volume fraction and Poisson's ratio.

    Returns:
        The file.

    Raises:
        PictureError: If cells cannot be drawn on this machine.
    """
    from jaxmeta.elasticity import CubicConstants
    from jaxmeta.render import contact_sheet

    some, path = library[:_SHEET], str(folder / "contact-sheet.png")
    ratios = CubicConstants(*some.constants.T).poisson
    labels = [
        f"{row}:  f {fraction:.3f}   ν {ratio:.3f}"
        for row, fraction, ratio in zip(some.rows, some.volume_fraction, ratios, strict=True)
    ]
    contact_sheet(path, [record.cell for record in some], labels=labels, overwrite=overwrite)
    return path
