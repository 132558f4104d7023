import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxmeta.elasticity import Isotropic, cubic_stiffness, isotropic_stiffness

YOUNG = st.floats(1e-3, 1e3)
POISSON = st.floats(-0.95, 0.49)


def test_stiffness_against_full_tensor(full, full_isotropic):
    np.testing.assert_allclose(full(np.asarray(isotropic_stiffness(0.7, 0.4))), full_isotropic(0.7, 0.4), rtol=1e-14)


def test_steel():
    steel = Isotropic(young=210.0, poisson=0.3)
    np.testing.assert_allclose([*steel.lame, steel.bulk], [121.154, 80.769, 175.0], rtol=1e-5)
    assert float(steel.shear) == float(steel.lame[1])


@settings(max_examples=25, deadline=None)
@given(YOUNG, POISSON)
def test_a_tension_test_gives_back_the_constants(young, poisson):
    strain = np.linalg.solve(np.asarray(Isotropic(young, poisson).stiffness), [1, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(strain[:3] * young, [1, -poisson, -poisson], atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(YOUNG, POISSON)
def test_other_constants_give_back_the_same_solid(young, poisson):
    solid = Isotropic(young, poisson)
    for again in (Isotropic.from_lame(*solid.lame), Isotropic.from_bulk_shear(solid.bulk, solid.shear)):
        np.testing.assert_allclose([again.young, again.poisson], [young, poisson], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("shapes", [((), ()), ((4,), ()), ((), (4,)), ((2, 3), (2, 3))])
def test_batched_constants(shapes):
    draw = np.random.default_rng(0).uniform
    young, poisson = draw(1.0, 2.0, shapes[0]), draw(-0.5, 0.4, shapes[1])
    stiffness = jax.jit(lambda solid: solid.stiffness)(Isotropic(jnp.asarray(young), jnp.asarray(poisson)))
    young, poisson = np.broadcast_arrays(young, poisson)
    assert stiffness.shape == (*young.shape, 6, 6)
    for index in np.ndindex(young.shape):
        single = Isotropic(float(young[index]), float(poisson[index])).stiffness
        np.testing.assert_allclose(stiffness[index], single, rtol=1e-14)


def test_cubic_stiffness_places_every_entry():
    stiffness = np.asarray(cubic_stiffness(jnp.array([3.0, 30.0]), 1.0, 2))
    for matrix, c11 in zip(stiffness, (3.0, 30.0), strict=True):
        expected = np.diag([c11, c11, c11, 2, 2, 2])
        expected[[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]] = 1
        np.testing.assert_array_equal(matrix, expected)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("poisson", 0.7, r"^Argument `poisson` must lie in \(-1, 0\.5\), but is 0\.7\.$"),
        ("poisson", 0.5, "but is 0.5"),
        ("poisson", -1, "but is -1"),
        ("poisson", np.nan, "but is nan"),
        ("poisson", np.array([0.1, -2.0]), "but is -2"),
        ("young", 0.0, r"^Argument `young` must be positive, but is 0\.$"),
        ("young", jnp.array([1.0, -3.0]), "but is -3"),
        ("young", np.nan, "but is nan"),
    ],
)
def test_concrete_values_out_of_range_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        Isotropic(**{"young": 1.0, "poisson": 0.3, name: value})


def test_traced_values_are_not_looked_at():
    bulk = jax.jit(lambda young, poisson: Isotropic(young, poisson).bulk)
    assert float(bulk(-1.0, 0.3)) < 0


def test_is_a_pytree_with_named_leaves():
    solid = Isotropic(2.0, 0.3)
    leaves, structure = jax.tree_util.tree_flatten_with_path(solid)
    assert [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves] == [(".young", 2.0), (".poisson", 0.3)]
    placeholder = jax.tree.unflatten(structure, [object(), None])
    assert isinstance(placeholder, Isotropic)
    assert placeholder.poisson is None
    assert jax.tree.unflatten(structure, [2.0, 0.3]) == solid
    assert jax.eval_shape(lambda s: s, solid).young.shape == ()


def test_gradients_may_leave_the_range_of_a_solid():
    gradient = jax.grad(lambda solid: -solid.bulk)(Isotropic(3.0, 0.25))
    np.testing.assert_allclose([gradient.young, gradient.poisson], [-2 / 3, -8.0], rtol=1e-13)


def test_vmap_over_the_solid():
    solids = Isotropic(jnp.array([1.0, 2.0]), jnp.array([0.1, 0.2]))
    np.testing.assert_allclose(jax.jit(jax.vmap(lambda s: s.stiffness))(solids), solids.stiffness, rtol=1e-15)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_dtype_follows_the_arrays(dtype):
    solid = Isotropic(jnp.ones((), dtype), 0.3)
    values = (*solid.lame, solid.bulk, solid.stiffness, Isotropic.from_bulk_shear(solid.bulk, 0.4).young)
    assert [value.dtype for value in values] == [dtype] * 5
    # Python numbers must not turn a float32 computation into a float64 one.
    assert (Isotropic(1, 0.3).bulk * jnp.ones(2, dtype)).dtype == dtype
