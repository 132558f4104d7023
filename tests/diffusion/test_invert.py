"""From a field to its noise and back; between two noises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.diffusion import Forgetful, NetworkDenoiser, Schedule, ascend, descend, slerp, symmetric_noise
from tests.diffusion.test_network import ASKED, LEAST, random_weights
from tests.diffusion.test_sampler import Gaussian, exact


@pytest.mark.parametrize("rounds", [1, 60])
def test_back_to_the_noise_of_known_data(rounds):
    """Of Gaussian data the noise is known; enough rounds lead back exactly, whatever the number of steps."""
    levels = jnp.asarray(Schedule(lowest=0.1, highest=20.0).levels(25)[:-1])
    noise = symmetric_noise(jax.random.key(0), 4, jnp.float64)
    field = exact(noise, 20.0, 0.1)
    found = ascend(Gaussian(), field, levels, rounds)
    assert jnp.abs(found - noise).max() < 0.2  # of first order
    off = jnp.abs(descend(Gaussian(), found, levels, "ddim") - field).max()
    assert off < 1e-12 if rounds == 60 else 1e-12 < off < 0.1


def test_more_levels_come_nearer_to_the_noise():
    noise = symmetric_noise(jax.random.key(0), 4, jnp.float64)
    off = []
    for count in (20, 40, 80):
        levels = jnp.asarray(Schedule(lowest=0.1, highest=20.0).levels(count)[:-1])
        off.append(float(jnp.abs(ascend(Gaussian(), exact(noise, 20.0, 0.1), levels, 30) - noise).max()))
    assert off[0] / off[1] == pytest.approx(2, rel=0.25) and off[1] / off[2] == pytest.approx(2, rel=0.25)


def test_a_network_leads_back_to_the_field():
    """Without a memory: each estimate is that of a first step."""
    inner = NetworkDenoiser(random_weights(LEAST), ASKED)
    field = symmetric_noise(jax.random.key(3), LEAST.side, jnp.float64)
    levels = jnp.asarray(Schedule(lowest=0.1, highest=5.0).levels(33)[:-1])

    @jax.jit
    def there_and_back(field):
        denoiser, sigma = Forgetful(inner), jnp.asarray(0.8)
        noise = ascend(denoiser, field, levels, rounds=20)
        estimates = denoiser(field, sigma, denoiser.init(field))[0], inner(field, sigma, jnp.zeros_like(field))[0]
        return noise, descend(denoiser, noise, levels, "ddim"), *estimates

    noise, back, first, second = there_and_back(field)
    np.testing.assert_allclose(back, field, atol=1e-6)
    assert jnp.abs(noise - field / 5).max() > 1e-2  # and it went somewhere
    np.testing.assert_allclose(first, second, rtol=1e-12)


def test_between_two_noises():
    a, b = (symmetric_noise(jax.random.key(k), 8, jnp.float64) for k in (1, 2))
    np.testing.assert_allclose(slerp(a, b, 0.0), a, atol=1e-12)
    np.testing.assert_allclose(slerp(a, b, 1.0), b, atol=1e-12)
    unit = [x / jnp.linalg.norm(x) for x in (a, b)]
    whole = np.arccos(float(jnp.vdot(*unit)))
    for t in (0.25, 0.6):
        between = slerp(*unit, t)
        assert float(jnp.linalg.norm(between)) == pytest.approx(1, rel=1e-12)
        assert np.arccos(float(jnp.vdot(unit[0], between))) == pytest.approx(t * whole, rel=1e-9)
    straight = (a + b) / 2
    assert float(slerp(a, b, 0.5).std()) > 0.9 > 0.8 > float(straight.std())


def test_refusals():
    with pytest.raises(ValueError, match="Argument `levels` must be two or more"):
        ascend(Gaussian(), jnp.zeros((2, 2, 2)), jnp.array([1.0]))
    with pytest.raises(ValueError, match="Argument `rounds` must be at least 1"):
        ascend(Gaussian(), jnp.zeros((2, 2, 2)), jnp.array([2.0, 1.0]), 0)


def test_noises_of_two_shapes(unchecked):
    with pytest.raises(ValueError, match="Argument `second` must have the shape of `first`"):
        slerp(jnp.ones(3), jnp.ones(4), 0.5)
