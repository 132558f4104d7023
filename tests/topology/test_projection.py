"""Heaviside projection and its continuation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.topology._projection import Heaviside

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


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Heaviside(0.0), r"Argument `beta` must be a finite number above 0, but is 0.0\."),
        (lambda: Heaviside(4.0, 1.5), r"Argument `eta` must be in \[0, 1\], but is 1.5\."),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=message):
        build()
