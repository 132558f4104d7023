"""Files of atoms, by the endings of their names."""

from __future__ import annotations

from pathlib import Path

from ..io import Path as FileName
from ..io import file_error, open_binary, write_bytes
from . import _lammps, _vtp, _xyz
from ._atoms import Atoms

_MOST_BYTES = 1 << 32


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
