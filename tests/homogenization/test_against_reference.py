"""Every entry of C against the assembled and factorised oracle."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests import example_cells as cells
from tests import reference
from tests.homogenization.problems import (
    AT_12,
    AT_16,
    BASE,
    BRICK,
    CUBE,
    EXACT,
    SETTINGS_OF_8,
    exact,
    homogenize,
    modulus,
    random_field,
    relative_error,
)

PRECONDITIONERS = ["multigrid", "fft"]


@pytest.mark.parametrize(("void", "spacing"), SETTINGS_OF_8)
@pytest.mark.parametrize("name", cells.CELLS)
def test_named_cells(name, void, spacing):
    """All cells at 8³, contrast 10 to 1e9 and true void, also those that are in pieces; the preconditioners in turn."""
    number = list(cells.CELLS).index(name) + SETTINGS_OF_8.index((void, spacing))
    preconditioner = PRECONDITIONERS[number % 2]
    expected = exact(name, 8, void, spacing)
    h = homogenize(cells.CELLS[name](8), void, residual=EXACT, preconditioner=preconditioner, spacing=spacing)
    assert h.result == 0
    # Where a modulus of C is less than 1e-6 of the solid's, the rest is told absolutely: 1e-14 of the solid's.
    assert relative_error(h.stiffness, expected, floor=1e-6) <= 1e-8
    assert np.diag(h.stiffness).min() >= 0
    assert h.displacement.shape == (6, 8, 8, 8, 3)


@pytest.mark.parametrize("void", [1e-9, 0.0])
@pytest.mark.parametrize("name", AT_12)
def test_named_cells_at_12(name, void):
    h = homogenize(cells.CELLS[name](12), void, residual=EXACT)
    assert h.result == 0
    assert relative_error(h.stiffness, exact(name, 12, void), floor=1e-6) <= 1e-8


@pytest.mark.parametrize(("name", "void"), AT_16)
def test_named_cells_at_16(name, void):
    h = homogenize(cells.CELLS[name](16), void, residual=EXACT)
    assert h.result == 0
    assert relative_error(h.stiffness, exact(name, 16, void), floor=1e-6) <= 1e-8


@pytest.mark.parametrize("spacing", [CUBE, BRICK])
@pytest.mark.parametrize("shape", [(8, 12, 6), (5, 7, 9), (1, 6, 5), (1, 1, 4), (1, 1, 1)], ids=str)
def test_other_grids(shape, spacing):
    """Sides that differ, odd ones, and cells one voxel thin, whose C has no symmetry at all."""
    density = random_field(shape, 2, low=0.2)
    h = homogenize(density, 1e-3, residual=EXACT, spacing=spacing)
    assert h.result == 0
    expected = reference.homogenize(modulus(density, 1e-3), BASE, spacing=spacing).stiffness
    assert relative_error(h.stiffness, expected) <= 1e-10


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_random_cells(seed):
    """Independent uniform densities."""
    density = random_field((8, 8, 8), seed)
    expected = reference.homogenize(modulus(density, 1e-9), BASE, spacing=BRICK).stiffness
    for preconditioner in PRECONDITIONERS:
        h = homogenize(density, 1e-9, residual=EXACT, preconditioner=preconditioner, spacing=BRICK)
        assert h.result == 0
        assert relative_error(h.stiffness, expected) <= 1e-8


@pytest.mark.parametrize("poisson", [-0.9, 0.0, 0.49])
def test_poisson_ratios(poisson):
    """From auxetic to nearly incompressible."""
    density = random_field((8, 8, 8), 6, low=0.2)
    h = jm.homogenize(
        jnp.asarray(density),
        jm.Isotropic(2.0, poisson),
        interpolation=jm.SIMP(3.0, 0.1),
        residual=EXACT,
        throw=False,
    )
    assert h.result == 0
    expected = reference.homogenize(modulus(density, 0.1), reference.isotropic_young(2.0, poisson)).stiffness
    assert relative_error(h.stiffness, expected) <= 1e-8


def test_dong_lattice():
    """The published cell at 40³ with true void, from its cubic octant: to the printed digits."""
    field, base = reference.dong_lattice(40)
    h = jm.homogenize(
        jnp.asarray(field[:20, :20, :20]),
        jm.Isotropic.from_lame(base[0, 1], base[3, 3]),
        interpolation=jm.SIMP(3.0, 0.0),
        symmetry="cubic",
        residual=1e-10,
        throw=False,
    )
    assert h.result == 0
    c = np.asarray(h.stiffness)
    np.testing.assert_allclose([c[0, 0], c[0, 1], c[3, 3]], [7.187609, 0.387491, 0.148853], rtol=0, atol=6e-7)
    np.testing.assert_array_equal(c, np.asarray(jm.elasticity.cubic_stiffness(c[0, 0], c[0, 1], c[3, 3])))
