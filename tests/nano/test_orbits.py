"""Symmetry, shells, filter and cleaning of sites, against what a lattice is known to have."""

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.nano._orbits import SHELLS, sites_of

A0 = 4.05


@pytest.mark.parametrize(
    ("problem", "order"),
    [
        (jm.nano.cantilever((6, 3, 2), A0), 16),  # three mirrors with a glide, and the shift along z
        (jm.nano.cantilever((6, 3, 2), A0, periodic=False), 4),  # products of two mirrors
        (jm.nano.pillar((6, 3, 3), A0, envelope="round"), 4),
        (jm.nano.cantilever((4, 3, 2), A0, ((1, 1, 0), (-1, 1, 0), (0, 0, 1))), 8),
    ],
)
def test_symmetries_leave_the_body_alone(problem, order):
    """Energies of perfect sites are alike on an orbit, and so are those of their halves, a design."""
    sites = sites_of(problem)
    assert sites.order == order and (sites.size == np.bincount(sites.orbit)).all()
    rng = np.random.default_rng(0)
    design = (problem.domain & (rng.random(len(sites.size))[sites.orbit] < 0.7)) | problem.held
    energies = jm.nano.energies(
        jm.nano.zhou2004("Al"), problem.lattice.positions, problem.lattice.cell, problem.pbc, design.astype(float)
    )
    np.testing.assert_allclose(sites.alike(energies), energies, atol=1e-10)


def test_no_symmetry_that_the_load_has_not():
    """A grip that moves askew leaves the turn about z alone; one that is longer nothing but the mirror across y."""
    lattice = jm.nano.Lattice((6, 3, 2), A0)
    x = lattice.positions[:, 0] / A0
    askew = jm.nano.Problem(lattice, (x < 1) | (x >= 5), np.outer(x >= 5, [0.3, 1.0, 0.0]), (False, False, True))
    longer = jm.nano.Problem(lattice, (x < 2) | (x >= 5), np.outer(x >= 5, [0.0, 1.0, 0.0]), (False, False, True))
    assert sites_of(askew).order == 8 and sites_of(longer).order == 8
    assert sites_of(askew, symmetric=False).order == 1


def test_mirrors_leave_layers_free():
    """Mirrors across x and y need a shift along z: their product and the mirror across z = 0 remain."""
    sites = sites_of(jm.nano.cantilever((6, 3, 4), A0), symmetric="mirrors")
    height = np.round(jm.nano.cantilever((6, 3, 4), A0).lattice.positions[:, 2] / (A0 / 2)).astype(int)
    assert sites.order == 4
    for layer in range(8):
        alike = {int(z) for z in height[np.isin(sites.orbit, sites.orbit[height == layer])]}
        assert alike == {layer, -layer % 8}
    with pytest.raises(ValueError, match='Argument `symmetric` must be True, False or "mirrors"'):
        jm.nano.optimize(jm.nano.zhou2004("Al"), jm.nano.cantilever((6, 3, 2), A0), 0.9, symmetric="shifts")


def test_shells_and_filter():
    problem = jm.nano.cantilever((8, 7, 7), A0, periodic=False)
    sites = sites_of(problem, symmetric=False)
    middle = int(np.argmin(np.linalg.norm(problem.lattice.positions - np.array([4, 3.5, 3.5]) * A0, axis=1)))
    counts = [int((sites.shell[:, middle] == shell).sum()) for shell in range(1, 6)]
    assert counts == [12, 6, 24, 12, 0]
    one = np.zeros(len(problem.lattice))
    one[middle] = 1
    filtered = sites.filtered(one, problem.domain)
    total = SHELLS[0] + np.dot(SHELLS[1:], counts[:4])
    neighbor = sites.index[sites.shell[:, middle] == 3, middle][0]
    assert filtered[middle] == pytest.approx(SHELLS[0] / total) and filtered[neighbor] == pytest.approx(
        SHELLS[3] / total
    )
    np.testing.assert_allclose(sites.filtered(np.ones(len(one)), problem.domain), 1)


def test_cleaning():
    """An atom on a (100) surface has four neighbours and goes; a vacancy inside has twelve and is filled; once each."""
    problem = jm.nano.cantilever((8, 6, 2), A0)
    sites, where = sites_of(problem, symmetric=False), problem.lattice.positions / A0
    solid = (where[:, 1] < 3) | problem.held
    adatom = int(np.flatnonzero((np.abs(where - [4, 3, 0]) < 0.1).all(1))[0])
    vacancy = int(np.flatnonzero((np.abs(where - [4, 1, 0]) < 0.1).all(1))[0])
    dirty = solid.copy()
    dirty[adatom], dirty[vacancy] = True, False
    assert sites.neighbors(dirty)[adatom] == 4 and sites.neighbors(dirty)[vacancy] == 12
    clean = sites.cleaned(dirty, problem, 7, 9)
    assert not clean[adatom] and clean[vacancy] and clean[problem.held].all()


@pytest.mark.parametrize("periodic", [True, False])
def test_thin_members_are_opened(periodic):
    """A slab of eight layers stays, its edges rounded, and one of five goes, but for its grips."""
    problem = jm.nano.cantilever((10, 11, 10), A0, periodic=periodic)
    sites, where = sites_of(problem, symmetric=False), problem.lattice.positions / A0
    layer = np.rint(2 * where[:, 1])
    thick, thin = layer < 8, (layer > 12) & (layer < 18)
    left = sites.opened(thick | thin | problem.held, problem, 14.0)
    inside = np.ones(len(where), bool) if periodic else (where[:, 2] > 1.5) & (where[:, 2] < 8)
    assert left[thick & inside].all() and left[problem.held].all() and not left[thin & ~problem.held].any()
    edge = (layer == 0) & (where[:, 2] < 0.1) & ~problem.held
    assert left[edge].all() if periodic else not left[edge].any()
    assert sites.opened(thick | thin | problem.held, problem, 9.0)[(thick | thin) & inside].all()


def test_a_beam_thinner_than_the_thinnest_member_is_its_grips():
    problem = jm.nano.cantilever((6, 3, 2), A0, periodic=False)
    sites = sites_of(problem)
    np.testing.assert_array_equal(sites.opened(problem.domain, problem, 30.0), problem.held)
