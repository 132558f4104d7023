"""Extended XYZ: a number of atoms, a line of keys with the cell and the columns, a line for every atom."""

from __future__ import annotations

import re

import numpy as np

from ..io import Path as FileName
from ..io import brief, file_error
from ._atoms import Atoms, finite, with_columns

_KEY = re.compile(r'([A-Za-z_][\w-]*)=("[^"]*"|\S+)')
_TRUTH = {"T": True, "True": True, "1": True, "F": False, "False": False, "0": False}


def text(atoms: Atoms) -> str:
    """A file of one frame."""
    columns = {"pos": np.asarray(atoms.positions, float)} | atoms.columns()
    letter = {"f": "R", "i": "I", "u": "I", "b": "I"}
    properties = "".join(f":{k}:{letter[v.dtype.kind]}:{1 if v.ndim == 1 else v.shape[1]}" for k, v in columns.items())
    keys = [] if atoms.cell is None else [f'Lattice="{" ".join(repr(float(x)) for x in np.ravel(atoms.cell))}"']
    keys += [f"Properties=species:S:1{properties}", f'pbc="{" ".join("FT"[int(p)] for p in atoms.pbc)}"']
    rows = [np.atleast_2d(v.T.astype(float if v.dtype.kind == "f" else int)).tolist() for v in columns.values()]
    parts = [part for row in rows for part in row]
    lines = [" ".join([atoms.element, *map(repr, values)]) for values in zip(*parts, strict=True)]
    return "\n".join([str(len(atoms.positions)), " ".join(keys), *lines, ""])


def parse(path: FileName, content: str) -> Atoms:
    """Read a file of one frame."""
    lines = content.splitlines()
    count = int(finite(path, 1, [lines[0].strip() if lines else ""], int)[0])
    if count < 1:
        raise file_error(path, "line 1", "a number of atoms from 1 on", f"it is {count}")
    if len(lines) < count + 2:
        raise file_error(path, "end", f"{count} lines of atoms", f"there are {max(len(lines) - 2, 0)}")
    for number, line in enumerate(lines[count + 2 :], count + 3):
        if line.strip():
            raise file_error(path, f"line {number}", f"the end after {count} atoms", "there is more")
    keys = {key: value.strip('"') for key, value in _KEY.findall(lines[1])}
    cell = None
    if "Lattice" in keys:
        cell = np.array(finite(path, 2, keys["Lattice"].split()))
        if cell.size != 9:
            raise file_error(path, "line 2, Lattice", "nine numbers", f"there are {cell.size}")
        cell = cell.reshape(3, 3)
    flags = keys.get("pbc", "T T T" if cell is not None else "F F F").split()
    if len(flags) != 3 or any(flag not in _TRUTH for flag in flags):
        raise file_error(path, "line 2, pbc", "three of T and F", f"it is {brief(keys['pbc'])}")
    names, kinds, widths = _properties(path, keys.get("Properties", "species:S:1:pos:R:3"))
    rows = [line.split() for line in lines[2 : count + 2]]
    for number, row in enumerate(rows, 3):
        if len(row) != sum(widths):
            raise file_error(path, f"line {number}", f"{sum(widths)} words", f"there are {len(row)}")
    columns, begin, element = {}, 0, "Al"
    for name, kind, width in zip(names, kinds, widths, strict=True):
        words = [row[begin : begin + width] for row in rows]
        begin += width
        if name == "species":
            species = {word[0] for word in words}
            if len(species) > 1:
                raise file_error(path, "species", "one element", f"there are {brief(sorted(species))}")
            element = species.pop()
        elif kind in "RIL":
            if kind == "L":
                words = [[str(int(_TRUTH.get(word, 2))) for word in row] for row in words]
            values = np.array([finite(path, number, row) for number, row in enumerate(words, 3)])
            values = values if kind == "R" else values.astype(int)
            columns[name] = values[:, 0] if width == 1 else values
    if "pos" not in columns or columns["pos"].shape != (count, 3):
        raise file_error(path, "line 2, Properties", "pos:R:3", "it is not there")
    positions = columns.pop("pos").astype(float)
    columns = {k: v for k, v in columns.items() if v.ndim == 1 or v.shape[1] == 3}
    pbc = (_TRUTH[flags[0]], _TRUTH[flags[1]], _TRUTH[flags[2]])
    return with_columns(positions, cell, pbc, element, columns)


def _properties(path: FileName, told: str) -> tuple[list[str], list[str], list[int]]:
    """Names, kinds and widths of the columns."""
    words = told.split(":")
    good = len(words) % 3 == 0 and all(k in ("S", "R", "I", "L") for k in words[1::3])
    if not good or not all(w.isdigit() and 0 < int(w) < 100 for w in words[2::3]):
        raise file_error(path, "line 2, Properties", "name:kind:width of every column", f"it is {brief(told)}")
    return words[::3], words[1::3], [int(w) for w in words[2::3]]
