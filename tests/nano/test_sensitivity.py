"""Derivatives by occupancies against differences of stiffnesses, and changes by whole atoms against new solves."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

import jaxmeta as jm
from tests.arguments import refuses
from tests.nano import make_removals

ZHOU = jm.nano.zhou2004("Al")
A0 = 4.0502475
REMOVED = np.load(Path(__file__).with_name("removals.npz"))


@cache
def bar():
    """Positions, held atoms and direction of a bar with a notch, and empty sites in it."""
    lattice = jm.nano.Lattice((6, 2, 2), A0)
    where = lattice.positions
    notch = (abs(where[:, 0] - 12) < 1.9) & (where[:, 1] > 5)
    low, high = where[:, 0] < A0 - 0.1, where[:, 0] > 5 * A0 - 0.1
    direction = np.outer(high, [0.8, 0.6, 0.0])
    return where[~notch], (low | high)[~notch], direction[~notch], where[notch]


@cache
def solved():
    where, held, direction, empty = bar()
    s = jm.nano.stiffness(ZHOU, where, held, direction)
    return s, jm.nano.sensitivities(ZHOU, s, held, empty)


def slope_from(k, values, h):
    """Of fourth order, from values at h, 2h, 3h, 4h on one side."""
    return (-25 / 12 * k + 4 * values[0] - 3 * values[1] + 4 / 3 * values[2] - values[3] / 4) / h


def test_occupied_sites():
    _, held, direction, _ = bar()
    s, found = solved()
    h = 1e-3
    atom = int(np.argmax(abs(found.occupied) * ~held))
    values = []
    for k in range(1, 5):
        occupancy = np.ones(len(held))
        occupancy[atom] = 1 - k * h
        values.append(jm.nano.stiffness(ZHOU, s.positions, held, direction, occupancy=occupancy, tolerance=1e-11).k)
    assert found.occupied[atom] == pytest.approx(-slope_from(s.k, values, h), rel=1e-6)


def test_empty_sites():
    _, held, direction, _ = bar()
    s, found = solved()
    assert found.stays.any()
    site = int(np.argmax(abs(found.empty)))
    h = 3e-4
    values = []
    for k in range(1, 5):
        occupancy = np.append(np.ones(len(held)), k * h)
        where = np.concatenate([s.positions, found.places[site : site + 1]])
        more = np.append(held, False), np.concatenate([direction, np.zeros((1, 3))])
        values.append(jm.nano.stiffness(ZHOU, where, *more, occupancy=occupancy, tolerance=1e-12).k)
    assert found.empty[site] == pytest.approx(slope_from(s.k, values, h), rel=3e-6)


def test_shares_of_the_site_rule_sum_to_the_stiffness():
    s, found = solved()
    assert found.site.sum() == pytest.approx(s.k, rel=1e-9)


@cache
def one_less():
    """A free atom whose removal leaves a stable body, what patches of the whole body make of it, and the body."""
    _, held, direction, _ = bar()
    s, found = solved()
    free = np.flatnonzero(~held)
    change = jm.nano.removals(ZHOU, s, found, held, free, radius=100.0)
    calm = change.force < 1e-6
    assert calm.sum() > 3
    chosen = int(np.argmax(abs(change.k) * calm))
    rest = np.arange(len(held)) != free[chosen]
    less = jm.nano.stiffness(ZHOU, s.positions[rest], held[rest], direction[rest])
    return rest, (change.k[chosen], change.energy[chosen]), less


def test_a_patch_of_the_whole_body_is_exact():
    _, change, less = one_less()
    s, _ = solved()
    assert change[0] == pytest.approx(less.k - s.k, rel=1e-3)
    assert change[1] == pytest.approx(less.energy - s.energy, abs=1e-8)


def test_an_atom_that_comes_back():
    rest, change, less = one_less()
    _, held, _, _ = bar()
    s, _ = solved()
    found = jm.nano.sensitivities(ZHOU, less, held[rest])
    back = jm.nano.additions(ZHOU, less, found, held[rest], s.positions[~rest], radius=100.0)
    assert back.force[0] < 1e-6
    assert back.k[0] == pytest.approx(s.k - less.k, rel=1e-3)
    assert back.energy[0] == pytest.approx(-change[1], abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["holes", "notch"])
def test_patches_rank_removals(name):
    where, held, direction, cell = make_removals.beam(name)
    s = jm.nano.stiffness(ZHOU, where, held, direction, cell, make_removals.PBC)
    assert s.k == pytest.approx(float(REMOVED[f"{name}.k"]), rel=1e-6)
    derivatives = jm.nano.sensitivities(ZHOU, s, held, None, cell, make_removals.PBC)
    atoms = make_removals.chosen(held)
    change = jm.nano.removals(ZHOU, s, derivatives, held, atoms, cell, make_removals.PBC)
    assert spearmanr(change.k, REMOVED[f"{name}.changes"]).statistic >= 0.95


def test_wrong_arguments(unchecked):
    s, found = solved()
    _, held, _, _ = bar()
    refuses("atoms", jm.nano.removals, ZHOU, s, found, held, [int(np.argmax(held))])
    refuses("atoms", jm.nano.removals, ZHOU, s, found, held, [10**6])
    refuses("atoms", jm.nano.removals, ZHOU, s, found, held, [0.5])
    refuses("held", jm.nano.sensitivities, ZHOU, s, held[:-1])
    refuses("empty", jm.nano.sensitivities, ZHOU, s, held, np.zeros(3))
    refuses("solved", jm.nano.sensitivities, ZHOU, None, held)
