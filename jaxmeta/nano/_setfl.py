"""Files of embedded-atom potentials of the forms that LAMMPS calls `eam/alloy` and `eam/fs`.

Three lines of comment; the number of elements and their names; Nρ, Δρ, Nr, Δr and the cutoff. For every element a line
with atomic number, mass, lattice constant and lattice, then Nρ values of F, then Nr values of f (in `eam/fs` as many
tables of f as there are elements). Then Nr values of r φ for every pair of elements, i ≥ j.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from .._numbers import refused
from ..io import Path, brief, file_error, open_binary

_LARGEST = 200_000_000
"""Bytes of a file of potentials; none is near it."""


class Table(NamedTuple):
    """What a file says of one element: tables from zero on in steps of Δρ or Δr, eV and Å."""

    element: str
    mass: float
    lattice_constant: float
    cutoff: float
    density_step: float
    distance_step: float
    embedding: np.ndarray
    density: np.ndarray
    pair: np.ndarray


class _Lines:
    """The lines of a file, one after the other."""

    def __init__(self, path: Path, lines: list[str]) -> None:
        self.path, self.lines, self.next = path, lines, 0

    def words(self, expected: str) -> list[str]:
        """Of the next line."""
        if self.next >= len(self.lines):
            raise file_error(self.path, f"line {self.next + 1}", expected, "the file ends")
        self.next += 1
        return self.lines[self.next - 1].split()

    def wrong(self, expected: str) -> Exception:
        """The error about the line that was read last."""
        return file_error(self.path, f"line {self.next}", expected, f"it is {brief(self.lines[self.next - 1].strip())}")

    def numbers(self, count: int, what: str) -> np.ndarray:
        """So many finite numbers, in as many lines as they take."""
        expected, begin, found = f"{count} finite numbers of {what}", self.next, []
        while len(found) < count:
            words = self.words(expected)
            try:
                found += [float(word) for word in words]
            except ValueError:
                raise self.wrong(expected) from None
        if len(found) > count or not np.isfinite(found).all():
            problem = f"there are {len(found)}" if len(found) > count else "one of them is not finite"
            raise file_error(self.path, f"lines {begin + 1} to {self.next}", expected, problem)
        return np.array(found)


def read_setfl(path: Path, element: str | None) -> Table:
    """What a file says of one element.

    Raises:
        FileError: the file is not as described.
        ValueError: the element is not there, or not named where there are several.
    """
    lines = _opened(path)
    lines.next = 3
    expected = "a number of elements and their names"
    names = lines.words(expected)
    if len(names) < 2 or not names[0].isdecimal() or int(names[0]) != len(names) - 1:
        raise lines.wrong(expected)
    names = names[1:]
    expected = "Nrho, drho, Nr, dr and the cutoff, all positive, and five points or more in each table"
    sizes = lines.words(expected)
    try:
        points, distances = int(sizes[0]), int(sizes[2])
        step, spacing, cutoff = (float(sizes[k]) for k in (1, 3, 4))
    except (IndexError, ValueError):
        raise lines.wrong(expected) from None
    if min(points, distances) < 5 or max(points, distances) > _LARGEST // 8:
        raise lines.wrong(expected)
    if not all(np.isfinite(x) and x > 0 for x in (step, spacing, cutoff)):
        raise lines.wrong(expected)
    if cutoff > distances * spacing * (1 + 1e-9):
        raise lines.wrong("a cutoff within the tables")
    chosen = _chosen(element, names)
    kinds = len(names) if os.fspath(path).endswith(".fs") else 1
    header, embedding, density = [], np.empty(0), np.empty(0)
    for number, name in enumerate(names):
        said = _element(lines)
        of_rho = lines.numbers(points, f"the embedding energy of {name}")
        of_distance = [lines.numbers(distances, f"the density of {name}") for _ in range(kinds)]
        if number == chosen:
            header, embedding, density = said, of_rho, of_distance[chosen if kinds > 1 else 0]
    pair = np.empty(0)
    for i in range(len(names)):
        for j in range(i + 1):
            table = lines.numbers(distances, f"the pair potential of {names[i]} and {names[j]}")
            pair = table if i == j == chosen else pair
    while lines.next < len(lines.lines):
        if lines.words("the end"):
            raise lines.wrong("the end of the file")
    mass, constant = header
    return Table(names[chosen], mass, constant, cutoff, step, spacing, embedding, density, pair)


def _opened(path: Path) -> _Lines:
    with open_binary(path) as (file, size):
        if size > _LARGEST:
            raise file_error(path, "opening", f"at most {_LARGEST} bytes", f"there are {size}")
        content = file.read()
    try:
        return _Lines(path, content.decode("utf-8").splitlines())
    except UnicodeDecodeError as error:
        raise file_error(path, f"byte {error.start}", "text", "it is none") from None


def _chosen(element: str | None, names: list[str]) -> int:
    if element is None and len(names) == 1:
        return 0
    if element not in names:
        listed = ", ".join(brief(name) for name in names)
        raise refused("element", f"be one of the file, {listed}", f"is {element!r}")
    return names.index(element)


def _element(lines: _Lines) -> tuple[float, float]:
    """Mass and lattice constant."""
    expected = "atomic number, mass, lattice constant and lattice of an element"
    words = lines.words(expected)
    try:
        mass, constant = float(words[1]), float(words[2])
    except (IndexError, ValueError):
        raise lines.wrong(expected) from None
    if not (np.isfinite(mass) and mass > 0 and np.isfinite(constant)):
        raise lines.wrong(expected)
    return mass, constant
