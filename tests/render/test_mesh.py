"""Surfaces for the eye: closed, outward, of the right volume, periodic, and not too many triangles."""

import jaxtyping
import numpy as np
import pytest

from jaxmeta import geometry
from jaxmeta.geometry import is_closed
from jaxmeta.render import cell_mesh


def level_set(shape, kind="P", offset=0.0):
    x, y, z = np.meshgrid(*[2 * np.pi * (np.arange(n) + 0.5) / n for n in shape], indexing="ij")
    if kind == "P":
        return (np.cos(x) + np.cos(y) + np.cos(z) > offset).astype(float)
    gyroid = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
    return (np.abs(gyroid) < 0.5).astype(float)


def volume(mesh):
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(float), 1, 0)
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


@pytest.mark.parametrize("kind", ["P", "gyroid"])
@pytest.mark.parametrize("tile", [1, 2])
def test_closed_and_of_the_right_volume(kind, tile):
    cell = level_set((24, 24, 24), kind)
    mesh = cell_mesh(cell, tile=tile)
    assert is_closed(mesh.vertices[mesh.faces].astype(float))
    assert volume(mesh) == pytest.approx(cell.mean() * tile**3, rel=0.02)


def test_normals_point_outward_and_caps_are_flat():
    mesh = cell_mesh(level_set((16, 16, 16)))
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    corners = mesh.vertices[mesh.faces].astype(float)
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("ij,ij->i", area, mesh.normals[mesh.faces[:, 0]]) > -1e-6).mean() > 0.99
    for axis in range(3):
        # Slivers without area, on the cube's edges, belong to two caps at once.
        top = np.all(corners[:, :, axis] == 1.0, axis=1) & (np.linalg.norm(area, axis=1) > 1e-9)
        assert top.any()
        np.testing.assert_allclose(mesh.normals[mesh.faces[top]][..., axis], 1.0)


def test_thin_walls_stay():
    """A plate one voxel thick."""
    cell = np.zeros((16, 16, 16))
    cell[:, :, 8] = 1
    mesh = cell_mesh(cell)
    assert volume(mesh) == pytest.approx(1 / 16, rel=0.1)
    assert mesh.vertices[:, 2].min() > 7.9 / 16 and mesh.vertices[:, 2].max() < 9.1 / 16


def test_box_of_unequal_sides_and_spacing():
    mesh = cell_mesh(np.ones((4, 8, 16)), spacing=(2.0, 1.0, 1.0), tile=2)
    np.testing.assert_allclose(mesh.vertices.max(axis=0), (1.0, 1.0, 2.0), atol=1e-6)
    np.testing.assert_allclose(mesh.vertices.min(axis=0), 0)


def test_limit():
    cell = level_set((48, 48, 48), "gyroid")
    coarse, fine = cell_mesh(cell, limit=8000), cell_mesh(cell)
    assert len(coarse.vertices) < 9500 and coarse.coarse == 2  # edges are doubled after the limit is applied
    assert len(fine.vertices) > 20_000 and fine.coarse == 1


def test_what_is_drawn_is_what_is_written():
    cell = level_set((16, 16, 16), "gyroid")
    drawn, written = cell_mesh(cell), geometry.smooth_surface(cell, (1 / 16,) * 3)
    np.testing.assert_allclose(drawn.vertices[drawn.faces], written.triangles, atol=1e-6)


@pytest.mark.parametrize(
    ("cell", "options"), [(np.zeros((4, 4, 4)), {}), (np.ones((4, 4)), {}), (np.ones((4, 4, 4)), {"tile": 0})]
)
def test_arguments(cell, options):
    with pytest.raises((ValueError, jaxtyping.TypeCheckError), match=r"cell|tile"):
        cell_mesh(cell, **options)
