"""Guidance by finite elements, and gradients through sampler and homogenization, against finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.diffusion import FiniteElements, NetworkDenoiser, descend, symmetric_noise
from tests.diffusion.test_network import ASKED, LEAST, random_weights

SIDE = LEAST.side
LEVELS = np.array([3.0, 1.0, 0.3, 0.0])


@pytest.fixture(scope="module")
def field():
    """Struts along the edges of the octant, smooth."""
    x, y, z = np.meshgrid(*[(np.arange(SIDE) + 0.5) / SIDE] * 3, indexing="ij")
    return jnp.asarray(0.4 * (np.cos(np.pi * x) + np.cos(np.pi * y) + np.cos(np.pi * z)))


def aimed(wanted, most=10.0):
    """Guidances of one kind, so that all have one program."""
    return FiniteElements(wanted, last=2, steps=20, sharpness=1.0, most=most)


@jax.jit
def constants(field):
    """C11, C12, C44 by a tight solve."""
    density, solid = aimed(jnp.zeros(3)).density(field), jm.Isotropic(1.0, 0.3)
    linear = jm.SIMP(1.0, 1e-9)
    c = jm.homogenize(density, solid, interpolation=linear, symmetry="cubic", residual=1e-11, throw=False).stiffness
    return jnp.stack([c[0, 0], c[0, 1], c[3, 3]])


@jax.jit
def corrected(guidance, field):
    return guidance.correct(field, jnp.zeros((2, *(SIDE + 1,) * 3, 3)))


def test_a_correction_leads_to_the_target_to_first_order(field):
    """What is left after it falls as the square of the way to go."""
    start, left = constants(field), []
    for share in (0.0005, 0.001):
        wanted = start * (1 + share * jnp.array([1.0, 0.5, -0.5]))
        left.append(float(jnp.linalg.norm(constants(corrected(aimed(wanted), field)[0]) - wanted)))
    assert left[0] < 0.1 * 0.0005 * float(jnp.linalg.norm(start))
    assert 3 < left[1] / left[0] < 5


def test_corrections_are_symmetric_and_limited_and_hand_on_displacements(field):
    found, displacement = corrected(aimed(jnp.array([0.5, 0.1, 0.1]), most=0.05), field)
    change = found - field
    assert np.abs(change - change.transpose(1, 2, 0)).max() < 1e-9
    assert float(jnp.sqrt(jnp.mean(change**2))) == pytest.approx(0.05, rel=1e-6)
    assert float(jnp.abs(displacement).max()) > 0.01


def test_the_density_has_the_volume_fraction(field):
    for wanted in (0.2, 0.4):
        density = FiniteElements(jnp.zeros(3), wanted, sharpness=20.0).density(field)
        assert float(density.mean()) == pytest.approx(wanted, abs=0.02)


def test_the_gradient_through_sampler_and_homogenization():
    model, wanted = random_weights(LEAST), jnp.array([0.3, 0.1, 0.1])

    @jax.jit
    @partial(jax.value_and_grad, argnums=(0, 1))
    def loss(noise, values):
        denoiser = NetworkDenoiser(model, ASKED._replace(values=values))
        return jnp.sum((constants(descend(denoiser, noise, LEVELS)) - wanted) ** 2)

    noise, direction = (symmetric_noise(jax.random.key(key), SIDE, jnp.float64) for key in (5, 6))
    value, (by_noise, by_values) = loss(noise, ASKED.values)
    way = jnp.array([0.1, -0.03, 0.02, 0.1])
    slopes = [jnp.vdot(by_noise, direction), jnp.vdot(by_values, way)]
    for slope, moved in zip(slopes, [(direction, 0 * way), (0 * direction, way)], strict=True):
        errors = []
        for h in (1e-3, 1e-4):
            ahead, behind = (loss(noise + s * h * moved[0], ASKED.values + s * h * moved[1])[0] for s in (1, -1))
            errors.append(abs((ahead - behind) / (2 * h) - slope) / abs(slope))
        assert min(errors) < 1e-5
    assert value > 1e-4


def test_guided_samples_are_nearer():
    """The last steps are guided; the memory of the denoiser goes on."""
    denoiser, wanted = NetworkDenoiser(random_weights(LEAST), ASKED), jnp.array([0.35, 0.1, 0.08])
    noise = symmetric_noise(jax.random.key(5), SIDE, jnp.float64)
    plain, guided = (descend(denoiser, noise, LEVELS, "dpm", guidance) for guidance in (None, aimed(wanted)))
    assert jnp.linalg.norm(constants(guided) - wanted) < 0.2 * jnp.linalg.norm(constants(plain) - wanted)


@pytest.mark.parametrize("wrong", [{"constants": np.eye(6)}, {"last": 0}, {"steps": 0}, {"sharpness": -1.0}])
def test_guidance_that_cannot_be(wrong, unchecked):
    with pytest.raises(ValueError, match=f"Argument `{next(iter(wrong))}`"):
        FiniteElements(**({"constants": np.array([0.3, 0.1, 0.1])} | wrong))
