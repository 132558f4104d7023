import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxmeta.elasticity import Isotropic, bounds, cubic_stiffness, directional_young, isotropic_stiffness, rotate
from tests.arguments import NO_NUMBERS, forms, refuses

YOUNG = st.floats(1e-3, 1e3)
POISSON = st.floats(-0.95, 0.49)


def test_stiffness_against_full_tensor(full, full_isotropic):
    np.testing.assert_allclose(full(np.asarray(isotropic_stiffness(0.7, 0.4))), full_isotropic(0.7, 0.4), rtol=1e-14)


def test_steel():
    steel = Isotropic(young=210.0, poisson=0.3)
    np.testing.assert_allclose([*steel.lame, steel.bulk], [121.154, 80.769, 175.0], rtol=1e-5)
    assert float(steel.shear) == float(steel.lame[1])


@pytest.mark.parametrize("kind", [float, np.float64])
def test_a_ratio_near_one_half_keeps_its_digits_in_single_precision(kind):
    """Rounded first, 0.49999 would leave three digits of λ."""
    with jax.enable_x64(False):
        solid = Isotropic(kind(3.0), kind(0.49999))
        values = [*solid.lame, solid.bulk]
        assert all(value.dtype == jnp.float32 for value in values)
    expected = [3 * 0.49999 / (1.49999 * 2e-5), 3 / (2 * 1.49999), 3 / (3 * 2e-5)]
    np.testing.assert_allclose(np.asarray(values), expected, rtol=2e-7)


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


# --- arguments of other types ----------------------------------------------------------------------------------------

CONSTANTS = {
    "young": lambda x: Isotropic(x, 0.3),
    "poisson": lambda x: Isotropic(1.0, x),
    "lmbda": lambda x: Isotropic.from_lame(x, 1.0),
    "mu": lambda x: Isotropic.from_lame(1.0, x),
    "bulk": lambda x: Isotropic.from_bulk_shear(x, 0.5),
    "shear": lambda x: Isotropic.from_bulk_shear(1.0, x),
    "c11": lambda x: cubic_stiffness(x, 0.1, 0.2),
    "c12": lambda x: cubic_stiffness(1.0, x, 0.2),
    "c44": lambda x: cubic_stiffness(1.0, 0.1, x),
    "volume_fraction": lambda x: bounds.hashin_shtrikman(x, Isotropic(1.0, 0.3)),
}
NO_REALS = {k: v for k, v in NO_NUMBERS.items() if not isinstance(v, (bool, np.bool_, float, np.floating, jax.Array))}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("value", [*NO_REALS.values(), None], ids=[*NO_REALS, "none"])
@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_that_are_no_numbers(name, value):
    refuses(name, CONSTANTS[name], value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("value", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize("name", ["young", "poisson", "volume_fraction"])
def test_constants_without_a_sensible_value(name, value):
    refuses(name, CONSTANTS[name], value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("form", forms(0.25))
@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_in_any_form(name, form):
    with jax.numpy_dtype_promotion("standard"):
        made, expected = (CONSTANTS[name](value) for value in (forms(0.25)[form], 0.25))
        for one, other in zip(jax.tree.leaves(made), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-2 if "16" in form else 1e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shapes", [((4,), (3,)), ((4, 1), (4,)), ((1,), (4,))], ids=str)
def test_constants_of_two_shapes(shapes):
    """NumPy would spread one along the other."""
    first, second = (np.full(shape, 0.25) for shape in shapes)
    refuses("poisson", Isotropic, first, second)
    refuses("mu", Isotropic.from_lame, first, second)
    refuses("shear", Isotropic.from_bulk_shear, first, second)
    refuses("c12", cubic_stiffness, first, second, 0.1)
    refuses("c44", cubic_stiffness, first, 0.1, second)
    refuses("mu", jax.jit(isotropic_stiffness), first, second)
    refuses("solid", bounds.voigt, first, Isotropic(second, 0.3))
    refuses("background", bounds.reuss, first, Isotropic(1.0, 0.3), Isotropic(second, 0.3))


@pytest.mark.usefixtures("unchecked")
def test_solids_are_solids():
    refuses("solid", bounds.voigt, 0.5, 1.0)
    refuses("background", bounds.voigt, 0.5, Isotropic(1.0, 0.3), 0.1)


def test_a_list_of_constants_is_an_array():
    solid = Isotropic([1.0, 2.0], 0.3)
    assert [np.shape(leaf) for leaf in jax.tree.leaves(solid)] == [(2,), ()]
    assert solid.stiffness.shape == (2, 6, 6)


@pytest.mark.usefixtures("unchecked")
def test_tensors_of_any_type():
    """Whole numbers take the factor √2 of a shear, and either byte order is read."""
    stiffness = np.diag([3, 3, 3, 1, 1, 1])
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    expected = rotate(stiffness.astype(float), turn.astype(float))
    for kind in (int, np.uint8, ">f8", ">i4"):
        np.testing.assert_allclose(rotate(stiffness.astype(kind), turn), expected, rtol=0, atol=1e-14)
    refuses("stiffness", rotate, stiffness.astype(object), turn)
    refuses("stiffness", rotate, stiffness + 0j, turn)
    refuses("rotation", rotate, stiffness, 2 * turn)
    refuses("rotation", rotate, stiffness, np.zeros((2, 3, 3)))
    refuses("direction", directional_young, stiffness, [0, 0, 0])
    refuses("direction", directional_young, stiffness, [[1, 0, 0], [np.nan, 0, 0]])
