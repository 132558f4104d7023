import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.elasticity import (
    Isotropic,
    cubic_stiffness,
    hill_average,
    reuss_average,
    rotate,
    to_mandel,
    voigt_average,
)


def rotations():
    """A rule that integrates polynomials up to degree 4 in the entries of a rotation exactly."""
    nodes, weights = np.polynomial.legendre.leggauss(5)
    around = np.arange(6) * np.pi / 3

    def about(axis, angle):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        matrix = np.eye(3)
        matrix[i, i] = matrix[j, j] = np.cos(angle)
        matrix[j, i] = np.sin(angle)
        matrix[i, j] = -matrix[j, i]
        return matrix

    for node, weight in zip(nodes, weights, strict=True):
        for first in around:
            for second in around:
                yield about(2, first) @ about(0, np.arccos(node)) @ about(2, second), weight / 2 / 36


def full_mean(tensor):
    """Mean of a full tensor over all rotations."""
    return sum(
        weight * np.einsum("ip,jq,kr,ls,pqrs->ijkl", *[turn] * 4, tensor, optimize=True) for turn, weight in rotations()
    )


def test_voigt_is_the_mean_over_all_rotations(random_stiffness, full, full_isotropic):
    stiffness = random_stiffness(0)
    bulk, shear = voigt_average(jnp.asarray(stiffness))
    expected = full_isotropic(float(bulk - 2 * shear / 3), float(shear))
    np.testing.assert_allclose(full_mean(full(stiffness)), expected, atol=1e-13)


def test_reuss_is_the_mean_compliance_over_all_rotations(random_stiffness, full, full_isotropic):
    stiffness = random_stiffness(1)
    bulk, shear = reuss_average(jnp.asarray(stiffness))
    flexibility = np.linalg.pinv(full(stiffness).reshape(9, 9), rcond=1e-10).reshape(3, 3, 3, 3)
    mu = 1 / (4 * float(shear))
    expected = full_isotropic(1 / (9 * float(bulk)) - 2 * mu / 3, mu)
    np.testing.assert_allclose(full_mean(flexibility), expected, atol=1e-13)


@pytest.mark.parametrize(
    ("constants", "voigt", "reuss"),
    [
        ((168.4, 121.4, 75.4), (137.07, 54.64), (137.07, 40.03)),
        ((165.7, 63.9, 79.6), (97.83, 68.12), (97.83, 64.95)),
    ],
    ids=["Cu", "Si"],
)
def test_crystals(constants, voigt, reuss):
    stiffness = cubic_stiffness(*constants)
    np.testing.assert_allclose(voigt_average(stiffness), voigt, atol=0.01)
    np.testing.assert_allclose(reuss_average(stiffness), reuss, atol=0.01)
    np.testing.assert_allclose(hill_average(stiffness), np.add(voigt, reuss) / 2, atol=0.01)


def test_order_and_invariance(random_stiffness, random_rotation):
    stiffness = jnp.asarray(random_stiffness(2, 20))
    voigt, reuss, hill = jax.jit(lambda c: (voigt_average(c), reuss_average(c), hill_average(c)))(stiffness)
    turned = jax.jit(rotate)(stiffness, jnp.asarray(random_rotation(2, 20)))
    for low, mean, high, again in zip(reuss, hill, voigt, jax.jit(hill_average)(turned), strict=True):
        assert low.shape == (20,)
        assert bool(jnp.all((low < mean) & (mean < high)))
        np.testing.assert_allclose(again, mean, rtol=1e-11)


@pytest.mark.parametrize("average", [voigt_average, reuss_average, hill_average])
def test_isotropic_gives_its_own_moduli(average):
    solid = Isotropic(2.0, jnp.array([-0.5, 0.0, 0.45]))
    bulk, shear = jax.jit(average)(solid.stiffness)
    np.testing.assert_allclose(bulk, solid.bulk, rtol=1e-13)
    np.testing.assert_allclose(shear, solid.shear, rtol=1e-13)


def test_the_two_invariants_are_traces(random_matrix):
    # Also for a matrix that is not symmetric: C_iijj = 9 K and tr(Ĉ) = 3 K + 10 G.
    matrix = jnp.asarray(random_matrix(3))
    bulk, shear = voigt_average(matrix)
    np.testing.assert_allclose(jnp.sum(matrix[:3, :3]), 9 * bulk, rtol=1e-12)
    np.testing.assert_allclose(jnp.trace(to_mandel(matrix)), 3 * bulk + 10 * shear, rtol=1e-12)
