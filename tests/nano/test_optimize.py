"""Designs of a small beam by the real oracle: what is handed back, runs that go on, arguments that are refused."""

from functools import cache

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.design import DesignResult
from jaxmeta.nano import _oracle
from jaxmeta.nano._evolution import Evolution
from jaxmeta.nano._optimize import _started
from jaxmeta.nano._oracle import Oracle
from jaxmeta.nano._orbits import sites_of
from jaxmeta.nano._way import Way
from tests.arguments import NO_NUMBERS, refuses

ZHOU = jm.nano.zhou2004("Al")
A0 = 4.0502475
SMALL = {"trials": 4, "batch": 2, "max_steps": 20}


@cache
def beam():
    return jm.nano.cantilever((8, 4, 1), A0)


@cache
def solid_optimum():
    return jm.nano.continuum_design(ZHOU, beam(), 0.7)


def score(occupancy):
    problem, there = beam(), occupancy.astype(bool)
    where = problem.lattice.positions[there]
    return jm.nano.stiffness(
        ZHOU, where, problem.held[there], problem.direction[there], problem.lattice.cell, problem.pbc
    )


@pytest.mark.slow
def test_design_from_all_sites():
    d = jm.nano.optimize(ZHOU, beam(), 0.85, start="full", rate=0.1, **SMALL)
    assert d.result == DesignResult.converged, d.history
    assert np.count_nonzero(d.occupancy) <= 108 and d.occupancy[beam().held].all() and d.volume_fraction <= 0.85
    again = score(d.occupancy)
    assert d.k == pytest.approx(again.k, rel=1e-9) and d.scored.lowest_eigenvalue > 0
    exchanged = [k for k, phase in zip(d.history["stiffness"], d.history["phase"], strict=True) if phase == "exchange"]
    assert (np.diff(exchanged) >= 0).all() and d.k == pytest.approx(exchanged[-1], rel=1e-5)


@pytest.mark.slow
def test_shares_and_a_random_start():
    _shares_sum_to_k()
    _random_start()


def _shares_sum_to_k():
    """Without the share of the second-order motion they would not."""
    oracle = Oracle(ZHOU, beam(), sites_of(beam()), 128)
    found = oracle.evaluate(beam().domain, shares=True)
    assert found.shares.sum() == pytest.approx(found.k, rel=1e-4)
    np.testing.assert_allclose(oracle.sites.alike(found.shares), found.shares, atol=1e-5)  # the symmetry is one
    assert oracle.trial(beam().domain, found.positions) == pytest.approx(found.k, rel=1e-6)


def test_a_trial_slides_where_newton_does_not_come_to_rest(monkeypatch):
    oracle = Oracle(ZHOU, beam(), sites_of(beam()), 128)
    k = oracle.evaluate(beam().domain).k
    monkeypatch.setattr(_oracle, "_ROUGH_STEPS", 1)
    assert oracle.trial(beam().domain, beam().lattice.positions) == pytest.approx(k, rel=5e-3)
    monkeypatch.setattr(Way, "slide", lambda self, calm: False)
    assert oracle.trial(beam().domain, beam().lattice.positions) == 0


@pytest.mark.slow
def test_patches_are_those_of_single_changes():
    """Of the same relaxed body; its atoms have other numbers than the sites."""
    problem, there = beam(), solid_optimum()
    oracle = Oracle(ZHOU, problem, sites_of(problem), 96)
    found = oracle.evaluate(there, shares=True)
    going = np.flatnonzero(there & ~problem.held)[[3, 20]]
    coming = np.flatnonzero(~there & (oracle.sites.neighbors(there) > 5))[[1, 4]]
    changes = oracle.patches(there, found, np.stack([going, coming], 1).ravel())
    s = score(there)
    held, cell = problem.held[there], problem.lattice.cell
    more = jm.nano.sensitivities(ZHOU, s, held, None, cell, problem.pbc)
    numbers = np.searchsorted(np.flatnonzero(there), going)
    for part, expected in (
        (slice(0, None, 2), jm.nano.removals(ZHOU, s, more, held, numbers, cell, problem.pbc)),
        (slice(1, None, 2), jm.nano.additions(ZHOU, s, more, held, found.positions[coming], cell, problem.pbc)),
    ):
        np.testing.assert_allclose(changes.k[part], expected.k, rtol=1e-3, atol=1e-3 * s.k)
        np.testing.assert_allclose(changes.energy[part], expected.energy, atol=1e-4)


def test_loose_atoms_are_unsound():
    oracle = Oracle(ZHOU, beam(), sites_of(beam()), 128)
    x = beam().lattice.positions[:, 0]
    found = oracle.evaluate(beam().held | (abs(x - x.mean()) < 3))
    assert not found.sound and "hang" in found.why


@pytest.mark.slow
def test_an_interrupted_run_goes_on(tmp_path):
    class Stop(Exception):
        pass

    def stop(step, info):
        if step == 2:
            raise Stop

    options = {"start": "full", "rate": 0.1, **SMALL, "max_steps": 4}
    straight = jm.nano.optimize(ZHOU, beam(), 0.85, **options)
    options["checkpoint"] = tmp_path
    with pytest.raises(Stop):
        jm.nano.optimize(ZHOU, beam(), 0.85, callback=stop, **options)
    seen = []
    d = jm.nano.optimize(ZHOU, beam(), 0.85, callback=lambda step, info: seen.append(step), **options)
    assert seen == [3, 4]
    for name in ("stiffness", "changed", "phase"):  # the same bits: of the same designs
        assert d.history[name] == straight.history[name]
    with pytest.raises(ValueError, match="checkpoint"):
        jm.nano.optimize(ZHOU, beam(), 0.85, **(options | {"rate": 0.2}))


@pytest.mark.slow
def test_continuum_start_and_exchanges_beat_a_slab():
    """A slab of as many atoms is what a plain thinning ends in."""
    d = jm.nano.optimize(ZHOU, beam(), 0.7, start=solid_optimum(), **SMALL)
    height = np.where(beam().held, -1, beam().lattice.positions[:, 1])
    slab = np.argsort(np.argsort(height, kind="stable"), kind="stable") < 88
    assert np.count_nonzero(d.occupancy) <= np.count_nonzero(slab) and d.scored.lowest_eigenvalue > 0
    assert d.k > 1.1 * score(slab).k
    again = jm.nano.optimize(ZHOU, beam(), 0.7, start=d.occupancy, **SMALL)
    assert again.history["changed"] == [0]  # it rests


def test_continuum_design():
    """The start of a run; whole orbits, grips among them, and nearly the atoms asked for."""
    sites, there = sites_of(beam()), solid_optimum()
    loop = Evolution(Oracle(ZHOU, beam(), sites, 128), 89, 0.1, 1, 1, 7, 9)
    np.testing.assert_array_equal(there, _started(loop, "continuum", 0, 0.7))
    np.testing.assert_array_equal(sites.alike(there.astype(float)), there)
    assert 89 - sites.size.max() < np.count_nonzero(there) <= 89 and there[beam().held].all()
    for value in (0.0, 1.1, 0.2, *NO_NUMBERS.values()):
        refuses("volume_fraction", jm.nano.continuum_design, ZHOU, beam(), value)
    refuses("problem", jm.nano.continuum_design, ZHOU, jm.nano.cantilever((8, 4, 1), 3.6), 0.7)
    refuses("problem", jm.nano.continuum_design, ZHOU, None, 0.7)
    refuses("potential", jm.nano.continuum_design, None, beam(), 0.7)


def _random_start():
    """A seed gives it again, and a design of it is stable."""
    loop = Evolution(Oracle(ZHOU, beam(), sites_of(beam()), 128), 108, 0.1, 1, 1, 7, 9)
    first, again = (_started(loop, "random", 3, 0.85) for _ in "ab")
    np.testing.assert_array_equal(first, again)
    d = jm.nano.optimize(ZHOU, beam(), 0.85, start="random", seed=3, trials=1, batch=1, max_steps=1)
    assert d.scored.lowest_eigenvalue > 0


def test_refusals():
    for value in NO_NUMBERS.values():
        refuses("volume_fraction", jm.nano.optimize, ZHOU, beam(), value)
    for value in (0.0, -0.1, 1.1, 0.2):
        refuses("volume_fraction", jm.nano.optimize, ZHOU, beam(), value)
    refuses("problem", jm.nano.optimize, ZHOU, jm.nano.cantilever((8, 4, 1), 3.6), 0.7)
    refuses("problem", jm.nano.optimize, ZHOU, None, 0.7)
    for name, value in (
        ("start", "x"), ("start", np.ones(3, bool)), ("rate", 0.6), ("trials", 0), ("batch", 0), ("max_steps", 0),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=rf"^Argument `{name}` must"):
            jm.nano.optimize(ZHOU, beam(), 0.7, **{name: value})
