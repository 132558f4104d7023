"""A scored cell: octant and whole, and what follows from its stiffness and its voxels."""

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.cells import Cell, Facts, Scorer, filled_surface
from jaxmeta.geometry.symmetry import Symmetry

SOLID = jm.Isotropic(1.0, 0.3)


def box(side: int = 4, wall: int = 1, dtype: type = float) -> np.ndarray:
    """Octant of a closed box: its faces, and void inside."""
    octant = np.ones((side,) * 3, dtype)
    octant[wall:, wall:, wall:] = 0
    return octant


def general() -> np.ndarray:
    """A stiffness without any symmetry."""
    root = np.random.default_rng(0).normal(size=(6, 6))
    return root @ root.T + 6 * np.eye(6)


@pytest.mark.parametrize("dtype", [bool, np.float32, float])
def test_octant_and_whole_cell(dtype):
    octant = np.random.default_rng(1).random((2, 3, 4)) > 0.5
    cell = Cell(octant.astype(dtype), "mirror", general(), SOLID)
    np.testing.assert_array_equal(cell.cell, jm.symmetry.unfold(octant))
    assert cell.cell.dtype == cell.octant.dtype == dtype
    assert cell.volume_fraction == octant.mean() == cell.cell.mean(dtype=float)
    whole = Cell(cell.cell, "none", general(), SOLID)
    assert whole.cell is cell.cell
    with pytest.raises(ValueError, match='symmetry "none" has no octant'):
        _ = whole.octant


def test_moduli_and_shares_are_those_of_the_definitions():
    """Bulk modulus: mean stress under equal strains. Shear modulus: mean over all rotations, from traces of the tensor.
    Bounds into void as Hashin and Shtrikman wrote them."""
    c, solid = general(), jm.Isotropic(3.0, 0.2)
    cell = Cell(box(), "cubic", c, solid)
    full = np.asarray(jm.elasticity.to_full(c))
    dilatational, trace = np.einsum("iijj", full), np.einsum("ijij", full)
    assert cell.constants.bulk == pytest.approx(dilatational / 9, rel=1e-14)
    assert cell.constants.shear == pytest.approx((trace - dilatational / 3) / 10, rel=1e-14)
    f, k, g = 1 - 27 / 64, 3.0 / (3 * (1 - 0.4)), 3.0 / (2 * 1.2)
    assert cell.bounds is not None and cell.shares is not None
    assert cell.bounds.bulk == pytest.approx(4 * f * k * g / (4 * g + 3 * (1 - f) * k), rel=1e-14)
    most = f * g * (9 * k + 8 * g) / (9 * k + 8 * g + 6 * (1 - f) * (k + 2 * g))
    assert cell.bounds.shear == pytest.approx(most, rel=1e-14)
    assert cell.shares.bulk == pytest.approx(cell.constants.bulk / cell.bounds.bulk, rel=1e-14)
    assert cell.shares.shear == pytest.approx(cell.constants.shear / most, rel=1e-14)


def test_no_bound_holds_for_a_grey_cell():
    grey = box()
    grey[2, 2, 2] = 0.5
    cell = Cell(grey, "mirror", general(), SOLID)
    assert cell.is_grey and cell.bounds is cell.shares is None
    assert not Cell(box(), "cubic", general(), SOLID).is_grey


def test_facts():
    facts = Facts(np.asarray(jm.symmetry.unfold(box())))
    assert (facts.parts, facts.connected, facts.percolates) == (1, True, (True, True, True))
    assert facts.hinges == (0, 0) and facts.thin == 0.0 and not facts.open_pores
    bars = np.zeros((6, 6, 6), bool)
    bars[:, 0, 0] = bars[3, 3, :] = True
    facts = Facts(bars)
    assert (facts.parts, facts.connected, facts.percolates) == (2, False, (True, False, True))
    assert facts.thin == 1.0 and facts.open_pores
    assert Facts(np.zeros((3, 3, 3))).parts == 0
    assert Facts(np.ones((3, 3, 3))).void_connected is False and Facts(np.ones((3, 3, 3))).closed_share == 0


def test_pores():
    """Two cavities, one of them across the corners of the cell, and a channel: which are closed, and which sealed."""
    cell = np.ones((10, 10, 10))
    cell[4:6, 4:6, 4:6] = 0
    cell[[0, -1], :, :] = 1
    cell[np.ix_([0, -1], [0, -1], [0, -1])] = 0
    cell[2, 2, :] = 0
    facts = Facts(cell)
    assert len(facts.void.sizes) == 3 and not facts.void_connected and not facts.open_pores
    assert facts.closed_pores == 2 and facts.closed_share == pytest.approx(16 / 26)
    # In a single cell the corners are open; in a block of eight the one in the middle is not.
    assert (facts.sealed_cavities(), facts.sealed_cavities(2)) == (1, 8 + 1)
    cell[:, 4, 4] = 0  # a drilled hole opens the first one
    assert Facts(cell).closed_pores == 1 and Facts(cell).sealed_cavities() == 0
    # Channels that do not meet are open, each by itself.
    tubes = np.ones((4, 4, 4))
    tubes[0, 0, :] = tubes[:, 2, 2] = 0
    assert Facts(tubes).open_pores and len(Facts(tubes).void.sizes) == 2


def test_filled_surface():
    """Every symmetry stays; within walls and pores it is the cell, and edges alone are rounded."""
    octant = box(5, 2)
    fine = filled_surface(Cell(octant, "cubic", general(), SOLID))
    whole = np.asarray(jm.symmetry.unfold(fine))
    assert jm.symmetry.detect(whole) == "cubic" and fine.shape == (10, 10, 10)
    different = fine != np.kron(octant, np.ones((2, 2, 2)))
    assert 0 < different.sum() < 30
    assert np.sum(np.argwhere(different) == 4, axis=1).min() >= 2  # along the edges of the pore
    noise = np.random.default_rng(0).random((4, 5, 6)) > 0.5
    assert filled_surface(Cell(noise, "none", general(), SOLID)).shape == (8, 10, 12)


def test_score_is_that_of_the_whole_cell():
    """Whatever is handed over, octant or whole cell, in any dtype; against six loads on the whole cell."""
    h = jm.homogenize(
        jm.symmetry.unfold(box()), jm.Isotropic(2.0, 0.3), interpolation=jm.SIMP(1.0, 1e-6), residual=1e-10
    )
    score = Scorer(jm.Isotropic(2.0, 0.3), void=1e-6)
    whole = np.asarray(jm.symmetry.unfold(box()))
    given: list[tuple[np.ndarray, Symmetry]] = [
        (box(dtype=np.float32), "cubic"),
        (box(dtype=bool), "mirror"),
        (whole, "none"),
    ]
    for density, symmetry in given:
        cell = score(density, symmetry, {"seed": 7})
        np.testing.assert_allclose(cell.stiffness, h.stiffness, atol=1e-9 * float(h.stiffness[0, 0]))
        assert cell.stiffness.dtype == np.float64 and cell.solver["dtype"] == "float64" and cell.solver["error"] < 1e-9
        assert cell.density is density and cell.symmetry == symmetry and cell.provenance == {"seed": 7}


def test_score_in_batches():
    """Of two at once, of which the last batch is not full."""
    octants = [box(4, wall, bool) for wall in (1, 2, 3)]
    score = Scorer(SOLID, residual=None, tolerance=1e-9)
    cells = score.octants(octants, [{"number": i} for i in range(3)], 2)
    for i, (cell, octant) in enumerate(zip(cells, octants, strict=True)):
        assert cell is not None and cell.octant is octant and cell.provenance == {"number": i}
        np.testing.assert_allclose(cell.stiffness, score(octant, "cubic").stiffness, atol=1e-8)


def test_errors(unchecked):
    with pytest.raises(ValueError, match=r"`density` must have shape \(nx, ny, nz\), but has shape \(4, 4\)"):
        Cell(np.ones((4, 4)), "none", np.eye(6), SOLID)
    with pytest.raises(ValueError, match=r"`stiffness` must have shape \(6, 6\), but has shape \(3, 3\)"):
        Cell(np.ones((4, 4, 4)), "none", np.eye(3), SOLID)
