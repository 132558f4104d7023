"""Connected parts and winding against brute-force searches voxel by voxel."""

from collections import deque

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta import geometry

STEPS = [s * np.eye(3, dtype=int)[a] for a in range(3) for s in (1, -1)]
SHAPES = [(4, 3, 5), (2, 2, 2), (1, 4, 3), (5, 1, 1), (6, 6, 6)]


def flood(solid, periodic):
    """Labels by a breadth-first search from voxel to voxel."""
    labels, count = np.zeros(solid.shape, int), 0
    for seed in np.ndindex(solid.shape):
        if not solid[seed] or labels[seed]:
            continue
        count += 1
        labels[seed] = count
        queue = deque([seed])
        while queue:
            here = queue.popleft()
            for step in STEPS:
                there = np.add(here, step)
                if periodic:
                    there %= solid.shape
                elif np.any(there < 0) or np.any(there >= solid.shape):
                    continue
                there = tuple(int(t) for t in there)
                if solid[there] and not labels[there]:
                    labels[there] = count
                    queue.append(there)
    return labels, count


def winds(solid, reach=3):
    """Whether a walk on the unwrapped lattice comes back to a voxel in another copy of the cell, per axis."""
    found, visited = [False, False, False], set()
    for seed in np.ndindex(solid.shape):
        if not solid[seed] or seed in visited:
            continue
        seen, queue = {seed}, deque([seed])
        while queue:
            here = queue.popleft()
            for step in STEPS:
                there = tuple(int(t) for t in np.add(here, step))
                copy = np.floor_divide(there, solid.shape)
                home = tuple(int(t) for t in np.mod(there, solid.shape))
                if there in seen or np.abs(copy).max() > reach or not solid[home]:
                    continue
                seen.add(there)
                queue.append(there)
                visited.add(home)
                if home == seed:
                    found = [f or c != 0 for f, c in zip(found, copy.tolist(), strict=True)]
    return tuple(found)


def random_cell(shape, fraction, seed):
    return np.random.default_rng(seed).random(shape) < fraction


def same_partition(first, second):
    pairs = set(zip(first.ravel().tolist(), second.ravel().tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fraction", [0.2, 0.35, 0.6])
def test_labels_agree_with_a_flood_fill(shape, fraction, periodic):
    for seed in range(6):
        solid = random_cell(shape, fraction, seed)
        expected, count = flood(solid, periodic)
        labels, got = geometry.label(solid, periodic)
        assert got == count
        assert same_partition(labels, expected)
        assert set(np.unique(labels)) - {0} == set(range(1, count + 1))
        assert np.array_equal(labels > 0, solid)
        assert geometry.is_connected(solid, periodic) == (count == 1)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_keep_largest_keeps_one_largest_part_and_nothing_else(shape, periodic):
    for seed in range(6):
        solid = random_cell(shape, 0.3, seed)
        expected, count = flood(solid, periodic)
        kept = geometry.keep_largest(jnp.asarray(solid.astype(np.float32)), periodic)
        assert isinstance(kept, jax.Array)
        assert kept.dtype == jnp.float32
        kept = np.asarray(kept) > 0.5
        if count:
            sizes = np.bincount(expected.ravel())[1:]
            assert kept.sum() == sizes.max()
            assert len(np.unique(expected[kept])) == 1
            assert geometry.is_connected(kept, periodic)
        else:
            assert not kept.any()


def test_keep_largest_leaves_grey_voxels_of_the_void_alone():
    cell = np.array([0.9, 0.8, 0.1, 0.7, 0.4]).reshape(5, 1, 1)
    np.testing.assert_array_equal(
        np.ravel(geometry.keep_largest(cell, periodic=False)), np.array([0.9, 0.8, 0.1, 0.0, 0.4])
    )


@pytest.mark.parametrize("offset", [(1, 1, 0), (0, 1, 1), (1, 0, 1), (1, 1, 1), (1, -1, 1)])
def test_edges_and_corners_do_not_connect(offset):
    cell = np.zeros((4, 4, 4))
    cell[1, 1, 1] = 1.0
    cell[tuple(np.add((1, 1, 1), offset))] = 1.0
    assert not geometry.is_connected(cell)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_faces_are_joined_only_when_periodic(axis):
    cell = np.zeros((4, 4, 4))
    index = [2, 1, 3]
    for index[axis] in (0, 3):
        cell[tuple(index)] = 1.0
    assert geometry.is_connected(cell)
    assert not geometry.is_connected(cell, periodic=False)


def test_empty_and_full():
    assert geometry.label(np.zeros((3, 3, 3)))[1] == 0
    assert not geometry.is_connected(np.zeros((3, 3, 3)))
    assert geometry.is_connected(np.ones((3, 3, 3)))
    assert geometry.percolates(np.zeros((3, 3, 3))) == (False, False, False)
    assert geometry.percolates(np.ones((3, 3, 3))) == (True, True, True)


@pytest.mark.parametrize("shape", [(3, 3, 3), (2, 3, 4), (1, 4, 2)])
@pytest.mark.parametrize("fraction", [0.25, 0.4, 0.55])
def test_winding_agrees_with_walks_on_the_unwrapped_lattice(shape, fraction):
    for seed in range(4):
        solid = random_cell(shape, fraction, seed)
        assert geometry.percolates(solid) == winds(solid)
        found = geometry.parts(solid)
        assert same_partition(found.labels, geometry.label(solid)[0])
        for number, (size, axes) in enumerate(zip(found.sizes, found.winds.tolist(), strict=True), 1):
            assert size == np.count_nonzero(found.labels == number)
            assert tuple(axes) == winds(found.labels == number)


def test_an_s_touches_both_faces_and_does_not_percolate():
    cell = np.zeros((8, 8, 4))
    cell[0:4, 1, 1] = cell[3, 1:5, 1] = cell[3:8, 4, 1] = 1.0
    assert cell[0].any()
    assert cell[-1].any()
    assert geometry.is_connected(cell)
    assert geometry.percolates(cell) == (False, False, False)


def test_a_spiral_touches_all_faces_and_does_not_percolate():
    # A square helix about the z-axis from the bottom to the top, ending away from where it began.
    cell, ring = np.zeros((8, 8, 8)), [(i, 1) for i in range(1, 6)] + [(6, j) for j in range(1, 6)]
    ring += [(i, 6) for i in range(6, 1, -1)] + [(1, j) for j in range(6, 1, -1)]
    for z in range(8):
        for step in range(5):
            cell[(*ring[(4 * z + step) % len(ring)], z)] = 1.0
    assert geometry.is_connected(cell, periodic=False)
    assert cell[:, :, 0].any()
    assert cell[:, :, -1].any()
    assert not (cell[:, :, 0] * cell[:, :, -1]).any()
    assert geometry.percolates(cell) == (False, False, False)
    # Joined to its own beginning it winds.
    for i, j in ring:
        cell[i, j, 7] = 1.0
    assert geometry.percolates(cell) == (False, False, True)


def test_crossing_a_face_there_and_back_does_not_percolate():
    cell = np.zeros((8, 8, 4))
    cell[6:8, 2, 1] = cell[0:2, 2, 1] = 1.0  # out through the face
    cell[1, 2:5, 1] = 1.0
    cell[0:2, 4, 1] = cell[6:8, 4, 1] = 1.0  # and back
    assert geometry.is_connected(cell)
    assert geometry.percolates(cell) == (False, False, False)
    cell[6, 2:5, 1] = 1.0  # a ring across the face, still of winding zero
    assert geometry.percolates(cell) == (False, False, False)


def test_a_path_which_winds_twice_before_it_closes():
    # One strand runs from y = 1 to y = 4 in the layer z = 1, the other back over the layer z = 3; they meet at the
    # x-faces only, so that neither comes back to its own beginning after one turn.
    first, second = np.zeros((8, 7, 6)), np.zeros((8, 7, 6))
    first[0:4, 1, 1] = first[3, 1:5, 1] = first[3:8, 4, 1] = 1.0
    second[0:2, 4, 1] = second[1, 4, 1:4] = second[1:6, 4, 3] = second[5, 1:5, 3] = second[5, 1, 1:4] = 1.0
    second[5:8, 1, 1] = 1.0
    cell = np.maximum(first, second)
    assert not (first * second).any()
    assert geometry.label(cell, periodic=False)[1] == 2
    assert geometry.percolates(first) == (False, False, False)
    assert geometry.percolates(cell) == (True, False, False)
    assert winds(cell, reach=2) == (True, False, False)


def test_a_diagonal_path_winds_along_two_axes():
    cell = np.zeros((5, 5, 3))
    for i in range(5):
        cell[i, i, 1] = cell[i, (i + 1) % 5, 1] = 1.0
    assert geometry.percolates(cell) == (True, True, False)


def test_two_parts_percolate_along_their_own_axes():
    cell = np.zeros((6, 6, 6))
    cell[:, 1, 1] = 1.0
    cell[3, :, 4] = 1.0
    assert geometry.percolates(cell) == (True, True, False)
    assert not geometry.is_connected(cell)


@pytest.mark.parametrize(
    "function", [geometry.label, geometry.is_connected, geometry.keep_largest, geometry.percolates]
)
def test_errors(function, unchecked):
    with pytest.raises(ValueError, match=r"Argument `cell` must have shape \(nx, ny, nz\), but has shape \(4, 4\)\."):
        function(np.ones((4, 4)))
    with pytest.raises(ValueError, match="`cell` must be a concrete array"):
        jax.jit(function)(jnp.ones((2, 2, 2)))
