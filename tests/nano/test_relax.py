"""Relaxation of atoms of several kinds, and instabilities."""

import numpy as np
import pytest

import jaxmeta as jm

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


def test_atoms_go_far():
    """Tables of neighbours are made anew on the way."""
    where = np.array([[0.0, 0, 0], [2.9, 0, 0], [6.0, 3.2, 0.5]])
    done = jm.nano.relax(ZHOU, where, np.array([True, True, False]))
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


@cache
def ragged():
    """A short pillar with free faces all round, of which every third atom is gone."""
    problem = jm.nano.pillar((5, 2, 2), A0)
    there = problem.held | (np.random.default_rng(3).random(len(problem.lattice)) < 0.7)
    return problem.lattice.positions[there], problem.held[there]


def test_a_slide_ends_where_newton_does():
    """From the same place to the same minimum, by forces alone."""
    where, held = chain()
    where = where + 0.1 * np.random.default_rng(0).normal(size=where.shape) * ~held[:, None]
