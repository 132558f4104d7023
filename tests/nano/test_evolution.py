"""The loop with an oracle that is a sum over atoms: the best design is known."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.design import DesignResult
from jaxmeta.nano import _evolution
from jaxmeta.nano._evolution import Evolution, Phase, State
from jaxmeta.nano._oracle import Evaluated
from jaxmeta.nano._orbits import sites_of
from jaxmeta.nano._patches import Changes


@cache
def beam():
    problem = jm.nano.cantilever((10, 6, 2), 4.05)
    return problem, sites_of(problem)


@dataclass
class Sum:
    """k is the sum of the atoms' values."""

    values: np.ndarray
    problem: jm.nano.Problem
    sites: object

    def evaluate(self, occupied, shares=False, stay=False):
        share = np.where(occupied, self.values, 0.0)
        return Evaluated(float(share.sum()), 1.0, self.problem.lattice.positions, share)

    def staying(self, occupied, positions, most):
        return occupied

    def trial(self, occupied, positions):
        return self.evaluate(occupied).k


def oracle(seed=0):
    """Values that are smooth and as symmetric as the problem."""
    problem, sites = beam()
    rng = np.random.default_rng(seed)
    values = sites.filtered(rng.random(len(sites.size))[sites.orbit], problem.domain) + 0.5
    return Sum(values, problem, sites)


def run(loop, start, steps=80):
    state, infos = loop.init(start), []
    while state.result == DesignResult.max_steps_reached and state.step < steps:
        state, info = loop.step(state)
        infos.append(info)
    return state, infos


def loop_of(stub, target=300, **options):
    return Evolution(stub, target, **({"rate": 0.05, "trials": 12, "batch": 8, "least": 3, "full": 12} | options))


def best(stub, target):
    """The atoms of highest value, orbit by orbit, grips first; all orbits have one size here."""
    order = np.argsort(-np.where(stub.problem.held, np.inf, stub.values)[stub.sites.first], kind="stable")
    chosen = np.isin(stub.sites.orbit, order[: target // stub.sites.size[0]])
    return chosen


def test_finds_the_best_design():
    """Additions need neighbours, so that the best of all may be out of reach; it is nearly reached."""
    stub = oracle()
    assert len(set(stub.sites.size.tolist())) == 1
    state, infos = run(loop_of(stub), stub.problem.domain)
    assert state.result == DesignResult.converged
    occupied, ideal = state.best.astype(bool), best(stub, 300)
    assert np.count_nonzero(occupied) == np.count_nonzero(ideal) <= 300
    assert stub.values[occupied].sum() > 0.995 * stub.values[ideal].sum()
    assert (occupied[stub.problem.held]).all() and stub.sites.alike(occupied.astype(float)).max() == 1
    exchanged = [info.stiffness for info in infos if info.phase == "exchange"]
    assert (np.diff(exchanged) >= 0).all() and len(exchanged) > 2


def test_atoms_come_back_while_thinning():
    """A site that the start has not is filled if its neighbours carry much."""
    stub = oracle()
    where = stub.problem.lattice.positions
    stub.values = np.exp(-((where[:, :2] - where[:, :2].mean(0)) ** 2).sum(1) / 50)
    start = stub.problem.domain.copy()
    strong = stub.sites.orbit == stub.sites.orbit[int(np.argmax(np.where(stub.problem.held, 0, stub.values)))]
    start[strong] = False
    loop = loop_of(stub)
    assert not start[strong].any() and loop.init(start).phase == Phase.thin
    state, _ = loop.step(loop.init(start))
    assert state.occupancy[strong].all()


def test_thinning_takes_out_no_more_than_its_rate():
    """Also where all atoms at surfaces are dropped for want of neighbours."""
    stub = oracle()
    loop = loop_of(stub, least=12, full=13)
    state, _ = loop.step(loop.init(stub.problem.domain))
    assert 0.95 * 480 - stub.sites.size[0] < np.count_nonzero(state.occupancy) <= 0.95 * 480


def test_a_start_with_too_few_atoms_is_filled_up():
    stub = oracle()
    few = best(stub, 200)
    state, infos = run(loop_of(stub), few)
    assert infos[0].phase == "exchange"
    assert 200 < np.count_nonzero(state.best) <= 300


def test_patches_put_atoms_at_the_threshold_in_order():
    """Ranks there say the opposite of what patches do: these count, and only those that are at rest."""
    stub = oracle()
    loop = loop_of(stub, trials=6, patches=True, least=0)
    state = loop.init(stub.problem.domain)
    plain, _ = loop_of(stub, least=0).step(state)
    asked = []

    def patches(occupied, found, sites):
        asked.extend(sites.tolist())
        force = np.where(stub.values[sites] == stub.values[sites].max(), 1.0, 0.0)
        return Changes(stub.values[sites], 0 * force, force)

    stub.patches = patches
    state, info = loop.step(state)
    assert info.trials == len(asked) == 9 and not stub.problem.held[asked].any()
    before, after = (s.occupancy.astype(bool)[asked] for s in (plain, state))
    assert not before[:3].any() and before[3:].all()  # by rank
    values = stub.values[asked]
    moves = values == values.max()  # this patch was not at rest
    assert after[moves].all() and after.sum() == before.sum()
    assert values[after & ~moves].max() < values[~after].min()


def test_exchange_by_patches_relaxes_no_whole_body():
    stub = oracle()
    stub.trial = None
    stub.patches = lambda occupied, found, sites: Changes(
        np.where(occupied[sites], -1, 1) * stub.values[sites], 0.0 * sites, 0.0 * sites
    )
    state, infos = run(loop_of(stub, patches=True), best(stub, 200))
    plain, _ = run(loop_of(oracle()), best(stub, 200))
    assert state.result == DesignResult.converged and infos[-1].phase == "exchange"
    np.testing.assert_array_equal(state.best, plain.best)


def test_a_step_is_a_function_of_the_state():
    """So that a run goes on from any of them."""
    stub = oracle()
    loop = loop_of(stub)
    state = loop.init(stub.problem.domain)
    for _ in range(3):
        state, _ = loop.step(state)
    copy = State(*(np.array(leaf) for leaf in state))
    one, two = loop.step(state)[0], loop.step(copy)[0]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_only_what_is_stable_is_accepted():
    """With every exchange unsound the design rests where it is; with an unsound start the run says so."""
    stub = oracle()
    ideal = best(stub, 296)
    worse = ideal.copy()
    moved = [int(o) for o in np.unique(stub.sites.orbit[ideal & ~stub.problem.held])[:3]]
    worse[np.isin(stub.sites.orbit, moved)] = False
    limit = stub.values[worse].sum()
    refuse = stub.evaluate

    def evaluate(occupied, shares=False, stay=False):
        found = refuse(occupied, shares)
        return found if found.k <= limit + 1e-9 else found._replace(lowest=-1e-3)

    stub.evaluate = evaluate
    stub.trial = lambda occupied, positions: refuse(occupied).k
    state, infos = run(loop_of(stub, target=300), worse)
    assert state.result == DesignResult.converged and infos[-1].changed == 0
    np.testing.assert_array_equal(state.best.astype(bool), worse)
    stub.evaluate = lambda occupied, shares=False, stay=False: refuse(occupied, shares)._replace(k=0.0)
    assert run(loop_of(stub, target=300), worse)[0].result == DesignResult.solver_failed


@pytest.mark.parametrize("seed", [1, 2])
def test_thinning_goes_round_what_cannot_be_relaxed(seed):
    """Designs without a certain atom are unsound: the run ends with it, at the target."""
    stub = oracle(seed)
    weak = int(np.argmin(np.where(stub.problem.held, np.inf, stub.values)))
    plain = stub.evaluate

    def evaluate(occupied, shares=False, stay=False):
        found = plain(occupied, shares)
        return found if np.count_nonzero(occupied) > 330 or occupied[weak] else found._replace(k=0.0)

    stub.evaluate = evaluate
    state, _ = run(loop_of(stub), stub.problem.domain)
    assert state.result in (DesignResult.converged, DesignResult.solver_failed)
    assert evaluate(state.best.astype(bool)).sound


def test_settling_goes_on_through_worse_designs():
    """And the best one is exchanged: the third of six here, as k goes down, up and down."""
    stub = oracle()
    plain, factors, kept = stub.evaluate, iter([0.9, 0.5, 1.0, 0.7, 0.6, 0.5]), []

    def evaluate(occupied, shares=False, stay=False):
        found = plain(occupied, shares)
        if np.count_nonzero(occupied) > 300:
            return found
        kept.append(occupied)
        return found._replace(k=next(factors) * found.k)

    stub.evaluate = evaluate
    loop = loop_of(stub)
    state = loop.init(stub.problem.domain)
    while state.phase == Phase.thin:
        state, _ = loop.step(state)
    assert len(kept) == 6 and float(state.k) == plain(kept[2]).k
    np.testing.assert_array_equal(state.occupancy.astype(bool), kept[2])


@pytest.mark.parametrize("often", [1, 2])
def test_a_fall_gives_way_once(often):
    """To a step of half the rate, which is kept even if k has fallen again."""
    stub = oracle()
    plain, seen = stub.evaluate, []

    def evaluate(occupied, shares=False, stay=False):
        seen.append(np.count_nonzero(occupied))
        found = plain(occupied, shares)
        return found._replace(k=found.k * (0.5 if 1 < len(seen) <= 1 + often else 1))

    stub.evaluate = evaluate
    loop = loop_of(stub)
    state = loop.init(stub.problem.domain)
    for _ in range(4):
        state, _ = loop.step(state)
    full, fell, half, after = seen
    assert fell < half < full and after < half


def test_thinning_leaves_no_thin_members():
    """Values low on two layers inside: a sheet would be cut out between skins of three, which go too when asked."""
    problem = jm.nano.cantilever((10, 8, 2), 4.05)
    sites = sites_of(problem)
    layer = np.rint(2 * problem.lattice.positions[:, 1] / 4.05)
    values = np.where((layer == 3) | (layer == 12), 0.0, 1.0)
    for thinnest in (0.0, 12.0):
        loop = loop_of(Sum(values, problem, sites), 500, rate=0.1, thinnest=thinnest)
        state, _ = loop.step(loop.init(problem.domain))
        skin = (layer < 3) & ~problem.held
        assert not state.occupancy[(layer == 3) & ~problem.held].any()
        assert state.occupancy[skin].all() if not thinnest else not state.occupancy[skin].any()


@pytest.mark.parametrize("bound", [0.05, 0.0])
def test_atoms_that_leave_their_sites_go_with_those_alike(bound, monkeypatch):
    """Before anything is ranked, and those that follow them; grips stay whatever they do. Where they are too many, none
    goes."""
    monkeypatch.setattr(_evolution, "_LEAVING", bound)
    problem, sites = beam()
    stub = oracle()
    gone, follows = (int(np.flatnonzero(~problem.held)[k]) for k in (7, 150))
    evaluate, asked = stub.evaluate, []

    def leaving(occupied, shares=False, stay=False):
        left = np.zeros(len(occupied), bool)
        left[[gone, int(np.flatnonzero(problem.held)[0])]] = True
        there = np.full((len(occupied), 3), 0.5)
        return Evaluated(0.0, 0.0, there, None, left=left) if stay and occupied[gone] else evaluate(occupied, shares)

    def staying(occupied, positions, most):
        asked.append((occupied[gone], positions[0, 0], most))
        return occupied & (sites.orbit != sites.orbit[follows])

    stub.evaluate, stub.staying = leaving, staying
    occupied, found = loop_of(stub)._staying(problem.domain)
    both = np.isin(sites.orbit, sites.orbit[[gone, follows]])
    assert both.sum() > (sites.orbit == sites.orbit[gone]).sum()
    np.testing.assert_array_equal(~occupied, both & (bound > 0))
    assert found.k == stub.values[occupied].sum()
    assert asked == [(False, 0.5, int(bound * len(occupied)))]  # from where they were
