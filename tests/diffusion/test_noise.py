"""Noise levels, symmetric noise, and the fields of cells."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

import jaxmeta as jm
from jaxmeta.diffusion import Schedule, from_field, symmetric_noise, to_field
from jaxmeta.diffusion._field import DEVIATION, REACH, refined


def test_noise_has_unit_variance_on_every_voxel_and_all_symmetries():
    draws = 4000
    noise = np.asarray(
        jax.vmap(lambda key: symmetric_noise(key, 4, jnp.float64))(jax.random.split(jax.random.key(0), draws))
    )
    for order in itertools.permutations(range(3)):
        assert np.abs(noise - noise.transpose(0, *(axis + 1 for axis in order))).max() < 1e-14
    # The variance of a sample variance of unit normal numbers is 2/n: five deviations.
    assert np.abs((noise**2).mean(0) - 1).max() < 5 * np.sqrt(2 / draws)
    assert np.abs(noise.mean(0)).max() < 5 / np.sqrt(draws)


def test_voxels_that_are_no_images_of_each_other_are_independent():
    keys = jax.random.split(jax.random.key(1), 4000)
    noise = np.asarray(jax.vmap(lambda key: symmetric_noise(key, 3, jnp.float64))(keys))
    places = [p for p in itertools.product(range(3), repeat=3) if list(p) == sorted(p)]
    rows = np.stack([noise[:, *place] for place in places], axis=1)
    assert np.abs(np.corrcoef(rows.T) - np.eye(len(places))).max() < 5 / np.sqrt(4000)


def test_levels_fall_from_the_highest_to_the_lowest_and_zero():
    schedule = Schedule(lowest=0.02, highest=50.0)
    levels = schedule.levels(9)
    assert levels[0] == pytest.approx(50) and levels[-2] == pytest.approx(0.02) and levels[-1] == 0
    roots = levels[:-1] ** (1 / 7)
    np.testing.assert_allclose(np.diff(roots), np.diff(roots)[0])
    with pytest.raises(ValueError, match="Argument `steps` must be at least 2, but is 1"):
        schedule.levels(1)


def test_levels_of_training_have_the_stated_distribution():
    logs = np.log(Schedule(centre=0.5, spread=2.0).draw(jax.random.key(0), 4096, jnp.float64))
    assert logs.mean() == pytest.approx(0.5, abs=0.01) and logs.std() == pytest.approx(2.0, rel=0.01)
    assert np.abs(np.diff(logs)).mean() > 1  # in random order


@pytest.fixture(scope="module")
def octant():
    return jm.dataset.load()[3].octant


def test_the_field_is_the_distance_in_the_mirrored_cell(octant):
    wide = np.pad(octant, REACH + 2, mode="symmetric")
    inner = (slice(REACH + 2, -REACH - 2),) * 3
    far = np.where(wide, distance_transform_edt(wide) - 0.5, 0.5 - distance_transform_edt(~wide))[inner]
    np.testing.assert_allclose(DEVIATION * to_field(octant), np.clip(far, -REACH, REACH), atol=1e-13)


def test_fields_give_the_voxels_back(octant):
    field = to_field(octant)
    assert (from_field(field) == octant).all()
    assert (from_field(field, octant.mean()) == octant).all()
    for wanted in (0.2, 0.5):
        assert float(from_field(field + 0.01 * symmetric_noise(jax.random.key(0), 32), wanted).mean()) == pytest.approx(
            wanted, abs=6 / 32**3
        )


def test_full_and_empty_cells_are_all_far_from_the_interface():
    assert np.all(DEVIATION * to_field(np.ones((4, 4, 4), bool)) == REACH)
    assert np.all(DEVIATION * to_field(np.zeros((4, 4, 4), bool)) == -REACH)


def test_refinement_keeps_even_cosines_and_the_symmetry():
    """Cubic interpolation is of third order; the octant's mirrors are those of a cosine."""

    def error(side):
        fine, coarse = (np.cos(np.pi * (np.arange(n) + 0.5) / n) for n in (2 * side, side))
        field = coarse[:, None, None] + coarse[None, :, None] + coarse[None, None, :]
        exact = fine[:, None, None] + fine[None, :, None] + fine[None, None, :]
        return np.abs(refined(jnp.asarray(field), 2) - exact).max()

    assert error(8) / error(16) > 2**2.7
    assert from_field(to_field(jm.dataset.load()[5].octant), 0.3, refine=2).shape == (64, 64, 64)


@pytest.mark.parametrize("wrong", [np.ones((4, 4)), np.full((4, 4, 4), 0.5)])
def test_what_is_no_octant(wrong, unchecked):
    with pytest.raises(ValueError, match="Argument `octant` must"):
        to_field(wrong)
