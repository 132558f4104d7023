"""STL files of several closed surfaces, however each of them is turned: solid voxels are those of the bodies."""

import itertools

import numpy as np
import pytest
import trimesh

from jaxmeta.geometry import SurfaceError, is_closed, voxelize
from jaxmeta.io import FileError, read_density

CORNERS = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
FACES = np.array(trimesh.creation.box(bounds=[[0, 0, 0], [1, 1, 1]]).triangles)


def box(low, high):
    low, high = np.broadcast_to(low, 3), np.broadcast_to(high, 3)
    return FACES * (high - low) + low


def turned(triangles):
    return triangles[:, ::-1]


def join(*bodies):
    return np.concatenate(bodies)


def shuffled(triangles, seed=0):
    """In another order, each triangle from another of its corners."""
    random = np.random.default_rng(seed)
    rolled = np.stack([np.roll(triangle, random.integers(3), axis=0) for triangle in triangles])
    return random.permutation(rolled)


def interleaved(first, second):
    return np.stack((first, second), axis=1).reshape(-1, 3, 3)


def solid(shape, *boxes):
    """Reference: voxels by comparing their centres with each box in turn, +1 filling and −1 emptying."""
    centres = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"), axis=-1)
    count = np.zeros(shape, int)
    for sign, low, high in boxes:
        count += sign * ((centres > low) & (centres < high)).all(axis=-1)
    return count > 0


def contains(low, high, other_low, other_high):
    return (other_low >= low).all() and (other_high <= high).all()


def save(path, triangles, form="binary"):
    if form == "text":
        lines = ["solid"]
        for corners in triangles:
            lines += ["facet normal 0 0 0", "outer loop"]
            lines += [f"vertex {x!r} {y!r} {z!r}" for x, y, z in corners.tolist()]
            lines += ["endloop", "endfacet"]
        path.write_text("\n".join([*lines, "endsolid"]))
    else:
        records = b"".join(bytes(12) + triangle.astype("<f4").tobytes() + bytes(2) for triangle in triangles)
        path.write_bytes(bytes(80) + np.uint32(len(triangles)).tobytes() + records)


A, B = box(0, 4), box(2, 6)
HOLLOW, CORE = box(1, 7), box(2, 5)
WHOLE = box(0, 8)
TOUCHING = box((4, 0, 0), (8, 4, 4))
TWO = solid((6, 6, 6), (1, 0, 4), (1, 2, 6))
FULL, SLAB = np.ones((4, 4, 4)), np.ones((8, 4, 4))
SHELLS = solid((8, 8, 8), (1, 0, 8), (-1, 1, 7), (1, 2, 5))
CASES = {
    "one": (A, FULL),
    "one, inside out": (turned(A), FULL),
    "two": (join(A, B), TWO),
    "two, the first inside out": (join(turned(A), B), TWO),
    "two, the second inside out": (join(A, turned(B)), TWO),
    "two, both inside out": (turned(join(A, B)), TWO),
    "two, mixed up in the file": (shuffled(join(turned(A), B)), TWO),
    "twice": (join(A, A), FULL),
    "twice, mixed up": (shuffled(join(A, A)), FULL),
    "from both sides": (join(A, turned(A)), FULL),
    "from both sides, side by side": (interleaved(A, turned(A)), FULL),
    "from both sides, mixed up": (shuffled(join(A, turned(A))), FULL),
    "from both sides, beside another": (join(A, turned(A), TOUCHING), SLAB),
    "three times, once inside out": (join(A, turned(A), A), FULL),
    "touching faces": (join(A, TOUCHING), SLAB),
    "touching faces, one inside out": (join(A, turned(TOUCHING)), SLAB),
    "touching faces, one inside out, mixed up": (shuffled(join(A, turned(TOUCHING))), SLAB),
    "touching a part of a face, one inside out": (
        join(turned(A), box((4, 1, 1), (6, 3, 3))),
        solid((6, 4, 4), (1, 0, 4), (1, (4, 1, 1), (6, 3, 3))),
    ),
    "touching edges, one inside out": (
        shuffled(join(A, turned(box((4, 4, 0), (8, 8, 4))))),
        solid((8, 8, 4), (1, 0, 4), (1, (4, 4, 0), (8, 8, 4))),
    ),
    "touching corners, one inside out": (
        join(turned(A), box(4, 8)),
        solid((8, 8, 8), (1, 0, 4), (1, 4, 8)),
    ),
    "a hollow": (join(WHOLE, turned(HOLLOW)), solid((8, 8, 8), (1, 0, 8), (-1, 1, 7))),
    "a hollow, all inside out": (join(turned(WHOLE), HOLLOW), solid((8, 8, 8), (1, 0, 8), (-1, 1, 7))),
    "a hollow, written first": (join(turned(HOLLOW), WHOLE), solid((8, 8, 8), (1, 0, 8), (-1, 1, 7))),
    "a body in a hollow": (join(WHOLE, turned(HOLLOW), CORE), SHELLS),
    "a body in a hollow, all inside out": (shuffled(turned(join(WHOLE, turned(HOLLOW), CORE))), SHELLS),
    "a hollow in a body in a hollow": (
        join(WHOLE, turned(HOLLOW), CORE, turned(box(3, 4))),
        solid((8, 8, 8), (1, 0, 8), (-1, 1, 7), (1, 2, 5), (-1, 3, 4)),
    ),
    "a body in a body": (join(WHOLE, CORE), np.ones((8, 8, 8))),
    "hollows that overlap": (
        join(WHOLE, turned(box(1, 5)), turned(box(3, 7))),
        solid((8, 8, 8), (1, 0, 8)) & ~solid((8, 8, 8), (1, 1, 5), (1, 3, 7)),
    ),
    "a hollow that another body fills in part": (
        join(WHOLE, turned(HOLLOW), box((3, 3, -2), (5, 5, 10))),
        solid((8, 8, 12), (1, (0, 0, 2), (8, 8, 10)), (-1, (1, 1, 3), (7, 7, 9)), (1, (3, 3, 0), (5, 5, 12))),
    ),
    "a hollow beside a body inside out": (
        join(WHOLE, turned(HOLLOW), turned(box((9, 0, 0), (11, 2, 2)))),
        solid((11, 8, 8), (1, 0, 8), (-1, 1, 7), (1, (9, 0, 0), (11, 2, 2))),
    ),
    "inside out, sticking out by less than a voxel": (
        join(box(0, 8), turned(box(1, (7, 7, 8.25)))),
        solid((8, 8, 8), (1, 0, 8)),
    ),
    "triangles without area": (
        join(A, [[[0, 0, 0], [0, 0, 0], [4, 4, 4]], [[4, 4, 4], [4, 4, 4], [4, 4, 4]]]),
        FULL,
    ),
    "a checkerboard of boxes inside out": (
        join(
            *(
                turned(box(place, np.add(place, 1))) if sum(place) % 2 else box(place, np.add(place, 1))
                for place in itertools.product(range(3), repeat=3)
            )
        ),
        np.ones((3, 3, 3)),
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("form", ["binary", "text"])
def test_bodies(tmp_path, name, form):
    triangles, wanted = CASES[name]
    save(tmp_path / "a.stl", np.asarray(triangles), form)
    density = read_density(tmp_path / "a.stl", resolution=wanted.shape).density
    np.testing.assert_array_equal(density, wanted)


SHEET = np.array([[[5.0, 0, 0], [6, 1, 0], [5, 2, 1]], [[6.0, 1, 0], [5, 0, 0], [6, 0, 3]]])


@pytest.mark.parametrize(
    ("triangles", "text"),
    [
        (A[:-1], "open edges"),
        (join(A, B[1:]), "open edges"),
        (join(A, SHEET), "open edges"),
        (join(A[:-1], turned(A[-1:])), "turned inside out"),
        (join(A, SHEET, turned(SHEET)), "back to back"),
        (join(SHEET, turned(SHEET)), "back to back"),
        (interleaved(SHEET, turned(SHEET)), "back to back"),
        (join(WHOLE, turned(HOLLOW), turned(CORE)), "may be a body or a hollow"),
        (join(A, turned(box((0, 1, 1), (2, 3, 3)))), "touches the body around it"),
        (join(A, turned(box((1, 1, 0), (3, 3, 2)))), "touches the body around it"),
        (join(A, turned(box((1, 1, 2), (3, 3, 4)))), "touches the body around it"),
        (interleaved(A, turned(TOUCHING)), "two bodies that face different ways"),
    ],
)
def test_refused(tmp_path, triangles, text):
    save(tmp_path / "a.stl", triangles)
    with pytest.raises(FileError, match=text) as caught:
        read_density(tmp_path / "a.stl", resolution=4)
    assert "\n" not in str(caught.value)


def test_no_voxel_inside(tmp_path):
    """Two thin walls between which all voxels' centres lie."""
    save(tmp_path / "a.stl", join(box(0, (8, 8, 0.1)), box((0, 0, 7.9), 8)))
    with pytest.raises(FileError, match="finer voxels"):
        read_density(tmp_path / "a.stl", resolution=8)
    assert read_density(tmp_path / "a.stl", resolution=(1, 1, 160)).density.sum() == 4


@pytest.mark.parametrize("seed", range(4))
def test_many_boxes_turned_at_random(seed):
    """Overlapping bodies, none within another: all that matters is their union."""
    random = np.random.default_rng(seed)
    boxes, bodies = [], []
    while len(boxes) < 8:
        low = random.integers(0, 9, 3)
        high = low + random.integers(2, 7, 3)
        if any(contains(a, b, low, high) or contains(low, high, a, b) for _, a, b in boxes):
            continue
        boxes.append((1, low, high))
        bodies.append(turned(box(low, high)) if random.random() < 0.5 else box(low, high))
    density = voxelize(join(*bodies), np.zeros(3), np.ones(3), (16, 16, 16))
    np.testing.assert_array_equal(density, solid((16, 16, 16), *boxes))


def test_a_lattice_of_nodes_and_struts_turned_at_random():
    """Round bodies, against the same centres taken one body at a time."""
    ball = np.asarray(trimesh.creation.icosphere(subdivisions=2, radius=1.0).triangles)
    rod = np.asarray(trimesh.creation.cylinder(radius=0.4, height=6.0, sections=12).triangles)
    bodies = [ball + 1.5 + 4 * np.array(place) for place in itertools.product(range(2), repeat=3)]
    bodies += [rod[:, :, np.roll([0, 1, 2], axis)] + 3.5 for axis in range(3)]
    pores = [0.3 * ball + 1.53 + 4 * np.array(place) for place in itertools.product(range(2), repeat=3)]
    grid = np.zeros(3), np.full(3, 0.25), (28, 28, 28)
    wanted = np.any([voxelize(body, *grid) for body in bodies], axis=0)
    wanted &= ~np.any([voxelize(pore, *grid) for pore in pores], axis=0)
    flips = np.random.default_rng(0).random(len(bodies)) < 0.5
    parts = []
    for index, (body, flip) in enumerate(zip(bodies, flips, strict=True)):
        part = join(body, turned(pores[index])) if index < len(pores) else body
        parts.append(turned(part) if flip else part)
    np.testing.assert_array_equal(voxelize(join(*parts), *grid), wanted)


def test_a_ball_inside_out_that_sticks_out_of_a_larger_one():
    """It lies in the box around the larger one, and most of its corners inside: still a body, not a hollow."""
    ball = np.asarray(trimesh.creation.icosphere(subdivisions=3, radius=1.0).triangles)
    large, small = 4 * ball + 4, 1.5 * ball + 5.85
    grid = np.zeros(3), np.full(3, 0.25), (32, 32, 32)
    wanted = np.maximum(voxelize(large, *grid), voxelize(small, *grid))
    assert wanted.sum() > voxelize(large, *grid).sum()
    np.testing.assert_array_equal(voxelize(join(large, turned(small)), *grid), wanted)
    np.testing.assert_array_equal(voxelize(join(turned(large), small), *grid), wanted)


def test_blocky_surface_with_voids_that_touch_at_edges_and_corners():
    """The faces between solid and void voxels: many edges of four faces, many voids that meet in a corner only."""
    cell = np.random.default_rng(2).random((7, 7, 7)) < 0.7
    padded = np.pad(cell, 1).astype(int)
    faces = []
    for place in np.argwhere(padded):
        for axis, side in itertools.product(range(3), (0, 1)):
            if not padded[tuple(place + (2 * side - 1) * np.eye(3, dtype=int)[axis])]:
                on = (FACES[:, :, axis] == side).all(axis=1)
                faces.append(FACES[on] + place - 1)
    triangles = join(*faces)
    assert is_closed(triangles)
    for surface in (triangles, turned(triangles), shuffled(triangles)):
        np.testing.assert_array_equal(voxelize(surface, np.zeros(3), np.ones(3), cell.shape), cell)


def test_the_error_of_a_surface():
    with pytest.raises(
        SurfaceError, match=r"^Argument `corners` must be a closed surface, but it has open edges"
    ) as caught:
        voxelize(A[1:], np.zeros(3), np.ones(3), (4, 4, 4))
    assert caught.value.expected == "a closed surface"
