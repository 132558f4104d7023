"""Prolongation and restriction: transposes of each other, exact on linear fields."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.fem._transfer import corrected, restrict
from tests.fem.problems import BOUNDARIES

SHAPE = (4, 6, 2)
HALF = (2, 3, 1)


def prolong(coarse, boundary):
    return corrected(jnp.zeros((3, *boundary.nodes(SHAPE))), coarse, boundary)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_restriction_is_the_transpose_of_prolongation(boundary):
    fine = BOUNDARIES[boundary](SHAPE)
    rng = np.random.default_rng(0)
    u = jnp.asarray(rng.normal(size=(3, *fine.coarse().nodes(HALF))))
    f = jnp.asarray(rng.normal(size=(3, *fine.nodes(SHAPE))))
    left, right = jnp.vdot(prolong(u, fine), f), jnp.vdot(u, restrict(f, fine))
    assert prolong(u, fine).shape == f.shape and restrict(f, fine).shape == u.shape
    assert abs(left - right) <= 1e-14 * jnp.linalg.norm(u) * jnp.linalg.norm(f)
    assert abs(left) > 1e-3


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_held_components_stay_held(boundary):
    fine = BOUNDARIES[boundary](SHAPE)
    ones = jnp.ones((3, *fine.coarse().nodes(HALF)))
    u = prolong(ones, fine)
    np.testing.assert_array_equal(u, fine.free(u))
    f = restrict(jnp.ones((3, *fine.nodes(SHAPE))), fine)
    np.testing.assert_array_equal(f, fine.coarse().free(f))


def test_linear_fields_are_exact_on_a_block():
    def linear(shape, h):
        x, y, z = np.meshgrid(*(np.arange(n + 1.0) * h for n in shape), indexing="ij")
        return jnp.asarray(np.stack([1 + x - 2 * y, 3 * z, x + y + z]))

    boundary = BOUNDARIES["free"](SHAPE)
    np.testing.assert_allclose(prolong(linear(HALF, 2), boundary), linear(SHAPE, 1), rtol=0, atol=1e-14)


def test_constants_are_exact_on_a_periodic_cell():
    boundary = BOUNDARIES["periodic"](SHAPE)
    ones = jnp.ones((3, *HALF))
    np.testing.assert_array_equal(prolong(ones, boundary), jnp.ones((3, *SHAPE)))
    np.testing.assert_array_equal(restrict(jnp.ones((3, *SHAPE)), boundary), 8 * ones)
