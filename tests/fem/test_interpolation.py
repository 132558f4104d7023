"""SIMP and RAMP: ends, slopes, and derivatives with respect to their parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm

LAWS = [jm.SIMP(3.0, 1e-9), jm.SIMP(1.0, 0.0), jm.SIMP(2.5, 0.1), jm.RAMP(3.0, 1e-9), jm.RAMP(0.0, 0.2)]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_ends_and_monotone(law):
    rho = jnp.linspace(0.0, 1.0, 101)
    modulus = law(rho)
    assert modulus[0] == law.void and modulus[-1] == 1
    assert jnp.all(jnp.diff(modulus) > 0)
    np.testing.assert_allclose(modulus, law.void + (1 - law.void) * law.weight(rho), rtol=1e-15)


def test_values():
    np.testing.assert_allclose(jm.SIMP(3.0, 0.1)(jnp.array([0.5])), [0.1 + 0.9 * 0.125], rtol=1e-15)
    np.testing.assert_allclose(jm.RAMP(3.0, 0.1)(jnp.array([0.5])), [0.1 + 0.9 * 0.2], rtol=1e-15)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_derivatives_are_finite_at_both_ends(law):
    """With respect to density, void and penalty; a design starts with voxels at 0 and 1."""
    rho = jnp.array([0.0, 1.0])
    of_density = jax.vmap(jax.grad(law))(rho)
    assert jnp.all(jnp.isfinite(of_density))
    pulled = jax.grad(lambda p: p(rho).sum())(jax.tree.map(jnp.asarray, law))
    assert all(jnp.isfinite(leaf) for leaf in jax.tree.leaves(pulled))
    np.testing.assert_allclose(pulled.void, 1.0, rtol=1e-15)
    np.testing.assert_allclose(pulled.penalty, 0.0, atol=1e-15)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_dtype_follows_the_density(dtype):
    for law in LAWS:
        assert law(jnp.ones((2,), dtype)).dtype == dtype
