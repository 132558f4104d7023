"""Thin members made thicker: a union of cubes, no more than is needed, symmetric, at the least cost."""

import itertools

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta import geometry


def cubes(solid, size):
    """Voxels that lie in a solid cube, by looking at every cube of the periodic cell."""
    covered = np.zeros_like(solid)
    for first in np.ndindex(solid.shape):
        block = np.ix_(*(np.arange(f, f + size) % n for f, n in zip(first, solid.shape, strict=True)))
        if solid[block].all():
            covered[block] = True
    return covered


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_solid_voxel_lies_in_a_solid_cube(size):
    rng = np.random.default_rng(size)
    cell = rng.uniform(size=(6, 5, 7)) < 0.1
    found = geometry.thicken(cell, size)
    assert (found | ~cell).all()
    np.testing.assert_array_equal(cubes(found, size), found)
    # What is thick enough stays as it is.
    np.testing.assert_array_equal(geometry.thicken(found, size), found)


def test_the_cheapest_cube_is_taken_and_what_must_stay_void_is_void():
    cost = np.random.default_rng(0).uniform(0.1, 1, (6, 6, 6))
    cell = np.zeros((6, 6, 6), bool)
    cell[2, 3, 5] = True
    found = geometry.thicken(cell, 2, cost)
    prices = {}
    for first in itertools.product((1, 2), (2, 3), (4, 5)):
        block = np.zeros_like(cell)
        block[np.ix_(*(np.arange(f, f + 2) % 6 for f in first))] = True
        prices[first] = cost[block & ~cell].sum(), block
    np.testing.assert_array_equal(found, min(prices.values(), key=lambda pair: pair[0])[1])
    closed = np.where(found & ~cell, np.inf, cost)
    other = geometry.thicken(cell, 2, closed)
    assert other.sum() <= 8 and not (other & np.isinf(closed)).any()


def test_symmetry_is_kept():
    octant = geometry.symmetry.permute_average(np.random.default_rng(3).uniform(size=(5, 5, 5)))
    density = np.asarray(geometry.symmetry.unfold(octant))
    found = geometry.thicken(density > 0.72, 2, 1 - density)
    assert jm.symmetry.detect(found.astype(float)) == "cubic"
