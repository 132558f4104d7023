"""What is designed: the sites of a box, which of them are grips, how these move, and where atoms may be."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from .._numbers import refused
from ..io import FileError, brief, file_error, open_binary
from ..io import Path as FileName
from ._cells import Cell, checked_cell
from ._evaluate import Flags
from ._lattice import CUBE, Direction, Lattice

_EDGE = 1e-6
"""Sites on a face of a box belong to it, in periods of the lattice."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A design problem on the sites of a box.

    Args:
        lattice: the sites, n of them.
        held: atoms of both grips, which are always there, (n,).
        direction: unit displacement of the grips, zero elsewhere, (n, 3).
        pbc: along which axes the box repeats.
        allowed: sites where an atom may be, (n,); all if omitted.

    Raises:
        ValueError: an argument is not as described.

    Example:
        >>> import jaxmeta as jm
        >>> beam = jm.nano.cantilever((24, 12, 2), 4.05)
        >>> len(beam.lattice), int(beam.held.sum()), beam.pbc
        (2304, 192, (False, False, True))
    """

    lattice: Lattice
    held: Bool[np.ndarray, "n"]
    direction: Float[np.ndarray, "n 3"]
    pbc: Flags = (False, False, False)
    allowed: Bool[np.ndarray, "n"] | None = None

    def __post_init__(self) -> None:
        count = len(self.lattice)
        allowed = np.ones(count, bool) if self.allowed is None else np.asarray(self.allowed, bool)
        held, direction = np.asarray(self.held, bool), np.asarray(self.direction, float)
        for name, array, shape in (
            ("held", held, (count,)), ("allowed", allowed, (count,)), ("direction", direction, (count, 3))
        ):  # fmt: skip
            if array.shape != shape:
                raise refused(name, f"have shape {shape}", f"has shape {array.shape}")
        held = held & allowed
        if not held.any() or held.all():
            raise refused("held", "hold some sites, and not all", f"holds {'all' if held.any() else 'none'}")
        direction = np.where(held[:, None], direction, 0.0)
        if not np.isfinite(direction).all() or not direction.any():
            raise refused("direction", "move some of the held sites, by finite numbers", "does not")
        for name, array in (("held", held), ("allowed", allowed), ("direction", direction)):
            object.__setattr__(self, name, array)

    @property
    def box(self) -> Cell:
        """The box as a cell."""
        return checked_cell(self.lattice.cell, self.pbc)

    @property
    def domain(self) -> Bool[np.ndarray, "n"]:
        """Sites where an atom may be, grips among them."""
        assert self.allowed is not None
        return self.allowed

    def sites_of(self, fraction: float) -> int:
        """The number of atoms that a volume fraction of the domain allows.

        Raises:
            ValueError: it leaves none besides the grips.
        """
        count = int(np.floor(fraction * np.count_nonzero(self.domain) + 1e-9))
        if count <= np.count_nonzero(self.held):
            raise refused("volume_fraction", "leave atoms besides the grips", f"is {fraction:g}")
        return count


def cantilever(
    cells: tuple[int, int, int],
    lattice_constant: float,
    axes: tuple[Direction, Direction, Direction] = CUBE,
    *,
    periodic: bool = True,
) -> Problem:
    """A beam along x between two grips one period long; the right one moves along y and does not turn.

    Args:
        cells: periods along the axes of the box.
        lattice_constant: in Å.
        axes: crystal directions of the axes of the box.
        periodic: repeat along z.
    """
    lattice = Lattice(cells, lattice_constant, axes)
    low, high = _ends(lattice)
    return Problem(lattice, low | high, np.outer(high, [0.0, 1.0, 0.0]), (False, False, periodic))


def pillar(
    cells: tuple[int, int, int],
    lattice_constant: float,
    axes: tuple[Direction, Direction, Direction] = CUBE,
    *,
    load: Literal["axial", "bending"] = "axial",
    envelope: Literal["square", "round"] = "square",
) -> Problem:
    """A pillar along x between two grips one period long; the right one moves along x, or along y without turning.

    Args:
        cells: periods along the axes of the box.
        lattice_constant: in Å.
        axes: crystal directions of the axes of the box.
        load: how the right grip moves.
        envelope: atoms anywhere in the box, or in the largest ellipse of its section only.
    """
    if load not in ("axial", "bending"):
        raise refused("load", 'be "axial" or "bending"', f"is {load!r}")
    if envelope not in ("square", "round"):
        raise refused("envelope", 'be "square" or "round"', f"is {envelope!r}")
    lattice = Lattice(cells, lattice_constant, axes)
    low, high = _ends(lattice)
    allowed = _inside_ellipse(lattice) if envelope == "round" else None
    return Problem(lattice, low | high, np.outer(high, [load == "axial", load == "bending", 0.0]), allowed=allowed)


def _ends(lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    if lattice.cells[0] < 3:
        raise refused("cells", "be at least 3 along x, two of them grips", f"is {lattice.cells[0]}")
    along = lattice.positions[:, 0] / (lattice.lengths[0] / lattice.cells[0])
    return along < 1 - _EDGE, along >= lattice.cells[0] - 1 - _EDGE


def _inside_ellipse(lattice: Lattice) -> Bool[np.ndarray, "n"]:
    """Sites inside the ellipse whose axes are as long as the box's edges, around the middle of its sites."""
    section = lattice.positions[:, 1:]
    middle = (section.min(0) + section.max(0)) / 2
    return np.asarray((((section - middle) / (lattice.lengths[1:] / 2)) ** 2).sum(1) <= 1 + _EDGE)


_KEYS = {"cells", "periodic", "axes", "envelope", "held", "moved"}


def read_problem(path: FileName, lattice_constant: float) -> Problem:
    """A problem from a TOML file: a box, what is held, and what is moved.

    Lengths are in periods of the lattice. Boxes hold the sites from `low` on to below `high`::

        cells = [24, 12, 2]
        periodic = [false, false, true]        # optional
        axes = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]   # optional
        envelope = "square"                    # or "round", about x; optional
        [[held]]
        low = [0, 0, 0]
        high = [1, 12, 2]
        [[moved]]
        low = [23, 0, 0]
        high = [24, 12, 2]
        direction = [0, 1, 0]

    Args:
        path: the file.
        lattice_constant: in Å.

    Raises:
        FileError: the file cannot be read, or is not as described.
    """
    with open_binary(path) as (file, _):
        try:
            told: dict[str, Any] = tomllib.loads(file.read().decode("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise file_error(path, "reading", "TOML", str(error).rstrip(".")) from None
    for key in sorted(set(told) - _KEYS):
        raise file_error(path, f"key {brief(key)}", f"one of {', '.join(sorted(_KEYS))}", "it is none of them")
    for key in sorted({"cells", "held", "moved"} - set(told)):
        raise file_error(path, f"key '{key}'", "a value", "there is none")
    try:
        axes = told.get("axes", CUBE)
        lattice = Lattice(tuple(told["cells"]), lattice_constant, axes)
        periodic = checked_cell(lattice.cell, told.get("periodic", [False] * 3)).pbc
        if told.get("envelope", "square") not in ("square", "round"):
            raise refused("envelope", 'be "square" or "round"', f"is {brief(told['envelope'])}")
        allowed = _inside_ellipse(lattice) if told.get("envelope") == "round" else None
        held, direction = np.zeros(len(lattice), bool), np.zeros((len(lattice), 3))
        for name in ("held", "moved"):
            for number, part in enumerate(_parts(told, name)):
                place, inside = f"{name} {number + 1}", _inside(lattice, part, f"{name} {number + 1}")
                if (held & inside).any():
                    raise refused(place, "share no site with another grip", "does")
                held |= inside
                if name == "moved":
                    direction[inside] = _numbers(part, "direction", place)
        return Problem(lattice, held, direction, periodic, allowed)
    except FileError:
        raise
    except (TypeError, ValueError) as error:
        raise file_error(path, "reading", "a problem", str(error).rstrip(".")) from None


def _parts(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    parts, keys = told[name], {"low", "high"} | ({"direction"} if name == "moved" else set())
    if not isinstance(parts, list) or not parts or any(not isinstance(p, dict) or set(p) != keys for p in parts):
        raise refused(name, f"be tables [[{name}]] with the keys {', '.join(sorted(keys))}", "is not")
    return parts


def _numbers(part: dict[str, Any], key: str, place: str) -> np.ndarray:
    value = part[key]
    good = isinstance(value, list) and len(value) == 3 and all(type(x) in (int, float) for x in value)
    if not good or not np.isfinite(value).all():
        raise refused(f"{key} of {place}", "be three finite numbers", f"is {brief(value)}")
    return np.array(value, float)


def _inside(lattice: Lattice, part: dict[str, Any], place: str) -> np.ndarray:
    low, high = (_numbers(part, key, place) for key in ("low", "high"))
    along = lattice.positions / (lattice.lengths / np.array(lattice.cells))
    inside = np.all((along >= low - _EDGE) & (along < high - _EDGE), axis=1)
    if not inside.any():
        raise refused(place, "hold some sites", f"holds none from {low.tolist()} to {high.tolist()}")
    return inside
