"""Stiffnesses that generators are asked for, drawn from a library by a rule that gives the same ones again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ..cells import checked_target
from ..dataset import Library
from ..elasticity import CubicConstants, Isotropic

KINDS = ("between", "test", "outside")
_LEAST, _MOST = 0.02, 0.10
_SMALL = 0.02  # C12 up to which its inverse hyperbolic sine is linear
_BEYOND = 0.05  # of a standard deviation
_PATIENCE = 10_000


class Targets(NamedTuple):
    """What cells are wanted.

    Attributes:
        constants: C11, C12, C44, relative to a solid with Young's modulus one, (n, 3).
        volume_fraction: (n,).
        kind: numbers in `KINDS`, (n,).
        origin: rows of the library's file that each was drawn from, (n, 2); the second one is −1 where there is none.
    """

    constants: Float[np.ndarray, "n 3"]
    volume_fraction: Float[np.ndarray, " n"]
    kind: Int[np.ndarray, " n"]
    origin: Int[np.ndarray, "n 2"]

    def stiffness(self, number: int) -> Float[np.ndarray, "6 6"]:
        """The tensor of one."""
        return np.asarray(CubicConstants(*self.constants[number]).stiffness)


_Drawn = tuple[np.ndarray, float, int, tuple[int, int]]


def draw_targets(library: Library, inside: int, outside: int = 0, seed: int = 0) -> Targets:
    """Targets inside the property space, then some just outside of it; a longer list begins as a shorter one does.

    - **between** (every second one of those inside): half-way between two training cells of different families, C and
      volume fraction, that are 2 to 10 % apart in the norm of C11, C12, C44.
    - **test** (the others): C and volume fraction of a cell of the test split, no relative of which is among the
      training cells.
    - **outside**: beyond all cells in a random direction of (ln C11, arsinh C12/0.02, ln C44), each in units of its
      standard deviation, by 5 % of one, from the outermost cell, whose volume fraction is asked for. What exceeds the
      bounds of Hashin and Shtrikman is left out.

    Args:
        library: with a training and a test split.
        inside: number of targets inside.
        outside: number of targets outside.
        seed: of the draw.

    Raises:
        ValueError: the library has no such cells, or less test cells than are asked for.

    Example:
        >>> import jaxmeta as jm
        >>> targets = jm.generation.draw_targets(jm.dataset.load(), 3, 1)
        >>> [jm.generation.KINDS[kind] for kind in targets.kind]
        ['between', 'test', 'between', 'outside']
    """
    within = _alternately(_between(library, seed), _test(library, seed))
    drawn = [*islice(within, inside), *islice(_outside(library, seed), outside)]
    if len(drawn) != inside + outside or not drawn:
        raise ValueError(
            f"Argument `library` must have cells for {inside + outside} targets, at least one, but has some for "
            f"{len(drawn)}: half of those inside are cells of its test split."
        )
    constants, volume, kind, origin = zip(*drawn, strict=True)
    return Targets(np.stack(constants), np.array(volume), np.array(kind), np.array(origin))


def _alternately(*sources: Iterator[_Drawn]) -> Iterator[_Drawn]:
    while True:
        for source in sources:
            found = next(source, None)
            if found is None:
                return
            yield found


def _between(library: Library, seed: int) -> Iterator[_Drawn]:
    training, rng = library.split("training"), np.random.default_rng([seed, 0])
    constants, family, volume = training.constants, training.column("family"), training.volume_fraction
    for _ in range(_PATIENCE if len(training) else 0):
        first = int(rng.integers(len(training)))
        away = np.linalg.norm(constants - constants[first], axis=1) / np.linalg.norm(constants[first])
        others = np.flatnonzero((away > _LEAST) & (away < _MOST) & (family != family[first]))
        if len(others):
            second = int(rng.choice(others))
            middle = (constants[first] + constants[second]) / 2, float(volume[first] + volume[second]) / 2
            yield *middle, 0, (int(training.rows[first]), int(training.rows[second]))


def _test(library: Library, seed: int) -> Iterator[_Drawn]:
    test = library.split("test")
    for number in np.random.default_rng([seed, 1]).permutation(len(test)):
        yield test.constants[number], float(test.volume_fraction[number]), 1, (int(test.rows[number]), -1)


def _outside(library: Library, seed: int) -> Iterator[_Drawn]:
    rng = np.random.default_rng([seed, 2])
    c11, c12, c44 = library.constants.T
    points = np.column_stack([np.log(c11), np.arcsinh(c12 / _SMALL), np.log(c44)])
    spread = points.std(axis=0)
    for _ in range(_PATIENCE):
        direction = rng.standard_normal(3)
        direction /= np.linalg.norm(direction)
        outermost = int(np.argmax(points / spread @ direction))
        x = points[outermost] + _BEYOND * spread * direction
        constants = np.array([np.exp(x[0]), _SMALL * np.sinh(x[1]), np.exp(x[2])])
        volume = float(library.volume_fraction[outermost])
        if _possible(constants, volume, library):
            yield constants, volume, 2, (int(library.rows[outermost]), -1)


def _possible(constants: np.ndarray, volume: float, library: Library) -> bool:
    """Whether a cell may have this stiffness at a volume fraction, by the bounds of Hashin and Shtrikman."""
    try:
        solid = Isotropic(1.0, float(np.asarray(library.solid.poisson)))
        checked_target(np.asarray(CubicConstants(*constants).stiffness), volume, solid)
    except ValueError:
        return False
    return True
