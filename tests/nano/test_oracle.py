"""Energies, forces, stresses and curvatures against LAMMPS and matscipy, whose numbers are in `oracle.npz`."""

from pathlib import Path

import numpy as np
import pytest

import jaxmeta as jm

DATA = np.load(Path(__file__).with_name("oracle.npz"))
POTENTIALS = {"mishin": jm.nano.mishin1999(), "zhou": jm.nano.zhou2004("Al")}
SYSTEMS = ["skewed", "thin", "cluster", "pair"]
CLOSE = {"mishin": 1e-9, "zhou": 2e-6}
"""In eV, Å. The numbers of "zhou" are those of a table of the closed form."""


def arguments(name):
    return DATA[f"{name}.positions"], DATA[f"{name}.cell"], tuple(DATA[f"{name}.pbc"].tolist())


@pytest.mark.parametrize("kind", POTENTIALS)
@pytest.mark.parametrize("name", SYSTEMS)
def test_lammps(name, kind):
    potential, where = POTENTIALS[kind], arguments(name)
    energies = jm.nano.energies(potential, *where)
    np.testing.assert_allclose(energies, DATA[f"{name}.{kind}.energies"], rtol=0, atol=min(CLOSE[kind], 5e-8))
    assert jm.nano.energy(potential, *where) == pytest.approx(energies.sum(), abs=1e-11)
    np.testing.assert_allclose(
        jm.nano.forces(potential, *where), DATA[f"{name}.{kind}.forces"], rtol=0, atol=CLOSE[kind]
    )
    if all(where[2]):
        found = jm.nano.stress(potential, *where)
        assert abs(found).max() > 1e-3
        np.testing.assert_allclose(found, DATA[f"{name}.{kind}.stress"], rtol=0, atol=CLOSE[kind])


@pytest.mark.parametrize("name", SYSTEMS)
def test_curvature_of_matscipy(name):
    """Of the closed form. Those of tables with few points depend on how they are interpolated."""
    where, cell, pbc = arguments(name)
    found = jm.nano.hessian_product(POTENTIALS["zhou"], where, DATA[f"{name}.field"], cell, pbc)
    np.testing.assert_allclose(found, DATA[f"{name}.zhou.product"], rtol=0, atol=2e-4)
