"""Minimal surfaces: symmetry, volume fraction, percolation and the known areas."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta import geometry
from jaxmeta.geometry import symmetry


@pytest.mark.parametrize("name", geometry.TPMS_NAMES)
@pytest.mark.parametrize("kind", ["network", "sheet"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_fraction_is_met_to_half_an_orbit(name, kind, dtype):
    shape = (24, 24, 24)
    for fraction in (0.2, 0.5, 0.7):
        cell = geometry.tpms(name, shape, fraction, kind, dtype=dtype)
        assert cell.dtype == dtype
        assert set(np.unique(cell)) == {0.0, 1.0}
        # At most 192 voxels are equivalent by the space groups of these surfaces, twice as many where F and −F are.
        assert abs(float(cell.sum()) - fraction * cell.size) <= (96 if kind == "network" else 192)


@pytest.mark.parametrize("name", geometry.TPMS_NAMES)
@pytest.mark.parametrize("fraction", [0.17, 0.4, 0.73])
def test_both_dtypes_give_the_same_cell(name, fraction):
    cells = [geometry.tpms(name, (20, 20, 20), fraction, dtype=dtype) for dtype in (jnp.float32, jnp.float64)]
    np.testing.assert_array_equal(np.asarray(cells[0], bool), np.asarray(cells[1], bool))


@pytest.mark.parametrize("name", geometry.TPMS_MIRROR_NAMES)
@pytest.mark.parametrize("kind", ["network", "sheet"])
def test_octants_unfold_to_the_cell(name, kind):
    octant = geometry.tpms(name, (12, 12, 12), 0.4, kind, octant=True)
    cell = geometry.tpms(name, (24, 24, 24), 0.4, kind)
    np.testing.assert_array_equal(symmetry.unfold(octant), cell)
    assert symmetry.detect(cell, 0.0) == "cubic"


@pytest.mark.parametrize("name", [name for name in geometry.TPMS_NAMES if name not in geometry.TPMS_MIRROR_NAMES])
def test_the_others_have_no_mirror_planes_but_keep_their_threefold_axis(name):
    cell = geometry.tpms(name, (20, 20, 20), 0.37)
    assert symmetry.detect(cell) == "none"
    np.testing.assert_array_equal(cell, jnp.transpose(cell, (1, 2, 0)))
    with pytest.raises(ValueError, match=f'`octant` must be False for the surface "{name}"'):
        geometry.tpms(name, (8, 8, 8), 0.3, octant=True)


# Area per cubic cell of the minimal surfaces (Schoen 1970; Große-Brauckmann 1997); their nodal approximations agree to
# a per cent or so. The diamond's cell holds 8 of its primitive patches.
@pytest.mark.parametrize(("name", "area"), [("primitive", 2.3451), ("gyroid", 3.0915), ("diamond", 3.8378)])
def test_area_of_the_minimal_surface(name, area):
    n = 32
    field = geometry.tpms_field(name, (n, n, n))
    assert geometry.surface_area(field, level=0.0, spacing=(1 / n,) * 3) == pytest.approx(area, rel=0.01)


@pytest.mark.parametrize("name", ["primitive", "gyroid", "diamond", "iwp", "fischer_koch_s"])
@pytest.mark.parametrize("kind", ["network", "sheet"])
def test_usual_cells_percolate_and_are_connected(name, kind):
    cell = geometry.tpms(name, (24, 24, 24), 0.3, kind)
    assert geometry.percolates(cell) == (True, True, True)
    assert geometry.is_connected(cell)


def test_a_sheet_parts_the_void_in_two_and_a_network_does_not():
    sheet = geometry.tpms("gyroid", (24, 24, 24), 0.3, "sheet")
    assert geometry.label(1 - sheet)[1] == 2
    assert geometry.label(1 - geometry.tpms("gyroid", (24, 24, 24), 0.3))[1] == 1


def test_periods_repeat_the_cell():
    one = geometry.tpms("iwp", (8, 8, 8), 0.4)
    np.testing.assert_array_equal(geometry.tpms("iwp", (16, 16, 16), 0.4, periods=2), np.tile(one, (2, 2, 2)))


def test_grey_cells_follow_the_binary_ones():
    grey = geometry.tpms("gyroid", (16, 16, 16), 0.3, sharpness=4.0)
    np.testing.assert_allclose(grey.mean(), 0.3, rtol=1e-12)
    np.testing.assert_array_equal(geometry.threshold(grey, 0.3), geometry.tpms("gyroid", (16, 16, 16), 0.3) > 0.5)


def test_errors(unchecked):
    with pytest.raises(ValueError, match=r'`name` must be one of "primitive", .*, but is "schwarz"'):
        geometry.tpms_field("schwarz", (4, 4, 4))
    with pytest.raises(ValueError, match='`kind` must be one of "network", "sheet", but is "shell"'):
        geometry.tpms("gyroid", (4, 4, 4), 0.3, "shell")
    with pytest.raises(ValueError, match="`periods` must be at least 1, but is 0"):
        geometry.tpms("gyroid", (4, 4, 4), 0.3, periods=0)
