"""C is symmetric, positive, and within the bounds that hold for it."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests import example_cells as cells
from tests.homogenization.problems import BASE, EXACT, SOLID, homogenize, modulus

SOFT = 1e-3
CUBIC = [cell.name for cell in cells.select(cubic=True, mirror=True, binary=True) if cell.name != "uniform"]


def _c(name, void=SOFT):
    h = homogenize(cells.CELLS[name](8), void, residual=EXACT, preconditioner="fft")
    assert h.result == 0
    return np.asarray(h.stiffness)


@pytest.mark.parametrize("name", cells.CELLS)
def test_symmetric_positive_and_between_voigt_and_reuss(name):
    """⟨C⁻¹⟩⁻¹ ≤ C ≤ ⟨C⟩ as quadratic forms: minimum energies of stress and of strain, also on a grid."""
    c = _c(name)
    np.testing.assert_array_equal(c, c.T)
    scale = modulus(cells.CELLS[name](8), SOFT)
    voigt, reuss = scale.mean() * BASE, BASE / np.mean(1 / scale)
    assert np.linalg.eigvalsh(c)[0] > 0
    rounding = 1e-13
    assert np.linalg.eigvalsh(voigt - c)[0] >= -rounding
    assert np.linalg.eigvalsh(c - reuss)[0] >= -rounding


@pytest.mark.parametrize("name", CUBIC)
def test_cubic_cells_obey_hashin_and_shtrikman(name):
    """Bulk modulus, and Voigt's average (C11 − C12 + 3 C44)/5 of the shear moduli, between the bounds of two phases."""
    c = _c(name)
    fraction = float(cells.CELLS[name](8).mean())
    soft = jm.Isotropic(young=SOFT, poisson=0.3)
    upper = jm.elasticity.bounds.hashin_shtrikman(fraction, SOLID, soft)
    lower = jm.elasticity.bounds.hashin_shtrikman_lower(fraction, SOLID, soft)
    cubic = jm.elasticity.cubic_stiffness(c[0, 0], c[0, 1], c[3, 3])
    np.testing.assert_allclose(c, cubic, rtol=0, atol=1e-12)
    bulk, shear = (c[0, 0] + 2 * c[0, 1]) / 3, (c[0, 0] - c[0, 1] + 3 * c[3, 3]) / 5
    assert lower.bulk <= bulk <= upper.bulk
    assert lower.shear <= shear <= upper.shear


@pytest.mark.parametrize("name", ["gyroid", "random_grey", "bridge", "islands", "slab"])
def test_more_solid_is_stiffer(name):
    """Monotone in every voxel: C(ρ + δ) ≥ C(ρ) as quadratic forms, and in the void's modulus."""
    field = cells.CELLS[name](8)
    denser = np.clip(field + 0.2 * np.random.default_rng(0).uniform(size=field.shape), 0, 1)
    c = _c(name)
    more = np.asarray(homogenize(denser, SOFT, residual=EXACT, preconditioner="fft").stiffness)
    assert np.linalg.eigvalsh(more - c)[0] >= -1e-13
    assert np.linalg.eigvalsh(c - _c(name, 1e-4))[0] >= -1e-13


def test_refinement_softens():
    """Each voxel cut into eight: more displacements, so less energy, for every strain."""
    field = cells.noise_binary(4)
    coarse = homogenize(field, SOFT, residual=EXACT).stiffness
    fine = homogenize(np.kron(field, np.ones((2, 2, 2))), SOFT, residual=EXACT, preconditioner="fft").stiffness
    assert jnp.linalg.eigvalsh(coarse - fine)[0] >= -1e-13
    assert coarse[0, 0] - fine[0, 0] > 1e-3
