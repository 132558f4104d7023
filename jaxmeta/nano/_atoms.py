"""Atoms with what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from .._numbers import refused
from ..io import Path as FileName
from ..io import file_error
from ._cells import checked_cell, checked_positions
from ._evaluate import Flags


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
