"""Single precision with the defaults of the call, against tight solves in double precision."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests import example_cells as cells
from tests import reference
from tests.homogenization.problems import EXACT, homogenize, modulus, random_field, relative_error

VOID = 1e-9
CARRYING = [*[c.name for c in cells.select(percolates=True)][::2], "noise_grey"]
"""At 8³ all are compared with the oracle."""
BROKEN = [c.name for c in cells.select(percolates=False)] + ["bridge"]


def _both(density, **options):
    tight = homogenize(density, VOID, residual=EXACT, preconditioner="fft", **options)
    single = homogenize(density, VOID, jnp.float32, **options)
    # The reference is right by its own residual, or, of a part that hangs on void alone, to 1e-12 of the solid.
    assert tight.stats.residual.max() <= 1e-10
    assert single.stiffness.dtype == jnp.float32
    return np.asarray(single.stiffness, np.float64), np.asarray(tight.stiffness), single


@pytest.mark.parametrize("name", dict.fromkeys(CARRYING))
def test_cells_that_carry(name):
    """1e-5 of √(C_ii C_jj) at a contrast of 1e9."""
    single, tight, h = _both(cells.CELLS[name](16))
    assert h.result == 0
    assert np.diag(tight).min() >= 1e-4
    assert relative_error(single, tight) <= 1e-5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_cells(seed):
    """Independent uniform densities, and the same thresholded at 0.4."""
    grey = random_field((16, 16, 16), seed)
    for density in (grey, (grey > 0.4).astype(float)):
        single, tight, h = _both(density)
        assert h.result == 0
        assert np.diag(tight).min() >= 1e-4
        assert relative_error(single, tight) <= 1e-5


@pytest.mark.parametrize("name", BROKEN)
def test_cells_that_do_not(name):
    """1e-7 of Young's modulus; no modulus is negative, and the void's part is not lost in rounding."""
    single, tight, h = _both(cells.CELLS[name](16))
    assert h.result == 0
    size = np.sqrt(np.outer(np.diag(tight), np.diag(tight)))
    np.testing.assert_array_less(np.abs(single - tight), np.where(size < 1e-4, 1e-7, 1e-5 * size) + 1e-30)
    assert np.diag(single).min() >= 0
    carried = np.diag(tight) >= 1e-4
    inside = np.ix_(carried, carried)
    scale = np.sqrt(np.outer(np.diag(tight), np.diag(tight)))[inside]
    np.testing.assert_array_less(np.abs(single - tight)[inside], 1e-5 * scale + 1e-30)


@pytest.mark.parametrize(
    ("name", "symmetry"),
    [("p_surface", "cubic"), ("truss", "mirror"), ("truss", "cubic"), ("plates", "mirror"), ("hole", "cubic")],
)
def test_octants(name, symmetry):
    """Octants of 8³ in single precision against those in double."""
    octant = cells.CELLS[name](16)[:8, :8, :8]
    tight = homogenize(octant, VOID, symmetry=symmetry, residual=EXACT)
    single = homogenize(octant, VOID, jnp.float32, symmetry=symmetry)
    assert single.result == 0
    c = np.asarray(tight.stiffness)
    carried = relative_error(single.stiffness, c)
    assert carried <= 1e-5


@pytest.mark.parametrize(("n", "void"), [(8, 1e-6), (8, VOID), (8, 0.0), (16, VOID), (32, VOID)])
def test_half_of_the_cell_is_void(n, void):
    """A slab as thick as the gap beside it, in which multigrid's coarsest inverse spans nine orders of magnitude."""
    density = np.ones((n, n, n))
    density[:, :, n // 2 :] = 0
    h = homogenize(density, void, jnp.float32)
    plate = 1 / (1 - 0.3**2) / 2
    shear = 1 / 2.6 / 2
    p_wave = 0.7 / (1.3 * 0.4)
    series = 2 * void / (1 + void)
    expected = [plate, plate, series * p_wave, series * shear * 2, series * shear * 2, shear]
    assert h.result == 0
    assert h.stats.steps.max() <= 8
    np.testing.assert_allclose(np.diag(h.stiffness), expected, rtol=1e-4, atol=1e-12)


@cache
def incompressible(void, poisson):
    """A cell and its C by the oracle."""
    density = (np.random.default_rng(0).random((8, 8, 8)) < 0.6).astype(float)
    solid = reference.isotropic_young(1.0, poisson)
    return density, reference.homogenize(modulus(density, void), solid).stiffness


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=lambda d: d.__name__)
@pytest.mark.parametrize("void", [VOID, 1e-3])
def test_nearly_incompressible(void, dtype):
    """To 0.49999, of which float32 holds three digits of 1 − 2ν: λ is made before the ratio is rounded."""
    for poisson in (0.499, 0.4999, 0.49999):
        density, right = incompressible(void, poisson)
        h = jm.homogenize(
            jnp.asarray(density, dtype), jm.Isotropic(1.0, poisson), interpolation=jm.SIMP(3.0, void), max_steps=2000
        )
        assert h.result == 0
        assert relative_error(h.stiffness, right) <= 1e-5
