"""STL: surfaces closed and outward, voxels equal to those they came from, and files that lie."""

import numpy as np
import pytest
import trimesh

from jaxmeta.geometry import is_closed
from jaxmeta.io import FileError, read_density, surface, write_stl
from jaxmeta.io._stl_read import RECORD, read_triangles


def blob(shape=(10, 12, 14), seed=0):
    """Random material, cut by the block's faces."""
    noise = np.random.default_rng(seed).random(shape)
    for axis in range(3):
        noise = noise + np.roll(noise, 1, axis) + np.roll(noise, -1, axis)
    return (noise > np.median(noise)).astype(float)


def box(low, high):
    mesh = trimesh.creation.box(bounds=[low, high])
    return np.asarray(mesh.vertices, float), np.asarray(mesh.faces)


def save_text(path, corners):
    lines = ["solid test"]
    for corner in corners:
        lines += ["facet normal 0 0 0", " outer loop"]
        lines += [f"  vertex {x!r} {y!r} {z!r}" for x, y, z in corner.tolist()]
        lines += [" endloop", "endfacet"]
    path.write_text("\n".join([*lines, "endsolid test\n"]))


def signed_volume(vertices, faces):
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


def test_surface_is_closed_and_points_outward():
    cell = blob()
    vertices, faces = surface(cell, spacing=(0.1, 0.2, 0.3))
    mesh = trimesh.Trimesh(vertices, faces)
    assert mesh.is_watertight and mesh.is_winding_consistent
    # Inward normals would give a negative volume; corners cut by marching cubes cost a part of it.
    assert 0.7 < signed_volume(vertices, faces) / (cell.sum() * 0.006) < 1.1
    assert is_closed(vertices[faces]) and not is_closed(vertices[faces[:-1]])


def test_surface_lies_on_the_faces_of_a_full_block():
    vertices, _ = surface(np.ones((2, 3, 4)), spacing=(1.0, 2.0, 3.0))
    np.testing.assert_allclose(vertices.min(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(vertices.max(axis=0), (2, 6, 12), atol=1e-6)


def test_written_file_is_read_by_trimesh(tmp_path):
    vertices, faces = surface(blob())
    write_stl(tmp_path / "a.stl", vertices, faces)
    mesh = trimesh.load(tmp_path / "a.stl")
    assert mesh.is_watertight and len(mesh.faces) == len(faces)
    assert mesh.volume == pytest.approx(signed_volume(vertices, faces), rel=1e-5)
    stored = np.frombuffer((tmp_path / "a.stl").read_bytes()[84:], RECORD)
    face_normals = np.cross(
        stored["corners"][:, 1] - stored["corners"][:, 0], stored["corners"][:, 2] - stored["corners"][:, 0]
    )
    assert (np.einsum("ij,ij->i", face_normals, stored["normal"]) > 0).all()


@pytest.mark.parametrize("form", ["binary", "text"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_voxels_survive_the_round_trip(tmp_path, form, seed):
    """Marching cubes keep every voxel's centre on its side, so filling the surface gives the very same voxels."""
    cell = blob(seed=seed)
    vertices, faces = surface(cell, spacing=(0.5, 0.25, 0.125))
    if form == "binary":
        write_stl(tmp_path / "a.stl", vertices, faces)
    else:
        save_text(tmp_path / "a.stl", vertices[faces])
    file = read_density(tmp_path / "a.stl", resolution=cell.shape)
    np.testing.assert_array_equal(file.density, cell)
    np.testing.assert_allclose(file.spacing, (0.5, 0.25, 0.125), rtol=1e-6)


def test_ways_to_write_text(tmp_path):
    """Capitals, the mark of UTF-8, carriage returns, several solids, names with the words of the format in them."""
    path, texts = tmp_path / "a.stl", []
    for vertices, faces in (box((0, 0, 0), (4, 4, 4)), box((2, 2, 2), (6, 6, 6))):
        save_text(path, vertices[faces])
        texts.append(path.read_text().replace("solid test", "solid vertex of a facet"))
    text = "".join(texts)
    for content in (text, text.upper(), "\ufeff" + text, text.replace("\n", "\r\n"), "\n  " + text):
        path.write_bytes(content.encode())
        assert read_density(path, resolution=6).density.sum() == 64 + 64 - 8


def test_sphere_fills_its_volume(tmp_path):
    ball = trimesh.creation.icosphere(subdivisions=4, radius=2.0)
    write_stl(tmp_path / "a.stl", np.asarray(ball.vertices), np.asarray(ball.faces))
    file = read_density(tmp_path / "a.stl", resolution=40)
    assert file.density.shape == (40, 40, 40)
    assert file.density.sum() * np.prod(file.spacing) == pytest.approx(ball.volume, rel=5e-3)


def test_sides_follow_the_box(tmp_path):
    write_stl(tmp_path / "a.stl", *box((0, 0, 0), (1, 2, 4)))
    file = read_density(tmp_path / "a.stl", resolution=16)
    assert file.density.shape == (4, 8, 16) and file.density.all()
    assert file.spacing == (0.25, 0.25, 0.25)


def test_edges_through_voxel_centres(tmp_path):
    """All corners and the faces' diagonals run exactly through lines of centres; nothing is counted twice or missed."""
    outer, inner = box((0, 0, 0), (9, 9, 9)), box((2.5, 2.5, 2.5), (5.5, 5.5, 5.5))
    vertices = np.concatenate((outer[0], inner[0]))
    faces = np.concatenate((outer[1], inner[1][:, ::-1] + len(outer[0])))
    write_stl(tmp_path / "a.stl", vertices, faces)
    hole = 1 - read_density(tmp_path / "a.stl", resolution=9).density
    # Of the two opposite faces through centres one counts as inside: three centres to a side.
    assert hole.sum() == 27
    filled = np.argwhere(hole)
    assert (filled.max(axis=0) - filled.min(axis=0) == 2).all()


def test_overlapping_bodies_are_their_union(tmp_path):
    first, second = box((0, 0, 0), (6, 4, 4)), box((3, 1, 1), (10, 3, 3))
    write_stl(
        tmp_path / "a.stl", np.concatenate((first[0], second[0])), np.concatenate((first[1], second[1] + len(first[0])))
    )
    file = read_density(tmp_path / "a.stl", resolution=10)
    assert file.density.shape == (10, 4, 4) and file.density.sum() == 6 * 16 + 4 * 4


@pytest.mark.parametrize("cut", [0, 50, 83, 84, 200, -1])
def test_truncated(tmp_path, cut):
    vertices, faces = surface(blob())
    write_stl(tmp_path / "a.stl", vertices, faces)
    whole = (tmp_path / "a.stl").read_bytes()
    (tmp_path / "a.stl").write_bytes(whole[:cut])
    with pytest.raises(FileError, match=r"binary STL|bytes for \d+ triangles"):
        read_density(tmp_path / "a.stl", resolution=8)


def test_bad_files(tmp_path):
    path = tmp_path / "a.stl"
    vertices, faces = surface(blob())

    def refuses(text, resolution=8):
        with pytest.raises(FileError, match=text) as caught:
            read_density(path, resolution=resolution)
        assert "\n" not in str(caught.value)

    path.write_bytes(bytes(80) + (2**32 - 1).to_bytes(4, "little") + bytes(50))
    refuses("214748364834 bytes for 4294967295 triangles")
    path.write_bytes(bytes(84))
    refuses("there are none")
    save_text(path, vertices[faces])
    path.write_text(path.read_text()[:-400])
    refuses("the end is missing")
    path.write_text("solid a\nfacet vertex 1 2 x vertex 1 2 3 vertex 1 2 3 endfacet\nendsolid")
    refuses("numbers after every 'vertex'")
    path.write_text("solid\n<html>endsolid")
    refuses("there are none")
    records = np.zeros(1, RECORD)
    records["corners"] = np.nan
    path.write_bytes(bytes(80) + (1).to_bytes(4, "little") + records.tobytes())
    refuses("triangle 0, expected finite|triangle 0: expected finite")
    path.unlink()
    write_stl(path, vertices, faces[1:])
    refuses("a closed surface")
    write_stl(path, vertices, faces, overwrite=True)
    refuses("at most 2147483648 voxels", resolution=10000)
    write_stl(path, np.eye(3), np.array([[0, 1, 2]]), overwrite=True)
    refuses("a closed surface")
    write_stl(path, np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]), overwrite=True)
    refuses("a surface around a volume")


def test_arguments(tmp_path, unchecked):
    path = tmp_path / "a.stl"
    write_stl(path, *surface(blob()))
    with pytest.raises(ValueError, match="`resolution` must be given"):
        read_density(path)
    for resolution in (0, (8, 8), 3.5, (8, 8, 8.5), "8"):
        with pytest.raises(ValueError, match="one or three positive whole numbers"):
            read_density(path, resolution=resolution)
    with pytest.raises(ValueError, match="`faces`"):
        write_stl(tmp_path / "b.stl", np.zeros((2, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match=r"must exceed the level 0\.5"):
        surface(np.zeros((2, 2, 2)))
    assert read_triangles(path).shape[1:] == (3, 3)
