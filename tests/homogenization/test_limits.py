"""Cells in which the load vanishes: the exact answer at once, with no noise taken for a load."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests.homogenization.problems import BASE, SOLID

DTYPES = [jnp.float32, jnp.float64]
SPACING = (1.0, 0.7, 1.9)
TRUE = jm.SIMP(3.0, 0.0)
CASES = {
    "solid": (1.0, 1e-9, None, BASE),
    "solid_in_true_void": (1.0, 0.0, None, BASE),
    "void": (0.0, 1e-9, None, 1e-9 * BASE),
    "true_void": (0.0, 0.0, None, 0 * BASE),
    "grey": (0.3, 1e-9, None, (1e-9 + (1 - 1e-9) * 0.027) * BASE),
    "background": (0.0, 1e-9, SOLID, BASE),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("case", CASES)
def test_uniform_fields(case, dtype):
    density, void, background, expected = CASES[case]
    h = jm.homogenize(
        jnp.full((8, 8, 8), density, dtype),
        SOLID,
        interpolation=jm.SIMP(3.0, void),
        background=background,
        spacing=SPACING,
    )
    assert h.result == 0
    assert h.stiffness.dtype == dtype
    assert jnp.isfinite(h.displacement).all()
    rounding = 64 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(h.stiffness, expected, rtol=0, atol=rounding * np.abs(expected).max())
    assert h.stats.steps.max() == 0
    assert h.stats.error.max() == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
def test_equal_phases(dtype):
    """A solid in itself, in any arrangement."""
    density = jnp.asarray(np.random.default_rng(0).uniform(size=(8, 8, 8)), dtype)
    h = jm.homogenize(density, SOLID, background=SOLID, spacing=SPACING)
    assert h.result == 0
    rounding = 64 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(h.stiffness, BASE, rtol=0, atol=rounding * np.abs(BASE).max())


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_loads_that_vanish_in_a_laminate(axis, dtype):
    """Shear along the layers does no work on a fluctuation, while the other loads do."""
    column = jnp.asarray([1.0, 1.0, 0.5, 0.5, 1.0, 1.0, 0.5, 0.5], dtype)
    shape = [8 if a == axis else 1 for a in range(3)]
    h = jm.homogenize(jnp.broadcast_to(column.reshape(shape), (8, 8, 8)), SOLID, interpolation=TRUE, spacing=SPACING)
    assert h.result == 0
    along = 3 + axis
    scale = 0.5 * (1 + 0.125)
    np.testing.assert_allclose(h.stiffness[along, along], scale * BASE[3, 3], rtol=64 * float(jnp.finfo(dtype).eps))
    assert h.stats.steps[along] == 0
    assert h.stats.steps[axis] > 0


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
def test_one_voxel(dtype):
    h = jm.homogenize(jnp.ones((1, 1, 1), dtype), SOLID)
    assert h.result == 0
    np.testing.assert_allclose(h.stiffness, BASE, rtol=0, atol=64 * float(jnp.finfo(dtype).eps))
