"""The crystal of each potential against published and independently computed numbers, and the committed table."""

import json
from pathlib import Path

import pytest

import jaxmeta as jm
from experiments.nano import properties

POTENTIALS = {"mishin1999": jm.nano.mishin1999(), "zhou2004": jm.nano.zhou2004("Al")}
EXPECTED = {
    "mishin1999": (4.050005, -3.360000, 113.79, 61.55, 31.59, 0.6759, 0.9436, 1.0060, 0.8705),
    "zhou2004": (4.050247, -3.579979, 106.88, 60.47, 28.27, 0.6520, None, 1.0314, None),
}
"""Lattice constant, energy, C11, C12, C44; vacancy, surfaces of {100}, {110}, {111}, of other programs."""
CLOSE = (2e-6, 1e-6, 0.01, 0.01, 0.01, 3e-3, 2e-3, 2e-3, 2e-3)
TABLE = json.loads(Path(properties.__file__).with_name("properties.json").read_text("utf-8"))


@pytest.mark.parametrize("name", POTENTIALS)
def test_crystal(name):
    solid = jm.nano.crystal(POTENTIALS[name])
    found = (solid.lattice_constant, solid.energy, *(properties.GPA * c for c in (solid.c11, solid.c12, solid.c44)))
    for value, committed, expected, close in zip(found, TABLE[name].values(), EXPECTED[name], CLOSE, strict=False):
        assert value == pytest.approx(expected, abs=close)
        assert value == pytest.approx(committed, abs=1e-7)


@pytest.mark.parametrize("name", POTENTIALS)
def test_the_committed_table(name):
    for value, expected, close in zip(TABLE[name].values(), EXPECTED[name], CLOSE, strict=True):
        assert expected is None or value == pytest.approx(expected, abs=close)


def test_a_surface():
    found = properties.surface(POTENTIALS["zhou2004"], "100")
    assert found == pytest.approx(TABLE["zhou2004"]["surface_100_J_per_m2"], abs=1e-6)


def test_an_element_that_is_not_there(unchecked):
    with pytest.raises(ValueError, match=r"^Argument `potential` must be of type EAM"):
        jm.nano.crystal("Al")
