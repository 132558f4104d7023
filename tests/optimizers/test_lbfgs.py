"""L-BFGS within bounds, against SciPy's and against known minima."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxmeta.optimizers import LBFGS, Outcome, Problem, Seen


def minimise(f, x, steps, lower: Any = 0.0, upper: Any = 1.0, method=LBFGS()):
    problem = Problem(lower, upper, m=0)

    @jax.jit
    def step(state, x):
        value, gradient = jax.value_and_grad(f)(x)
        none = jnp.zeros((0, *x.shape), x.dtype)
        return method.update(state, x, Seen(value, gradient, jnp.zeros(0, x.dtype), none), problem)

    state = method.init(x, problem)
    for _ in range(steps):
        x, state = step(state, x)
    return state


def least_squares(count, rows, seed):
    """½ |A x − b|² of a badly scaled A, whose minimum within bounds holds some variables."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, count)) * np.logspace(0, -2, count)
    target = matrix @ rng.uniform(-0.5, 1.5, count) + 0.1 * rng.normal(size=rows)
    return matrix, target


@pytest.mark.parametrize("seed", [0, 1])
def test_the_minimum_within_bounds(seed):
    matrix, target = least_squares(30, 40, seed)
    known = scipy.optimize.lsq_linear(matrix, target, (0, 1), tol=1e-14)
    assert 3 < (known.active_mask != 0).sum() < 30
    a, b = jnp.asarray(matrix), jnp.asarray(target)
    state = minimise(lambda x: 0.5 * jnp.sum((jnp.dot(a, x.ravel()) - b) ** 2), jnp.full((5, 6), 0.3), 400)
    assert float(state.value) <= known.cost * (1 + 1e-8)
    np.testing.assert_allclose(np.asarray(state.base).ravel(), known.x, atol=2e-4)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_curved_valley(dtype):
    rosenbrock = lambda x: jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)  # noqa: E731
    state = minimise(rosenbrock, jnp.full(6, -0.7, dtype), 250, -1.5, 2.0)
    assert state.base.dtype == dtype and int(state.result) == Outcome.solved
    np.testing.assert_allclose(state.base, 1.0, atol=5e-3 if dtype == jnp.float32 else 1e-6)


def test_it_needs_few_evaluations_where_scaling_is_bad():
    """About as many as SciPy's, which is the reference for this method."""
    matrix, target = least_squares(40, 60, 3)
    a, b = jnp.asarray(matrix), jnp.asarray(target)
    f = lambda x: 0.5 * jnp.sum((jnp.dot(a, x) - b) ** 2)  # noqa: E731
    best = scipy.optimize.lsq_linear(matrix, target, (0, 1), tol=1e-14).cost
    value_and_grad = jax.jit(jax.value_and_grad(f))
    seen = []

    def host(x):
        value, gradient = value_and_grad(jnp.asarray(x))
        seen.append(float(value))
        return float(value), np.asarray(gradient)

    scipy.optimize.minimize(host, np.full(40, 0.3), jac=True, method="L-BFGS-B", bounds=[(0, 1)] * 40,
                            options={"maxcor": 20, "maxiter": 300, "ftol": 1e-13})  # fmt: skip
    theirs = next(k for k, value in enumerate(seen) if value < best * 1.001)
    state = minimise(f, jnp.full(40, 0.3), int(1.6 * theirs) + 20)
    assert float(state.value) < best * 1.001


def test_held_variables_stay_and_bounds_are_kept():
    lower, upper = jnp.array([0.0, 0.4, -1.0]), jnp.array([1.0, 0.4, 0.5])
    state = minimise(lambda x: jnp.sum((x - 2.0) ** 2), jnp.array([0.2, 0.4, 0.0]), 30, lower, upper)
    np.testing.assert_allclose(state.base, [1.0, 0.4, 0.5], atol=1e-12)


def test_what_is_not_finite_is_not_taken():
    """A wall of NaN: the search goes back, and comes as near as it can."""
    f = lambda x: jnp.where(x[0] > 0.8, jnp.nan, jnp.sum((x - jnp.array([0.79, 0.3])) ** 2))  # noqa: E731
    state = minimise(f, jnp.array([0.1, 0.9]), 60)
    np.testing.assert_allclose(state.base, [0.79, 0.3], atol=1e-3)


def test_several_at_once():
    a, b = map(jnp.asarray, least_squares(8, 12, 5))
    f = lambda x: 0.5 * jnp.sum((jnp.dot(a, x) - b) ** 2)  # noqa: E731
    method, problem = LBFGS(memory=5), Problem(m=0)
    starts = jnp.stack([jnp.full(8, 0.1), jnp.full(8, 0.9)])
    none = jnp.zeros((0, 8))

    @jax.jit
    def step(state, x):
        value, gradient = jax.value_and_grad(f)(x)
        return method.update(state, x, Seen(value, gradient, jnp.zeros(0), none), problem)

    together = jax.jit(jax.vmap(step))
    xs, states = starts, jax.vmap(lambda x: method.init(x, problem))(starts)
    for _ in range(12):
        xs, states = together(states, xs)
    for lane, start in enumerate(starts):
        x, state = start, method.init(start, problem)
        for _ in range(12):
            x, state = step(state, x)
        np.testing.assert_allclose(states.base[lane], state.base, atol=1e-10)


def test_refusals():
    with pytest.raises(ValueError, match="must be MMA when there are constraints"):
        LBFGS().init(jnp.zeros(3), Problem(m=1))
    for name, value in (("move", 0.0), ("memory", 0), ("shorten", 1.0), ("decrease", 0.6)):
        with pytest.raises(ValueError, match=f"Argument `{name}` must"):
            LBFGS(**{name: value})  # pyright: ignore[reportArgumentType]
