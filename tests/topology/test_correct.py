"""Targets that a binary cell misses: the nearest stiffness that meets them, and the cell that has it."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.cells import Cell, Scorer
from jaxmeta.topology import Continuation
from jaxmeta.topology._correct import aimed, corrected, targets
from jaxmeta.topology._optimize import Course
from jaxmeta.topology._printable import Making
from jaxmeta.topology._setup import Settings

SOLID = jm.Isotropic(1.0, 0.3)


def young(c, _):
    return jm.elasticity.voigt_average(c).young


def poisson(c, _):
    return jm.elasticity.voigt_average(c).poisson


def settings(objective, *constraints):
    return Settings(
        objective,
        SOLID,
        0.5,
        "cubic",
        constraints,
        jm.SIMP(),
        Continuation(),
        None,
        (1.0,) * 3,
        None,
        Course(),
        Making(2),
    )


@pytest.fixture(scope="module")
def cell():
    """Rounded bars along the axes and the diagonals, sixteen voxels an octant: neither isotropic nor far from it."""
    x, y, z = np.meshgrid(*[(np.arange(16) + 0.5) / 16] * 3, indexing="ij")
    waves = np.cos(np.pi * x) + np.cos(np.pi * y) + np.cos(np.pi * z)
    return Scorer(SOLID)(np.asarray(waves > 0.35, float), "cubic")


def test_targets_are_met_by_flips(cell):
    """Young's modulus of the lightest cell comes down to its bound, Zener's ratio within what is allowed."""
    now, zener = float(young(cell.stiffness, None)), float(cell.constants.zener)
    asked = (
        jm.constraints.at_least(young, 0.97 * now, "Young's modulus"),
        jm.constraints.near(poisson, 1.01 * float(poisson(cell.stiffness, None)), 0.002, "Poisson's ratio"),
        jm.constraints.isotropic(1.05 * abs(zener - 1)),
    )
    lightest = settings(jm.objectives.minimize_volume(), *asked)
    density = corrected(targets(lightest), lightest, None, cell)
    found = Scorer(SOLID)(density, "cubic")
    assert young(found.stiffness, None) == pytest.approx(0.97 * now, rel=1e-3)
    assert all(float(constraint(jnp.asarray(found.stiffness), jnp.asarray(found.cell))) < 5e-3 for constraint in asked)
    assert found.volume_fraction < cell.volume_fraction and found.facts.thin == 0 and found.facts.connected
    # For a stiffest cell more than enough is no fault.
    stiffest = aimed(targets(settings(jm.objectives.maximize_bulk(), *asked)), cell)
    assert young(stiffest, None) > 0.99 * now


def test_the_nearest_stiffness(cell):
    """Without symmetry, too; nothing moves that need not, and without a target there is nothing to do."""
    general = Cell(cell.cell, "none", np.asarray(cell.stiffness) * (1 + 0.02 * np.eye(6)), SOLID)
    asked = targets(
        settings(jm.objectives.maximize_bulk(), jm.constraints.near(lambda c, _: c[0, 0], 0.3, 0.01, "C11"))
    )
    found = aimed(asked, general)
    change = found - general.stiffness
    assert found[0, 0] == pytest.approx(0.3, rel=1e-6)
    assert abs(np.delete(change.ravel(), 0)).max() < 1e-6 * abs(change[0, 0])
    assert not targets(settings(jm.objectives.maximize_bulk(), jm.constraints.at_least(young, 0.1)))
    assert aimed([jm.constraints.near(young, 3.0, 0.01, "E")], cell) is None
