"""Make a binary cell more auxetic by small fits, each to a stiffness a little beyond that of the last one.

`jm.fit_stiffness` flips voxels at the interface, makes no hinge and no member thinner than two voxels, and leaves the
topology as it is. Every step asks for a lower Poisson's ratio at a smaller C11 and a larger C44, in fixed proportions,
and a step that does not gain is tried again with a shorter stride.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from heal import heal
from score import SCORER, SOLID

import jaxmeta as jm
from jaxmeta import geometry
from jaxmeta.elasticity import CubicConstants

SOFTER, STIFFER = 0.98, 1.01
"""What a step multiplies C11 and C44 by."""
STRIDE, SHORTER, PATIENCE = 0.005, 1.5, 6
"""What a step takes off Poisson's ratio at first; what that is divided by where a step does not gain; how often."""
GAIN = 5e-4
"""Less is none."""
MARGIN = 1.05
"""Times the smallest C11 is the least that is asked for."""


def walk(octant: np.ndarray, volume_fraction: float, least: float, steps: int = 100) -> np.ndarray:
    """The most auxetic cell that was met, of those that have the volume fraction and C11 that are asked for.

    Args:
        octant: 0 and 1, (n, n, n), of a cubic cell. Its hinges are filled first, and members of one voxel thickened or
            taken away, whichever leaves it more auxetic.
        volume_fraction: wanted within 0.002.
        least: smallest C11, in the solid's modulus.
        steps: most steps.

    Returns:
        An octant.

    Raises:
        ValueError: nothing that carries is left of the start, or no step led to such a cell.
    """
    starts = list(_starts(octant))
    if not starts:
        raise ValueError("Nothing that carries is left of the start without its thin members.")
    octant, before = min(starts, key=lambda start: start[1].poisson)
    best, stride, failed = None, STRIDE, 0
    for step in range(steps):
        c11, nu = max(SOFTER * before.c11, MARGIN * least), before.poisson - stride
        asked = CubicConstants(c11, c11 * nu / (1 - nu), STIFFER * before.c44).stiffness
        with suppress(ValueError, jm.SolverError):  # no cell can have this stiffness
            fitted = jm.fit_stiffness(
                octant, asked, solid=SOLID, volume_fraction=volume_fraction, tolerance=2e-3, max_solves=12, seed=step
            )
            found = fitted.scored.constants
            if found.poisson < before.poisson - GAIN:
                octant, before = fitted.cell, found
                if abs(fitted.scored.volume_fraction - volume_fraction) <= 0.002 and found.c11 >= least:
                    best = octant
                continue
        stride, failed = stride / SHORTER, failed + 1
        if failed == PATIENCE:
            break
    if best is None:
        raise ValueError("No step led to a cell of this volume fraction and C11.")
    return best


def _starts(octant: np.ndarray) -> Iterator[tuple[np.ndarray, CubicConstants]]:
    """Connected cells without hinges and members of one voxel, and their constants."""
    healed = geometry.clean(heal(np.asarray(jm.symmetry.unfold(np.asarray(octant, float))))).cell
    opened = jm.cells.clean(np.asarray(octant) > 0.5, "cubic", smallest_member=2, fill_hinges=True).density
    for start in (np.asarray(jm.symmetry.fold(np.asarray(healed))), np.asarray(opened, float)):
        if geometry.is_connected(np.asarray(jm.symmetry.unfold(start))):
            with suppress(jm.SolverError):
                constants = SCORER(start, "cubic").constants
                if constants.positive:
                    yield start, constants
