"""Closed pores are opened or filled, the same in all images, and with no more than it takes."""

import numpy as np
import pytest

from jaxmeta import geometry


def closed(cell: np.ndarray) -> int:
    return int(np.count_nonzero(~geometry.parts(cell <= 0.5).winds.any(axis=1)))


def foam(side: int, wall: int = 1) -> np.ndarray:
    cell = np.ones((side,) * 3)
    cell[wall:-wall, wall:-wall, wall:-wall] = 0
    return cell


def test_one_pore_is_joined_to_its_own_copies():
    """Three walls of two voxels, each with a channel of two by two in its middle."""
    opened = geometry.open_pores(foam(8), "cubic")
    assert opened.drilled.sum() == 3 * 2 * 2 * 2 and not opened.filled.any()
    assert geometry.percolates(~opened.cell) == (True, True, True)
    assert opened.drilled[0, 3:5, 3:5].all() and opened.drilled[-1, 3:5, 3:5].all()
    # Without the symmetry one channel is enough.
    opened = geometry.open_pores(foam(8))
    assert opened.drilled.sum() == 2 * 2 * 2 and sum(geometry.percolates(~opened.cell)) == 1


@pytest.mark.parametrize("symmetry", ["none", "mirror", "cubic"])
def test_noise_is_opened_and_keeps_its_symmetry(symmetry):
    for seed in range(4):
        octant = np.random.default_rng(seed).random((6, 6, 6))
        if symmetry == "cubic":
            octant = octant[tuple(np.sort(np.indices(octant.shape), axis=0))]
        cell = octant > 0.12
        cell = cell if symmetry == "none" else np.asarray(geometry.symmetry.unfold(cell))
        opened = geometry.open_pores(cell, symmetry)
        assert closed(cell) > 0 and closed(opened.cell) == 0
        np.testing.assert_array_equal(opened.cell, (cell & ~opened.drilled) | opened.filled)
        assert geometry.symmetry.detect(opened.cell) in (symmetry, "cubic")


def test_small_pores_are_filled_and_open_cells_left_alone():
    cell = np.ones((12, 12, 12))
    cell[:, 2:4, 2:4] = 0  # open
    cell[8, 8, 8] = 0
    opened = geometry.open_pores(cell)
    assert np.argwhere(opened.filled).tolist() == [[8, 8, 8]] and not opened.drilled.any()
    again = geometry.open_pores(opened.cell)
    assert not again.filled.any() and not again.drilled.any()
    np.testing.assert_array_equal(again.cell, opened.cell)


def test_fixed_voxels_stay():
    """A wall that is held: the pore is opened through another one, or stays closed where all are held."""
    fixed = np.zeros((8, 8, 8), bool)
    fixed[[0, -1]] = True
    opened = geometry.open_pores(foam(8), "mirror", fixed)
    assert opened.cell[fixed].all() and closed(opened.cell) == 0
    fixed[:] = True
    opened = geometry.open_pores(foam(8), "mirror", fixed)
    assert not opened.drilled.any() and not opened.filled.any()


def test_errors(unchecked):
    lone = np.zeros((4, 4, 4))
    lone[0, 0, 1] = 1
    with pytest.raises(ValueError, match="must have cubic symmetry, but images of its solid differ"):
        geometry.open_pores(lone, "cubic")
