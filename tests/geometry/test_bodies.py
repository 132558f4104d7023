"""Exact bodies against published densities, closed formulas and brute force."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta import geometry
from jaxmeta.geometry import symmetry

SIMPLE_CUBIC = [[(0, 0, 0), (1, 0, 0)], [(0, 0, 0), (0, 1, 0)], [(0, 0, 0), (0, 0, 1)]]


def all_edges():
    corners = list(itertools.product((0.0, 1.0), repeat=3))
    return [(a, b) for a, b in itertools.combinations(corners, 2) if np.sum(np.abs(np.subtract(a, b))) == 1]


def test_simple_cubic_lattice_has_the_published_density():
    # Dong, Tang and Zhao 2019: 40³ voxels, radius 0.1, density 0.0855.
    cell = geometry.lattice_struts((40, 40, 40), SIMPLE_CUBIC, 0.1)
    assert float(cell.mean()) == pytest.approx(0.0855, abs=1e-12)
    assert symmetry.detect(cell) == "cubic"
    np.testing.assert_array_equal(cell, geometry.lattice_struts((40, 40, 40), all_edges(), 0.1))


def brute_force_struts(shape, edges, radius):
    images = list(itertools.product((-2, -1, 0, 1, 2), repeat=3))
    cell = np.zeros(shape)
    for index in np.ndindex(shape):
        centre = (np.array(index) + 0.5) / np.array(shape)
        for start, end in np.asarray(edges, float):
            for image in images:
                a, d = start + image, end - start
                t = 0.0 if not d.any() else np.clip((centre - a) @ d / (d @ d), 0.0, 1.0)
                if np.linalg.norm(centre - a - t * d) <= radius + 1e-9:
                    cell[index] = 1.0
    return cell


@pytest.mark.parametrize("seed", range(3))
def test_struts_against_brute_force_with_ends_outside_the_cell(seed):
    rng = np.random.default_rng(seed)
    edges = rng.uniform(-0.6, 1.6, (3, 2, 3))
    edges[0, 1] = edges[0, 0]  # a segment of no length is a ball
    shape = (6, 5, 4)
    expected = brute_force_struts(shape, edges, 0.17)
    assert 0.0 < expected.mean() < 1.0
    np.testing.assert_array_equal(geometry.lattice_struts(shape, edges, 0.17), expected)


def test_struts_move_with_the_lattice():
    edges = np.random.default_rng(3).uniform(0.0, 1.0, (2, 2, 3))
    cell = geometry.lattice_struts((8, 8, 8), edges, 0.15)
    moved = geometry.lattice_struts((8, 8, 8), edges + np.array([0.25, -0.5, 0.125]), 0.15)
    np.testing.assert_array_equal(np.roll(cell, (2, -4, 1), (0, 1, 2)), moved)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 8.0, 200.0, math.inf])
def test_superellipsoid_hole(exponent):
    cell = np.asarray(geometry.superellipsoid_hole((32, 32, 32), exponent, 0.6))
    assert abs(cell.sum() - 0.6 * cell.size) <= (24 if exponent in (2.0, 8.0) else 2000)
    assert symmetry.detect(cell) == "cubic"
    hole = np.argwhere(cell == 0.0) / 16 - (15.5 / 16)
    # The extent along an axis, a face diagonal and a body diagonal tell the exponent: c, 2^(-1/p) c, 3^(-1/p) c.
    reach = np.abs(hole).max()
    body = np.abs(hole).min(axis=1).max()
    expected = reach * (1.0 if exponent > 100 else 3 ** (-1 / exponent))
    assert body == pytest.approx(expected, abs=1.5 / 16)
    assert geometry.is_connected(1 - cell)


def test_superellipsoid_baseline():
    cell = geometry.superellipsoid_hole((64, 64, 64), 8.0, 0.30)
    assert float(cell.mean()) == pytest.approx(0.30, abs=5e-4)
    assert geometry.percolates(cell) == (True, True, True)


@pytest.mark.parametrize("n", [16, 32, 64])
def test_sphere_volume(n):
    ball = geometry.sphere((n, n, n), 0.4)
    assert float(ball.mean()) == pytest.approx(4 / 3 * math.pi * 0.4**3, abs=0.15 / n)
    np.testing.assert_array_equal(geometry.sphere((n, n, n), 0.4, hole=True), 1 - ball)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_laminate(axis):
    cell = np.asarray(geometry.laminate((6, 6, 6), 0.34, axis))
    assert cell.mean() == pytest.approx(2 / 6)
    assert np.all(np.take(cell, [0, 1], axis) == 1.0)


def test_walls_have_the_exact_volume():
    cell = geometry.plates((16, 16, 16), ["100"], 2 / 16)
    assert float(cell.mean()) == pytest.approx(1 - (1 - 2 / 16) ** 3, abs=1e-12)


@pytest.mark.parametrize(("family", "normals", "square"), [("100", 3, 1), ("110", 6, 2), ("111", 4, 3)])
def test_thin_plates_fill_what_their_area_says(family, normals, square):
    # Without overlaps: (number of normals) × |h| planes per unit length × t. Overlaps take at most a quadratic part.
    thickness, n = 0.03, 128
    cell = geometry.plates((n, n, n), [family], thickness)
    layers = np.round(thickness * n * math.sqrt(square) / 2) * 2 / (n * math.sqrt(square))
    simple = normals * math.sqrt(square) * layers
    assert simple - simple**2 < float(cell.mean()) < simple
    assert symmetry.detect(cell) == "cubic"
    # The unit cell's corner lies on every plane, and no plate crosses the middle of a face cell of {110} and {111}.
    assert float(cell[0, 0, 0]) == 1.0


def test_plate_baselines():
    # The volume fractions of known good designs at 64³; the second family of the first pair is thinner.
    first = geometry.plates((64, 64, 64), ["100", "111"], (0.05, 0.035))
    second = geometry.plates((64, 64, 64), ["100", "110"], volume_fraction=0.331)
    assert float(first.mean()) == pytest.approx(0.371, abs=5e-4)
    assert float(second.mean()) == pytest.approx(0.331, abs=5e-4)
    for cell in (first, second):
        assert symmetry.detect(cell) == "cubic"
        assert geometry.is_connected(cell)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_dtypes(dtype):
    shape = (4, 4, 4)
    for cell in (
        geometry.laminate(shape, 0.5, dtype=dtype),
        geometry.sphere(shape, 0.3, dtype=dtype),
        geometry.superellipsoid_hole(shape, 8.0, 0.5, dtype=dtype),
        geometry.plates(shape, ["110"], 0.3, dtype=dtype),
        geometry.lattice_struts(shape, SIMPLE_CUBIC, 0.2, dtype=dtype),
    ):
        assert cell.dtype == dtype


def test_errors(unchecked):
    shape = (4, 4, 4)
    with pytest.raises(ValueError, match=r"`edges` must have shape \(struts, 2, 3\) and be finite"):
        geometry.lattice_struts(shape, np.zeros((2, 3)), 0.1)
    with pytest.raises(ValueError, match="`radius` must be positive and finite, but is 0"):
        geometry.sphere(shape, 0.0)
    with pytest.raises(ValueError, match="`exponent` must be positive, but is -2"):
        geometry.superellipsoid_hole(shape, -2.0, 0.5)
    with pytest.raises(ValueError, match='`families` must be one of "100", "110", "111", but is "211"'):
        geometry.plates(shape, ["211"], 0.1)
    with pytest.raises(ValueError, match="at least one family"):
        geometry.plates(shape, [], 0.1)
    for both in ({}, {"thickness": 0.1, "volume_fraction": 0.3}):
        with pytest.raises(ValueError, match="Exactly one of the arguments `thickness` and `volume_fraction`"):
            geometry.plates(shape, ["100"], **both)
    with pytest.raises(ValueError, match="one number or one per family, 2, but has shape"):
        geometry.plates(shape, ["100", "110"], (0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match="`axis` must be 0, 1 or 2, but is 3"):
        geometry.laminate(shape, 0.5, 3)
