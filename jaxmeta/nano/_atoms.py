"""Atoms with what is known of them, and their files by the endings of names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from .._numbers import refused
from ..io import Path as FileName
from ..io import file_error, open_binary, write_bytes
from ._cells import checked_cell, checked_positions
from ._evaluate import Flags

_MOST_BYTES = 1 << 32


@dataclass(frozen=True, eq=False)
class Atoms:
    """Atoms of one element.

    Args:
        positions: (n, 3), in Å.
        cell: its rows are the lattice vectors, in Å; None if there is none.
        pbc: along which of them the atoms repeat.
        element: symbol.
        held: atoms of grips, (n,); None if it is not known.
        direction: unit displacement of the grips, (n, 3); None if it is not known.
        numbers: more of every atom by name, (n,) or (n, 3), such as `energy`, `coordination`, `displacement`.
    """

    positions: Float[np.ndarray, "n 3"]
    cell: Float[np.ndarray, "3 3"] | None = None
    pbc: Flags = (False, False, False)
    element: str = "Al"
    held: Bool[np.ndarray, "n"] | None = None
    direction: Float[np.ndarray, "n 3"] | None = None
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(checked_positions("positions", self.positions))
        checked_cell(self.cell, self.pbc)
        if not count:
            raise refused("positions", "hold an atom at least", "holds none")
        if not (self.element.isascii() and self.element.isalpha() and len(self.element) <= 2):
            raise refused("element", "be the symbol of an element", f"is {self.element!r}")
        for name, values in self.columns().items():
            if not name.isidentifier() or values.shape not in ((count,), (count, 3)):
                raise refused(
                    "numbers",
                    f"map names to arrays ({count},) or ({count}, 3)",
                    f"has {name!r} of shape {values.shape}",
                )
            if not np.isfinite(values).all():
                raise refused("numbers", "be finite", f"has {name!r} that is not")

    def columns(self) -> dict[str, np.ndarray]:
        """All that is written of every atom besides its position."""
        known = {"held": self.held, "direction": self.direction}
        return {name: np.asarray(values) for name, values in (known | dict(self.numbers)).items() if values is not None}


def with_columns(
    positions: np.ndarray, cell: np.ndarray | None, pbc: Flags, element: str, columns: dict[str, np.ndarray]
) -> Atoms:
    """Atoms from the columns of a file."""
    held, direction = columns.pop("held", None), columns.pop("direction", None)
    return Atoms(
        positions, cell, pbc, element, None if held is None else held != 0,
        None if direction is None else direction.astype(float), columns,
    )  # fmt: skip


def read_atoms(path: FileName) -> Atoms:
    """Read one configuration from extended XYZ (`.xyz`, `.extxyz`), LAMMPS data (`.lmp`, `.data`) or `.vtp`.

    LAMMPS data say nothing of periodicity; files of our own have it in their first line, others are taken as periodic
    along all axes. `.vtp` files must be ASCII.

    Raises:
        FileError: the file cannot be read, is cut off, or has something else than expected in it.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> jm.nano.write_atoms("pair.xyz", jm.nano.Atoms(np.array([[0.0, 0, 0], [2.6, 0, 0]])), overwrite=True)
        >>> jm.nano.read_atoms("pair.xyz").positions[1].tolist()
        [2.6, 0.0, 0.0]
    """
    from . import _lammps, _vtp, _xyz

    readers = {".xyz": _xyz, ".extxyz": _xyz, ".lmp": _lammps, ".data": _lammps, ".vtp": _vtp}
    kind = readers.get(Path(path).suffix.lower())
    if kind is None:
        raise file_error(path, "name", f"one that ends in {', '.join(readers)}", f"it ends in '{Path(path).suffix}'")
    with open_binary(path) as (file, size):
        if size > _MOST_BYTES:
            raise file_error(path, "size", f"at most {_MOST_BYTES} bytes", f"it has {size}")
        content = file.read()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise file_error(path, f"byte {error.start}", "text in UTF-8", "it is none") from None
    if not text.endswith("\n"):  # a number may be cut off
        raise file_error(path, "end", "the end of a line", "it is in the middle of one" if text else "it is empty")
    try:
        return kind.parse(path, text)
    except ValueError as error:
        if str(error).startswith("File"):
            raise
        raise file_error(path, "reading", "atoms", str(error).rstrip(".")) from None


def write_atoms(path: FileName, atoms: Atoms, *, mass: float = 26.981539, overwrite: bool = False) -> None:
    """Write atoms as extended XYZ, LAMMPS data or `.vtp`, by the ending of the name; OVITO reads all of them.

    LAMMPS data hold positions and cell only.

    Args:
        path: the file.
        atoms: what is written.
        mass: of an atom in g/mol, for LAMMPS.
        overwrite: whether an existing file may be replaced.

    Raises:
        FileError: the file exists or cannot be written, or its name ends in something else.
    """
    from . import _lammps, _vtp, _xyz

    suffix = Path(path).suffix.lower()
    if suffix in (".xyz", ".extxyz"):
        text = _xyz.text(atoms)
    elif suffix in (".lmp", ".data"):
        text = _lammps.text(atoms, mass)
    elif suffix == ".vtp":
        text = _vtp.text(atoms)
    else:
        raise file_error(path, "name", "one that ends in .xyz, .extxyz, .lmp, .data or .vtp", f"it ends in '{suffix}'")
    write_bytes(path, text.encode(), overwrite)


def finite(path: FileName, line: int, words: list[str], kind: type = float) -> list[float]:
    """Words of a line as finite numbers.

    Raises:
        FileError: one is none.
    """
    found = []
    for word in words:
        try:
            value = kind(word)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            what = "a whole number" if kind is int else "a finite number"
            raise file_error(path, f"line {line}", what, f"it is {word[:40]!a}")
        found.append(value)
    return found
