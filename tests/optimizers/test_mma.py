"""The method of moving asymptotes: known optima, other implementations, optimality of the subproblem, composition."""

import functools

import jax
import jax.numpy as jnp
import nlopt
import numpy as np
import pytest
import scipy.optimize

from jaxmeta.optimizers import GCMMA, MMA, Outcome, Problem, Seen, _subproblem
from jaxmeta.optimizers._approximation import Subproblem

DTYPES = (jnp.float32, jnp.float64)


def beam_mass(x):
    return 0.0624 * jnp.sum(x)


def beam_deflection(x):
    return jnp.array([jnp.sum(jnp.array([61, 37, 19, 7, 1], x.dtype) / x**3) - 1])


def two_spheres(x):
    first, second = jnp.array([5, 2, 1], x.dtype), jnp.array([3, 4, 3], x.dtype)
    return jnp.array([jnp.sum((x - first) ** 2) - 9, jnp.sum((x - second) ** 2) - 9])


def quadratic(x):
    rng = np.random.default_rng(3)
    root, target = jnp.asarray(rng.normal(size=(12, 12)), x.dtype), jnp.asarray(rng.normal(size=12), x.dtype)
    return 0.5 * jnp.sum((root @ (x - target)) ** 2)


def four_ellipsoids(x):
    rng = np.random.default_rng(4)
    scale = jnp.asarray(rng.uniform(0.5, 2, size=(4, 12)), x.dtype)
    centre = jnp.asarray(rng.normal(size=(4, 12)) / 4, x.dtype)
    return jnp.sum(scale * (x[None, :] - centre) ** 2, 1) - 3


def banana(x):
    return (1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2


def disk(x):
    return jnp.array([jnp.sum(x**2) - 1.5])


# name: objective, constraints, start, lower, upper, known optimum or None, updates. MMA ends in cycles, in "box" a tiny
# one, where the functions are far from separable: that is what GCMMA is for.
PROBLEMS = {
    "beam": (beam_mass, beam_deflection, np.full(5, 5.0), 1.0, 10.0, 1.33996, 30),
    "spheres": (lambda x: jnp.sum(x**2), two_spheres, np.array([4.0, 3.0, 2.0]), 0.0, 5.0, 8.77024, 30),
    "ellipsoids": (quadratic, four_ellipsoids, np.zeros(12), -2.0, 2.0, None, 300),
    "banana": (banana, disk, np.array([-0.5, 0.5]), -2.0, 2.0, None, 300),
    "box": (quadratic, lambda x: jnp.zeros((0,), x.dtype), np.zeros(12), -0.5, 0.5, None, 300),
}


def minimise(method, objective, constraints, start, lower, upper, count):
    """Iterates (count, n) and states of a run from `start`."""

    problem = Problem(lower, upper, constraints(start).size, lambda x: (objective(x), constraints(x)))

    def step(carry, _):
        x, state = carry
        seen = Seen(*jax.value_and_grad(objective)(x), constraints(x), jax.jacrev(constraints)(x))
        x, state = method.update(state, x, seen, problem)
        return (x, state), (x, state)

    @jax.jit
    def run(start):
        return jax.lax.scan(step, (start, method.init(start, problem)), length=count)[1]

    return run(start)


@functools.cache
def reference(name, algorithm):
    """Optimum by nlopt."""
    objective, constraints, start, lower, upper, _, _ = PROBLEMS[name]
    gradient, jacobian = jax.jit(jax.value_and_grad(objective)), jax.jit(jax.jacrev(constraints))
    constraints = jax.jit(constraints)

    def f(x, out):
        value, slope = gradient(jnp.asarray(x))
        out[:] = slope
        return float(value)

    def g(result, x, out):
        result[:] = constraints(jnp.asarray(x))
        out[:] = jacobian(jnp.asarray(x))

    solver = nlopt.opt(algorithm, len(start))
    solver.set_min_objective(f)
    count = len(constraints(jnp.asarray(start)))
    if count:
        solver.add_inequality_mconstraint(lambda r, x, out: g(r, x, out), np.full(count, 1e-9))
    solver.set_lower_bounds(lower)
    solver.set_upper_bounds(upper)
    solver.set_xtol_rel(1e-9)
    solver.set_maxeval(3000)
    x = solver.optimize(start)
    return x, solver.last_optimum_value()


@pytest.mark.parametrize(
    ("name", "method", "dtype"),
    [
        ("beam", MMA(), jnp.float32),
        ("beam", MMA(), jnp.float64),
        ("spheres", MMA(), jnp.float64),
        ("spheres", GCMMA(), jnp.float32),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__),
)
def test_published_optima(name, method, dtype):
    objective, constraints, start, lower, upper, optimum, count = PROBLEMS[name]
    x, state = minimise(method, objective, constraints, jnp.asarray(start, dtype), lower, upper, count)
    accuracy = 1e-5 if dtype == jnp.float64 else 3e-5
    assert x.dtype == dtype
    np.testing.assert_allclose(float(objective(x[-1])), optimum, rtol=accuracy)
    assert jnp.max(constraints(x[-1])) < (1e-6 if dtype == jnp.float64 else 3e-5)
    assert jnp.all(state.result == 0)
    if name == "beam":  # Svanberg 1987, table 1
        np.testing.assert_allclose(x[-1], [6.016, 5.309, 4.494, 3.502, 2.153], atol=5e-3)


@pytest.mark.parametrize("name", PROBLEMS)
def test_against_nlopt(name):
    objective, constraints, start, lower, upper, _, count = PROBLEMS[name]
    method = GCMMA() if name in ("banana", "box") else MMA()
    x, state = minimise(method, objective, constraints, jnp.asarray(start), lower, upper, count)
    for algorithm in (nlopt.LD_MMA, nlopt.LD_CCSAQ):
        expected, value = reference(name, algorithm)
        np.testing.assert_allclose(float(objective(x[-1])), value, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(x[-1], expected, atol=2e-4)
    assert state.optimality[-1] < 1e-4 * state.optimality[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_separable_problem_with_known_multiplier(dtype):
    # min Σ a/x + b x subject to mean(v x) ≤ V: x(λ) = √(a / (b + λ v)) clipped, λ from one equation.
    rng = np.random.default_rng(0)
    a, b, v = (rng.uniform(0.1, 1, size=(20, 50)) for _ in range(3))
    a, b, v = a, 0.1 * b, v + 0.1

    def solution(multiplier):
        return np.clip(np.sqrt(a / (b + multiplier * v)), 0.1, 1.0)

    multiplier = scipy.optimize.brentq(lambda value: np.mean(v * solution(value)) - 0.3, 1e-6, 1e3, xtol=1e-14)
    objective = lambda x: jnp.mean(jnp.asarray(a, dtype) / x + jnp.asarray(b, dtype) * x)  # noqa: E731
    volume = lambda x: jnp.mean(jnp.asarray(v, dtype) * x)[None] - 0.3  # noqa: E731
    x, state = minimise(MMA(), objective, volume, jnp.full((20, 50), 0.5, dtype), 0.1, 1.0, 40)
    np.testing.assert_allclose(x[-1], solution(multiplier), atol=1e-6 if dtype == jnp.float64 else 2e-4)
    assert jnp.all(state.result == 0)
    assert abs(volume(x[-1])[0]) < (1e-8 if dtype == jnp.float64 else 2e-6)


def subproblem(n, m, dtype, *, infeasible=False, minimax=False, decades=0.0):
    rng = np.random.default_rng(n + m)
    spread = lambda *shape: 10 ** (decades * rng.uniform(-1, 0, shape))  # noqa: E731
    g0, g = rng.normal(size=n) * spread(n), rng.normal(size=(m, n)) * spread(m, n)
    g0, g = g0 / np.abs(g0).mean(), g / np.abs(g).mean(1, keepdims=True)
    sigma = rng.uniform(0.01, 1, n)
    reach = np.minimum(0.9, 0.2 / sigma)
    low, high = -reach * (rng.random(n) > 0.2), reach * (rng.random(n) > 0.2)  # some are at a bound
    values = rng.uniform(-0.02, 0.02, m) + (0.9 if infeasible else 0)
    arrays = (sigma, low, high, g0, g, values, 1e-5, np.full(m, 1e-5))
    arrays += (1.0, np.full(m, 1.0 if minimax else 0.0), np.full(m, 1000.0), np.ones(m))
    return Subproblem(*(jnp.asarray(value, dtype) for value in arrays))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("n", "m", "options"),
    [
        (2, 1, {}),
        (40, 3, {}),
        (40, 10, {"infeasible": True}),
        (40, 3, {"minimax": True}),
        (40, 3, {"decades": 6.0}),
        (1000, 0, {}),
        (100_000, 2, {}),
        (100_000, 2, {"infeasible": True}),
    ],
    ids=str,
)
def test_subproblem_is_optimal(n, m, options, dtype):
    # Checked in float64 in the form of the papers, P/(1 − τ) and Q/(1 + τ), and not in the form that is solved.
    tolerance = 1e-9 if dtype == jnp.float64 else 2e-6
    problem = subproblem(n, m, dtype, **options)
    solution = _subproblem.solve(problem, tolerance, 200)
    assert int(solution.result) == 0, Outcome(int(solution.result)).text
    assert int(solution.iterations) <= 60
    problem = Subproblem(*(np.asarray(value, float) for value in problem))
    tau, lam, y, z = (np.asarray(value, float) for value in (solution.tau, solution.lam, solution.y, solution.z))
    gradients = np.concatenate([problem.objective_gradient[None], problem.gradients])
    rho = np.concatenate([problem.objective_rho[None], problem.rho])[:, None]
    p = 1.001 * np.maximum(gradients, 0) + 0.001 * np.maximum(-gradients, 0) + rho
    q = 0.001 * np.maximum(gradients, 0) + 1.001 * np.maximum(-gradients, 0) + rho
    weights = np.concatenate([[1.0], lam])
    stationarity = weights @ (p / (1 - tau) ** 2 - q / (1 + tau) ** 2)
    scale = weights @ (p / (1 - tau) ** 2 + q / (1 + tau) ** 2)
    error = stationarity / scale
    moves = problem.high > problem.low
    at_low, at_high = moves & (tau <= problem.low), moves & (tau >= problem.high)
    rounding = 1e-11 if dtype == jnp.float64 else 5e-5
    assert np.max(np.abs(error[moves & ~at_low & ~at_high]), initial=0) <= rounding
    assert np.min(error[at_low], initial=0) >= -rounding
    assert np.max(error[at_high], initial=0) <= rounding
    assert (np.sum(at_low) > 0 and np.sum(at_high) > 0) or n < 10
    assert np.all(tau >= problem.low) and np.all(tau <= problem.high)
    values = problem.values + np.mean(problem.sigma * (p * (tau / (1 - tau)) - q * (tau / (1 + tau))), 1)[1:]
    slack = y + problem.a * z - values
    loose = 4 * tolerance * np.maximum(1, lam)
    assert np.all(slack >= -loose) and np.all(y >= -loose) and np.all(lam >= 0)
    assert np.all(np.abs(lam * slack) <= loose * np.maximum(1, lam))
    # c + d y ≥ λ with equality where y > 0; aᵀλ ≤ a₀ with equality where z > 0.
    mu = problem.c + problem.d * y - lam
    assert np.all(mu >= -1e-3) and np.all(np.abs(mu * np.maximum(y, 0)) <= 1e-3)
    zeta = problem.a0 - problem.a @ lam
    assert zeta >= -1e-6 and abs(zeta * z) <= 4 * tolerance + 1e-6
    assert options.get("infeasible", False) == bool(np.any(y > 1e-2))


def test_no_constraint_is_the_limit_of_an_inactive_one():
    rng = np.random.default_rng(5)
    x, gradient = jax.device_put(rng.uniform(size=30)), jax.device_put(rng.normal(size=30))
    value = jnp.zeros(())
    free, _ = one_update(x, gradient, jnp.zeros(0), jnp.zeros((0, 30)), value=value)
    bound, _ = one_update(x, gradient, -jnp.ones(1), jnp.full((1, 30), 1e-3), value=value)
    np.testing.assert_allclose(free, bound, atol=1e-7)
    assert jnp.all(jnp.sign(free - x) == -jnp.sign(gradient))


def test_minimax():
    rng = np.random.default_rng(6)
    centres = rng.normal(size=(3, 4))
    functions = lambda x: jnp.sum((x[None, :] - jnp.asarray(centres)) ** 2, 1) + 1  # noqa: E731
    epigraph = scipy.optimize.minimize(
        lambda v: v[-1],
        np.append(np.zeros(4), 20.0),
        constraints={"type": "ineq", "fun": lambda v: v[-1] - np.asarray(functions(jnp.asarray(v[:-1])))},
        method="SLSQP",
        options={"ftol": 1e-12},
    )
    x, state = minimise(MMA(a=1.0), lambda x: 0 * x.sum(), functions, jnp.zeros(4), -3.0, 3.0, 120)
    np.testing.assert_allclose(float(functions(x[-1]).max()), epigraph.x[-1], rtol=1e-6)
    assert jnp.all(state.result == 0)


def test_units_do_not_matter():
    objective, constraints, start, _, _, _, _ = PROBLEMS["beam"]
    x, _ = minimise(MMA(), objective, constraints, jnp.asarray(start), 1.0, 10.0, 8)
    other, _ = minimise(
        MMA(),
        lambda x: 1e-7 * objective(x / 1e3),
        lambda x: 1e5 * constraints(x / 1e3),
        jnp.asarray(1e3 * start),
        1e3,
        1e4,
        8,
    )
    np.testing.assert_allclose(other / 1e3, x, rtol=1e-9)


def test_gcmma_descends_and_stays_feasible():
    objective, constraints, start, lower, upper, _, _ = PROBLEMS["banana"]
    x, state = minimise(GCMMA(move=1.0), objective, constraints, jnp.asarray(start), lower, upper, 100)
    values = jax.vmap(objective)(jnp.concatenate([jnp.asarray(start)[None], x]))
    assert jnp.max(jnp.diff(values)) <= 1e-9
    assert jnp.max(jax.vmap(constraints)(x)) <= 1e-8
    assert jnp.max(state.subproblems) > 1  # a trial was turned down, so the inner loop was needed
    assert jnp.all(state.result == 0)
    np.testing.assert_allclose(x[-1], reference("banana", nlopt.LD_MMA)[0], atol=2e-3)


def test_asymptotes_follow_the_iterates():
    mma, x, problem = MMA(), jnp.array([0.5, 0.5, 0.5]), Problem(m=0)
    state = mma.init(x, problem)
    nothing = Seen(jnp.zeros(()), jnp.zeros(3), jnp.zeros(0), jnp.zeros((0, 3)))
    update = jax.jit(lambda state, x: mma.update(state, x, nothing, problem)[1])
    for x in ([0.5, 0.5, 0.5], [0.6, 0.6, 0.5], [0.7, 0.5, 0.5]):  # grows, turns, rests
        state = update(state, jnp.array(x))
    np.testing.assert_allclose(state.distance, [0.6, 0.35, 0.5], rtol=1e-12)
    np.testing.assert_array_equal(state.previous, jnp.array([0.7, 0.5, 0.5]))
    np.testing.assert_array_equal(state.before_previous, jnp.array([0.6, 0.6, 0.5]))
    assert int(state.step) == 3


@functools.partial(jax.jit, static_argnames=("method", "evaluate"))
def one_update(x, gradient, values, jacobian, lower=0.0, upper=1.0, method=MMA(), evaluate=None, value=0.0):
    problem = Problem(lower, upper, values.size, evaluate)
    seen = Seen(jnp.asarray(value, x.dtype), gradient, values, jacobian)
    return method.update(method.init(x, problem), x, seen, problem)


def some_arguments(seed, shape=(3, 4), m=2):
    rng = np.random.default_rng(seed)
    arrays = rng.uniform(size=shape), rng.normal(size=shape), rng.normal(size=m) / 20, rng.normal(size=(m, *shape))
    return tuple(jnp.asarray(array) for array in arrays)


def test_shape_and_vmap_agree():
    """Updates outside a compiled function are those of the examples in the docstrings."""
    arguments = [some_arguments(seed) for seed in range(3)]
    singles = [one_update(*argument) for argument in arguments]
    batch = jax.jit(jax.vmap(one_update))(*(jnp.stack(column) for column in zip(*arguments, strict=True)))
    for k, (x, gradient, values, jacobian) in enumerate(arguments):
        flat, _ = one_update(x.reshape(-1), gradient.reshape(-1), values, jacobian.reshape(2, -1))
        np.testing.assert_allclose(flat.reshape(3, 4), singles[k][0], atol=1e-12)
        for one, many in zip(jax.tree.leaves(singles[k]), jax.tree.leaves(batch), strict=True):
            np.testing.assert_allclose(many[k], one, atol=1e-8)


def test_bounds_move_limit_and_held_variables():
    x, gradient, values, jacobian = some_arguments(0, (200,))
    lower = jnp.where(jnp.arange(200) < 50, x, 0.0)
    upper = jnp.where(jnp.arange(200) < 50, x, 1.0)
    new, state = one_update(x, gradient, values, jacobian, lower, upper)
    np.testing.assert_array_equal(new[:50], x[:50])
    assert jnp.all(new >= lower) and jnp.all(new <= upper)
    assert jnp.max(jnp.abs(new - x)) <= 0.2 + 1e-12
    assert jnp.max(jnp.abs(new - x)) > 0.19
    assert int(state.result) == 0


@pytest.mark.parametrize("where", range(1, 4))
def test_what_is_not_finite_leaves_the_design(where):
    arguments = list(some_arguments(1))
    arguments[where] = arguments[where].at[(0,) * arguments[where].ndim].set(jnp.nan)
    new, state = one_update(*arguments)
    np.testing.assert_array_equal(new, arguments[0])
    assert int(state.result) == Outcome.not_finite


def test_unsolved_subproblem_is_reported():
    _, state = one_update(*some_arguments(2), method=MMA(max_iterations=2))
    assert "max_iterations" in Outcome(int(state.result)).text
    assert state.residual > 1e-6


def test_wrong_gradient_is_reported_by_gcmma():
    evaluate = lambda x: (jnp.sum(x), jnp.zeros(0))  # noqa: E731
    arguments = jnp.full(3, 0.5), -jnp.ones(3), jnp.zeros(0), jnp.zeros((0, 3))
    _, state = one_update(*arguments, method=GCMMA(max_trials=5), evaluate=evaluate, value=1.5)
    assert int(state.subproblems) == 5
    assert "conservative" in Outcome(int(state.result)).text


def test_noise_of_the_values_is_no_wrong_gradient():
    # The value of the trial is 1e-5 too high, as from a solve of that accuracy, and the step promises less than that.
    x, gradient = jnp.full(3, 0.5), jnp.full(3, -1e-6)
    evaluate = lambda x: (1.0 + 1e-5 + jnp.sum(gradient * (x - 0.5)), jnp.zeros(0))  # noqa: E731
    gcmma, seen = GCMMA(max_trials=3), Seen(jnp.ones(()), gradient, jnp.zeros(0), jnp.zeros((0, 3)))

    @jax.jit
    def needed(noise):
        problem = Problem(m=0, evaluate=evaluate, noise=noise)
        return gcmma.update(gcmma.init(x, problem), x, seen, problem)[1].subproblems

    assert [int(needed(noise)) for noise in (1e-4, 0.0)] == [1, 3]


def test_infeasible_constraints_are_relaxed_and_reported():
    x = jnp.full(10, 0.5)
    new, state = one_update(x, jnp.ones(10), jnp.array([1.0]), jnp.full((1, 10), -1 / 10))
    np.testing.assert_allclose(new, 0.7, atol=1e-6)  # as far as the move limit lets it go
    np.testing.assert_allclose(float(state.violation), 1.0)
    assert state.relaxation > 0.5
    assert int(state.result) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"move": 0}, r"Argument `move` must be above 0, but is 0\."),
        ({"start": 20.0}, r"Argument `start` must be in \[0.01, 10.0\], but is 20.0\."),
        ({"shrink": 1.5}, r"Argument `shrink` must be in \(0, 1\], but is 1.5\."),
        ({"grow": 0.5}, r"Argument `grow` must be at least 1, but is 0.5\."),
        ({"a0": 0.0}, r"Argument `a0` must be above 0, but is 0.0\."),
        ({"a": -1.0}, r"Argument `a` must not be negative, but is -1.0\."),
        ({"c": (1.0, 0.0)}, r"Argument `c` must be above 0, but is \(1.0, 0.0\)\."),
        ({"d": 0.0}, r"Argument `d` must be above 0, but is 0.0\."),
        ({"raa0": 0.0}, r"Argument `raa0` must be above 0, but is 0.0\."),
        ({"tolerance": 0.0}, r"Argument `tolerance` must be above 0, but is 0.0\."),
        ({"max_iterations": 0}, r"Argument `max_iterations` must be at least 1, but is 0\."),
    ],
)
def test_bad_configuration(arguments, message):
    with pytest.raises(ValueError, match=message):
        MMA(**arguments)


def test_bad_shapes():
    x, gradient, values, jacobian = some_arguments(0)
    problem = Problem(m=2)
    with pytest.raises(ValueError, match="Argument `max_trials` must be at least 1, but is 0"):
        GCMMA(max_trials=0)
    with pytest.raises(Exception, match=r"Argument `x` must have a floating-point dtype|parameter 'x'"):
        MMA().init(jnp.zeros(3, jnp.int32), problem)
    with pytest.raises(ValueError, match="Argument `c` must have one number for each of 2 constraints"):
        MMA(c=(1.0, 2.0, 3.0)).init(x, problem)
    seen = Seen(jnp.zeros(()), gradient, values[:1], jacobian)
    with pytest.raises(ValueError, match=r"Argument `seen` must have constraints of shape \(2,\), but they have"):
        MMA().update(MMA().init(x, problem), x, seen, problem)
    with pytest.raises(ValueError, match="Argument `problem` must have the functions as `evaluate`"):
        GCMMA().update(GCMMA().init(x, problem), x, seen, problem)
