"""Families between two cells: the path, where members are put, members that are exact, a run that goes on."""

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.elasticity import bounds
from jaxmeta.generation import Family, Path, interpolate, raw_family
from jaxmeta.generation._family import _next
from jaxmeta.generation._member import Attempt
from tests.generation import small

SOLID = jm.Isotropic(1.0, 0.3)
_score = jm.cells.Scorer(SOLID, residual=None, tolerance=1e-6)


OPTIONS = {"tolerance": 2e-3, "max_solves": 8, "max_attempts": 2}


@pytest.fixture(scope="module")
def ends():
    return _score.octants([small.octant(4.0, fraction) for fraction in (0.5, 0.56)], [{}, {}])


def test_the_path_keeps_shares_of_bounds(ends):
    path = Path(*ends)
    for place, end in zip((0.0, 1.0), ends, strict=True):
        np.testing.assert_allclose(path.constants(place), end.constants, rtol=1e-9)
        assert path.volume_fraction(place) == end.volume_fraction
    shares = []
    for end in ends:
        most, c = bounds.hashin_shtrikman(end.volume_fraction, SOLID), end.constants
        shares.append([(c.c11 + 2 * c.c12) / 3 / most.bulk, (c.c11 - c.c12) / 2 / most.shear, c.c44 / most.shear])
    bulk, tetragonal, shear = 0.7 * np.array(shares[0]) + 0.3 * np.array(shares[1])
    most = bounds.hashin_shtrikman(0.7 * ends[0].volume_fraction + 0.3 * ends[1].volume_fraction, SOLID)
    k, d = bulk * most.bulk, tetragonal * most.shear
    by_hand = [k + 4 * d / 3, k - 2 * d / 3, shear * most.shear]  # K = (C11 + 2 C12)/3, C' = (C11 − C12)/2
    np.testing.assert_allclose(path.constants(0.3), by_hand, rtol=1e-9)


def tried(place, volume_fraction, found=True):
    octant = np.zeros((10, 10, 10), bool)
    octant.flat[: round(1000 * volume_fraction)] = True
    return Attempt(place, octant, np.zeros((6, 6)), 0.0, 1, "", found)


def test_where_the_next_member_is_put():
    ends, done = (0.2, 0.3), []
    assert _next(ends, done, [0.5], 0.03) == 0.5
    done.append(tried(0.5, 0.27))
    assert _next(ends, done, [0.5], 0.03) == 0.25  # 0.07 below, 0.03 above
    assert _next(ends, done, [0.5], 0.01) == 0.25
    done.append(tried(0.25, 0.0, found=False))  # which closes the gap from 0 to 0.5
    assert _next(ends, done, [0.5], 0.031) is None
    assert _next(ends, done, [0.5], 0.01) == 0.75
    done.append(tried(0.75, 0.29))
    assert _next(ends, done, [0.5], 0.015) == 0.625
    assert _next((0.3, 0.3), [], [], 0.01) is None


@pytest.fixture(scope="module")
def family(ends):
    return interpolate(*ends, 3, 0.02, **OPTIONS)


def test_members_are_exact_and_connect(family, ends):
    assert family.places == (0.0, 0.25, 0.5, 1.0) and family.attempts == 2 and not family.open_gaps
    assert family.members[0] is ends[0] and family.members[-1] is ends[1]
    np.testing.assert_allclose(family.steps, np.diff([member.volume_fraction for member in family.members]))
    path = Path(*ends)
    for place, member in list(zip(family.places, family.members, strict=True))[1:-1]:
        assert member.provenance["start"] == "neighbour" and member.solves > 1
        wanted = np.array(path.constants(place))
        alone = np.array(_score.octants([member.octant], [{}])[0].constants[:3])
        assert np.linalg.norm(alone - wanted) / np.linalg.norm(wanted) <= 2e-3
        assert member.volume_fraction == pytest.approx(path.volume_fraction(place), abs=0.002)
    assert family.connects.all()  # holes in closed walls


def test_neighbours_that_do_not_connect(ends):
    moved = jm.cells.Cell(ends[0].octant[::-1, ::-1, ::-1], "cubic", ends[0].stiffness, SOLID)
    assert Family([ends[0], ends[1], moved], [0.0, 0.5, 1.0]).connects.tolist() == [True, False]
    back = interpolate(ends[1], moved, 2, 0.5)  # which moves it to where they do
    assert back.connects.all()
    np.testing.assert_array_equal(back.members[1].octant, ends[0].octant)


def test_a_killed_run_goes_on_to_the_same(family, ends, tmp_path):
    def kill(attempts, place, found):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interpolate(*ends, 3, 0.02, **OPTIONS, folder=tmp_path, callback=kill)
    seen = []
    again = interpolate(*ends, 3, 0.02, **OPTIONS, folder=tmp_path, callback=lambda tried, *_: seen.append(tried))
    assert seen == [2] and again.places == family.places
    for one, other in zip(again.members, family.members, strict=True):
        np.testing.assert_array_equal(one.octant, other.octant)
    with pytest.raises(jm.io.FileError, match="step"):
        interpolate(*ends, 3, 0.03, **OPTIONS, folder=tmp_path)


def test_refusals(ends, unchecked):
    with pytest.raises(ValueError, match="Argument `members` must be at least 2"):
        interpolate(*ends, 1)
    with pytest.raises(ValueError, match="Argument `step` must be positive"):
        interpolate(*ends, 3, 0.0)
    islands = np.zeros((8, 8, 8), bool)
    islands[4, 4, 4] = True
    with pytest.raises(ValueError, match="Argument `first` must be one connected part"):
        interpolate(jm.cells.Cell(islands, "cubic", np.eye(6), SOLID), ends[1])
    with pytest.raises(ValueError, match="Argument `second` must have an octant of shape"):
        interpolate(ends[0], jm.cells.Cell(np.ones((8, 8, 8)), "cubic", np.eye(6), SOLID))
    other = jm.diffusion.Model(jm.diffusion.WedgeNet(8, 4, (8, 8), (0, 0), 8), {})
    with pytest.raises(ValueError, match="Argument `model` must make octants of 12³ voxels, but makes 8³"):
        raw_family(other, *ends)
