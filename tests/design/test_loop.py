"""The design loop on problems without voxels: stages, rest, what is kept, ways to end, batches, compilations."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.design import RUNNERS_UP, Continuation, DesignResult, Evaluation, Kept, Loop, append, lane, run, stack
from jaxmeta.optimizers import GCMMA, MMA, OC, Outcome, Seen


class Facts(NamedTuple):
    sharpness: jax.Array
    memory: jax.Array


class Inverse(NamedTuple):
    """min Σ w/x subject to mean(x) ≤ bound, whose memory counts the evaluations; x = √w bound / mean(√w).

    With the memory at `fails` the value is not finite, at `bends` the gradient.
    """

    weight: jax.Array
    bound: jax.Array
    fails: int = 1000
    bends: int = 1000
    sign: float = 1.0
    noise = 0.0

    def bounds(self, x):
        return jnp.full_like(x, 0.01), jnp.ones_like(x)

    def cheap(self, x, level):
        return x.mean() / self.bound - 1

    def values(self, x, level, memory):
        return self.sign * jnp.sum(self.weight / x), self.cheap(x, level)[None]

    def evaluate(self, x, level, memory):
        memory = jnp.ones((), jnp.int32) if memory is None else memory + 1
        value, limits = self.values(x, level, memory)
        value = value + jnp.where(memory == self.fails, jnp.nan, 0)
        slope = -self.sign * self.weight / x**2 + jnp.where(memory == self.bends, jnp.nan, 0)
        seen = Seen(value, slope, limits, jnp.full((1, *x.shape), 1 / x.size / self.bound))
        return Evaluation(seen, Facts(level.sharpness, memory), memory, jnp.ones((), bool))


STAGES = Continuation(1.0, 2.0, 12, 4.0)
WEIGHT = np.array([[4.0, 1.0], [0.25, 2.0]])


def problem(bound=0.3, scale=1.0, **rest):
    return Inverse(jnp.asarray(scale * WEIGHT), jnp.asarray(bound), **rest)


class Descent:
    """An optimiser of one's own: without memory, within bounds, held to the constraint by a shift of all variables."""

    def init(self, x, problem):
        return ()

    def update(self, state, x, seen, problem):
        x = x - 0.002 * (seen.gradient - seen.gradient.mean())
        return jnp.clip(x - seen.constraints[0] / seen.constraint_gradients[0].sum(), problem.lower, problem.upper), ()


def drive(loop, problem, start=0.3, max_steps=200):
    x = jnp.full((2, 2), start)
    state, history, turns = loop.init(problem, x), {}, []
    for turn in run(loop, problem, state, max_steps):
        append(history, {**turn.info._asdict(), **turn.info.record._asdict()})
        turns.append(turn)
        state = turn.state
    return state, history, turns


@pytest.mark.parametrize("optimizer", [OC(), MMA(), GCMMA(), Descent()], ids=["OC", "MMA", "GCMMA", "one's own"])
def test_every_optimiser_comes_to_the_known_optimum(optimizer):
    state, history, _ = drive(Loop(optimizer, STAGES, 1e-6), problem())
    assert state.result == DesignResult.converged
    exact = np.sqrt(WEIGHT)
    np.testing.assert_allclose(state.kept.variables, 0.3 * exact / exact.mean(), rtol=2e-3)
    assert history["done"] == [False] * (len(history["done"]) - 1) + [True]
    # One evaluation for a step, and none beside.
    assert history["memory"] == list(range(1, len(history["objective"]) + 1))


def test_what_is_kept_is_the_best_of_the_last_sharpness():
    def kept(step, sharpness, objective, violation):
        return Kept(*map(jnp.asarray, (step, 0.0, sharpness, objective, violation)))

    first = kept(0, 1.0, -9.0, 0.0)
    good, better, worse = kept(5, 4.0, 1.0, 0.0), kept(6, 4.0, 0.5, 9e-4), kept(7, 4.0, 2.0, 0.0)
    outside, far, softer = kept(8, 4.0, 0.1, 0.2), kept(9, 4.0, 0.0, 0.3), kept(4, 2.0, 0.0, 0.0)
    for old, new in ((first, good), (good, better), (softer, worse), (outside, worse), (far, outside), (good, good)):
        assert old.yields_to(new)
    for old, new in ((better, good), (good, worse), (good, outside), (outside, far)):
        assert not old.yields_to(new)


def test_the_next_best_designs_are_kept():
    """Those of the last sharpness beside the best one, and the best one of all."""
    state, history, turns = drive(Loop(MMA(move=0.05), STAGES, 1e-9), problem(), start=0.2, max_steps=38)
    values, sharpness = np.asarray(history["objective"]), np.asarray(history["sharpness"])
    seen = [jnp.full((2, 2), 0.2), *(turn.state.variables for turn in turns[:-1])]
    allowed = np.asarray([float(problem().cheap(x, None)) <= 1e-3 for x in seen])
    order = [k for k in np.argsort(values) if sharpness[k] == sharpness[-1] and allowed[k]]
    assert len(order) > RUNNERS_UP + 1
    assert int(state.kept.step) == order[0] + 1
    assert sorted(state.others.step.tolist()) == sorted(k + 1 for k in order[1 : RUNNERS_UP + 1])
    for k in range(RUNNERS_UP):
        assert float(state.others.objective[k]) == values[int(state.others.step[k]) - 1]
    assert int(state.least.step) == np.argmin(np.where(allowed, values, np.inf)) + 1


def test_a_design_that_cannot_move_has_not_converged():
    flat = problem()._replace(weight=jnp.ones((2, 2)))
    state, _, _ = drive(Loop(OC(), STAGES, 1e-6), flat)
    assert state.result == DesignResult.unmoved
    assert "could move" in DesignResult.unmoved.text


def test_what_is_kept_is_what_was_evaluated():
    target, loop = problem(), Loop(OC(move=0.01), STAGES, 1e-6)
    state, history, turns = drive(loop, target, max_steps=7)
    assert len(turns) == len(history["objective"]) == int(state.step) == int(state.kept.step) == 7
    assert state.result == DesignResult.max_steps_reached
    value, _ = target.values(state.kept.variables, None, None)
    assert float(value) == history["objective"][-1] == float(state.kept.objective)
    # The design that the last update made is where a run would go on.
    assert float(target.values(state.variables, None, None)[0]) < float(value)
    again = list(run(loop, target, state, 8))
    assert len(again) == 1 and float(again[0].info.objective) < float(value)


def test_stages_end_at_rest_or_after_their_steps():
    """The rules, said in plain Python over the history of objectives."""
    for tolerance, every in ((3e-2, 12), (1e-9, 7), (1e3, 30)):
        stages = Continuation(1.0, 2.0, every, 4.0)
        _, history, _ = drive(Loop(MMA(move=0.05), stages, tolerance), problem(), start=0.2, max_steps=40)
        sharpness, begins, ended = 1.0, 0, []
        for k in range(len(history["objective"])):
            assert history["sharpness"][k] == sharpness
            last = history["objective"][max(begins, k - 9) : k + 1]
            rests = k - begins >= 9 and max(last) - min(last) <= tolerance * abs(last[-1])
            ended.append(sharpness == 4.0 and rests)
            if sharpness < 4.0 and (rests or k - begins >= every - 1):
                sharpness, begins = min(2 * sharpness, 4.0), k + 1
        assert history["done"] == ended
        assert len(ended) == 40 or ended[-1]


def test_a_violated_constraint_is_no_end():
    class Violated(Inverse):
        def evaluate(self, x, level, memory):
            found = super().evaluate(x, level, memory)
            return found._replace(seen=found.seen._replace(constraints=jnp.full((1,), 2e-3)))

    state, _, _ = drive(Loop(Descent(), STAGES, 1e3), Violated(*problem()), max_steps=40)
    assert state.result == DesignResult.max_steps_reached


@pytest.mark.parametrize(
    ("rest", "result", "steps", "kept"),
    [
        ({"fails": 5}, DesignResult.solver_failed, 5, 4),
        ({"fails": 1}, DesignResult.solver_failed, 1, 0),
        ({"bends": 5}, DesignResult.optimizer_failed, 5, 5),
    ],
)
def test_what_is_not_finite_ends_the_run_with_the_design_before_it(rest, result, steps, kept):
    target = problem(**rest)
    state, history, _ = drive(Loop(MMA(), STAGES, 1e-6), target)
    assert (int(state.result), int(state.step), int(state.kept.step)) == (result, steps, kept)
    assert jnp.isfinite(state.kept.variables).all() and jnp.isfinite(state.kept.objective)
    if kept:
        assert float(state.kept.objective) == history["objective"][kept - 1]
    assert list(run(Loop(MMA(), STAGES, 1e-6), target, state, 200)) == []


def test_rest_of_a_design_that_cannot_move_is_no_convergence():
    state, history, _ = drive(Loop(OC(), STAGES, 1e-6), problem(sign=-1.0))
    assert state.result == DesignResult.optimizer_failed
    assert set(history["outcome"]) == {int(Outcome.no_descent)} and history["change"][-1] == 0
    # Whoever has no `result` in its state is taken at its word.
    assert set(drive(Loop(Descent(), STAGES, 1e-3), problem())[1]["outcome"]) == {0}


def test_a_batch_is_its_designs():
    """Of several problems at once, each ends as alone: in other steps, in failure, or not at all."""
    loop = Loop(MMA(), STAGES, 1e-4)
    targets = [problem(0.3), problem(0.5, 2.0), problem(0.3, fails=5), problem(0.005)]
    starts = jnp.stack([jnp.full((2, 2), value) for value in (0.3, 0.2, 0.3, 0.9)])
    stacked = stack(targets)
    states = jax.vmap(loop.init)(stacked, starts)
    histories = [{} for _ in targets]
    for turn in run(loop, stacked, states, 60):
        for k in np.flatnonzero(turn.going):
            append(histories[k], {"objective": turn.info.objective[k]})
        states = turn.state
    counts = set()
    for k, (target, start) in enumerate(zip(targets, (0.3, 0.2, 0.3, 0.9), strict=True)):
        single, history, _ = drive(loop, target, start, 60)
        together = lane(states, k)
        assert (int(together.result), int(together.step)) == (int(single.result), int(single.step))
        np.testing.assert_allclose(histories[k]["objective"], history["objective"], rtol=1e-8)
        np.testing.assert_allclose(together.kept.variables, single.kept.variables, rtol=1e-7)
        counts.add(int(single.step))
    assert len(counts) >= 3


def test_numbers_compile_nothing(compilations):
    loop = Loop(OC(), STAGES, 1e-4)
    drive(loop, problem(), max_steps=2)
    compilations.clear()
    drive(Loop(OC(), Continuation(2.0, 3.0, 5, 8.0), 1e-3), problem(0.4, 3.0), start=0.5, max_steps=2)
    assert compilations == []
    drive(Loop(OC(move=0.1), STAGES, 1e-4), problem(), max_steps=2)
    assert len(compilations) > 0


def test_nothing_is_infinite_or_undefined():
    """With the switches that stop at the first infinity."""
    with jax.debug_infs(True), jax.debug_nans(True):
        for optimizer in (OC(), MMA(), GCMMA()):
            state, _, _ = drive(Loop(optimizer, STAGES, 1e-4), problem(), max_steps=3)
            assert int(state.step) == 3


def test_continuation():
    schedule = Continuation(start=2, factor=1.5, every=10, final=9.0)
    expected = [2.0, 2.0, 3.0, 4.5, 6.75, 9.0, 9.0]
    steps = [0, 9, 10, 20, 39, 40, 100_000]
    np.testing.assert_allclose([float(schedule(step)) for step in steps], expected)
    np.testing.assert_allclose(jax.jit(jax.vmap(schedule))(jnp.array(steps)), expected)
    assert float(Continuation(1.0, 1.0, 5, 1.0)(3)) == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": 0.0}, r"Argument `start` must be above 0, but is 0.0\."),
        ({"factor": 0.5}, r"Argument `factor` must be at least 1, but is 0.5\."),
        ({"every": 0}, r"Argument `every` must be at least 1, but is 0\."),
        ({"start": 4.0, "final": 2.0}, r"Argument `final` must be at least `start`, 4.0, but is 2.0\."),
    ],
)
def test_bad_continuations(arguments, message):
    with pytest.raises(ValueError, match=message):
        Continuation(**arguments)
