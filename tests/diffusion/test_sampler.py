"""Samplers against the exact solution for Gaussian data; preconditioning; guidance without a classifier."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.diffusion import (
    ClassifierFree,
    FiniteElements,
    NetworkDenoiser,
    Schedule,
    Smoothed,
    descend,
    sample_field,
    symmetric_noise,
)
from jaxmeta.diffusion._denoiser import SMOOTHING, Coefficients, denoise
from tests.diffusion.test_network import ASKED, LEAST, random_weights

MEAN, DEVIATION = 0.7, 1.3


class Gaussian:
    """The exact denoiser of data of one mean and deviation."""

    def init(self, x):
        return jnp.zeros((), int)

    def __call__(self, x, sigma, memory):
        return MEAN + DEVIATION**2 / (DEVIATION**2 + sigma**2) * (x - MEAN), memory + 1


def exact(noise, first, last):
    """The solution of the differential equation: it scales with the root of the variance of the noisy data."""
    x = first * noise
    return MEAN + (x - MEAN) * np.sqrt((DEVIATION**2 + last**2) / (DEVIATION**2 + first**2))


@pytest.mark.parametrize(("method", "order"), [("ddim", 1), ("dpm", 2)])
def test_order_of_convergence(method, order):
    noise = symmetric_noise(jax.random.key(0), 4, jnp.float64)
    schedule, errors, counts = Schedule(lowest=0.1, highest=20.0), [], [16, 32, 64, 128]
    for count in counts:
        levels = jnp.asarray(schedule.levels(count + 1)[:-1])  # without the step to zero
        errors.append(float(jnp.abs(descend(Gaussian(), noise, levels, method) - exact(noise, 20.0, 0.1)).max()))
    slope = -np.polyfit(np.log(counts[1:]), np.log(errors[1:]), 1)[0]
    assert slope == pytest.approx(order, abs=0.25)
    assert errors[-1] < (0.05 if order == 1 else 0.002)


def test_mean_and_variance_of_samples():
    levels = jnp.asarray(Schedule(lowest=0.02, highest=100.0).levels(32))

    @jax.jit
    @jax.vmap
    def draw(key):
        return descend(Gaussian(), symmetric_noise(key, 4, jnp.float64), levels)

    samples = np.asarray(draw(jax.random.split(jax.random.key(3), 2000)))
    assert np.abs(samples.mean(0) - MEAN).max() < 5 * DEVIATION / np.sqrt(2000)
    assert samples.std() == pytest.approx(DEVIATION, rel=0.02)


def test_the_second_order_is_worth_it_in_few_steps():
    noise = symmetric_noise(jax.random.key(0), 4, jnp.float64)
    levels, right = jnp.asarray(Schedule(lowest=0.02, highest=100.0).levels(32)), exact(noise, 100.0, 0.0)
    first, second = (jnp.abs(descend(Gaussian(), noise, levels, m) - right).max() for m in ("ddim", "dpm"))
    assert second < first / 5


def test_unknown_method(unchecked):
    with pytest.raises(ValueError, match='Argument `method` must be "ddim" or "dpm"'):
        descend(Gaussian(), jnp.zeros((2, 2, 2)), jnp.array([1.0, 0.0]), "euler")


class Counting:
    """A guidance that adds one to the estimate, and counts."""

    last = 3

    def __call__(self, denoiser):
        return Added(denoiser)


class Added:
    def __init__(self, denoiser):
        self.denoiser = denoiser

    def adopt(self, memory, x):
        return memory, jnp.zeros((), int)

    def init(self, x):
        return self.adopt(self.denoiser.init(x), x)

    def __call__(self, x, sigma, memory):
        inner, count = memory
        estimate, inner = self.denoiser(x, sigma, inner)
        return estimate + 1, (inner, count + 1)


def test_guidance_acts_in_the_last_steps_alone():
    noise = symmetric_noise(jax.random.key(0), 4, jnp.float64)
    levels = np.array([8.0, 4.0, 2.0, 1.0, 0.5, 0.0])
    x = levels[0] * noise
    for number, (sigma, after) in enumerate(pairwise(levels)):
        estimate = Gaussian()(x, sigma, 0)[0] + float(number >= 2)
        x = after / sigma * x + (1 - after / sigma) * estimate
    np.testing.assert_allclose(descend(Gaussian(), noise, levels, "ddim", Counting()), x, rtol=1e-13)


def test_preconditioning_keeps_unit_variance_and_leads_back():
    """Var(c_in x) = 1; the goal (x₀ − c_skip x)/c_out has unit variance, and with it as output the estimate is x₀."""
    for sigma in (0.1, 1.0, 30.0):
        c = Coefficients.at(jnp.asarray(sigma))
        assert c.into**2 * (1 + sigma**2) == pytest.approx(1, rel=1e-12)
        goal_variance = ((1 - c.skip) ** 2 + c.skip**2 * sigma**2) / c.out**2
        assert goal_variance == pytest.approx(1, rel=1e-12)
        assert c.noise == pytest.approx(np.log(sigma) / 4)


def test_estimates_of_little_and_of_much_noise():
    """With little noise the estimate is the field; the network's share grows with the noise."""
    model = random_weights(LEAST)
    x, zeros = symmetric_noise(jax.random.key(0), LEAST.side, jnp.float64), jnp.zeros((LEAST.side,) * 3)
    sigmas = jnp.array([1e-4, 1e-3])
    found = jax.jit(jax.vmap(lambda sigma: denoise(LEAST, model.weights, x, sigma, zeros, ASKED)))(sigmas)
    off = [jnp.abs(estimate - x / (1 + sigma**2)).max() for estimate, sigma in zip(found, sigmas, strict=True)]
    assert off[1] < 0.1 and off[1] / off[0] == pytest.approx(10, rel=0.3)


def test_guidance_without_a_classifier_is_a_line_through_two_estimates():
    denoiser = NetworkDenoiser(random_weights(LEAST), ASKED)
    x, sigma, memory = symmetric_noise(jax.random.key(0), LEAST.side, jnp.float64), jnp.asarray(0.8), jnp.ones((8,) * 3)

    @jax.jit
    def estimates(scale):
        guided, kept = ClassifierFree(denoiser, scale)(x, sigma, memory)
        return guided, kept, denoiser(x, sigma, memory)[0], denoiser.unconditional()(x, sigma, memory)[0]

    guided, kept, with_, without = estimates(2.5)
    np.testing.assert_allclose(guided, without + 2.5 * (with_ - without), rtol=1e-12)
    np.testing.assert_array_equal(kept, guided)
    assert jnp.abs(with_ - without).max() > 1e-4


def test_the_estimate_at_the_lowest_level_is_smoothed():
    """Waves along an axis, mirrored at both ends, keep their shape; their mean stays; other levels are left alone."""
    place = (np.arange(8) + 0.5) / 8

    class Wave:
        def init(self, x):
            return ()

        def __call__(self, x, sigma, memory):
            return x, memory

    denoiser = Smoothed(Wave(), 0.1)
    for length in (2, 4, 8):
        wave = jnp.asarray(np.broadcast_to(3 + np.cos(np.pi * (16 / length) * place)[:, None], (8, 8, 8)))
        for sigma, kept in ((0.1, 1 - 2 * SMOOTHING * (1 - np.cos(2 * np.pi / length))), (0.11, 1.0)):
            seen, _ = denoiser(wave, jnp.asarray(sigma), ())
            np.testing.assert_allclose(seen - 3, kept * (wave - 3), atol=1e-6)


def test_samples_are_smooth():
    """A speck of a voxel in the last estimate is gone from the cell; a ball is not."""
    place = np.stack(np.meshgrid(*[np.arange(16.0)] * 3, indexing="ij"))
    ball = 4.0 - np.linalg.norm(place, axis=0)
    ball[12, 12, 12] = 0.5
    known = jnp.asarray(ball)

    class Known:
        def init(self, x):
            return ()

        def __call__(self, x, sigma, memory):
            return known, memory

    levels = Schedule().levels(4)
    rough, smooth = (
        descend(denoiser, jnp.zeros_like(known), levels) > 0 for denoiser in (Known(), Smoothed(Known(), levels[-2]))
    )
    assert rough[12, 12, 12] and not smooth[12, 12, 12]
    assert int(rough.sum()) - 1 == pytest.approx(int(smooth.sum()), rel=0.15)


def test_a_sample_is_smoothed_unless_it_is_guided():
    model, key, levels = random_weights(LEAST), jax.random.key(1), Schedule().levels(4)
    noise, denoiser = symmetric_noise(key, LEAST.side), NetworkDenoiser(model, ASKED)
    guidance = FiniteElements([0.3, 0.1, 0.05], 0.3, last=1, rounds=1, steps=1, most=1e-9)
    field = sample_field(model, ASKED, key, 4)
    np.testing.assert_allclose(field, descend(Smoothed(denoiser, levels[-2]), noise, levels), atol=1e-12)
    guided = sample_field(model, ASKED, key, 4, guidance)
    np.testing.assert_allclose(guided, descend(denoiser, noise, levels, guidance=guidance), atol=1e-12)
    assert jnp.abs(field - descend(denoiser, noise, levels)).max() > 1e-3
