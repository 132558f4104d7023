"""Arguments of any type: taken for what they are, or refused by name; never spread over the voxels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta._arguments import real_array
from tests.arguments import ARRAYS, NO_NUMBERS, forms, refuses
from tests.homogenization.problems import SOLID

CELL = np.full((4, 4, 4), 0.5)
EXACT = float(SOLID.stiffness[0, 0])
pytestmark = pytest.mark.usefixtures("unchecked")


def c11(density=CELL, solid=SOLID, **options):
    law = options.pop("law", jm.SIMP(1.0, 0.1))
    return jm.homogenize(density, solid, interpolation=law, **options).stiffness[0, 0]


SCALARS = {
    "tolerance": lambda x: c11(tolerance=x),
    "residual": lambda x: c11(residual=x),
    "max_steps": lambda x: c11(max_steps=x),
    "steps": lambda x: c11(steps=x),
    "spacing": lambda x: c11(spacing=(1.0, x, 1.0)),
}


@pytest.mark.parametrize("what", [*NO_NUMBERS, *ARRAYS])
@pytest.mark.parametrize("name", SCALARS)
def test_no_number(name, what):
    refuses(name, SCALARS[name], (NO_NUMBERS | ARRAYS)[what])


@pytest.mark.parametrize("name", ["tolerance", "max_steps", "spacing", "spacing of three"])
def test_none(name):
    call = SCALARS.get(name, lambda x: c11(spacing=x))
    refuses(name.split()[0], call, None)


@pytest.mark.parametrize("value", [2.5, np.float64(3), -1, "3"])
@pytest.mark.parametrize("name", ["max_steps", "steps"])
def test_steps_are_whole(name, value):
    refuses(name, SCALARS[name], value)


CONSTANTS = {
    "young": ("solid", lambda x: c11(solid=jm.Isotropic(x, 0.3))),
    "poisson": ("solid", lambda x: c11(solid=jm.Isotropic(1.0, 0.4 * x))),
    "background young": ("background", lambda x: c11(background=jm.Isotropic(x, 0.3))),
    "background poisson": ("background", lambda x: c11(background=jm.Isotropic(1.0, 0.4 * x))),
    "SIMP penalty": ("interpolation", lambda x: c11(law=jm.SIMP(x, 0.1))),
    "SIMP void": ("interpolation", lambda x: c11(law=jm.SIMP(1.0, x))),
    "RAMP penalty": ("interpolation", lambda x: c11(law=jm.RAMP(x, 0.1))),
    "RAMP void": ("interpolation", lambda x: c11(law=jm.RAMP(1.0, x))),
}


@pytest.mark.parametrize("shape", [(1,), (4,), (4, 1), (1, 1, 1), (4, 4, 4), (6, 6), (2,)], ids=str)
@pytest.mark.parametrize("what", CONSTANTS)
def test_constants_are_not_spread_over_the_voxels(what, shape):
    """Also of length one, and of lengths that fit no axis; alone, in a trace, and in each cell of a batch."""
    name, call = CONSTANTS[what]
    array = np.full(shape, 0.5)
    refuses(name, call, array)
    refuses(name, jax.jit(call), array)
    refuses(name, jax.vmap(call), np.stack([array, array]))


def test_a_list_is_an_array():
    refuses("solid", lambda: c11(solid=jm.Isotropic([1.0, 2.0, 3.0, 4.0], 0.3)))
    refuses("interpolation", lambda: c11(law=jm.SIMP(1.0, [0.1, 0.2, 0.3, 0.4])))


def test_batches_of_everything():
    """What `vmap` makes of solids, laws, backgrounds and edges is each on its own."""
    young, void = jnp.array([1.0, 2.0]), jnp.array([0.1, 0.2])
    edges = jnp.array([[1.0, 1.0, 2.0], [1.0, 3.0, 1.0]])
    layers = np.ones((4, 4, 4))
    layers[:2] = 0.0

    def both(young, void, edges):
        law = jm.SIMP(1.0, void)
        h = jm.homogenize(layers, jm.Isotropic(young, 0.3), interpolation=law, spacing=edges, residual=1e-12)
        second = jm.homogenize(
            layers, jm.Isotropic(young, 0.3), background=jm.Isotropic(void, 0.2), spacing=edges, residual=1e-12
        )
        return h.stiffness, second.stiffness

    mapped = jax.jit(jax.vmap(both))(young, void, edges)
    for k in range(2):
        alone = both(float(young[k]), float(void[k]), tuple(edges[k].tolist()))
        for batch, one in zip(mapped, alone, strict=True):
            np.testing.assert_allclose(batch[k], one, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("form", forms(1.0))
def test_a_number_in_any_form(form):
    """Every parameter at once: they are what the Python number is."""
    one, tiny = forms(1.0)[form], forms(2.0**-14).get(form, 2.0**-14)
    half = forms(0.5).get(form, 0.5)
    steps = one if form in ("int", "int64", "uint8", "big int") else 1
    value = c11(
        solid=jm.Isotropic(one, 0.3), law=jm.SIMP(one, half), spacing=(one, 1.0, one), tolerance=tiny, max_steps=steps
    )
    np.testing.assert_allclose(value, 0.75 * EXACT, rtol=1e-14)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["f4", "f8", "i2", "u4"])
def test_byte_order_of_densities(kind, order):
    """As FITS files and scanners store them."""
    density = np.ones((4, 4, 4), order + kind)
    density[1] = 0
    h = jm.homogenize(density, SOLID, tolerance=1e-3)
    native = jm.homogenize(density.astype(kind), SOLID, tolerance=1e-3)
    np.testing.assert_array_equal(h.stiffness, native.stiffness)
    assert h.stiffness.dtype == (jnp.float32 if kind == "f4" else jnp.float64)


DENSITIES = {
    "objects": CELL.astype(object),
    "text": CELL.astype(str),
    "a word": "gyroid",
    "complex": CELL + 0j,
    "dates": np.zeros((4, 4, 4), "M8[s]"),
    "fields": np.zeros((4, 4, 4), [("a", "f8")]),
    "half": CELL.astype(np.float16),
    "brain": jnp.asarray(CELL, jnp.bfloat16),
    "long": CELL.astype(np.longdouble),
    "nothing": None,
    "ragged": [[[0.5], [0.5, 0.5]]],
    "a number": 0.5,
    "masked": np.ma.masked_greater(CELL, 0.4),
    "mapping": {"density": CELL},
    "one missing axis": CELL[0],
    "not finite": np.where(np.arange(4) == 2, np.inf, CELL),
}


@pytest.mark.parametrize("what", DENSITIES)
def test_no_density(what):
    refuses("density", c11, DENSITIES[what])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("solid", {"solid": None}),
        ("solid", {"solid": 1.0}),
        ("solid", {"solid": jm.SIMP()}),
        ("interpolation", {"law": "SIMP"}),
        ("interpolation", {"law": jm.SIMP}),
        ("interpolation", {"law": 3.0}),
        ("background", {"background": 0.1}),
        ("mesh", {"mesh": 2}),
        ("symmetry", {"symmetry": ["cubic"]}),
        ("symmetry", {"symmetry": None}),
        ("preconditioner", {"preconditioner": np.array(["fft", "fft"])}),
        ("spacing", {"spacing": "111"}),
        ("spacing", {"spacing": np.array([1, 1, 1], object)}),
        ("spacing", {"spacing": np.ones((3, 1))}),
        ("spacing", {"spacing": {1.0, 2.0, 3.0}}),
        ("spacing", {"spacing": (1e-300, 1.0, 1.0), "density": CELL.astype(np.float32)}),
        ("start", {"start": "last"}),
        ("start", {"start": np.zeros((6, 4, 4, 4, 3), complex)}),
    ],
)
def test_things_of_another_kind(name, options):
    refuses(name, lambda: c11(**options))


def test_values_are_not_looked_at_in_a_trace():
    """Whatever they are: a result code or a number says what came of them."""

    @jax.jit
    def result(density, young, poisson, penalty, void, edge):
        return jm.homogenize(
            density, jm.Isotropic(young, poisson), interpolation=jm.SIMP(penalty, void), spacing=(edge, 1.0, 1.0),
            max_steps=20,
        ).result  # fmt: skip

    good = (jnp.asarray(CELL), 1.0, 0.3, 1.0, 0.1, 1.0)
    assert int(result(*good)) == 0
    for k, value in enumerate((jnp.full((4, 4, 4), jnp.nan), -1.0, 0.7, jnp.nan, 2.0, jnp.inf)):
        result(*good[:k], value, *good[k + 1 :])


def test_the_callers_memory_is_not_the_arrays():
    """A density may be changed as soon as the call is over, which may be before the work is."""
    memory = np.ones(4096 + 8)
    first = -(memory.ctypes.data // 8) % 8  # XLA can take memory that begins at a multiple of 64 bytes
    given = memory[first : first + 4096].reshape(16, 16, 16)
    taken = real_array("density", given)
    given[:] = 2.0
    np.testing.assert_array_equal(taken, 1.0)
