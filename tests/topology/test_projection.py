"""Heaviside projection and its continuation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.topology._projection import Continuation, Heaviside

DTYPES = (jnp.float32, jnp.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("eta", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("beta", [0.01, 1, 8.0, 512.0])
def test_shape_of_the_step(beta, eta, dtype):
    density = jnp.linspace(0, 1, 401, dtype=dtype)
    projected = Heaviside(beta, eta)(density)
    assert projected.dtype == dtype
    rounding = 8 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(projected[jnp.array([0, -1])], [0, 1], atol=rounding)
    assert jnp.all(jnp.diff(projected) >= -rounding)
    x = np.asarray(density, float)
    exact = (np.tanh(beta * eta) + np.tanh(beta * (x - eta))) / (np.tanh(beta * eta) + np.tanh(beta * (1 - eta)))
    np.testing.assert_allclose(projected, exact, atol=1e-13 if dtype == jnp.float64 else 5e-5)


def test_limits():
    density = jnp.linspace(0, 1, 41)
    np.testing.assert_allclose(Heaviside(1e-3)(density), density, atol=1e-6)
    away = jnp.abs(density - 0.3) > 0.02
    step = (density > 0.3).astype(float)
    np.testing.assert_allclose(Heaviside(1e3, 0.3)(density)[away], step[away], atol=1e-12)
    np.testing.assert_allclose(Heaviside(7.0)(density) + Heaviside(7.0)(1 - density), 1, atol=1e-14)


def test_derivative_is_that_of_the_formula():
    x, beta, eta = jnp.array([0.1, 0.45, 0.8]), 6.0, 0.4
    slope = jax.vmap(jax.grad(Heaviside(beta, eta)))(x)
    scale = np.tanh(beta * eta) + np.tanh(beta * (1 - eta))
    np.testing.assert_allclose(slope, beta / np.cosh(beta * (np.asarray(x) - eta)) ** 2 / scale, rtol=1e-12)


def test_is_a_pytree_and_takes_a_traced_sharpness():
    density = jnp.linspace(0, 1, 7)
    traces = []

    @jax.jit
    def apply(projection, density):
        traces.append(None)
        return projection(density)

    for beta in (1.0, 4.0, 16.0):
        expected = Heaviside(beta, 0.4)(density)
        np.testing.assert_allclose(apply(Heaviside(jnp.asarray(beta), jnp.asarray(0.4)), density), expected, rtol=1e-12)
    assert len(traces) == 1
    batch = jax.vmap(lambda beta: Heaviside(beta)(density))(jnp.array([1.0, 4.0]))
    np.testing.assert_allclose(batch[1], Heaviside(4.0)(density), rtol=1e-12)


def test_continuation():
    schedule = Continuation(start=2, factor=1.5, every=10, final=9.0)
    expected = [2.0, 2.0, 3.0, 4.5, 6.75, 9.0, 9.0]
    steps = [0, 9, 10, 20, 39, 40, 100_000]
    np.testing.assert_allclose([float(schedule(step)) for step in steps], expected)
    np.testing.assert_allclose(jax.jit(jax.vmap(schedule))(jnp.array(steps)), expected)
    assert float(Continuation(1.0, 1.0, 5, 1.0)(3)) == 1.0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Heaviside(0.0), r"Argument `beta` must be a finite number above 0, but is 0.0\."),
        (lambda: Heaviside(4.0, 1.5), r"Argument `eta` must be in \[0, 1\], but is 1.5\."),
        (lambda: Continuation(start=0.0), r"Argument `start` must be above 0, but is 0.0\."),
        (lambda: Continuation(factor=0.5), r"Argument `factor` must be at least 1, but is 0.5\."),
        (lambda: Continuation(every=0), r"Argument `every` must be at least 1, but is 0\."),
        (lambda: Continuation(start=8.0, final=4.0), r"Argument `final` must be at least `start`, 8.0, but is 4.0\."),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=message):
        build()
