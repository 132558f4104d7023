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


def walk(octant: np.ndarray, volume_fraction: float, least: float, steps: int = 100) -> np.ndarray:
    """The most auxetic cell that was met.

    Args:
        octant: 0 and 1, (n, n, n), of a cubic cell. Its hinges are filled first, and members of one voxel thickened or
            taken away, whichever leaves it more auxetic.
        volume_fraction: wanted within 0.002.
        least: C11 is not asked to be below that, in the solid's modulus.
        steps: most steps.

    Returns:
        An octant.
    """
    starts = [
        (start, constants) for start in _starts(octant) if (constants := SCORER(start, "cubic").constants).positive
    ]
    if not starts:
        raise ValueError("Nothing that carries is left of the start without its thin members.")
    octant, before = min(starts, key=lambda start: start[1].poisson)
    stride, failed = STRIDE, 0
    for step in range(steps):
        c11, nu = max(SOFTER * before.c11, least), before.poisson - stride
        asked = CubicConstants(c11, c11 * nu / (1 - nu), STIFFER * before.c44).stiffness
        fitted = None
        with suppress(ValueError, jm.SolverError):  # no cell can have this stiffness, or the start is no cell
            fitted = jm.fit_stiffness(
                octant, asked, solid=SOLID, volume_fraction=volume_fraction, tolerance=2e-3, max_solves=12, seed=step
            )
        if fitted is not None and fitted.scored.constants.poisson < before.poisson - GAIN:
            octant, before = fitted.cell, fitted.scored.constants
            continue
        stride, failed = stride / SHORTER, failed + 1
        if failed == PATIENCE:
            break
    return octant


def _starts(octant: np.ndarray) -> Iterator[np.ndarray]:
    """Connected cells without hinges and members of one voxel."""
    healed = geometry.clean(heal(np.asarray(jm.symmetry.unfold(np.asarray(octant, float))))).cell
    opened = jm.cells.clean(np.asarray(octant) > 0.5, "cubic", smallest_member=2, fill_hinges=True).density
    for start in (np.asarray(jm.symmetry.fold(np.asarray(healed))), np.asarray(opened, float)):
        if geometry.is_connected(np.asarray(jm.symmetry.unfold(start))):
            yield start
