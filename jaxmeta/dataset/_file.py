"""The file of a library: an HDF5 file with one row for every cell, in columns.

Schema 1. Attributes of the file: `format` ("jaxmeta dataset"), `schema` (1), `side` (voxels along an edge of the
octant), `young`, `poisson` and `void` of the solid, `settings` (JSON: what the commands were given), `version` (of
jaxmeta), `licence`. Columns are datasets at the top, each with one row for a record, see `COLUMNS`. `checksum` is the
CRC-32 of the bytes of all other columns of a row, in the order of `COLUMNS`, little-endian.

Columns are stored contiguously after everything that describes them, so that a file that was cut short can still be
opened, with zeros in place of what is missing, and the checksums tell which records are whole.
"""

from __future__ import annotations

import io
import math
import os
import zlib
from collections.abc import Mapping
from pathlib import Path as _Path
from typing import Any

import numpy as np

from ..elasticity import Isotropic
from ..io import FileError, Path, brief, file_error, system_text, write_bytes
from . import _wedge

FORMAT = "jaxmeta dataset"
SCHEMA = 1
COLUMNS: dict[str, tuple[str, str]] = {
    "wedge": ("u1", "voxels i ≤ j ≤ k of the octant, eight to a byte"),
    "constants": ("<f8", "C11, C12, C44, in units of the solid's Young's modulus over `young`"),
    "volume_fraction": ("<f8", "share of solid voxels"),
    "error": ("<f8", "estimated relative error of C"),
    "identity": ("<i8", "number of the record, for life"),
    "parent": ("<i8", "identity of the record it was made from, or -1"),
    "family": ("<i8", "identity of the optimised cell that it comes from"),
    "seed": ("<i8", "of its start, or of its deformation"),
    "objective": ("i1", "0 bulk modulus, 1 shear modulus, 2 lowest and 3 highest Poisson's ratio; of the family"),
    "isotropic": ("i1", "1 where the design was constrained to isotropy; of the family"),
    "asked": ("<f8", "volume fraction that the design was given; of the family"),
    "round": ("<i2", "rounds of deformation since the design"),
    "split": ("i1", "0 none, 1 training, 2 validation, 3 test"),
    "flags": ("i1", "1: above a bound by less than is allowed for voxel contacts"),
    "checksum": ("<u4", "CRC-32 of the row"),
}
WIDTHS = {"constants": 3}
OBJECTIVES = ("bulk", "shear", "low poisson", "high poisson")
SPLITS = ("", "training", "validation", "test")

Columns = dict[str, np.ndarray]


def _width(name: str, side: int) -> int | None:
    return _wedge.length(side) if name == "wedge" else WIDTHS.get(name)


def checksums(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """CRC-32 of every row, (n,)."""
    rows = [_bytes(columns[name], kind) for name, (kind, _) in COLUMNS.items() if name != "checksum"]
    return np.array([zlib.crc32(row) for row in np.concatenate(rows, axis=1)], "<u4")


def _bytes(column: np.ndarray, kind: str) -> np.ndarray:
    """The bytes of every row, also of none."""
    rows = np.ascontiguousarray(column).astype(kind, copy=False)
    return rows.view("u1").reshape(len(rows), rows.itemsize * math.prod(rows.shape[1:]))


def write(path: Path, columns: Mapping[str, np.ndarray], attributes: Mapping[str, Any], *, overwrite: bool) -> None:
    """Write a library whole or not at all.

    Args:
        path: the file.
        columns: all of `COLUMNS` but the checksum, one row for each record.
        attributes: of the file, `side` among them.
        overwrite: whether an existing file may be replaced.

    Raises:
        FileError: the file exists or cannot be written.
    """
    import h5py

    side = int(attributes["side"])
    full = {**columns, "checksum": checksums(columns)}
    count, made = len(full["identity"]), {}
    # In memory first: HDF5 cannot close a file on a full disk, and takes the process with it later.
    content = io.BytesIO()
    with h5py.File(content, "w", libver="v110") as file:
        for name, value in {"format": FORMAT, "schema": SCHEMA, **attributes}.items():
            file.attrs[name] = value
        for name, (kind, about) in COLUMNS.items():
            width = _width(name, side)
            shape = (count,) if width is None else (count, width)
            made[name] = file.create_dataset(name, shape, kind)
            made[name].attrs["about"] = about
        file.flush()
        for name, column in made.items():
            if count:
                column[...] = full[name]
    write_bytes(path, content.getvalue(), overwrite)


def open_file(path: Path, damaged: bool) -> Any:
    """An open h5py file, checked for format and schema; with `damaged` one that was cut short is opened as well.

    Raises:
        FileError: it is missing, something else, of a newer schema, or damaged.
    """
    import h5py

    if not os.path.isfile(path):
        found = "it is a folder" if os.path.isdir(path) else "there is no such file"
        raise file_error(path, "opening", "a dataset file", found)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if not damaged:
            hint = f"{system_text(error)}; `damaged=True` reads the records that are whole"
            raise file_error(path, "contents", "a whole HDF5 file", hint) from None
        file = _completed(path)
    try:
        if text(file.attrs.get("format")) != FORMAT:
            raise file_error(path, "attribute `format`", f'"{FORMAT}"', f"it is {brief(file.attrs.get('format'))}")
        attributes: Any = file.attrs
        schema = int(attributes.get("schema", 0))
        if schema > SCHEMA:
            raise file_error(path, "attribute `schema`", f"at most {SCHEMA}", f"it is {schema}: update jaxmeta")
        solid(file)
        side, counts = int(attributes["side"]), set()
        for name, (kind, _) in COLUMNS.items():
            column, width = file.get(name), _width(name, side)
            expected = () if width is None else (width,)
            if not isinstance(column, h5py.Dataset) or column.dtype != kind or column.shape[1:] != expected:
                raise file_error(path, f"column `{name}`", f"rows of {expected or 'one'} {kind}", "it is not so")
            counts.add(column.shape[0])
        if len(counts) != 1:
            raise file_error(path, "columns", "equal numbers of rows", f"there are {sorted(counts)}")
    except FileError:
        file.close()
        raise
    except Exception as error:
        file.close()
        raise file_error(path, "contents", "a whole dataset file", system_text(error)) from None
    return file


def read_columns(path: Path) -> Columns:
    """All columns of a file but the checksum, checked.

    Raises:
        FileError: the file or a record of it is damaged.
    """
    with open_file(path, damaged=False) as file:
        columns = {name: file[name][()] for name in COLUMNS}
    wrong = np.flatnonzero(checksums(columns) != columns.pop("checksum"))
    if len(wrong):
        raise file_error(path, f"record {wrong[0]}", "the record as it was written", "its checksum differs")
    return columns


def solid(file: Any) -> Isotropic:
    """What the cells of an open file are made of; some exception where the file does not say so."""
    return Isotropic(float(file.attrs["young"]), float(file.attrs["poisson"]))


def _completed(path: Path) -> Any:
    """The file with zeros for what is missing at its end, in memory."""
    import h5py

    content = _Path(path).read_bytes()
    if content[:8] != b"\x89HDF\r\n\x1a\n" or len(content) < 48 or content[8] not in (2, 3):
        raise file_error(path, "byte 0", "the start of an HDF5 dataset file", "it is something else")
    end = int.from_bytes(content[28:36], "little")  # end of file, by the superblock
    try:
        return h5py.File(io.BytesIO(content.ljust(end, b"\0")), "r")
    except OSError as error:
        found = f"what describes the columns is damaged: {system_text(error)}"
        raise file_error(path, "contents", "an HDF5 file", found) from None


def text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
