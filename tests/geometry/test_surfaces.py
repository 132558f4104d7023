"""Surfaces: closed, outward, with the volumes and areas of spheres, slabs and voxels."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta import geometry
from jaxmeta.geometry import symmetry

RADIUS = 0.35


def smooth_ball(n, centre=0.5):
    """A density which is linear in the distance from a sphere, one half on it."""
    x = np.abs((np.arange(n) + 0.5) / n - centre)
    x = np.minimum(x, 1.0 - x)
    distance = np.sqrt(x[:, None, None] ** 2 + x[None, :, None] ** 2 + x[None, None, :] ** 2)
    return np.clip(0.5 + (RADIUS - distance) * 4.0, 0.0, 1.0)


def slope(sizes, errors):
    return -np.polyfit(np.log(sizes), np.log(errors), 1)[0]


def test_sphere_volume_and_area_converge_at_second_order():
    sizes = [12, 18, 27, 40]
    volumes, areas = [], []
    for n in sizes:
        spacing = (1 / n, 1 / n, 1 / n)
        volumes.append(abs(geometry.volume(smooth_ball(n), spacing=spacing) / (4 / 3 * math.pi * RADIUS**3) - 1))
        areas.append(abs(geometry.surface_area(smooth_ball(n), spacing=spacing) / (4 * math.pi * RADIUS**2) - 1))
    assert slope(sizes, volumes) > 1.6
    assert slope(sizes, areas) > 1.6
    # A chord lies h²/8R below its arc: 3 h²/8R² of the volume, somewhat more where cubes are cut askew.
    assert max(volumes[-1], areas[-1]) < 6.0 / (8 * (40 * RADIUS) ** 2) + 1e-3


@pytest.mark.parametrize("maker", [geometry.surface, geometry.voxel_surface])
def test_normals_point_outwards(maker):
    n = 20
    mesh = maker(geometry.sphere((n, n, n), RADIUS), spacing=(1 / n, 1 / n, 1 / n))
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0.0
    assert np.all(np.sum(mesh.face_normals * (mesh.triangles_center - 0.5), axis=1) > 0.0)
    np.testing.assert_allclose(mesh.center_mass, 0.5, atol=1e-3)


def test_spacing_scales_each_axis():
    ball = geometry.sphere((16, 16, 16), 0.4)
    plain, scaled = geometry.surface(ball), geometry.surface(ball, spacing=(1.0, 2.0, 0.5))
    np.testing.assert_allclose(scaled.vertices, plain.vertices * [1.0, 2.0, 0.5], rtol=1e-12)


def random_cells():
    rng = np.random.default_rng(0)
    for shape in [(6, 6, 6), (5, 4, 3), (2, 1, 3)]:
        for _ in range(5):
            yield "binary", (rng.random(shape) < 0.5).astype(float)
            yield "levels", rng.integers(0, 5, shape) / 4  # many samples exactly on the level
            yield "grey", rng.random(shape)


def test_any_cell_gives_a_closed_surface():
    seen = set()
    for kind, density in random_cells():
        if density.max() <= 0.5:
            continue
        mesh = geometry.surface(density)
        seen.add(kind)
        assert mesh.is_watertight
        assert mesh.is_winding_consistent
        assert mesh.volume > 0.0
        assert mesh.vertices.min() >= -1e-3
        assert np.all(mesh.vertices.max(axis=0) <= np.array(density.shape) + 1e-3)
    assert seen == {"binary", "levels", "grey"}


def test_bodies_which_touch_in_an_edge_stay_apart():
    cell = np.zeros((4, 4, 4))
    cell[1, 1, 1] = cell[2, 2, 1] = 1.0
    assert geometry.surface(cell).body_count == geometry.label(cell)[1] == 2


@pytest.mark.parametrize("value", [0.7, 1.0])
def test_caps_lie_on_the_faces_of_the_cell(value):
    mesh = geometry.surface(np.full((4, 3, 2), value))
    # The level is raised by 1e-4 of the range, which moves a cap by that part of a voxel at most.
    np.testing.assert_allclose(mesh.bounds, [[0.0, 0.0, 0.0], [4.0, 3.0, 2.0]], atol=1e-3)


def test_caps_have_sharp_edges():
    """A full block is a box, without slivers along its edges: its surface stays closed when equal points are merged."""
    mesh = geometry.surface(np.ones((4, 3, 2)), spacing=(1.0, 2.0, 0.5))
    assert mesh.volume == pytest.approx(24.0, rel=1e-12)
    assert mesh.area == pytest.approx(2 * (4 * 6 + 6 * 1 + 1 * 4), rel=1e-12)
    assert mesh.area_faces.min() > 1e-3
    assert len(np.unique(mesh.vertices, axis=0)) == len(mesh.vertices)
    # A plate through the block: half a voxel of the density's slope on either side of it.
    plate = np.zeros((6, 4, 4))
    plate[2:4] = 1.0
    assert geometry.volume(plate) == pytest.approx(32.0, rel=2e-4)


def filled(mesh, shape, spacing=(1.0, 1.0, 1.0)):
    """Voxels from the surface as a file has it, in single precision."""
    triangles = np.asarray(mesh.triangles, np.float32).astype(float)
    return geometry.voxelize(triangles, np.zeros(3), np.array(spacing), tuple(shape)) > 0.5


def test_smooth_surface_keeps_the_volume_and_the_faces():
    """Of a gyroid, which has no mirrors, in a cell of unequal edges."""
    cell = np.asarray(geometry.threshold(geometry.tpms("gyroid", (20, 20, 20), 0.4), 0.4), float)
    spacing = (1.0, 2.0, 0.5)
    for repeat in ((1, 1, 1), (1, 2, 1)):
        mesh = geometry.smooth_surface(cell, spacing, repeat)
        assert mesh.is_watertight and mesh.is_winding_consistent
        assert mesh.volume == pytest.approx(cell.sum() * np.prod(repeat), rel=0.01)
        np.testing.assert_allclose(mesh.bounds, [[0, 0, 0], 20 * np.array(spacing) * repeat], atol=1e-9)
        np.testing.assert_array_equal(filled(mesh, 20 * np.array(repeat), spacing), np.tile(cell, repeat) > 0.5)
    assert mesh.area < 0.98 * geometry.surface(cell, spacing=spacing, repeat=repeat).area  # its steps are gone
    with pytest.raises(ValueError, match="but has no solid"):
        geometry.smooth_surface(np.zeros((4, 4, 4)))


def test_smooth_surface_gives_every_cell_back():
    """Noise with walls of single voxels, flat cells, cells with hinges: no hole is opened and none closed."""
    for kind, density in random_cells():
        if kind == "binary" and density.any():
            smooth, steps = geometry.smooth_surface(density), geometry.surface(density)
            np.testing.assert_array_equal(filled(smooth, density.shape), density > 0.5)
            np.testing.assert_array_equal(smooth.faces, steps.faces)
            assert np.abs(smooth.vertices - steps.vertices).max() < 0.401
        elif density.max() > 0.5:
            np.testing.assert_array_equal(geometry.smooth_surface(density).vertices, geometry.surface(density).vertices)


def test_surface_of_a_cubic_cell_is_cubic():
    """Voxels filled from the surface have every symmetry of the cell, and so have the places of the vertices."""
    noise = np.random.default_rng(3).random((6, 6, 6))
    octant = noise[tuple(np.sort(np.indices(noise.shape), axis=0))] > 0.4
    cell = np.asarray(symmetry.unfold(octant))
    mesh = geometry.smooth_surface(cell)
    again = filled(mesh, cell.shape)
    assert symmetry.detect(again) == "cubic"
    np.testing.assert_array_equal(again, cell)
    places = np.unique(np.round(mesh.vertices, 6), axis=0)
    for image in (places[:, [1, 0, 2]], places[:, [0, 2, 1]], np.array([12, 0, 0]) + places * [-1, 1, 1]):
        np.testing.assert_allclose(np.unique(np.round(image, 6), axis=0), places, atol=2e-6)


def test_flat_walls_stay_where_they_are():
    plate = np.zeros((6, 5, 4))
    plate[2:3] = 1.0
    places = np.unique(geometry.smooth_surface(plate).vertices[:, 0])
    np.testing.assert_array_equal(places, [2.0, 2.5, 3.0])  # 2.5: in the caps


def test_periodic_area_counts_each_interface_once_and_no_caps():
    layers = np.asarray(geometry.laminate((8, 6, 4), 0.5))
    for shift in range(8):
        moved = np.roll(layers, shift, 0)
        assert geometry.surface_area(moved, spacing=(1.0, 2.0, 3.0)) == pytest.approx(2 * 12.0 * 12.0, rel=1e-6)
    # The box of 4 × 6 × 4 voxels; its level is raised by 1e-4 of the range.
    assert geometry.surface_area(layers, periodic=False) == pytest.approx(128, rel=1e-3)
    assert geometry.surface_area(np.ones((3, 3, 3))) == 0.0
    assert geometry.surface_area(np.zeros((3, 3, 3)), periodic=False) == 0.0
    assert geometry.volume(np.zeros((3, 3, 3))) == 0.0


def test_periodic_area_does_not_depend_on_the_origin():
    n = 16
    areas = [geometry.surface_area(smooth_ball(n, centre), spacing=(1 / n,) * 3) for centre in (0.5, 0.0, 0.25)]
    np.testing.assert_allclose(areas, areas[0], rtol=1e-5)


def test_repeat_tiles_the_cell():
    cell = geometry.tpms("gyroid", (12, 12, 12), 0.4)
    mesh = geometry.surface(cell, repeat=(2, 1, 1))
    direct = geometry.surface(jnp.concatenate([cell, cell]))
    assert mesh.is_watertight
    np.testing.assert_array_equal(mesh.vertices, direct.vertices)


def exposed_area(solid, spacing):
    padded, total = np.pad(solid, 1), 0.0
    for index in np.argwhere(padded):
        for axis in range(3):
            for step in (1, -1):
                there = index.copy()
                there[axis] += step
                total += (not padded[tuple(there)]) * np.prod(np.delete(spacing, axis))
    return total


@pytest.mark.parametrize("seed", range(3))
def test_voxel_surface_is_exact(seed):
    solid = np.random.default_rng(seed).random((4, 5, 3)) < 0.5
    spacing = (1.0, 0.5, 3.0)
    mesh = geometry.voxel_surface(solid, spacing)
    assert mesh.volume == pytest.approx(solid.sum() * 1.5, rel=1e-12)
    assert mesh.area == pytest.approx(exposed_area(solid, spacing), rel=1e-12)
    # Closed as a chain: every directed edge is met by as many in the other direction.
    edges, counts = np.unique(mesh.edges, axis=0, return_counts=True)
    met = {tuple(edge): count for edge, count in zip(edges.tolist(), counts, strict=True)}
    assert all(met[(b, a)] == count for (a, b), count in met.items())


def test_voxel_surface_without_hinges_is_watertight():
    cell = symmetry.unfold(geometry.threshold(geometry.random_field(jax.random.key(1), (6, 6, 6), 1.5), 0.5))
    clean = geometry.clean(cell, size=2, fill_hinges=True, periodic=False).cell
    mesh = geometry.voxel_surface(clean)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(float(clean.sum()), rel=1e-12)


def test_errors(unchecked):
    with pytest.raises(ValueError, match=r"`density` must have shape \(nx, ny, nz\), but has shape \(4, 4\)\."):
        geometry.surface(np.ones((4, 4)))
    with pytest.raises(ValueError, match=r"`density` must exceed the level 0\.5 somewhere, but has no solid"):
        geometry.surface(np.zeros((4, 4, 4)))
    with pytest.raises(ValueError, match="`cell` must have a voxel above one half"):
        geometry.voxel_surface(np.zeros((4, 4, 4)))
    with pytest.raises(ValueError, match="`density` must be finite"):
        geometry.volume(np.full((2, 2, 2), np.nan))
    for function in (geometry.surface, geometry.voxel_surface, geometry.volume, geometry.surface_area):
        with pytest.raises(ValueError, match="`spacing` must be three positive lengths"):
            function(np.ones((2, 2, 2)), spacing=(1.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="`repeat` must be three positive integers"):
        geometry.surface(np.ones((2, 2, 2)), repeat=(1, 1, 0))
    with pytest.raises(ValueError, match="`density` must be a concrete array"):
        jax.jit(geometry.volume)(jnp.ones((2, 2, 2)))
