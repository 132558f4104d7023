"""Strains around atoms."""

import numpy as np
import pytest

import jaxmeta as jm


def test_a_uniform_strain_is_found_everywhere():
    """At surfaces and through a thin periodic axis, too; a rotation strains nothing."""
    lattice = jm.nano.Lattice((4, 3, 1), 4.05)
    slope = np.random.default_rng(0).normal(size=(3, 3))
    slope[:, 2] = 0  # what repeats along z does not grow along it
    where = lattice.positions + 0.05 * np.random.default_rng(1).normal(size=lattice.positions.shape)
    cell, pbc = lattice.cell, (False, False, True)
    found = jm.nano.local_strain(where, where @ slope.T, 3.6, cell, pbc)
    e = 0.5 * (slope + slope.T)
    expected = [e[0, 0], e[1, 1], e[2, 2], 2 * e[1, 2], 2 * e[0, 2], 2 * e[0, 1]]
    np.testing.assert_allclose(found, np.tile(expected, (len(where), 1)), atol=1e-12)
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 0]])
    assert np.abs(jm.nano.local_strain(where, where @ turn.T, 3.6, cell, pbc)).max() < 1e-12


def test_a_row_of_atoms_has_no_strain_across():
    row = np.outer(np.arange(4), [2.8, 0, 0])
    np.testing.assert_allclose(
        jm.nano.local_strain(row, 0.1 * row, 3.0), np.tile([0.1, 0, 0, 0, 0, 0], (4, 1)), atol=1e-12
    )


def test_refusals(unchecked):
    row = np.outer(np.arange(4), [2.8, 0, 0])
    with pytest.raises(ValueError, match="`motion`"):
        jm.nano.local_strain(row, row[:2], 3.0)
    with pytest.raises(ValueError, match="`radius`"):
        jm.nano.local_strain(row, row, 0.0)
