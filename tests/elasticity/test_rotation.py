import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.elasticity import cubic_stiffness, isotropic_stiffness, kelvin_norm, rotate


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sign", [1, -1])
def test_against_full_tensor(seed, sign, random_matrix, random_rotation, full):
    matrix, rotation = random_matrix(seed), sign * random_rotation(seed)
    expected = np.einsum("ip,jq,kr,ls,pqrs->ijkl", *[rotation] * 4, full(matrix), optimize=True)
    turned = np.asarray(rotate(jnp.asarray(matrix), jnp.asarray(rotation)))
    np.testing.assert_allclose(full(turned), expected, rtol=0, atol=1e-13)


def test_silicon_wafer_axes():
    # The stiffness in use for (100) wafers with axes [110], [-110], [001], to 1 GPa.
    s = np.sqrt(0.5)
    wafer_to_crystal = np.array([[s, -s, 0.0], [s, s, 0.0], [0.0, 0.0, 1.0]])
    turned = np.asarray(rotate(cubic_stiffness(165.7, 63.9, 79.6), jnp.asarray(wafer_to_crystal.T)))
    expected = np.diag([194.0, 194.0, 166.0, 80.0, 80.0, 51.0])
    expected[[0, 1], [1, 0]] = 35
    expected[[0, 1, 2, 2], [2, 2, 0, 1]] = 64
    np.testing.assert_allclose(turned, expected, atol=0.5)


def test_quarter_turn_about_the_third_axis_moves_the_first_to_the_second(random_matrix):
    matrix = random_matrix(7)
    quarter = jnp.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turned = rotate(jnp.asarray(matrix), quarter)
    np.testing.assert_allclose(
        [turned[1, 1], turned[3, 3], turned[1, 3], turned[1, 5]],
        [matrix[0, 0], matrix[4, 4], matrix[0, 4], -matrix[0, 5]],
        rtol=1e-13,
    )


def test_composition_and_inverse(random_matrix, random_rotation):
    matrix, first, second = (jnp.asarray(a) for a in (random_matrix(8), random_rotation(8), random_rotation(9)))
    twice = rotate(rotate(matrix, first), second)
    np.testing.assert_allclose(twice, rotate(matrix, second @ first), atol=1e-13)
    np.testing.assert_allclose(rotate(rotate(matrix, first), first.T), matrix, atol=1e-13)
    np.testing.assert_allclose(kelvin_norm(twice), kelvin_norm(matrix), rtol=1e-13)


def test_isotropic_stays(random_rotation):
    stiffness = isotropic_stiffness(1.3, 0.4)
    np.testing.assert_allclose(rotate(stiffness, jnp.asarray(random_rotation(3))), stiffness, atol=1e-14)


@pytest.mark.parametrize(("tensors", "rotations"), [((), (5,)), ((5,), ()), ((2, 1), (5,)), ((2, 5), (2, 5))])
def test_batch_axes_broadcast(tensors, rotations, random_matrix, random_rotation):
    matrix, rotation = random_matrix(10, *tensors), random_rotation(11, *rotations)
    turned = jax.jit(rotate)(jnp.asarray(matrix), jnp.asarray(rotation))
    batch = np.broadcast_shapes(tensors, rotations)
    matrices, turns = np.broadcast_to(matrix, (*batch, 6, 6)), np.broadcast_to(rotation, (*batch, 3, 3))
    assert turned.shape == (*batch, 6, 6)
    for index in np.ndindex(batch):
        single = rotate(jnp.asarray(matrices[index]), jnp.asarray(turns[index]))
        np.testing.assert_allclose(turned[index], single, atol=1e-13)


def test_gradient_with_respect_to_the_angle(random_stiffness):
    stiffness = jnp.asarray(random_stiffness(12))

    def entry(angle):
        c, s, zero, one = jnp.cos(angle), jnp.sin(angle), jnp.zeros(()), jnp.ones(())
        rotation = jnp.stack([c, -s, zero, s, c, zero, zero, zero, one]).reshape(3, 3)
        return rotate(stiffness, rotation)[0, 0]

    c = np.asarray(stiffness)
    # C'_11 to first order in the angle: e_1 turns towards -e_2 in the material's axes.
    np.testing.assert_allclose(jax.jit(jax.grad(entry))(0.0), -2 * (c[0, 5] + c[5, 0]), rtol=1e-13)


def test_wrong_shape_is_refused(unchecked):
    with pytest.raises(
        ValueError, match=r"^Argument `rotation` must have shape \(\.\.\., 3, 3\), but has shape \(2, 2\)"
    ):
        rotate(isotropic_stiffness(1.0, 1.0), jnp.eye(2))


def test_the_rotation_is_read_in_the_dtype_of_the_stiffness(random_rotation):
    stiffness = isotropic_stiffness(jnp.float32(1), jnp.float32(1))
    assert rotate(stiffness, jnp.asarray(random_rotation(0))).dtype == jnp.float32
