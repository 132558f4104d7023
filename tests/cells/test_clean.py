"""What is taken out of a cell and filled is the same in all its images."""

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta import geometry
from jaxmeta.cells import clean


def noise(seed: int, side: int, symmetry: str, fraction: float) -> np.ndarray:
    values = np.random.default_rng(seed).random((side,) * 3)
    if symmetry == "cubic":
        values = values[tuple(np.sort(np.indices(values.shape), axis=0))]
    return values < fraction


def unfold(octant: np.ndarray) -> np.ndarray:
    return np.asarray(jm.symmetry.unfold(octant))


@pytest.mark.parametrize("symmetry", ["mirror", "cubic"])
def test_the_symmetry_stays_where_the_largest_part_has_images(symmetry):
    """Of noise: what is kept is the largest part of the whole cell with its images; brute force over all parts."""
    several = 0
    for seed in range(30):
        octant = noise(seed, 5, symmetry, 0.2)
        cleaned = clean(octant, symmetry)
        whole, kept = unfold(octant), unfold(cleaned.density)
        labels, count = geometry.label(whole)
        sizes = [np.count_nonzero(labels == part) for part in range(1, count + 1)]
        parts = {int(part) for part in np.unique(labels[kept])}
        assert np.array_equal(kept, np.isin(labels, list(parts)) & whole)  # whole parts of the cell
        assert {sizes[part - 1] for part in parts} == {max(sizes)}
        assert geometry.symmetry.detect(kept) in (symmetry, "cubic")
        assert cleaned.islands_removed == whole.sum() - kept.sum()
        several += len(parts) > 1
    assert several >= 5


def test_eight_islands_are_not_cut_to_one():
    """Without the symmetry, one of the mirror images is kept."""
    octant = np.zeros((6, 6, 6), bool)
    octant[2:4, 2:4, 2:4] = True
    assert clean(octant, "mirror") == (pytest.approx(octant), 0, 0, 0)
    assert clean(unfold(octant)).islands_removed == 56


def test_cleaned_twice_is_cleaned_once():
    for seed in range(5):
        octant = noise(seed, 8, "cubic", 0.55)
        first = clean(octant, "cubic", smallest_member=2, fill_hinges=True)
        whole = unfold(first.density)
        assert not geometry.has_hinges(whole) and geometry.minimum_member(whole) == 0.0
        np.testing.assert_array_equal(whole, geometry.clean(unfold(octant), 2, fill_hinges=True, symmetry="cubic").cell)
        again = clean(first.density, "cubic", smallest_member=2, fill_hinges=True)
        np.testing.assert_array_equal(again.density, first.density)
        assert again[1:] == (0, 0, 0)
        assert first.density.dtype == bool


def test_a_symmetry_that_is_not_there_is_refused():
    octant = np.zeros((4, 4, 4))
    octant[0, 0, 1] = 1.0
    with pytest.raises(ValueError, match="must have cubic symmetry, but images of its solid differ"):
        clean(octant, "cubic")
    with pytest.raises(ValueError, match="must have mirror symmetry"):
        geometry.keep_largest(octant, symmetry="mirror")
