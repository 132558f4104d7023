"""The optimality criteria update."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxmeta.optimizers import OC, Outcome, Problem, Seen
from jaxmeta.topology import DensityFilter, Heaviside

DTYPES = (jnp.float32, jnp.float64)


def outcome(state):
    return Outcome(int(state.result))


def update(oc, state, x, gradient, slope, volume, target, lower=0.0, upper=1.0):
    """One update towards volume(x) = target, with the slope of the volume."""
    excess = lambda x: volume(x) - target  # noqa: E731
    seen = Seen(jnp.zeros((), x.dtype), gradient, excess(x)[None], slope[None])
    return oc.update(state, x, seen, Problem(lower, upper, 1, cheap=excess))


ONE = Problem(m=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("damping", [0.3, 0.5])
def test_converges_to_the_known_solution(damping, dtype):
    # min Σ w/x subject to mean(x) = 0.4: x = √(w/λ), cut at the upper bound.
    weight = np.random.default_rng(0).uniform(0.01, 1, (4, 5, 6)) ** 3
    solution = lambda multiplier: np.minimum(np.sqrt(weight / multiplier), 1)  # noqa: E731
    multiplier = scipy.optimize.brentq(lambda value: np.mean(solution(value)) - 0.4, 1e-9, 1e3, xtol=1e-15)
    oc, w = OC(damping=damping), jnp.asarray(weight, dtype)

    @jax.jit
    def run(x):
        step = lambda _, carry: update(  # noqa: E731
            oc, carry[1], carry[0], -w / carry[0] ** 2, jnp.full_like(x, 1 / x.size), jnp.mean, 0.4
        )
        return jax.lax.fori_loop(0, 80, step, (x, oc.init(x, ONE)))

    x, state = run(jnp.full(weight.shape, 0.4, dtype))
    assert x.dtype == dtype and outcome(state) == Outcome.solved
    np.testing.assert_allclose(x, solution(multiplier), atol=2e-6 if dtype == jnp.float64 else 2e-5)
    np.testing.assert_allclose(state.multiplier, multiplier * weight.size, rtol=2e-5)
    assert float(state.clipped) == 0 and int(state.step) == 80


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("beta", [1.0, 16.0, 256.0])
def test_volume_of_the_projected_density_is_met(beta, dtype):
    sieve, projection, oc = DensityFilter(2.0, "mirror"), Heaviside(beta), OC()
    volume = jax.jit(lambda x: jnp.mean(projection(sieve(x))))
    rng = np.random.default_rng(0)
    x, gradient = jnp.asarray(rng.uniform(0.1, 0.7, (10, 10, 10)), dtype), jnp.asarray(-(rng.random((10, 10, 10)) ** 9))
    step = jax.jit(lambda x, g: update(oc, oc.init(x, ONE), x, g, jax.grad(volume)(x), volume, 0.3))
    # The scale of the objective does not matter, even where its square would under- or overflow.
    for scale in (1.0, 1e-25, 1e20):
        new, state = step(x, (scale * gradient).astype(dtype))
        assert outcome(state) == Outcome.solved
        assert abs(float(volume(new)) - 0.3) < 2e-6
        assert abs(float(state.constraint)) <= 1.01 * max(1e-6, 16 * jnp.finfo(dtype).eps)
        assert int(state.evaluations) <= 20
        assert jnp.max(jnp.abs(new - x)) <= 0.2 + 1e-6
        assert jnp.min(new) >= 0 and jnp.max(new) <= 1


@functools.partial(jax.jit, static_argnames="oc")
def linear_update(x, gradient, target, oc=None, lower=0.0, upper=1.0):
    oc = OC() if oc is None else oc
    return update(oc, oc.init(x, ONE), x, gradient, jnp.full_like(x, 1 / x.size), jnp.mean, target, lower, upper)


def test_positive_gradients_are_clipped_and_reported():
    gradient = jnp.array([-1.0, -2.0, 3.0, -2.0])
    new, state = linear_update(jnp.full(4, 0.5), gradient, 0.5)
    same, _ = linear_update(jnp.full(4, 0.5), gradient.at[2].set(0.0), 0.5)
    np.testing.assert_array_equal(new, same)
    np.testing.assert_allclose(new[2], 0.3)  # down by the move limit
    np.testing.assert_allclose([float(state.clipped), float(state.clipped_weight)], [1 / 4, 3 / 8])


def test_no_descent_and_not_finite_leave_the_design():
    x = jnp.full(4, 0.5)
    new, state = linear_update(x, jnp.ones(4), 0.4)
    np.testing.assert_array_equal(new, x)
    assert outcome(state) == Outcome.no_descent and float(state.clipped_weight) == 1
    new, state = linear_update(x, jnp.array([-1.0, jnp.nan, -1.0, -1.0]), 0.4)
    np.testing.assert_array_equal(new, x)
    assert outcome(state) == Outcome.not_finite


@pytest.mark.parametrize(("target", "end"), [(0.1, 0.3), (0.9, 0.7)])
def test_volume_out_of_reach_goes_as_far_as_it_can(target, end):
    new, state = linear_update(jnp.full(4, 0.5), -jnp.arange(1.0, 5.0), target)
    np.testing.assert_allclose(new, end, atol=1e-6)
    assert outcome(state) == Outcome.out_of_reach
    np.testing.assert_allclose(state.constraint, end - target, atol=1e-6)


def test_volume_that_jumps_is_reported():
    oc, x = OC(), jnp.full(4, 0.5)
    jump = lambda x: jnp.where(jnp.mean(x) > 0.45, 1.0, 0.0)  # noqa: E731
    _, state = update(oc, oc.init(x, ONE), x, -jnp.arange(1.0, 5.0), jnp.full(4, 0.25), jump, 0.5)
    assert outcome(state) == Outcome.jumps
    assert int(state.evaluations) <= oc.max_evaluations


def test_held_variables_and_bounds():
    x = jnp.array([0.0, 1.0, 0.5, 0.5, 0.5])
    lower, upper = x.at[2:].set(0.1), x.at[2:].set(0.6)
    new, state = linear_update(x, -jnp.array([5.0, 1.0, 1.0, 2.0, 9.0]), 0.5, lower=lower, upper=upper)
    np.testing.assert_array_equal(new[:2], x[:2])
    assert jnp.all(new >= lower) and jnp.all(new <= upper) and new[4] == 0.6
    np.testing.assert_allclose(jnp.mean(new), 0.5, atol=1e-6)
    assert outcome(state) == Outcome.solved


def test_a_variable_at_zero_can_grow_again():
    x = jnp.array([0.0, 0.5, 0.5])
    new, _ = linear_update(x, -jnp.array([1e6, 1.0, 1.0]), 1 / 3)
    assert new[0] > 0.1
    stay, _ = linear_update(x, -jnp.array([1e-6, 1.0, 1.0]), 1 / 3)
    assert stay[0] == 0


def test_vmap():
    step = functools.partial(linear_update, target=0.4)
    rng = np.random.default_rng(0)
    x, gradient = jax.device_put(rng.uniform(0.2, 0.6, (3, 20))), jax.device_put(-rng.random((3, 20)))
    new, state = jax.jit(jax.vmap(step))(x, gradient)
    for k in range(3):
        one, single = step(x[k], gradient[k])
        np.testing.assert_allclose(new[k], one, atol=1e-12)
        assert int(single.evaluations) == int(state.evaluations[k])
    np.testing.assert_allclose(jnp.mean(new, 1), 0.4, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"move": 0.0}, r"Argument `move` must be above 0, but is 0.0\."),
        ({"damping": 1.5}, r"Argument `damping` must be in \(0, 1\], but is 1.5\."),
        ({"floor": 0.0}, r"Argument `floor` must be above 0, but is 0.0\."),
        ({"tolerance": 0.0}, r"Argument `tolerance` must be above 0, but is 0.0\."),
        ({"max_evaluations": 1}, r"Argument `max_evaluations` must be at least 2, but is 1\."),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        OC(**arguments)


def test_other_constraints_are_refused():
    for count in (0, 2):
        with pytest.raises(ValueError, match="must be MMA when there are constraints besides the volume, but is OC"):
            OC().init(jnp.full(4, 0.5), Problem(m=count))
    with pytest.raises(ValueError, match="Argument `problem` must have the constraint as `cheap`"):
        x = jnp.full(4, 0.5)
        OC().update(OC().init(x, ONE), x, Seen(x.sum(), -x, x[:1], x[None]), ONE)
