"""Reading a library of cells: lazily, from any number of processes."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

import numpy as np
from jaxtyping import Bool, Float, Int

from ..cells import Cell
from ..elasticity import CubicConstants, Isotropic
from ..io import Path, file_error, system_text
from . import _file, _wedge

SHIPPED = pathlib.Path(__file__).with_name("library.h5")
"""The library that comes with the package."""
Record = Cell
"""What a library gives for a number."""


@dataclass
class Library:
    """Cells of one file, or some of them; nothing but small columns is read before it is asked for.

    A number gives a `Cell`, whose `provenance` has objective, seed, parent, family, round, split and more. A slice, an
    array of numbers or a mask gives the `Library` of these.

    Args:
        path: the file.
        rows: of the file.
        damaged: read what is whole of a damaged file.
    """

    path: Path
    rows: Int[np.ndarray, " n"]
    damaged: bool = False
    _open: dict[int, Any] = field(default_factory=dict, repr=False, compare=False)
    _columns: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def _handle(self) -> Any:
        """The open file: one in every process, for a handle doesn't survive a fork."""
        process = os.getpid()
        if process not in self._open:
            self._open.clear()
            self._open[process] = _file.open_file(self.path, self.damaged)
        return self._open[process]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "rows": self.rows, "damaged": self.damaged, "_open": {}, "_columns": {}}

    def column(self, name: str) -> np.ndarray:
        """A column of the file for the records of this library."""
        if name not in self._columns:
            self._columns[name] = self._handle()[name][()]
        return self._columns[name][self.rows]

    @property
    def side(self) -> int:
        """Voxels along an edge of the octants."""
        return int(self._handle().attrs["side"])

    @property
    def settings(self) -> dict[str, Any]:
        """What the commands were given that made the library."""
        return json.loads(self._handle().attrs["settings"])

    @property
    def origin(self) -> dict[str, Any]:
        """What the cells are made of, with `void`, the version of jaxmeta that made the file, and its licence.

        Raises:
            FileError: one of them is missing.
        """
        attributes = self._handle().attrs
        try:
            made = {"solid": {name: float(attributes[name]) for name in ("young", "poisson", "void")}}
            return made | {name: _file.text(attributes[name]) for name in ("version", "licence")}
        except (KeyError, ValueError, TypeError) as error:
            raise file_error(self.path, "attributes", "those of a dataset file", system_text(error)) from None

    @cached_property
    def solid(self) -> Isotropic:
        """What the cells are made of."""
        return _file.solid(self._handle())

    @property
    def constants(self) -> Float[np.ndarray, "n 3"]:
        """C11, C12, C44."""
        return self.column("constants")

    @property
    def stiffness(self) -> Float[np.ndarray, "n 6 6"]:
        """Effective stiffness, Voigt, relative to a solid with Young's modulus one."""
        return np.asarray(CubicConstants(*self.constants.T).stiffness)

    @property
    def volume_fraction(self) -> Float[np.ndarray, " n"]:
        """Shares of solid voxels."""
        return self.column("volume_fraction")

    def octants(self, numbers: Int[np.ndarray, " k"]) -> Bool[np.ndarray, "k m m m"]:
        """Octants of some records, read and checked."""
        rows = self.rows[numbers]
        order = np.argsort(rows, kind="stable")
        unique, inverse = np.unique(rows[order], return_inverse=True)
        bits = self._handle()["wedge"][unique] if len(unique) else np.zeros((0, _wedge.length(self.side)), np.uint8)
        columns = {name: self._all(name)[unique] for name in _file.COLUMNS if name != "wedge"} | {"wedge": bits}
        wrong = np.flatnonzero(_file.checksums(columns) != columns["checksum"])
        if len(wrong):
            expected = f"the checksum {columns['checksum'][wrong[0]]:08x}"
            raise file_error(self.path, f"record {unique[wrong[0]]}", expected, "the record is damaged")
        found = np.empty(len(rows), np.int64)
        found[order] = inverse
        return _wedge.unpack(bits[found], self.side)

    def _all(self, name: str) -> np.ndarray:
        self.column(name)
        return self._columns[name]

    def intact(self) -> Bool[np.ndarray, " n"]:
        """Whether each record is as it was written, by its checksum."""
        columns = {name: self._handle()[name][()] for name in _file.COLUMNS}
        return (_file.checksums(columns) == columns["checksum"])[self.rows]

    def check(self) -> None:
        """Check all records.

        Raises:
            FileError: one of them is damaged.
        """
        for wrong in np.flatnonzero(~self.intact())[:1]:
            self.octants(np.array([wrong]))  # which says so

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Cell]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, index: int | np.integer) -> Cell: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray | list) -> Library: ...

    def __getitem__(self, index: int | np.integer | slice | np.ndarray | list) -> Cell | Library:
        if not isinstance(index, int | np.integer):
            return Library(self.path, self.rows[index], self.damaged, self._open, self._columns)
        if not -len(self) <= index < len(self):
            raise IndexError(f"Argument `index` must be less than {len(self)}, but is {index}.")
        one = np.arange(len(self))[index : index + 1 or None]
        octant = self.octants(one)[0]
        values = {name: self.column(name)[one[0]] for name in _file.COLUMNS if name not in ("wedge", "checksum")}
        stiffness = np.asarray(CubicConstants(*values.pop("constants")).stiffness)
        del values["volume_fraction"]  # which is that of the octant
        provenance = {name: value.item() for name, value in values.items()}
        provenance["objective"] = _file.OBJECTIVES[provenance["objective"]]
        provenance["split"] = _file.SPLITS[provenance["split"]]
        provenance["isotropic"] = bool(provenance["isotropic"])
        solver = {"dtype": "float32", "error": provenance["error"]}
        return Cell(octant, "cubic", stiffness, self.solid, solver=solver, provenance=provenance)

    def split(self, name: str) -> Library:
        """The records of one split.

        Args:
            name: "training", "validation" or "test".
        """
        if name not in _file.SPLITS[1:]:
            raise ValueError(f"Argument `name` must be one of {', '.join(_file.SPLITS[1:])}, but is {name!r}.")
        return self[self.column("split") == _file.SPLITS.index(name)]


def load(path: Path | None = None, *, damaged: bool = False) -> Library:
    """Open a library of cells.

    Args:
        path: the file; None opens the library that comes with the package.
        damaged: open a file that is cut short or altered, and keep the records that are whole.

    Returns:
        The library. Reading is lazy.

    Raises:
        FileError: the file is missing, something else, of a newer schema, or damaged.

    Example:
        >>> import jaxmeta as jm
        >>> library = jm.dataset.load()
        >>> even, record = library[:5000], library[7]
        >>> len(even), record.octant.shape, record.stiffness.shape
        (5000, (32, 32, 32), (6, 6))
    """
    path = SHIPPED if path is None else path
    library = Library(path, np.zeros(0, np.int64), damaged)
    count = len(library._handle()["identity"])
    library = Library(path, np.arange(count), damaged, library._open)
    return library[library.intact()] if damaged else library
