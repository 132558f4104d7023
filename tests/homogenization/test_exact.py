"""Cells whose stiffness is known in closed form."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests import example_cells as cells
from tests import reference
from tests.homogenization.problems import BASE, BRICK, EXACT, SOLID, homogenize, random_field

PRECONDITIONERS = ["multigrid", "fft"]


def backus(lmbda, mu, weights, axis):
    """Backus 1962, isotropic layers: harmonic means across, plane-stress means along."""
    lmbda, mu, weights = np.asarray(lmbda), np.asarray(mu), np.asarray(weights) / np.sum(weights)
    mean = lambda values: float(np.sum(weights * values))  # noqa: E731
    p_wave = lmbda + 2 * mu
    across, ratio = 1 / mean(1 / p_wave), mean(lmbda / p_wave)
    c = np.zeros((6, 6))
    along = [a for a in range(3) if a != axis]
    c[axis, axis] = across
    for i in along:
        c[i, axis] = c[axis, i] = across * ratio
        for j in along:
            c[i, j] = mean(2 * mu * lmbda / p_wave) + across * ratio**2
        c[i, i] += 2 * mean(mu)
    for v, pair in enumerate(reference.VOIGT[3:], 3):
        c[v, v] = 1 / mean(1 / mu) if axis in pair else mean(mu)
    return c


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), BRICK])
@pytest.mark.parametrize("preconditioner", PRECONDITIONERS)
def test_uniform_cell(preconditioner, spacing):
    """C is the solid's, times the modulus of the density."""
    for density in (1.0, 0.6):
        h = homogenize(np.full((8, 8, 8), density), residual=EXACT, preconditioner=preconditioner, spacing=spacing)
        assert h.result == 0
        scale = 1e-9 + (1 - 1e-9) * density**3
        np.testing.assert_allclose(h.stiffness, scale * BASE, rtol=0, atol=1e-13)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("preconditioner", PRECONDITIONERS)
def test_laminate_of_four_layers(preconditioner, axis):
    """Scales 1, 0.2³, 0.05³, 0.7³: exact on any grid, for a laminate's fields are constant in a layer."""
    field = cells.CELLS["laminate_" + "xyz"[axis]]((8, 8, 8))
    h = homogenize(field, 0.0, residual=EXACT, preconditioner=preconditioner, spacing=BRICK)
    scales = np.array(cells.LAYERS) ** 3
    assert h.result == 0
    expected = reference.laminate([s * BASE for s in scales], (1, 1, 1, 1), axis)
    np.testing.assert_allclose(h.stiffness, expected, rtol=0, atol=1e-12)
    by_hand = backus(BASE[0, 1] * scales, BASE[3, 3] * scales, np.ones(4), axis)
    np.testing.assert_allclose(h.stiffness, by_hand, rtol=0, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("preconditioner", PRECONDITIONERS)
def test_laminate_with_void(preconditioner, axis):
    """A layer of true void leaves plane stress and nothing across; a void of 1e-9 leaves 8e-9 of it."""
    field = np.moveaxis(cells.slab((8, 8, 8)), 2, axis)
    for void, atol in ((0.0, 1e-13), (1e-9, 1e-12)):
        h = homogenize(field, void, residual=EXACT, preconditioner=preconditioner)
        expected = reference.laminate([BASE, void * BASE], (7, 1), axis)
        assert h.result == 0
        np.testing.assert_allclose(h.stiffness, expected, rtol=0, atol=atol)
        across = [v for v, pair in enumerate(reference.VOIGT) if axis in pair]
        np.testing.assert_allclose(np.diag(h.stiffness)[across], np.diag(expected)[across], rtol=1e-8, atol=1e-20)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_laminate_of_two_solids(axis):
    """Two solids of different Poisson's ratio, the second as background."""
    shape = [5, 7, 9]
    counts = (2, shape[axis] - 2)
    column = np.repeat([1.0, 0.0], counts)
    density = np.moveaxis(np.broadcast_to(column, (*np.delete(shape, axis), shape[axis])), -1, axis)
    other = jm.Isotropic(young=0.15, poisson=-0.2)
    h = homogenize(density, background=other, spacing=BRICK, residual=EXACT)
    assert h.result == 0
    phases = [BASE, reference.isotropic_young(0.15, -0.2)]
    np.testing.assert_allclose(h.stiffness, reference.laminate(phases, counts, axis), rtol=0, atol=1e-12)
    lmbda, mu = [p[0, 1] for p in phases], [p[3, 3] for p in phases]
    np.testing.assert_allclose(h.stiffness, backus(lmbda, mu, counts, axis), rtol=0, atol=1e-12)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), BRICK])
@pytest.mark.parametrize("name", ["hole", "gyroid", "noise_binary", "checkerboard", "random_grey"])
@pytest.mark.parametrize("shape", [(8, 8, 8), (5, 7, 9)])
def test_equal_shear_moduli(shape, name, spacing):
    """Hill 1963: two isotropic phases of one μ make an isotropic cell of that μ, on any grid; K* is above Hill's."""
    mu, stiff, soft = 0.4, 2.0, 0.1
    field = cells.CELLS[name](shape)
    h = jm.homogenize(
        jnp.asarray(field),
        jm.Isotropic.from_bulk_shear(stiff, mu),
        background=jm.Isotropic.from_bulk_shear(soft, mu),
        interpolation=jm.SIMP(3.0, 1e-9),
        spacing=spacing,
        residual=EXACT,
        throw=False,
    )
    assert h.result == 0
    bulk = np.asarray(h.stiffness)[:3, :3].sum() / 9
    expected = reference.isotropic(bulk - 2 * mu / 3, mu)
    np.testing.assert_allclose(h.stiffness, expected, rtol=0, atol=1e-12)
    bulks = soft + (stiff - soft) * field.ravel() ** 3
    assert 1.001 * reference.hill_bulk(np.ones_like(bulks), bulks, mu) < bulk < bulks.mean()


@pytest.mark.parametrize("factor", [1e-30, 1e9, 2.1e11])
def test_units_of_stress_and_length_do_not_matter(factor):
    """C is proportional to Young's modulus and does not depend on the unit of length."""
    field = jnp.asarray(random_field((8, 8, 8), 0))
    plain = homogenize(field, residual=EXACT, spacing=BRICK)
    scaled = jm.homogenize(
        field,
        jm.Isotropic(young=factor, poisson=0.3),
        interpolation=jm.SIMP(3.0, 1e-9),
        spacing=tuple(h * 1e-6 for h in BRICK),
        residual=EXACT,
        throw=False,
    )
    assert plain.result == scaled.result == 0
    np.testing.assert_allclose(scaled.stiffness / factor, plain.stiffness, rtol=0, atol=1e-12)
    # A translation of the whole cell is free.
    one, two = (
        np.asarray(d - d.mean((1, 2, 3), keepdims=True)) for d in (scaled.displacement * 1e6, plain.displacement)
    )
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-9)


def test_ramp_is_another_density():
    """RAMP at one density has the modulus of SIMP at another; C depends on the modulus only."""
    field = random_field((8, 8, 8), 1)
    modulus = 1e-9 + (1 - 1e-9) * field / (1 + 5 * (1 - field))
    ramp = jm.homogenize(
        jnp.asarray(field), SOLID, interpolation=jm.RAMP(5.0, 1e-9), residual=EXACT, throw=False
    ).stiffness
    expected = reference.homogenize(modulus, BASE).stiffness
    np.testing.assert_allclose(ramp, expected, rtol=0, atol=1e-10)
