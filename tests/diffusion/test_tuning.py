"""Tuning: the derivative through sampler and shape, what is wanted, and a run that goes on."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta import diffusion
from jaxmeta.diffusion import Schedule, Tuning, tuning
from jaxmeta.diffusion._denoiser import ClassifierFree, NetworkDenoiser, Smoothed
from jaxmeta.diffusion._sampler import descend
from tests.diffusion.test_guidance import of_density, struts
from tests.diffusion.test_network import ASKED, LEAST, random_weights
from tests.diffusion.test_training import examples, library  # noqa: F401

SETTINGS = Tuning(steps=6, batch=2, levels=3, last=2, solver_steps=4)


@pytest.mark.parametrize("other", [(0.3, 0.0), (-0.3, 0.0), (0.0, 0.5), (0.0, -0.2)])
def test_the_pull_leads_to_the_stiffness_of_another_cell(other):
    """Of struts, with knots and without, at the same volume fraction: the interface goes where the derivative says."""
    field, volume = struts(16, 0.3), 0.3
    x, y, z = np.meshgrid(*[np.cos(np.pi * (np.arange(16) + 0.5) / 16)] * 3, indexing="ij")
    knots = other[0] * (x * y + y * z + z * x) + other[1] * (x**2 + y**2 + z**2)
    wanted = jnp.append(of_density(diffusion.from_field(field + knots, volume).astype(float)), volume)
    pulled, seen = tuning.pull(field, wanted, 30)
    most = 1 / 2.6 / jnp.abs(pulled).max()  # no voxel's distance changes by more than a voxel
    after = [float(tuning.pull(field - share * most * pulled, wanted, 30)[1].loss) for share in (0.3, 0.6, 1)]
    assert min(after) < 0.7 * float(seen.loss)
    assert seen.loose == 0 and float(seen.plain) > 0.02


def test_loose_voxels_are_pushed_into_the_void():
    field = struts(16, 0.3)
    wanted = jnp.append(of_density((field > 0).astype(float)), 0.3)
    speck = field.at[12:14, 12:14, 12:14].set(field.max())
    pulled, seen = tuning.pull(speck, wanted, 30)
    assert float(seen.loose) == pytest.approx(8 / round(0.3 * 16**3), rel=0.01)
    np.testing.assert_allclose(pulled[12:14, 12:14, 12:14], 1 / 60, rtol=0.2)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_samples_are_those_of_the_sampler(scale):
    model, key = random_weights(LEAST), jax.random.key(1)
    settings = Tuning(levels=4, last=2, scale=scale)
    field = tuning._sampled(LEAST, settings, Schedule(), model.weights, ASKED.values, key)
    noise = diffusion.symmetric_noise(key, LEAST.side)
    levels = Schedule().levels(4)
    denoiser = Smoothed(ClassifierFree(NetworkDenoiser(model, ASKED), scale), levels[-2])
    expected = descend(denoiser, noise, levels)
    np.testing.assert_allclose(field, expected, rtol=0, atol=1e-12)


def test_the_derivative_through_all_steps_against_finite_differences():
    """With no part of the estimate without conditions, and a derivative so small that it is not cut off."""
    model, key, settings = random_weights(LEAST), jax.random.key(1), Tuning(levels=3, last=3, scale=1.0)
    random = np.random.default_rng(0)
    ahead = jax.tree.map(lambda leaf: jnp.asarray(random.standard_normal(leaf.shape)), model.weights)
    mark = jnp.asarray(1e-6 * random.standard_normal((LEAST.side,) * 3))

    @jax.jit
    def product(weights):
        return jnp.vdot(mark, tuning._sampled(LEAST, settings, Schedule(), weights, ASKED.values, key))

    def at(t):
        return float(product(jax.tree.map(lambda leaf, to: leaf + t * to, model.weights, ahead)))

    pairs = zip(*map(jax.tree.leaves, (jax.grad(product)(model.weights), ahead)), strict=True)
    slope = sum(jnp.vdot(one, other) for one, other in pairs)
    h = 1e-6
    assert float(slope) == pytest.approx((at(h) - at(-h)) / (2 * h), rel=1e-6)


def test_derivatives_are_cut_off():
    slope = jax.grad(lambda x: jnp.vdot(jnp.full(4, 3.0), tuning._bounded(x)))(jnp.ones(4))
    np.testing.assert_allclose(jnp.linalg.norm(slope), 0.05, rtol=1e-12)
    np.testing.assert_allclose(slope / slope[0], 1, rtol=1e-12)


def test_what_is_wanted_lies_between_neighbours(examples):  # noqa: F811
    between = tuning.Between.of(examples)
    drawn = np.asarray(between.draw(jax.random.key(0), 200))
    values = np.asarray(examples.values)
    assert (drawn >= values.min(0) - 1e-6).all() and (drawn <= values.max(0) + 1e-6).all()
    assert len(np.unique(drawn, axis=0)) == 200
    assert (np.asarray(between.near) != np.arange(len(values))[:, None]).all()


@pytest.mark.slow
def test_a_run_goes_on_and_says_what_it_saw(library, tmp_path):  # noqa: F811
    """Interrupted, it comes to the same weights; the curve has the samples of validation cells."""
    model = diffusion.new_model(LEAST, jax.random.key(0))
    count = iter(range(10))

    def stop():
        if next(count) == 2:
            raise KeyboardInterrupt

    whole = diffusion.tune(model, library, SETTINGS, tmp_path / "whole", every=3)
    with pytest.raises(KeyboardInterrupt):
        diffusion.tune(model, library, SETTINGS, tmp_path / "run", every=3, check=stop)
    again = diffusion.tune(model, library, SETTINGS, tmp_path / "run", every=3)
    for first, second in zip(*(jax.tree.leaves(m.weights) for m in (whole, again)), strict=True):
        np.testing.assert_array_equal(first, second)
    moved = [abs(a - b).max() for a, b in zip(*(jax.tree.leaves(m.weights) for m in (whole, model)), strict=True)]
    assert max(moved) > 1e-5
    curves = [json.loads((tmp_path / name / "curve.json").read_text())["curve"] for name in ("whole", "run")]
    assert [row["step"] for row in curves[0]] == [3, 6]
    for first, second in zip(*curves, strict=True):
        assert {**first, "seconds": 0} == {**second, "seconds": 0}
    assert set(curves[0][0]) > {"loss", "plain", "loose", "denoising", "validation_plain_median"}
    assert json.loads(diffusion.load(tmp_path / "run" / "weights.h5").notes)["tuning"]["steps"] == 6
    with pytest.raises(ValueError, match="of this same run"):
        diffusion.tune(model, library, Tuning(steps=7), tmp_path / "run")
    with pytest.raises(ValueError, match="octants of side 32, but has 8"):
        diffusion.tune(jm.diffusion.load(), library, SETTINGS, tmp_path / "other")


@pytest.mark.parametrize("wrong", [{"last": 20}, {"rate": 0.0}, {"average": 1.0}, {"scale": -1.0}, {"steps": 0}])
def test_settings_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="must"):
        Tuning(**wrong)
