"""Clamped blocks against the assembled reference, with first and second derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests import example_cells as cells
from tests import reference
from tests.arguments import ARRAYS, NO_NUMBERS, refuses

SPACING = (1.0, 0.7, 1.2)


def _supports_and_loads(shape, seed=0):
    nodal = (*(n + 1 for n in shape), 3)
    supports = np.zeros(nodal, bool)
    supports[0] = True
    supports[-1, :, :, 1] = True
    loads = np.zeros(nodal)
    loads[-1] = np.random.default_rng(seed).standard_normal(nodal[1:])
    return supports, loads


@pytest.mark.parametrize("shape", [(8, 4, 4), (7, 5, 3), (16, 8, 8), (9, 9, 9)])
@pytest.mark.parametrize("void", [1e-3, 1e-9])
def test_density_against_reference(shape, void):
    rho = np.random.default_rng(1).random(shape)
    supports, loads = _supports_and_loads(shape)
    u, compliance = reference.clamped(
        void + (1 - void) * rho**3, supports, loads, reference.isotropic_young(1.0, 0.3), spacing=SPACING
    )
    s = jm.fem.solve(
        jnp.asarray(rho), jnp.asarray(supports), jnp.asarray(loads), solid=jm.Isotropic(1.0, 0.3),
        interpolation=jm.SIMP(3.0, void), spacing=SPACING, residual=1e-12,
    )  # fmt: skip
    assert int(s.result) == 0
    np.testing.assert_allclose(float(s.compliance), compliance, rtol=1e-10)
    np.testing.assert_allclose(s.displacement, u, atol=1e-8 * np.abs(u).max())


def test_field_of_stiffness_tensors():
    shape = (6, 4, 4)
    field = cells.stiffness_field(shape, 3)
    supports, loads = _supports_and_loads(shape)
    u, compliance = reference.clamped(field, supports, loads, spacing=SPACING)
    s = jm.fem.solve(jnp.asarray(field), jnp.asarray(supports), jnp.asarray(loads), spacing=SPACING, residual=1e-12)
    np.testing.assert_allclose(float(s.compliance), compliance, rtol=1e-10)
    np.testing.assert_allclose(s.displacement, u, atol=1e-8 * np.abs(u).max())


def test_derivatives_of_compliance_and_displacement():
    shape = (4, 4, 4)
    supports, loads = (jnp.asarray(a) for a in _supports_and_loads(shape))
    rng = np.random.default_rng(2)
    rho = jnp.asarray(rng.uniform(0.3, 0.9, shape))
    v, w = (jnp.asarray(rng.standard_normal(shape)) for _ in range(2))

    def solve(density):
        return jm.fem.solve(density, supports, loads, solid=jm.Isotropic(1.0, 0.3), residual=1e-13, throw=False)

    def compliance(density):
        return solve(density).compliance

    def tip(density):
        return jnp.sum(solve(density).displacement[-1] ** 2)

    step = 1e-3

    def slope(function, at, direction):
        f = [function(at + k * step * direction) for k in (-2, -1, 1, 2)]
        return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * step)

    for function in (compliance, tip):
        gradient = jax.jit(jax.grad(function))
        np.testing.assert_allclose(jnp.vdot(gradient(rho), v), slope(jax.jit(function), rho, v), rtol=1e-8)
        product = jax.jit(lambda r, f=function: jax.jvp(jax.grad(f), (r,), (v,))[1])(rho)
        np.testing.assert_allclose(
            jnp.vdot(product, w), slope(lambda r, g=gradient: jnp.vdot(g(r), w), rho, v), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field": jnp.ones((4, 4))}, "Argument `field` must have shape"),
        ({"field": 2 * jnp.ones((4, 4, 4))}, "Argument `field` must lie in"),
        ({"solid": None}, "Argument `solid` must be given"),
        ({"supports": jnp.zeros((4, 4, 4, 3), bool)}, "Argument `supports` must have shape"),
        ({"loads": jnp.zeros((5, 5, 5))}, "Argument `loads` must have shape"),
    ],
)
def test_bad_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        _solve(**change)


def _solve(**change):
    supports, loads = _supports_and_loads((4, 4, 4))
    arguments = {"field": jnp.ones((4, 4, 4)), "supports": supports, "loads": loads, "solid": jm.Isotropic(1.0, 0.3)}
    arguments |= change
    return jm.fem.solve(arguments.pop("field"), arguments.pop("supports"), arguments.pop("loads"), **arguments)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("value", (NO_NUMBERS | ARRAYS).values(), ids=NO_NUMBERS | ARRAYS)
@pytest.mark.parametrize("name", ["tolerance", "residual", "max_steps", "spacing"])
def test_no_numbers(name, value):
    refuses(name, lambda: _solve(**{name: (1.0, value, 1.0) if name == "spacing" else value}))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("solid", {"solid": jm.Isotropic(np.array([1.0]), 0.3)}),
        ("solid", {"solid": jm.Isotropic(1.0, np.full((4, 4, 4), 0.3))}),
        ("solid", {"solid": 1.0}),
        ("interpolation", {"interpolation": jm.SIMP(np.full(4, 3.0), 1e-9)}),
        ("interpolation", {"interpolation": "SIMP"}),
        ("solid", {"field": np.ones((4, 4, 4, 6, 6))}),
        ("interpolation", {"field": np.ones((4, 4, 4, 6, 6)), "solid": None, "interpolation": jm.SIMP()}),
        ("field", {"field": np.ones((4, 4, 4), object)}),
        ("field", {"field": np.full((4, 4, 4), np.nan)}),
        ("supports", {"supports": np.full((5, 5, 5, 3), 0.5)}),
        ("supports", {"supports": None}),
        ("loads", {"loads": np.full((5, 5, 5, 3), np.nan)}),
        ("loads", {"loads": np.full((5, 5, 5, 3), 1j)}),
        ("spacing", {"spacing": (1.0, -1.0, 1.0)}),
        ("spacing", {"spacing": 1.0}),
    ],
)
def test_arguments_of_another_kind(name, change):
    refuses(name, lambda: _solve(**change))


@pytest.mark.usefixtures("unchecked")
def test_arguments_in_other_forms():
    """Truth values as 0 and 1, either byte order, whole numbers."""
    supports, loads = _supports_and_loads((4, 4, 4))
    expected = _solve(residual=1e-12)
    given = {"field": np.ones((4, 4, 4), ">i2"), "supports": supports.astype(np.uint8), "loads": loads.astype(">f8")}
    found = _solve(**given, residual=np.float32(1e-12), spacing=np.ones(3, int))
    np.testing.assert_allclose(found.displacement, expected.displacement, rtol=0, atol=1e-9)
