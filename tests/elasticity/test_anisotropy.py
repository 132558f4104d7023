import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.elasticity import (
    Isotropic,
    cubic_stiffness,
    engineering_constants,
    poisson_ratio,
    rotate,
    universal_anisotropy,
    zener,
)


@pytest.mark.parametrize(
    ("constants", "ratio", "index"),
    [((168.4, 121.4, 75.4), 3.21, 1.83), ((165.7, 63.9, 79.6), 1.564, 0.244), ((523.0, 205.0, 161.0), 1.013, 0.0002)],
    ids=["Cu", "Si", "W"],
)
def test_crystals(constants, ratio, index):
    stiffness = cubic_stiffness(*constants)
    np.testing.assert_allclose(zener(stiffness), ratio, atol=0.006)
    np.testing.assert_allclose(universal_anisotropy(stiffness), index, rtol=0.02, atol=1e-4)


def test_universal_index_of_a_cubic_tensor_follows_from_zener():
    # Ranganathan and Ostoja-Starzewski (2008): A^U = (6/5) (sqrt(A) - 1/sqrt(A))^2.
    ratios = jnp.array([0.1, 0.7, 1.0, 2.5, 8.0])
    stiffness = cubic_stiffness(3.0, 1.0, ratios)
    np.testing.assert_allclose(zener(stiffness), ratios, rtol=1e-14)
    expected = 1.2 * (np.sqrt(ratios) - 1 / np.sqrt(ratios)) ** 2
    np.testing.assert_allclose(universal_anisotropy(stiffness), expected, atol=1e-13)


def test_universal_index_does_not_depend_on_axes_and_is_positive(random_stiffness, random_rotation):
    stiffness = jnp.asarray(random_stiffness(0, 10))
    index = jax.jit(universal_anisotropy)(stiffness)
    turned = jax.jit(rotate)(stiffness, jnp.asarray(random_rotation(0, 10)))
    np.testing.assert_allclose(jax.jit(universal_anisotropy)(turned), index, rtol=1e-10)
    assert bool(jnp.all(index > 0))


@jax.jit
def index_and_derivatives(stiffness, direction):
    return jax.jvp(jax.value_and_grad(universal_anisotropy), (stiffness,), (direction,))


@pytest.mark.parametrize("poisson", [-0.8, 0.0, 0.3])
def test_isotropic_point_is_a_smooth_minimum(poisson):
    stiffness = Isotropic(2.0, poisson).stiffness
    direction = jnp.diag(jnp.arange(6.0))
    (index, gradient), (_, curvature) = index_and_derivatives(stiffness, direction)
    np.testing.assert_allclose(zener(stiffness), 1, rtol=1e-14)
    np.testing.assert_allclose(index, 0, atol=1e-13)
    np.testing.assert_allclose(gradient, np.zeros((6, 6)), atol=1e-12)
    assert float(jnp.sum(curvature * direction)) > 0


@pytest.mark.parametrize("c12", [-0.9, 0.0, 1.5])
def test_poisson_ratio_of_a_tension_test(c12):
    stiffness = cubic_stiffness(2.0, c12, 0.7)
    np.testing.assert_allclose(poisson_ratio(stiffness), engineering_constants(stiffness).poisson[0, 2], atol=1e-14)
