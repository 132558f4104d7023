"""The differentiable solve: derivatives of every order and nesting against closed forms."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.solvers import PCG, solve
from tests.solvers.problems import SPECTRA, matrix, vector

METHOD = PCG(residual=1e-13)
A, D = matrix(SPECTRA["even"]), matrix(np.linspace(-0.3, 0.4, 30), seed=5)
B, W = vector(30), vector(30, seed=2)


def _value(t):
    """wᵀ (A + t₀ D + t₀² I)⁻¹ (b + t₁ w)."""
    a = A + t[0] * D + t[0] ** 2 * jnp.eye(30)
    return W @ solve(lambda x: a @ x, B + t[1] * W, METHOD, lambda r: r).value


def _exact(t):
    return W @ jnp.linalg.solve(A + t[0] * D + t[0] ** 2 * jnp.eye(30), B + t[1] * W)


POINT = jnp.array([0.3, -0.7])


@cache
def exact():
    """First, second and third derivatives."""
    second = jax.hessian(_exact)
    return jax.jit(lambda t: (jax.grad(_exact)(t), second(t), jax.jacfwd(second)(t)))(POINT)


@pytest.mark.parametrize(
    "made", [jax.grad, jax.jacfwd, lambda f: jax.jit(jax.grad(f))], ids=["reverse", "forward", "jit"]
)
def test_first_derivatives(made):
    np.testing.assert_allclose(made(_value)(POINT), exact()[0], rtol=1e-11)


@pytest.mark.parametrize("outer", [jax.jacfwd, jax.jacrev])
@pytest.mark.parametrize("inner", [jax.jacfwd, jax.jacrev])
def test_second_derivatives(inner, outer):
    np.testing.assert_allclose(jax.jit(outer(inner(_value)))(POINT), exact()[1], rtol=1e-10)


def test_third_derivative():
    third = jax.jit(jax.jacfwd(jax.jacfwd(jax.jacrev(_value))))(POINT)
    np.testing.assert_allclose(third, exact()[2], rtol=1e-9, atol=1e-12)


def test_batches():
    points = jnp.asarray(np.random.default_rng(0).uniform(-0.5, 0.5, (3, 2)))
    (values, slopes), (expected, expected_slopes) = (
        jax.jit(jax.vmap(jax.value_and_grad(f)))(points) for f in (_value, _exact)
    )
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_allclose(slopes, expected_slopes, rtol=1e-11)
    np.testing.assert_allclose(jax.jit(jax.vmap(_value))(points), expected, rtol=1e-12)


def test_statistics_come_through():
    solution = jax.jit(lambda b: solve(lambda x: A @ x, b, METHOD, lambda r: r))(B)
    assert solution.result == 0
    assert 0 < solution.stats.steps < 60
    assert solution.stats.residual <= 1e-13
