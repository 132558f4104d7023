"""Boxes: motions of atoms near to each other are bounded, and a body that moves as a whole keeps its table."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.nano import _neighbors
from jaxmeta.nano._boxes import boxes_of
from jaxmeta.nano._cells import checked_cell
from jaxmeta.nano._neighbors import table_of
from jaxmeta.nano._oracle import Oracle
from jaxmeta.nano._orbits import sites_of
from jaxmeta.nano._way import Left, Way

ZHOU = jm.nano.zhou2004("Al")
OPEN = (False, False, False)


@pytest.mark.parametrize("pbc", [OPEN, (True, False, True)])
def test_the_bound_holds_and_is_that_of_a_neighbourhood(pbc):
    """Against all pairs that are nearer than the edge of a box; the frame leaves some atoms out."""
    random = np.random.default_rng(0)
    length = np.array([62.0, 33.0, 47.0])
    where = length * random.uniform(size=(400, 3))
    boxes = boxes_of(where, checked_cell(length, pbc), 410, np.stack([0.1 * length, 0.9 * length]))
    assert boxes is not None
    smooth = 1e-3 * where * ~np.array(pbc) + 5.0
    shaken = smooth + 0.1 * random.normal(size=where.shape)
    apart = (where[:, :1] < 10.0) - 1.0 * (where[:, :1] > 52.0) * np.ones((1, 3))
    turns = [np.array(t) * length for t in product(*[(-1, 0, 1) if p else (0,) for p in pbc])]
    between = np.stack([np.linalg.norm(where[:, None] - where[None] + turn, axis=-1) for turn in turns]).min(0)
    for motion in (smooth, shaken, apart):
        filled = np.concatenate([motion, np.zeros((10, 3))])
        parting = np.linalg.norm(motion[:, None] - motion[None], axis=-1)
        bound = float(boxes.parting(jnp.asarray(filled.T)))
        assert parting[between < boxes.edge].max() <= bound
        assert bound <= np.sqrt(3) * parting.max()
    assert float(boxes.parting(jnp.asarray(np.concatenate([smooth, np.zeros((10, 3))]).T))) < 3e-3 * 20 * np.sqrt(3)


def test_a_long_body_keeps_its_table_where_it_stretches():
    """By 3 Å, where a table is certified for 0.7: the energies are those of a table of where the atoms are."""
    lattice = jm.nano.Lattice((80, 4, 4), 4.05)
    where, cell = np.asarray(lattice.positions), checked_cell(None, OPEN)
    table = table_of(where, ZHOU.cutoff + 0.7, cell).sorted()
    moved = jnp.asarray((where * [0.01, -0.003, -0.003]).T)
    assert float(jnp.abs(moved).max()) > 3 and bool(table.certified(moved, ZHOU.cutoff))
    occupancy = jnp.ones(len(where))
    found = jax.jit(jm.nano.site_energies)(ZHOU, jm.nano.Geometry(table, moved, occupancy))
    anew = table_of(where + np.asarray(moved).T, ZHOU.cutoff + 0.7, cell).sorted()
    expected = jax.jit(jm.nano.site_energies)(ZHOU, jm.nano.Geometry(anew, jnp.zeros_like(moved), occupancy))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert not bool(table.certified(moved.at[1, 700].add(1.5), ZHOU.cutoff))


def test_parts_that_come_from_afar_are_not_certified():
    """Each moves as a whole, and no box of one touches a box of the other, until they meet."""
    block = np.asarray(jm.nano.Lattice((10, 10, 8), 4.05).positions)
    where = np.concatenate([block, block + np.array([75.0, 0, 0])])
    table = table_of(where, ZHOU.cutoff + 0.7, checked_cell(None, OPEN)).sorted()
    towards = np.repeat([[1.0, 0, 0], [-1.0, 0, 0]], len(block), 0).T
    assert bool(table.certified(jnp.asarray(1.0 * towards), ZHOU.cutoff))
    assert not bool(table.certified(jnp.asarray(16.0 * towards), ZHOU.cutoff))


@pytest.mark.parametrize("pbc", [OPEN, (True, False, True)])
def test_apart_from_those_around(pbc):
    """A motion of all is none, and a lone mover's is its own but for its share of the mean."""
    length = np.array([62.0, 33.0, 47.0])
    where = length * np.random.default_rng(1).uniform(size=(4000, 3))
    boxes = boxes_of(where, checked_cell(length, pbc), 4010)
    assert boxes is not None
    motion = np.pad(np.full((3, 4000), 2.0), [(0, 0), (0, 10)])
    np.testing.assert_allclose(boxes.apart(jnp.asarray(motion))[:4000], 0, atol=1e-12)
    motion[0, 123] += 1.0
    apart = np.asarray(boxes.apart(jnp.asarray(motion)))
    assert apart.argmax() == 123 and 0.99 < apart[123] < 1.0 and np.sort(apart[:4000])[-2] < 0.01


@pytest.mark.slow
def test_loose_atoms_come_to_rest_among_the_others(monkeypatch):
    """Two atoms beside a bar, one of them held: the other comes to rest, and so does the bar, in few steps."""
    monkeypatch.setattr(_neighbors, "_LARGE", 300)
    where = np.asarray(jm.nano.Lattice((24, 3, 3), 4.05).positions)
    top = where.max(0)
    where = np.concatenate([where, [[31.0, 5.5, top[2] + 3.2], [70.0, 5.5, top[2] + 1.9]]])
    held = (where[:, 0] < 4) | (where[:, 0] > top[0] - 4)
    held[-1] = True
    cell, loose = checked_cell(None, OPEN), np.zeros(len(where), bool)
    loose[-2:] = True
    way = Way(ZHOU, where, held, cell, np.ones(len(where)))
    eased = way._eased(where, loose, True)
    far = np.linalg.norm(where - where[-2], axis=1) > 9.0
    far &= np.linalg.norm(where - where[-1], axis=1) > 9.0
    assert (eased[far | held] == where[far | held]).all() and np.linalg.norm(eased[-2] - where[-2]) > 1.0
    forces = jm.nano.forces(ZHOU, eased)
    assert abs(forces[~far & ~held]).max() < 1e-3 < abs(forces[far & ~held]).max()
    with pytest.raises(Left, match="left their sites") as caught:
        Way(ZHOU, where, held, cell, np.ones(len(where)), stay=True)._eased(where, loose, True)
    assert caught.value.atoms[-2] and not caught.value.atoms[far].any()
    assert (caught.value.where == where).all()
    relaxed = jm.nano.relax(ZHOU, where, held)
    assert relaxed.force < 1e-9 and relaxed.steps <= 12 and relaxed.lowest_eigenvalue > 0
    _those_that_stay()


def _those_that_stay():
    """Two atoms above a bar leave as it is relaxed, with some at its edges; without them it comes to rest."""
    problem = jm.nano.pillar((24, 6, 3), 4.05)
    x, y, _ = (problem.lattice.positions / 4.05).T
    above = [int(np.argmin(np.linalg.norm(problem.lattice.positions / 4.05 - spot, axis=1)))
             for spot in ([6, 3.5, 1.5], [18, 3.5, 1.5])]  # fmt: skip
    occupied = (y < 3) | problem.held
    occupied[above] = True
    with jax.enable_x64(True):
        oracle = Oracle(ZHOU, problem, sites_of(problem, False), int(occupied.sum()))
        found = oracle.evaluate(occupied, stay=True)
        assert found.left is not None and found.left[above].all()
        first = occupied & ~found.left
        there = oracle.staying(first, found.positions, 100)
        assert (there <= first).all() and (occupied & ~there).sum() < 100
        assert oracle.evaluate(there, stay=True).sound
        np.testing.assert_array_equal(oracle.staying(occupied, problem.lattice.positions, 0), first)
