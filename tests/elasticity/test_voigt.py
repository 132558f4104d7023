import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.elasticity import from_full, from_mandel, isotropic_stiffness, kelvin_norm, to_full, to_mandel


def test_to_full_places_every_entry(random_matrix, full):
    matrix = random_matrix(0)
    np.testing.assert_array_equal(to_full(jnp.asarray(matrix)), full(matrix))


def test_full_round_trip_with_batch(random_matrix):
    matrices = random_matrix(1, 2, 3)
    assert to_full(jnp.asarray(matrices)).shape == (2, 3, 3, 3, 3, 3)
    np.testing.assert_array_equal(from_full(to_full(jnp.asarray(matrices))), matrices)


def test_full_tensor_maps_strain_to_stress_like_voigt(random_matrix):
    matrix = random_matrix(2)
    strain = np.array([[0.1, 0.2, -0.3], [0.2, 0.4, 0.5], [-0.3, 0.5, 0.6]])
    stress = np.einsum("ijkl,kl->ij", to_full(jnp.asarray(matrix)), strain)
    engineering = np.array([0.1, 0.4, 0.6, 2 * 0.5, 2 * -0.3, 2 * 0.2])
    expected = matrix @ engineering
    np.testing.assert_allclose(stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]], expected, rtol=1e-13)


def test_mandel_is_the_matrix_in_an_orthonormal_basis(random_matrix, full):
    matrix = random_matrix(3)
    basis = np.zeros((6, 3, 3))
    for row, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        basis[row, i, j] += 1
        basis[row, j, i] += 1
        basis[row] /= np.sqrt(np.sum(basis[row] ** 2))
    expected = np.einsum("aij,ijkl,bkl->ab", basis, full(matrix), basis)
    np.testing.assert_allclose(to_mandel(jnp.asarray(matrix)), expected, rtol=1e-13)


def test_mandel_round_trip(random_matrix):
    matrices = random_matrix(4, 5)
    np.testing.assert_allclose(from_mandel(to_mandel(jnp.asarray(matrices))), matrices, rtol=1e-14)


def test_kelvin_norm_is_the_norm_of_the_full_tensor(random_matrix, full):
    matrices = random_matrix(5, 3)
    expected = [np.sqrt(np.sum(full(matrix) ** 2)) for matrix in matrices]
    np.testing.assert_allclose(kelvin_norm(jnp.asarray(matrices)), expected, rtol=1e-13)


def test_kelvin_norm_has_a_finite_gradient_where_it_vanishes():
    stiffness = isotropic_stiffness(1.0, 0.5)
    gradient = jax.grad(lambda c: kelvin_norm(c - stiffness))(stiffness)
    np.testing.assert_array_equal(gradient, np.zeros((6, 6)))


@pytest.mark.parametrize("function", [to_full, to_mandel, from_mandel, kelvin_norm])
@pytest.mark.parametrize("shape", [(4, 4), (6,), (6, 5), ()])
def test_wrong_shape_is_refused(function, shape, unchecked):
    with pytest.raises(ValueError, match=r"must have shape \(\.\.\., 6, 6\), but has shape"):
        function(jnp.ones(shape))


def test_wrong_shape_of_a_full_tensor_is_refused(unchecked):
    with pytest.raises(
        ValueError, match=r"^Argument `tensor` must have shape \(\.\.\., 3, 3, 3, 3\), but has shape \(6, 6\)\.$"
    ):
        from_full(jnp.ones((6, 6)))
