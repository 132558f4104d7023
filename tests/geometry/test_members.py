"""Hinges and thin members against loops over voxels and against scipy's morphology."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxmeta import geometry
from jaxmeta.geometry import symmetry


def loop_hinges(solid, periodic):
    """Counts pair by pair; needs at least three voxels along each periodic axis."""

    def at(position):
        if periodic:
            return bool(solid[tuple(np.mod(position, solid.shape))])
        inside = all(0 <= p < side for p, side in zip(position, solid.shape, strict=True))
        return inside and bool(solid[tuple(position)])

    edge = corner = 0
    for here in np.argwhere(solid):
        for offset in itertools.product((-1, 0, 1), repeat=3):
            # Each pair once: the first entry which is not zero is positive.
            if next((o for o in offset if o), 0) <= 0 or not at(here + offset):
                continue
            moved = [axis for axis in range(3) if offset[axis]]
            parts = [np.eye(3, dtype=int)[axis] * offset[axis] for axis in moved]
            if len(moved) == 2:
                edge += not (at(here + parts[0]) or at(here + parts[1]))
            elif len(moved) == 3:
                # A face path within the block takes one step along each axis, or wanders through more voxels; walk.
                block = {c for c in itertools.product((0, 1), repeat=3) if at(here + np.multiply(c, offset))}
                reached = {(0, 0, 0)}
                for _ in range(8):
                    reached |= {c for c in block for r in reached if np.sum(np.abs(np.subtract(c, r))) == 1}
                corner += (1, 1, 1) not in reached
    return edge, corner


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("fraction", [0.2, 0.4, 0.6, 0.8])
def test_hinges_agree_with_a_loop_over_pairs(fraction, periodic):
    for seed in range(3):
        solid = np.random.default_rng(seed).random((4, 5, 3)) < fraction
        expected = loop_hinges(solid, periodic)
        assert tuple(geometry.count_hinges(solid, periodic)) == expected
        assert geometry.has_hinges(solid, periodic) == (sum(expected) > 0)


@pytest.mark.parametrize(("position", "expected"), [((1, 1, 0), (1, 0)), ((1, 1, 1), (0, 1)), ((1, 0, 0), (0, 0))])
def test_pairs(position, expected):
    cell = np.zeros((4, 4, 4))
    cell[0, 0, 0] = cell[position] = 1.0
    assert geometry.count_hinges(cell) == expected
    # The same contact across the faces of the cell.
    moved = np.roll(cell, (-1, -1, -1), (0, 1, 2))
    assert geometry.count_hinges(moved) == expected
    assert geometry.count_hinges(moved, periodic=False) == (0, 0)


def test_bridged_corners_are_no_hinges():
    cell = np.zeros((4, 4, 4))
    for voxel in [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1)]:
        cell[voxel] = 1.0
    assert geometry.count_hinges(cell) == (0, 0)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("periodic", [True, False])
def test_minimum_member_agrees_with_binary_opening(size, periodic):
    thin = []
    for seed in range(3):
        solid = np.random.default_rng(seed).random((6, 7, 8)) < (0.85 if size < 3 else 0.97)
        block = np.ones((size, size, size), bool)
        if periodic:
            opened = ndimage.binary_opening(np.tile(solid, (3, 3, 3)), block)[6:12, 7:14, 8:16]
        else:
            opened = ndimage.binary_opening(np.pad(solid, 4), block)[4:-4, 4:-4, 4:-4]
        expected = np.count_nonzero(solid & ~opened) / np.count_nonzero(solid)
        assert geometry.minimum_member(solid, size, periodic) == pytest.approx(expected, abs=1e-15)
        if size > 1:
            assert expected < 1.0
            thin.append(expected)
    assert size == 1 or max(thin) > 0.0


def test_thinnest_member_is_the_largest_size_without_thin_voxels():
    for seed in range(4):
        noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((12, 11, 10)), 1.5, mode="wrap")
        solid = np.asarray(geometry.clean(noise > np.median(noise), 1 + seed).cell) > 0.5
        sizes = [size for size in range(1, 13) if geometry.minimum_member(solid, size) == 0]
        assert geometry.thinnest_member(solid) == max(sizes) >= 1 + seed
    assert geometry.thinnest_member(np.ones((3, 5, 4))) == 5
    assert geometry.thinnest_member(np.zeros((3, 5, 4))) == 0


def test_minimum_member_across_the_faces():
    cell = np.zeros((6, 6, 6))
    cell[0] = cell[-1] = 1.0
    assert geometry.minimum_member(cell) == 0.0
    assert geometry.minimum_member(cell, periodic=False) == 1.0
    assert geometry.minimum_member(cell, size=3) == 1.0
    assert geometry.minimum_member(np.zeros((3, 3, 3))) == 0.0


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(("size", "fill"), [(1, False), (1, True), (2, False), (2, True)])
def test_clean_keeps_its_promises(size, fill, periodic):
    for seed in range(4):
        field = geometry.random_field(jax.random.key(seed), (14, 14, 14), 1.5, 0.4)
        solid = np.asarray(geometry.threshold(field, 0.4))
        result = geometry.clean(solid.astype(np.float32), size, fill, periodic)
        assert result.cell.dtype == jnp.float32
        cell = np.asarray(result.cell) > 0.5
        assert geometry.is_connected(cell, periodic)
        removed, added = solid & ~cell, cell & ~solid
        # Filling may bring back what was taken away; the balance holds in any case.
        balance = solid.sum() - result.thin_removed - result.islands_removed + result.hinges_filled
        assert cell.sum() == balance
        if fill:
            assert not geometry.has_hinges(cell, periodic)
        else:
            assert not added.any()
            assert result.hinges_filled == 0
            assert removed.sum() == result.thin_removed + result.islands_removed
        if size == 2 and (periodic or not fill):
            assert geometry.minimum_member(cell, 2, periodic) == 0.0
        if size == 1:
            assert result.thin_removed == 0


def test_clean_of_a_good_cell_changes_nothing():
    cell = geometry.superellipsoid_hole((16, 16, 16), 8.0, 0.5)
    result = geometry.clean(cell, size=2, fill_hinges=True)
    assert result[1:] == (0, 0, 0)
    np.testing.assert_array_equal(result.cell, cell)


def test_clean_keeps_the_symmetry():
    octant = geometry.threshold(geometry.random_field(jax.random.key(3), (10, 10, 10), 1.5, 0.5, "cubic"), 0.5)
    cell = symmetry.unfold(octant)
    result = geometry.clean(cell, size=2, fill_hinges=True)
    assert result.thin_removed > 0
    assert symmetry.detect(result.cell) == "cubic"


def test_errors(unchecked):
    for function in (geometry.minimum_member, geometry.clean):
        with pytest.raises(ValueError, match="`size` must be at least 1, but is 0"):
            function(np.ones((2, 2, 2)), 0)
    for function in (geometry.minimum_member, geometry.clean, geometry.count_hinges, geometry.has_hinges):
        with pytest.raises(ValueError, match=r"`cell` must have shape \(nx, ny, nz\), but has shape \(4, 4\)\."):
            function(np.ones((4, 4)))
