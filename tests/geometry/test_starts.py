"""Start fields: exact volume fractions, spectra, correlation, symmetry, and reproducibility under transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logit

from jaxmeta import geometry
from jaxmeta.geometry import symmetry

DTYPES = [jnp.float32, jnp.float64]
FRACTIONS = [0.02, 0.3, 0.5, 0.95]


def normal(shape, dtype=jnp.float64, seed=0):
    return jax.random.normal(jax.random.key(seed), shape, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("sharpness", [0.5, 2.0, 30.0])
def test_squash_meets_the_fraction_and_keeps_the_order(fraction, sharpness, dtype):
    field = jnp.asarray(1e3 + 7.0 * np.random.default_rng(0).standard_normal((6, 5, 4))).astype(dtype)
    density = np.asarray(geometry.squash(field, fraction, sharpness))
    assert density.dtype == dtype
    assert density.min() >= 0.0
    assert density.max() <= 1.0
    np.testing.assert_allclose(density.astype(np.float64).mean(), fraction, rtol=40 * jnp.finfo(dtype).eps)
    assert np.all(np.diff(density.ravel()[np.argsort(np.asarray(field).ravel(), stable=True)]) >= 0.0)


def test_squash_has_the_slope_it_promises():
    field = normal((6, 5, 4))
    recovered = logit(np.asarray(geometry.squash(field, 0.3, 3.0)))
    np.testing.assert_allclose(np.std(recovered), 3.0, rtol=1e-10)


@pytest.mark.parametrize("dtype", DTYPES)
def test_squash_of_a_constant_is_constant(dtype):
    density = geometry.squash(jnp.full((3, 3, 3), 4.0, dtype), 0.3)
    np.testing.assert_allclose(density, 0.3, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_threshold_of_distinct_values_is_exact_to_a_voxel(fraction, dtype):
    # A permutation of equally spaced values: all differ by more than rounding.
    field = jax.device_put(np.random.default_rng(1).permutation(7 * 8 * 9).reshape(7, 8, 9)).astype(dtype)
    solid = geometry.threshold(field, fraction)
    assert solid.dtype == jnp.bool_
    assert abs(int(solid.sum()) - fraction * field.size) <= 0.5
    values, mask = np.asarray(field), np.asarray(solid)
    assert values[mask].min() > values[~mask].max()


@pytest.mark.parametrize("dtype", DTYPES)
def test_threshold_never_separates_values_equal_up_to_rounding(dtype):
    levels = np.repeat([1.0, 2.0, 3.0], 9).reshape(3, 3, 3)
    jitter = 4 * jnp.finfo(dtype).eps * np.random.default_rng(0).standard_normal((3, 3, 3))
    field = jnp.asarray(levels + jitter).astype(dtype)
    for fraction, solid in [(0.05, 0), (0.2, 9), (0.4, 9), (0.55, 18), (0.8, 18), (0.97, 27)]:
        assert int(geometry.threshold(field, fraction).sum()) == solid


def test_maps_run_under_jit_and_vmap():
    fields = normal((3, 4, 4, 4))
    fractions = jnp.asarray([0.2, 0.4, 0.6])
    for function in (geometry.squash, geometry.threshold):
        batch = jax.jit(jax.vmap(function))(fields, fractions)
        for i in range(3):
            np.testing.assert_allclose(batch[i], function(fields[i], float(fractions[i])), rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["none", "mirror", "cubic"])
def test_random_starts_have_fraction_symmetry_and_dtype(kind, dtype):
    key = jax.random.key(3)
    for density in (
        geometry.trigonometric(key, (8, 8, 8), kind, volume_fraction=0.35, dtype=dtype),
        geometry.random_field(key, (8, 8, 8), 1.5, 0.35, kind, dtype=dtype),
    ):
        assert density.shape == (8, 8, 8)
        assert density.dtype == dtype
        np.testing.assert_allclose(np.mean(density, dtype=np.float64), 0.35, rtol=40 * jnp.finfo(dtype).eps)
        assert np.std(density) > 0.1
        cell = density if kind == "none" else symmetry.unfold(density)
        assert symmetry.detect(cell, 1e-5) == kind


@pytest.mark.parametrize("kind", ["none", "mirror", "cubic"])
@pytest.mark.parametrize("frequencies", [1, 3])
def test_trigonometric_spectrum(kind, frequencies):
    density = geometry.trigonometric(jax.random.key(0), (8, 8, 8), kind, frequencies, 0.4)
    field = logit(np.asarray(density if kind == "none" else symmetry.unfold(density)))
    spectrum = np.fft.fftn(field) / field.size
    orders = np.abs(np.fft.fftfreq(field.shape[0], 1 / field.shape[0]))
    highest = np.maximum(np.maximum(orders[:, None, None], orders[None, :, None]), orders[None, None, :])
    assert np.abs(spectrum[highest > frequencies]).max() < 1e-12
    assert np.abs(spectrum[highest == frequencies]).min() > 1e-4


@pytest.mark.parametrize("kind", ["none", "mirror"])
def test_random_field_correlation(kind):
    # In the middle of a mirrored octant the field is the plain one; the exact curve is exp(−r²/2ℓ²).
    length, side = 2.0, 24
    lags = np.arange(7)
    keys = jax.random.split(jax.random.key(5), 24)
    densities = jax.vmap(lambda key: geometry.random_field(key, (side, side, side), length, 0.5, kind))(keys)
    field = logit(np.asarray(densities))
    centre = field[:, 8:16, 8:16, 8:16]
    got = [np.mean(centre * np.roll(field, -lag, 1)[:, 8:16, 8:16, 8:16]) / np.mean(centre**2) for lag in lags]
    np.testing.assert_allclose(got, np.exp(-(lags**2) / (2 * length**2)), atol=0.06)


def test_random_field_is_periodic():
    field = logit(np.asarray(geometry.random_field(jax.random.key(0), (16, 16, 16), 3.0, 0.5)))
    inner = np.mean((field[1:] - field[:-1]) ** 2)
    across = np.mean((field[0] - field[-1]) ** 2)
    assert across < 2.0 * inner


def test_keys_decide():
    def start(seed):
        return geometry.trigonometric(jax.random.key(seed), (6, 6, 6))

    np.testing.assert_array_equal(start(1), start(1))
    assert np.abs(start(1) - start(2)).max() > 0.1
    keys = jax.random.split(jax.random.key(0), 2)
    batch = jax.jit(jax.vmap(lambda key: geometry.trigonometric(key, (6, 6, 6))))(keys)
    np.testing.assert_allclose(batch[1], geometry.trigonometric(keys[1], (6, 6, 6)), rtol=1e-10)


def test_old_style_keys_work():
    assert geometry.trigonometric(jax.random.PRNGKey(0), (4, 4, 4)).shape == (4, 4, 4)


def test_errors(unchecked):
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=r"`field` must have shape \(nx, ny, nz\), but has shape \(4, 4\)\."):
        geometry.squash(jnp.ones((4, 4)), 0.5)
    for fraction in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="`volume_fraction` must lie strictly between 0 and 1, but is"):
            geometry.threshold(jnp.ones((2, 2, 2)), fraction)
    with pytest.raises(ValueError, match="`sharpness` must be positive and finite, but is 0"):
        geometry.squash(jnp.ones((2, 2, 2)), 0.5, 0.0)
    with pytest.raises(ValueError, match=r"`shape` must be three positive integers \(nx, ny, nz\), but is \(4, 4\)\."):
        geometry.trigonometric(key, (4, 4))
    with pytest.raises(ValueError, match="`shape` must have three equal sides"):
        geometry.trigonometric(key, (4, 4, 6), "cubic")
    with pytest.raises(ValueError, match="`symmetry` must be one of"):
        geometry.random_field(key, (4, 4, 4), 1.0, symmetry="cubical")
    with pytest.raises(ValueError, match="`frequencies` must be at least 1, but is 0"):
        geometry.trigonometric(key, (4, 4, 4), frequencies=0)
    with pytest.raises(ValueError, match="`length` must be positive and finite, but is -1"):
        geometry.random_field(key, (4, 4, 4), -1.0)
    with pytest.raises(ValueError, match="`dtype` must be a floating dtype, but is int32"):
        geometry.trigonometric(key, (4, 4, 4), dtype=jnp.int32)
