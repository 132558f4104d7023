import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxmeta.elasticity import Isotropic, Moduli, bounds

FOUR = [bounds.reuss, bounds.hashin_shtrikman_lower, bounds.hashin_shtrikman, bounds.voigt]
SOLIDS = st.builds(Isotropic, young=st.floats(0.01, 10.0), poisson=st.floats(-0.9, 0.49))
STIFF, SOFT = Isotropic.from_bulk_shear(3.0, 2.0), Isotropic.from_bulk_shear(0.5, 0.2)
# One phase stiffer in bulk, the other in shear.
HARD_TO_SQUEEZE, HARD_TO_SHEAR = Isotropic.from_bulk_shear(3.0, 0.3), Isotropic.from_bulk_shear(0.6, 2.0)
PAIRS = {"well ordered": (STIFF, SOFT), "swapped": (SOFT, STIFF), "not ordered": (HARD_TO_SQUEEZE, HARD_TO_SHEAR)}


def polarization_estimate(fraction, first, second, comparison, full_isotropic):
    """Effective moduli in a comparison medium, from its Green operator integrated over directions; no closed form."""
    bulk, shear = comparison
    medium = full_isotropic(bulk - 2 * shear / 3, shear)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    green = np.zeros((3, 3, 3, 3))
    for height, weight in zip(nodes, weights, strict=True):
        for angle in np.arange(12) * np.pi / 6:
            radius = np.sqrt(1 - height**2)
            n = np.array([radius * np.cos(angle), radius * np.sin(angle), height])
            acoustic = np.linalg.inv(np.einsum("ijkl,j,l->ik", medium, n, n))
            one_sided = np.einsum("ik,j,l->ijkl", acoustic, n, n)
            one_sided = (one_sided + one_sided.transpose(1, 0, 2, 3)) / 2
            green += weight / 24 * (one_sided + one_sided.transpose(0, 1, 3, 2)) / 2

    def inverse(tensor):
        return np.linalg.pinv(tensor.reshape(9, 9), rcond=1e-10).reshape(3, 3, 3, 3)

    around = inverse(green) - medium
    mean = sum(
        part * inverse(full_isotropic(float(p.bulk - 2 * p.shear / 3), float(p.shear)) + around)
        for part, p in ((fraction, first), (1 - fraction, second))
    )
    effective = inverse(mean) - around
    effective_bulk = np.einsum("iijj", effective) / 9
    return effective_bulk, (np.einsum("ijij", effective) - 3 * effective_bulk) / 10


@functools.partial(jax.jit, static_argnums=0)
def value_and_jacobians(bound, parameters, background):
    def value(parameters):
        fraction, young, poisson = parameters
        return jnp.stack(bound(fraction, Isotropic(young, poisson), background))

    return value(parameters), jax.jacfwd(value)(parameters), jax.jacrev(value)(parameters)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("fraction", [0.15, 0.6])
@pytest.mark.parametrize(("bound", "pick"), [(bounds.hashin_shtrikman, max), (bounds.hashin_shtrikman_lower, min)])
def test_against_the_variational_principle(pair, fraction, bound, pick, full_isotropic):
    first, second = PAIRS[pair]
    comparison = tuple(float(pick(getattr(first, name), getattr(second, name))) for name in ("bulk", "shear"))
    expected = polarization_estimate(fraction, first, second, comparison, full_isotropic)
    np.testing.assert_allclose(bound(fraction, first, second), expected, rtol=1e-12)


@pytest.mark.parametrize("poisson", [-0.4, 0.0, 0.3, 1 / 3])
def test_young_of_a_porous_solid_against_the_published_closed_form(poisson):
    # Berger, Wadley and McMeeking (2017), Nature 543, 533: the bound on E / (f E_s).
    f = np.linspace(0.01, 1, 7)
    v = poisson
    published = 2 * (5 * v - 7) / (13 * f + 12 * v - 2 * f * v - 15 * f * v**2 + 15 * v**2 - 27)
    bulk, shear = bounds.hashin_shtrikman(jnp.asarray(f), Isotropic(2.0, poisson))
    np.testing.assert_allclose(9 * bulk * shear / (3 * bulk + shear), 2.0 * f * published, rtol=1e-13)


@pytest.mark.parametrize("background", [None, SOFT])
def test_bulk_bound_is_the_coated_sphere(background):
    # Radial displacement r in the core, A r + B / r^2 in the shell; the shell is the solid.
    fraction = 0.35
    core_radius = (1 - fraction) ** (1 / 3)
    core = 0.0 if background is None else 3 * float(background.bulk)
    shell, twist = 3 * float(STIFF.bulk), 4 * float(STIFF.shear)
    a, b = np.linalg.solve([[1, core_radius**-3], [shell, -twist * core_radius**-3]], [1, core])
    expected = (shell * a - twist * b) / (3 * (a + b))
    np.testing.assert_allclose(bounds.hashin_shtrikman(fraction, STIFF, background).bulk, expected, rtol=1e-13)


def test_equal_shear_moduli_leave_one_bulk_modulus():
    # Hill (1963): 1 / (K + 4 G / 3) is the mean of the phases', whatever the geometry.
    first, second = Isotropic.from_bulk_shear(3.0, 0.6), Isotropic.from_bulk_shear(0.5, 0.6)
    expected = 1 / (0.25 / 3.8 + 0.75 / 1.3) - 0.8
    for bound in (bounds.hashin_shtrikman, bounds.hashin_shtrikman_lower):
        np.testing.assert_allclose(bound(0.25, first, second), (expected, 0.6), rtol=1e-13)


def test_dilute_limits():
    solid = Isotropic(1.0, 1 / 3)
    _, jacobian, _ = value_and_jacobians(bounds.hashin_shtrikman, jnp.array([0.0, 1.0, 1 / 3]), None)
    bulk, shear = jacobian[:, 0]
    # With nu = 1/3 a light isotropic foam reaches a third of f K, 8/15 of f G and a half of f E.
    np.testing.assert_allclose([bulk, shear], [solid.bulk / 3, 8 * solid.shear / 15], rtol=1e-13)
    np.testing.assert_allclose(9 * bulk * shear / (3 * bulk + shear), 0.5, rtol=1e-13)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), SOLIDS, st.none() | SOLIDS)
def test_order(fraction, solid, background):
    values = np.array([bound(fraction, solid, background) for bound in FOUR])
    assert np.all(np.diff(values, axis=0) >= -1e-12 * values[-1])


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1), SOLIDS, SOLIDS)
def test_the_names_of_the_phases_do_not_matter(fraction, first, second):
    for bound in FOUR:
        np.testing.assert_allclose(bound(fraction, first, second), bound(1 - fraction, second, first), rtol=1e-11)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("bound", FOUR)
@pytest.mark.parametrize("background", [None, Isotropic(0.013, 0.41)])
def test_exact_at_the_ends(bound, background, dtype):
    solid = Isotropic(jnp.asarray(1.7, dtype), jnp.asarray(0.29, dtype))
    bulk, shear = jax.jit(bound)(jnp.array([0, 1], dtype), solid, background)
    empty = Moduli(0.0, 0.0) if background is None else Moduli(background.bulk, background.shear)
    assert bulk.dtype == shear.dtype == dtype
    np.testing.assert_array_equal(bulk, np.array([empty.bulk, solid.bulk], dtype))
    np.testing.assert_array_equal(shear, np.array([empty.shear, solid.shear], dtype))


@pytest.mark.parametrize("bound", [bounds.reuss, bounds.hashin_shtrikman_lower])
def test_lower_bounds_into_void_vanish(bound):
    np.testing.assert_array_equal(bound(jnp.array([0.0, 0.5, 0.999]), STIFF), np.zeros((2, 3)))


def test_voigt_and_reuss_are_the_two_means():
    np.testing.assert_allclose(bounds.voigt(0.3, STIFF, SOFT), (0.3 * 3 + 0.7 * 0.5, 0.3 * 2 + 0.7 * 0.2), rtol=1e-13)
    harmonic = (1 / (0.3 / 3 + 0.7 / 0.5), 1 / (0.3 / 2 + 0.7 / 0.2))
    np.testing.assert_allclose(bounds.reuss(0.3, STIFF, SOFT), harmonic, rtol=1e-13)


@pytest.mark.parametrize("bound", FOUR)
@pytest.mark.parametrize("background", [None, SOFT, HARD_TO_SHEAR])
def test_gradients_against_finite_differences(bound, background):
    point = jnp.array([0.4, 1.5, 0.2])
    _, forward, reverse = value_and_jacobians(bound, point, background)
    np.testing.assert_allclose(forward, reverse, atol=1e-13)

    def error(step):
        columns = [
            (
                value_and_jacobians(bound, point + h, background)[0]
                - value_and_jacobians(bound, point - h, background)[0]
            )
            for h in step * np.eye(3)
        ]
        return np.max(np.abs(np.stack(columns, axis=1) / (2 * step) - forward))

    # The error of a central difference falls as the square of the step, down to rounding.
    coarse, fine, finest = error(1e-3), error(1e-4), error(1e-5)
    assert fine < 0.02 * coarse + 1e-11
    assert finest < 1e-8


@pytest.mark.parametrize("bound", FOUR)
@pytest.mark.parametrize("background", [None, Isotropic(1.5, 0.2)])
@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_gradients_are_finite_at_the_ends_and_for_equal_phases(bound, background, fraction):
    for result in value_and_jacobians(bound, jnp.array([fraction, 1.5, 0.2]), background):
        assert bool(jnp.all(jnp.isfinite(result)))


@pytest.mark.parametrize("bound", FOUR)
def test_jit_and_vmap_over_fractions_and_solids(bound):
    fractions, solids = jnp.array([0.2, 0.7]), Isotropic(jnp.array([1.0, 3.0]), jnp.array([0.1, 0.4]))
    batched = bound(fractions, solids, SOFT)
    mapped = jax.jit(jax.vmap(lambda f, s: bound(f, s, SOFT)))(fractions, solids)
    np.testing.assert_allclose(batched, mapped, rtol=1e-14)


@pytest.mark.parametrize("bound", FOUR)
@pytest.mark.parametrize("fraction", [1.2, -0.1, np.nan])
def test_fraction_out_of_range_is_refused(bound, fraction):
    message = rf"^Argument `volume_fraction` must lie in \[0, 1\], but is {fraction:g}\.$"
    with pytest.raises(ValueError, match=message):
        bound(fraction, STIFF)


def test_rounding_and_traced_fractions_pass():
    bounds.hashin_shtrikman(np.float32(1) + np.float32(2e-7), STIFF)
    assert np.isfinite(jax.jit(lambda f: bounds.voigt(f, STIFF).bulk)(1.2))
