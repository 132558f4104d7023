"""Guidance by finite elements, and gradients through sampler and homogenization, against finite differences."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.diffusion import FiniteElements, NetworkDenoiser, descend, symmetric_noise
from jaxmeta.diffusion._field import DEVIATION
from jaxmeta.diffusion._guidance import Correction
from jaxmeta.diffusion._parts import largest_part
from tests.diffusion.test_network import ASKED, LEAST, random_weights

SIDE = LEAST.side
LEVELS = np.array([3.0, 1.0, 0.3, 0.0])


def struts(side, volume_fraction):
    """Struts along the edges of the octant, smooth, with the level of a volume fraction at zero."""
    x, y, z = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 3, indexing="ij")
    field = 2 * (np.cos(np.pi * x) + np.cos(np.pi * y) + np.cos(np.pi * z))
    return jnp.asarray(field - np.quantile(field, 1 - volume_fraction))


def aimed(wanted, **options):
    """Guidances of one kind, so that all have one program."""
    return FiniteElements(wanted, **({"last": 2, "rounds": 2, "steps": 20} | options))


@jax.jit
def of_density(density):
    """C11, C12, C44 by a tight solve."""
    solid, linear = jm.Isotropic(1.0, 0.3), jm.SIMP(1.0, 1e-9)
    c = jm.homogenize(density, solid, interpolation=linear, symmetry="cubic", residual=1e-11, throw=False).stiffness
    return jnp.stack([c[0, 0], c[0, 1], c[3, 3]])


def soft(field):
    """The constants of a field as a density, smooth."""
    return of_density(jax.nn.sigmoid(2.6 * field))


@jax.jit
def corrected(guidance, field, last=None):
    return guidance.correct(field, Correction.none(field) if last is None else last)


def test_corrections_lead_to_a_target():
    """From thin struts to the stiffness of thick ones, both binary."""
    wanted = of_density((struts(16, 0.5) > 0).astype(float))

    def error(field):
        return float(jnp.linalg.norm(of_density((field > 0).astype(float)) / wanted - 1))

    guidance, start = aimed(wanted), struts(16, 0.35)
    field, last = start, Correction.none(start)
    for _ in range(8):
        field, last = corrected(guidance, field, last)
    assert error(field) < 0.25 * error(start)


def test_movements_are_symmetric_and_limited_and_keep_the_volume():
    field = struts(SIDE, 0.4)
    found, last = corrected(aimed(jnp.array([0.5, 0.1, 0.1]), volume_fraction=0.4, most=0.05), field)
    movement = DEVIATION * (found - field)
    near, sharp = (1 / jnp.cosh(sharpness / 2 * DEVIATION * field) ** 2 for sharpness in (0.5, 3))
    movement, weight = movement / near, near * sharp
    weight = weight / weight.sum()
    assert np.abs(movement - movement.transpose(1, 2, 0)).max() < 1e-9
    assert float(jnp.sqrt((weight * movement**2).sum())) == pytest.approx(0.05, rel=1e-6)
    assert float(jnp.abs((weight * movement).sum())) < 1e-9
    assert float(jnp.abs(last.displacement).max()) > 0.01
    found, _ = corrected(aimed(jnp.array([0.5, 0.1, 0.1]), volume_fraction=None), field)
    assert float((sharp * DEVIATION * (found - field)).sum() / sharp.sum()) > 0.1


@pytest.mark.slow
def test_the_gradient_through_guided_steps_and_homogenization():
    """Of a loss of the guided field: by noise and conditions, and by the stiffness that it is guided to."""
    model, wanted = random_weights(LEAST), jnp.array([0.3, 0.1, 0.1])

    @jax.jit
    @partial(jax.value_and_grad, argnums=(0, 1, 2))
    def loss(noise, values, aim):
        denoiser = NetworkDenoiser(model, ASKED._replace(values=values))
        field = descend(denoiser, noise, LEVELS, guidance=aimed(aim, volume_fraction=0.4))
        return jnp.sum((soft(field) - wanted) ** 2)

    noise, direction = (symmetric_noise(jax.random.key(key), SIDE, jnp.float64) for key in (5, 6))
    point = noise, ASKED.values, jnp.array([0.25, 0.07, 0.06])
    value, slopes = loss(*point)
    ways = direction, jnp.array([0.1, -0.03, 0.02, 0.1]), jnp.array([0.03, 0.01, -0.02])
    for number, way in enumerate(ways):
        slope, errors = float(jnp.vdot(slopes[number], way)), []
        for h in (1e-4, 1e-5, 1e-6):
            ahead, behind = (
                loss(*point[:number], point[number] + s * h * way, *point[number + 1 :])[0] for s in (1, -1)
            )
            errors.append(abs((ahead - behind) / (2 * h) - slope) / abs(slope))
        assert min(errors) < 1e-5
    assert value > 1e-4


def test_guided_samples_are_nearer():
    """The last steps are guided; the memory of the denoiser goes on."""
    denoiser, wanted = NetworkDenoiser(random_weights(LEAST), ASKED), jnp.array([0.35, 0.1, 0.08])
    noise = symmetric_noise(jax.random.key(5), SIDE, jnp.float64)
    fields = [descend(denoiser, noise, LEVELS, "dpm", guidance) for guidance in (None, aimed(wanted, rounds=5))]
    plain, guided = (jnp.linalg.norm(of_density((field > 0).astype(float)) - wanted) for field in fields)
    assert guided < 0.5 * plain


@pytest.mark.parametrize("seed", range(4))
def test_the_largest_part(seed):
    """A part and its images under permutations of the axes count as one."""
    random = np.random.default_rng(seed).random((6, 6, 6))
    orders = list(itertools.permutations(range(3)))
    octant = sum(random.transpose(order) for order in orders) > 3.2
    labels, count = jm.geometry.label(octant, periodic=False)
    parts = []
    for number in range(1, count + 1):
        images = sum((labels == number).transpose(order).astype(int) for order in orders)
        parts.append(images > 0)
    largest = max(parts, key=np.sum)
    assert len({part.tobytes() for part in parts}) > 1
    np.testing.assert_array_equal(largest_part(jnp.asarray(octant)), largest)
    assert not np.asarray(largest_part(jnp.zeros((6, 6, 6), bool))).any()


@pytest.mark.slow
def test_the_weights_that_come_with_the_package_are_guided():
    """Three test cells of the library: less than a third of the error of the same samples without guidance."""
    model, library, errors = jm.diffusion.load(), jm.dataset.load().split("test"), []
    for number in (10, 20, 30):
        target, share = library.constants[number], float(library.volume_fraction[number])
        c11, c12, c44 = target
        asked = jm.diffusion.conditions(c11=c11, c12=c12, c44=c44, volume_fraction=share)
        for guidance in (None, FiniteElements(jnp.asarray(target, jnp.float32), share)):
            cell = jm.diffusion.sample(model, asked, jax.random.key(number), guidance=guidance)
            octant = np.asarray(jm.symmetry.fold(cell))
            (cell,) = jm.cells.Scorer(jm.Isotropic(1.0, 0.3), residual=None, tolerance=1e-4).octants([octant], [{}])
            errors.append(np.linalg.norm(np.array(cell.constants[:3]) - target) / np.linalg.norm(target))
    raw, guided = np.reshape(errors, (3, 2)).T
    assert guided.sum() < raw.sum() / 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"constants": np.eye(6)},
        {"constants": np.array([0.1, 0.2, 0.1])},
        {"last": 0},
        {"rounds": 0},
        {"steps": 0},
        {"most": -1.0},
    ],
)
def test_guidance_that_cannot_be(wrong, unchecked):
    with pytest.raises(ValueError, match=f"Argument `{next(iter(wrong))}`"):
        FiniteElements(**({"constants": np.array([0.3, 0.1, 0.1])} | wrong))
