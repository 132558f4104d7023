"""LAMMPS data files of the atom style `atomic`: a header with the box, masses, and a line for every atom."""

from __future__ import annotations

import re

import numpy as np

from ..io import Path as FileName
from ..io import brief, file_error
from ._atoms import Atoms, finite, with_columns
from ._cells import checked_cell

_MARGIN = 10.0
"""Room around atoms without a cell, in Å."""
_SECTION = re.compile(r"[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)*")
_WIDTHS = (5, 8)
"""Words of an atom: number, type, position; and, where they are written, three numbers of images."""


def text(atoms: Atoms, mass: float) -> str:
    """A file; a box that is not periodic is large enough for the atoms."""
    where = np.asarray(atoms.positions, float)
    vectors = checked_cell(atoms.cell, atoms.pbc).vectors
    if np.abs(np.triu(vectors, 1)).max() > 1e-9 or (np.diag(vectors) <= 0).any():
        raise ValueError("Argument `cell` must be lower triangular with a positive diagonal for LAMMPS, but is not.")
    low = np.where(atoms.pbc, 0.0, where.min(0) - _MARGIN)
    high = np.where(atoms.pbc, np.diag(vectors), where.max(0) + _MARGIN)
    lines = [
        f"jaxmeta pbc {' '.join('FT'[int(p)] for p in atoms.pbc)}", "", f"{len(where)} atoms", "1 atom types", "",
        *(f"{float(a)!r} {float(b)!r} {x}lo {x}hi" for a, b, x in zip(low, high, "xyz", strict=True)),
    ]  # fmt: skip
    tilts = [float(vectors[1, 0]), float(vectors[2, 0]), float(vectors[2, 1])]
    if any(tilts):
        lines.append(f"{' '.join(map(repr, tilts))} xy xz yz")
    lines += ["", "Masses", "", f"1 {float(mass)!r}  # {atoms.element}", "", "Atoms # atomic", ""]
    lines += [f"{i} 1 {x!r} {y!r} {z!r}" for i, (x, y, z) in enumerate(where.tolist(), 1)]
    return "\n".join([*lines, ""])


def parse(path: FileName, content: str) -> Atoms:
    """Read a file."""
    lines = content.splitlines()
    header: dict[str, list[float]] = {}
    sections: dict[str, list[tuple[int, list[str]]]] = {}
    rows: list[tuple[int, list[str]]] | None = None
    for number, line in enumerate(lines[1:], 2):
        words = line.split("#")[0].split()
        if not words:
            continue
        if _SECTION.fullmatch(" ".join(words)):
            rows = sections.setdefault(" ".join(words), [])
            style = line.partition("#")[2].strip()
            if words == ["Atoms"] and style not in ("", "atomic"):
                raise file_error(path, f"line {number}", "the atom style atomic", f"it is {brief(style)}")
        elif rows is None:
            values = [w for w in words if not w[0].isalpha()]
            header[" ".join(words[len(values) :])] = finite(path, number, values)
        else:
            rows.append((number, words))
    count = int(header.get("atoms", [0])[0])
    found = sections.get("Atoms", [])
    if count < 1 or len(found) != count:
        raise file_error(path, "section Atoms", f"the {count} atoms of the header", f"there are {len(found)}")
    edges = []
    for x in "xyz":
        ends = header.get(f"{x}lo {x}hi", [])
        if len(ends) != 2 or not ends[0] < ends[1]:
            raise file_error(path, "header", f"{x}lo and {x}hi, the first less", "it has not")
        edges.append(ends[1] - ends[0])
    cell = np.diag(edges)
    cell[1, 0], cell[2, 0], cell[2, 1] = header.get("xy xz yz", [0.0, 0.0, 0.0])
    order, positions = [], []
    for number, words in found:
        if len(words) not in _WIDTHS:
            raise file_error(path, f"line {number}", "number, type and position of an atom", f"{len(words)} words")
        values = finite(path, number, words)
        if values[1] != 1:
            raise file_error(path, f"line {number}", "atoms of one type", f"the type is {values[1]:g}")
        order.append(int(values[0]))
        positions.append(values[2:5])
    if sorted(order) != list(range(1, count + 1)):
        raise file_error(path, "section Atoms", f"the numbers from 1 to {count}", "some are missing or there twice")
    own = re.fullmatch(r"jaxmeta pbc ([FT]) ([FT]) ([FT])", lines[0].strip())
    pbc = (own[1] == "T", own[2] == "T", own[3] == "T") if own else (True, True, True)
    return with_columns(np.array(positions)[np.argsort(order)], cell, pbc, "Al", {})
