"""Derivatives by occupancies against differences of stiffnesses, and changes by whole atoms against new solves."""

from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.stats import spearmanr

import jaxmeta as jm
from jaxmeta.nano import _patches
from jaxmeta.nano._cells import checked_cell
from tests.arguments import refuses
from tests.nano import make_removals
from tests.nano.bars import A0, ZHOU, bar, solved

REMOVED = np.load(Path(__file__).with_name("removals.npz"))


@cache
def found():
    _, held, _, empty = bar()
    return jm.nano.sensitivities(ZHOU, solved(), held, empty)


def slope_from(k, values, h):
    """Of fourth order, from values at h, 2h, 3h, 4h on one side."""
    return (-25 / 12 * k + 4 * values[0] - 3 * values[1] + 4 / 3 * values[2] - values[3] / 4) / h


@pytest.mark.slow
def test_occupied_and_empty_sites():
    _occupied_sites()
    _empty_sites()


def _occupied_sites():
    _, held, direction, _ = bar()
    where = solved().positions
    h = 1e-3
    atom = int(np.argmax(abs(found().occupied) * ~held))
    values = []
    for k in range(1, 5):
        occupancy = np.ones(len(held))
        occupancy[atom] = 1 - k * h
        values.append(jm.nano.stiffness(ZHOU, where, held, direction, occupancy=occupancy, tolerance=1e-11).k)
    assert found().occupied[atom] == pytest.approx(-slope_from(solved().k, values, h), rel=1e-6)


def _empty_sites():
    _, held, direction, _ = bar()
    assert found().stays.any()
    site = int(np.argmax(abs(found().empty)))
    h = 3e-4
    values = []
    for k in range(1, 5):
        occupancy = np.append(np.ones(len(held)), k * h)
        where = np.concatenate([solved().positions, found().places[site : site + 1]])
        more = np.append(held, False), np.concatenate([direction, np.zeros((1, 3))])
        values.append(jm.nano.stiffness(ZHOU, where, *more, occupancy=occupancy, tolerance=1e-12).k)
    assert found().empty[site] == pytest.approx(slope_from(solved().k, values, h), rel=3e-6)


@pytest.mark.slow
def test_shares_and_patches_of_the_whole_body():
    _shares_of_the_site_rule_sum_to_the_stiffness()
    _a_patch_of_the_whole_body_is_exact()
    _an_atom_that_comes_back()


def _shares_of_the_site_rule_sum_to_the_stiffness():
    assert found().site.sum() == pytest.approx(solved().k, rel=1e-9)


@cache
def one_less():
    """A free atom whose removal leaves a stable body, what patches of the whole body make of it, and the body."""
    _, held, direction, _ = bar()
    s = solved()
    chosen = np.array([25, 41])  # without which others stay near their places
    change = jm.nano.removals(ZHOU, s, found(), held, chosen, radius=100.0)
    assert (change.force < 1e-6).all() and abs(change.k).max() > 0.01 * s.k
    first = int(np.argmax(abs(change.k)))
    rest = np.arange(len(held)) != chosen[first]
    less = jm.nano.stiffness(ZHOU, s.positions[rest], held[rest], direction[rest])
    return rest, (change.k[first], change.energy[first]), less


def _a_patch_of_the_whole_body_is_exact():
    _, change, less = one_less()
    s = solved()
    assert change[0] == pytest.approx(less.k - s.k, rel=1e-3)
    assert change[1] == pytest.approx(less.energy - s.energy, abs=1e-8)


def _an_atom_that_comes_back():
    rest, change, less = one_less()
    _, held, _, empty = bar()
    s = solved()
    derivatives = jm.nano.sensitivities(ZHOU, less, held[rest])
    sites = np.concatenate([s.positions[~rest], empty[:1]])  # as many patches as above
    back = jm.nano.additions(ZHOU, less, derivatives, held[rest], sites, radius=100.0)
    assert back.force[0] < 1e-6
    assert back.k[0] == pytest.approx(s.k - less.k, rel=1e-3)
    assert back.energy[0] == pytest.approx(-change[1], abs=1e-8)


@pytest.mark.slow
def test_patches_need_only_what_is_around_them(monkeypatch):
    """Of a long body most is left out; with all of it the numbers are the same."""
    rng = np.random.default_rng(0)
    lattice = jm.nano.Lattice((16, 2, 2), A0)
    where, sites = np.delete(lattice.positions, 200, axis=0), lattice.positions[200:201]
    path = _patches.Path(where + rng.normal(size=where.shape) * 0.02, *rng.normal(size=(2, *where.shape)) * 0.1)
    held, box = where[:, 0] < 4, checked_cell(lattice.cell, (False, True, True))
    numbers = np.array([40, len(where), 180])
    with jax.enable_x64(True):
        cut = _patches.changes_of(ZHOU, path, held, sites, numbers, box, radius=3.0)
        kept = _patches._within(path.positions, path.positions[numbers[:1]], 3 + 2 * _patches._reach(ZHOU), box)
        assert len(kept) < 0.5 * len(where)
        monkeypatch.setattr(_patches, "_within", lambda where, *_: np.arange(len(where)))
        whole = _patches.changes_of(ZHOU, path, held, sites, numbers, box, radius=3.0)
    for a, b in zip(cut, whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
def test_patches_rank_removals():
    for name in ("holes", "notch"):
        _patches_rank_removals(name)


def _patches_rank_removals(name):
    where, held, direction, cell = make_removals.beam(name)
    s = jm.nano.stiffness(ZHOU, where, held, direction, cell, make_removals.PBC)
    assert s.k == pytest.approx(float(REMOVED[f"{name}.k"]), rel=1e-6)
    derivatives = jm.nano.sensitivities(ZHOU, s, held, None, cell, make_removals.PBC)
    atoms = make_removals.chosen(held)
    change = jm.nano.removals(ZHOU, s, derivatives, held, atoms, cell, make_removals.PBC)
    assert spearmanr(change.k, REMOVED[f"{name}.changes"]).statistic >= 0.95


def test_wrong_arguments(unchecked):
    s, (_, held, _, _) = solved(), bar()
    refuses("atoms", jm.nano.removals, ZHOU, s, found(), held, [int(np.argmax(held))])
    refuses("atoms", jm.nano.removals, ZHOU, s, found(), held, [10**6])
    refuses("atoms", jm.nano.removals, ZHOU, s, found(), held, [0.5])
    refuses("held", jm.nano.sensitivities, ZHOU, s, held[:-1])
    refuses("empty", jm.nano.sensitivities, ZHOU, s, held, np.zeros(3))
    refuses("solved", jm.nano.sensitivities, ZHOU, None, held)
