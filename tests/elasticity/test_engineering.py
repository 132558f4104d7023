import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.elasticity import (
    compliance,
    cubic_stiffness,
    directional_young,
    engineering_constants,
    host_constants,
    rotate,
    universal_anisotropy,
)

COPPER = (168.4, 121.4, 75.4)  # GPa; Kittel (2005), ch. 3, table 11
SILICON = (165.7, 63.9, 79.6)  # GPa; Hopcroft, Nix and Kenny (2010)


def strain_under(full_tensor, stress):
    """Strain tensor under a stress tensor, without Voigt form: C is inverted on symmetric tensors only."""
    strain = np.linalg.pinv(full_tensor.reshape(9, 9), rcond=1e-10) @ stress.reshape(9)
    return strain.reshape(3, 3)


def test_compliance_is_the_inverse(random_stiffness):
    stiffness = random_stiffness(0, 4)
    product = np.asarray(compliance(jnp.asarray(stiffness))) @ stiffness
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(6), (4, 6, 6)), atol=1e-12)


@pytest.mark.parametrize(
    ("constants", "expected"), [(COPPER, (66.7, 130.3, 191.1)), (SILICON, (130.1, 169.1, 188.0))], ids=["Cu", "Si"]
)
def test_young_of_crystals(constants, expected):
    directions = jnp.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(directional_young(cubic_stiffness(*constants), directions), expected, atol=0.15)


@pytest.mark.parametrize("seed", range(3))
def test_directional_young_against_full_tensor(seed, random_stiffness, full):
    stiffness = random_stiffness(seed)
    direction = np.random.default_rng(seed).normal(size=3)
    unit = direction / np.linalg.norm(direction)
    expected = 1 / (unit @ strain_under(full(stiffness), np.outer(unit, unit)) @ unit)
    young = directional_young(jnp.asarray(stiffness), jnp.asarray(direction))
    np.testing.assert_allclose(young, expected, rtol=1e-12)


def test_directional_young_turns_with_the_material(random_stiffness, random_rotation):
    stiffness, rotation = jnp.asarray(random_stiffness(5)), jnp.asarray(random_rotation(5))
    direction = jnp.array([0.2, -0.7, 0.4])
    turned = directional_young(rotate(stiffness, rotation), rotation @ direction)
    np.testing.assert_allclose(turned, directional_young(stiffness, direction), rtol=1e-12)


@pytest.mark.parametrize(("tensors", "directions"), [((), (7,)), ((3,), ()), ((3, 1), (7,)), ((3,), (3,))])
def test_directional_young_broadcasts(tensors, directions, random_stiffness):
    stiffness = random_stiffness(6, *tensors)
    direction = np.random.default_rng(6).normal(size=(*directions, 3))
    young = jax.jit(directional_young)(jnp.asarray(stiffness), jnp.asarray(direction))
    batch = np.broadcast_shapes(tensors, directions)
    assert young.shape == batch
    stiffness, direction = np.broadcast_to(stiffness, (*batch, 6, 6)), np.broadcast_to(direction, (*batch, 3))
    for index in np.ndindex(batch):
        single = directional_young(jnp.asarray(stiffness[index]), jnp.asarray(direction[index]))
        np.testing.assert_allclose(young[index], single, rtol=1e-12)


def test_engineering_constants_against_full_tensor(random_stiffness, full):
    stiffness = random_stiffness(7, 2)
    constants = jax.jit(engineering_constants)(jnp.asarray(stiffness))
    assert [field.shape for field in constants] == [(2, 3), (2, 3, 3), (2, 3)]
    for sample, matrix in enumerate(stiffness):
        tensor = full(matrix)
        for i in range(3):
            strain = strain_under(tensor, np.diag(np.eye(3)[i]))
            np.testing.assert_allclose(constants.young[sample, i], 1 / strain[i, i], rtol=1e-11)
            for j in range(3):
                expected = 0 if i == j else -strain[j, j] / strain[i, i]
                np.testing.assert_allclose(constants.poisson[sample, i, j], expected, atol=1e-11)
        for position, (i, j) in enumerate([(1, 2), (0, 2), (0, 1)]):
            stress = np.zeros((3, 3))
            stress[i, j] = stress[j, i] = 1
            expected = 1 / (2 * strain_under(tensor, stress)[i, j])
            np.testing.assert_allclose(constants.shear[sample, position], expected, rtol=1e-11)


def test_orthotropic_constants_are_given_back():
    # Nine different constants, so that a transposed Poisson's ratio shows.
    young, shear = np.array([10.0, 20.0, 35.0]), np.array([4.0, 5.0, 6.0])
    nu12, nu13, nu23 = 0.15, 0.2, 0.3
    flexibility = np.diag([*1 / young, *1 / shear])
    flexibility[0, 1] = flexibility[1, 0] = -nu12 / young[0]
    flexibility[0, 2] = flexibility[2, 0] = -nu13 / young[0]
    flexibility[1, 2] = flexibility[2, 1] = -nu23 / young[1]
    constants = engineering_constants(jnp.asarray(np.linalg.inv(flexibility)))
    np.testing.assert_allclose(constants.young, young, rtol=1e-12)
    np.testing.assert_allclose(constants.shear, shear, rtol=1e-12)
    poisson = np.array([[0, nu12, nu13], [2 * nu12, 0, nu23], [3.5 * nu13, 1.75 * nu23, 0]])
    np.testing.assert_allclose(constants.poisson, poisson, rtol=1e-12, atol=1e-15)


def test_silicon_wafer_constants():
    # Hopcroft, Nix and Kenny (2010): axes [110], [-110], [001].
    s = np.sqrt(0.5)
    to_wafer = jnp.asarray(np.array([[s, s, 0.0], [-s, s, 0.0], [0.0, 0.0, 1.0]]))
    constants = engineering_constants(rotate(cubic_stiffness(*SILICON), to_wafer))
    np.testing.assert_allclose(constants.young, [169, 169, 130], atol=0.5)
    np.testing.assert_allclose(constants.shear, [79.6, 79.6, 50.9], atol=0.1)
    ratios = [constants.poisson[1, 2], constants.poisson[2, 0], constants.poisson[0, 1]]
    np.testing.assert_allclose(ratios, [0.36, 0.28, 0.064], atol=0.005)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (compliance, (jnp.ones((3, 3)),), "stiffness"),
        (engineering_constants, (jnp.ones((6, 3)),), "stiffness"),
        (directional_young, (jnp.eye(6), jnp.ones(2)), "direction"),
        (directional_young, (jnp.ones(36), jnp.ones(3)), "stiffness"),
    ],
)
def test_wrong_shapes_are_refused(function, arguments, name, unchecked):
    with pytest.raises(ValueError, match=f"^Argument `{name}` must have shape"):
        function(*arguments)


def test_the_host_finds_the_same(random_stiffness):
    """Of a tensor of no symmetry; NumPy's arrays and a plain number."""
    stiffness = random_stiffness(11)
    constants, anisotropy = host_constants(stiffness)
    for found, expected in zip(constants, engineering_constants(jnp.asarray(stiffness)), strict=True):
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert type(anisotropy) is float
    np.testing.assert_allclose(anisotropy, universal_anisotropy(jnp.asarray(stiffness)), rtol=1e-10)
