import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.elasticity import (
    cubic_constants,
    cubic_stiffness,
    isotropic_stiffness,
    kelvin_norm,
    nearest_cubic,
    nearest_isotropic,
    rotate,
)


def least_squares(target, *basis):
    """The nearest combination of full tensors in the sum of squares of all 81 components."""
    columns = np.stack([tensor.ravel() for tensor in basis], axis=1)
    coefficients, *_ = np.linalg.lstsq(columns, target.ravel(), rcond=None)
    return (columns @ coefficients).reshape(3, 3, 3, 3)


@pytest.mark.parametrize("seed", range(3))
def test_isotropic_against_least_squares(seed, random_matrix, full, full_isotropic):
    matrix = random_matrix(seed)
    expected = least_squares(full(matrix), full_isotropic(1, 0), full_isotropic(0, 1))
    np.testing.assert_allclose(full(np.asarray(nearest_isotropic(jnp.asarray(matrix)))), expected, atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_cubic_against_least_squares(seed, random_matrix, full, full_isotropic):
    matrix = random_matrix(seed)
    edges = np.zeros((3, 3, 3, 3))
    edges[[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 2]] = 1
    expected = least_squares(full(matrix), full_isotropic(1, 0), full_isotropic(0, 1), edges)
    np.testing.assert_allclose(full(np.asarray(nearest_cubic(jnp.asarray(matrix)))), expected, atol=1e-13)


@pytest.mark.parametrize("nearest", [nearest_isotropic, nearest_cubic])
def test_no_neighbour_is_closer(nearest, random_stiffness):
    stiffness = jnp.asarray(random_stiffness(5))
    distance = kelvin_norm(stiffness - nearest(stiffness))
    others = np.asarray(jax.jit(nearest)(jnp.asarray(random_stiffness(6, 50))))
    for step in (1e-3, 1e-1):
        moved = jax.jit(kelvin_norm)(jnp.asarray(np.asarray(stiffness - nearest(stiffness)) - step * others))
        assert np.all(moved > distance)


@pytest.mark.parametrize("nearest", [nearest_isotropic, nearest_cubic])
def test_projection_is_idempotent_and_batched(nearest, random_matrix):
    matrices = jnp.asarray(random_matrix(7, 2, 3))
    once = nearest(matrices)
    assert once.shape == (2, 3, 6, 6)
    np.testing.assert_allclose(nearest(once), once, atol=1e-14)
    np.testing.assert_allclose(once[1, 2], nearest(matrices[1, 2]), atol=1e-14)


def test_isotropic_projection_commutes_with_rotation(random_stiffness, random_rotation):
    stiffness = jnp.asarray(random_stiffness(8))
    turned = rotate(stiffness, jnp.asarray(random_rotation(8)))
    np.testing.assert_allclose(nearest_isotropic(turned), nearest_isotropic(stiffness), atol=1e-13)


def test_cubic_constants_are_given_back():
    np.testing.assert_allclose(cubic_constants(cubic_stiffness(168.4, 121.4, 75.4)), (168.4, 121.4, 75.4), rtol=1e-15)


def test_squared_distance_is_smooth_at_an_isotropic_point():
    stiffness = isotropic_stiffness(1.0, 0.5)
    gradient = jax.jit(jax.grad(lambda c: kelvin_norm(c - nearest_isotropic(c)) ** 2))(stiffness)
    np.testing.assert_allclose(gradient, np.zeros((6, 6)), atol=1e-14)
