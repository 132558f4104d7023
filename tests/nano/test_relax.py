"""Relaxation of atoms of several kinds, and instabilities."""

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta._numbers import refused
from jaxmeta.nano import _relax, _way

ZHOU = jm.nano.zhou2004("Al")
A0 = 4.0502475


def test_a_cluster_with_nothing_held():
    lattice = jm.nano.Lattice((3, 3, 3), A0)
    where = lattice.positions - 1.5 * A0
    where = where[(where**2).sum(1) < 4.2**2]
    where = where + 0.05 * np.random.default_rng(0).normal(size=where.shape)
    ball = jm.nano.relax(ZHOU, where)
    assert abs(jm.nano.forces(ZHOU, ball.positions)).max() < 1e-9
    assert ball.energy == pytest.approx(jm.nano.energy(ZHOU, ball.positions), abs=1e-10)
    assert ball.energy < jm.nano.energy(ZHOU, where) - 0.1
    assert abs(ball.lowest_eigenvalue) < 1e-6  # it can turn and go


def test_a_vacancy_in_a_periodic_cell():
    lattice = jm.nano.Lattice((3, 3, 3), A0)
    vacancy = jm.nano.relax(ZHOU, lattice.positions[1:], cell=lattice.cell, pbc=(True, True, True))
    energy = vacancy.energy - (len(lattice) - 1) * jm.nano.crystal(ZHOU).energy
    assert energy == pytest.approx(0.652, abs=0.01)


def chain():
    """Four atoms on a line whose ends are held closer than they like."""
    where = np.array([[0.0, 0, 0], [2.0, 0, 0], [4.0, 0, 0], [6.0, 0, 0]])
    return where, np.array([True, False, False, True])


def test_a_saddle_is_left_or_refused():
    where, held = chain()
    with pytest.raises(jm.nano.RelaxationError, match=r"^The atoms are unstable: .*\.$"):
        jm.nano.relax(ZHOU, where, held, follow=False)
    bent = jm.nano.relax(ZHOU, where, held)
    assert bent.instabilities >= 1 and bent.lowest_eigenvalue > -1e-6
    assert abs(bent.positions[1:3, 1:]).max() > 0.3
    assert bent.force < 1e-9


def gone_far():
    """A pair that is held, and an atom far from it."""
    return np.array([[0.0, 0, 0], [2.9, 0, 0], [6.0, 3.2, 0.5]]), np.array([True, True, False])


def test_atoms_go_far():
    """Tables of neighbours are made anew on the way."""
    where, held = gone_far()
    done = jm.nano.relax(ZHOU, where, held)
    assert np.linalg.norm(done.positions[2] - where[2]) > 1.5
    assert abs(jm.nano.forces(ZHOU, done.positions)[2]).max() < 1e-9


def test_too_few_steps():
    where, held = chain()
    with pytest.raises(jm.nano.RelaxationError, match="max_steps"):
        jm.nano.relax(ZHOU, where + 0.1 * np.arange(12).reshape(4, 3), held, max_steps=1)


def test_everything_held():
    where, held = chain()
    done = jm.nano.relax(ZHOU, where, np.ones(4, bool))
    assert done.steps == 0 and done.lowest_eigenvalue == np.inf
    np.testing.assert_array_equal(done.positions, where)


def test_a_slide_ends_where_newton_does(monkeypatch):
    """From the same place to the same minimum, where Newton's method is given up after a step."""
    where, held = gone_far()
    plain = jm.nano.relax(ZHOU, where, held)
    monkeypatch.setattr(_relax, "_MANY", 1)
    slid = jm.nano.relax(ZHOU, where, held)
    assert slid.steps < plain.steps / 2 and slid.force < 1e-9
    assert slid.energy == pytest.approx(plain.energy, abs=1e-9)
    with pytest.raises(jm.nano.RelaxationError, match="in 1 steps"):  # it counts the steps before the slide
        jm.nano.relax(ZHOU, where, held, max_steps=1)


def test_an_atom_passes_an_empty_site():
    """It comes within 1 Å of it, and rests as it does without the site; it may turn about the pair."""
    where, held = gone_far()
    plain = jm.nano.relax(ZHOU, where, held)
    site = 0.5 * (where[2] + plain.positions[2])
    done = jm.nano.relax(ZHOU, [*where, site], [*held, False], occupancy=[1.0, 1.0, 1.0, 0.0])
    assert done.energy == pytest.approx(plain.energy, abs=1e-9)
    apart = [np.linalg.norm(there[2] - there[:2], axis=1) for there in (done.positions, plain.positions)]
    np.testing.assert_allclose(*apart, atol=1e-6)
    np.testing.assert_array_equal(done.positions[3], site)
    with pytest.raises(ValueError, match="1 Å apart"):
        jm.nano.relax(ZHOU, [*where, where[0] + 0.5], [*held, False], occupancy=[1.0, 1.0, 1.0, 0.5])


@pytest.mark.parametrize("often", [1, 9])
def test_atoms_that_met_are_taken_back(monkeypatch, often):
    """To where they began, once; an error if they meet again."""
    where, held = gone_far()
    plain = jm.nano.relax(ZHOU, where, held)
    made, tables = _way.body_of, []

    def body_of(potential, where, *rest, **options):
        tables.append(where)
        if 1 < len(tables) <= 1 + often and len(tables) != 3:
            raise refused("positions", "keep atoms 1 Å apart", "does not")
        return made(potential, where, *rest, **options)

    monkeypatch.setattr(_way, "body_of", body_of)
    if often == 1:
        done = jm.nano.relax(ZHOU, where, held)
        np.testing.assert_array_equal(tables[2], where)
        assert done.energy == pytest.approx(plain.energy, abs=1e-9)
    else:
        with pytest.raises(jm.nano.RelaxationError, match=r"^Atoms met .*\.$"):
            jm.nano.relax(ZHOU, where, held)
