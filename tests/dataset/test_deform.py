"""Deformations keep the symmetry of a cell, and move it as far as they say."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import jaxmeta as jm
from jaxmeta.dataset._deform import deform, displacement
from tests.dataset.libraries import octant


def test_displacement_has_the_symmetry_of_a_cubic_cell():
    u = displacement(np.random.default_rng(0), 16, amplitude=2.0, length=3.0)
    np.testing.assert_allclose(np.sqrt(np.mean(u[0] ** 2)), 2.0)
    for order in [(1, 0, 2), (0, 2, 1), (2, 1, 0)]:
        np.testing.assert_allclose(u[list(order)].transpose(0, *(1 + a for a in order)), u, atol=1e-12)
    # Smooth across the mirrors: odd in its own direction, even in the others.
    whole = np.concatenate([-u[0, ::-1], u[0]])
    assert np.abs(np.diff(whole, axis=0)).max() < 3.0
    assert np.abs(u[0, 0]).mean() < 0.5 * np.abs(u[0, 8]).mean()


@pytest.mark.parametrize("seed", range(5))
def test_a_deformed_cell_is_cubic(seed):
    random = np.random.default_rng(seed)
    start = gaussian_filter(octant(seed, 16).astype(float), 1.5, mode="reflect") > 0.5
    made = deform(start, displacement(random, 16, 1.5, 3.0), 0.45)
    cell = jm.symmetry.unfold(made.astype(float))
    assert jm.symmetry.detect(cell) == "cubic"
    assert 0 < np.mean(made != start) < 0.4


def test_no_displacement_and_a_uniform_one():
    start = gaussian_filter(octant(3, 16).astype(float), 2.0, mode="reflect") > 0.5
    still = np.zeros((3, 16, 16, 16))
    blurred = gaussian_filter(start.astype(float), 0.7, mode="reflect")
    np.testing.assert_array_equal(deform(start, still), blurred > 0.5)
    assert deform(start, still, 0.3).sum() > deform(start, still).sum() > deform(start, still, 0.7).sum()
    moved = still.copy()
    moved[0] = 1.0
    np.testing.assert_array_equal(deform(start, moved)[:-1], deform(start, still)[1:])
