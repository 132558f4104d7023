"""A design on a finer lattice: the same shape, with as many atoms as are asked for."""

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.nano._orbits import _symmetries, sites_of
from tests.arguments import NO_NUMBERS, refuses

A0 = 4.05


def beams(periodic):
    return [jm.nano.cantilever((10 * m, 6 * m, 2 * m), A0, periodic=periodic) for m in (1, 2)]


@pytest.mark.parametrize("periodic", [True, False])
def test_shape_and_number(periodic):
    """A bar from one grip to the other: the share of sites that lie otherwise is that of its edges."""
    coarse, fine = beams(periodic)

    def bar(problem):
        between = ~problem.held
        x, y = (problem.lattice.positions[:, k] for k in (0, 1))
        x, y = ((v - v[between].min()) / np.ptp(v[between]) for v in (x, y))
        return (abs(x - 2 * y) < 0.3) | problem.held

    there = jm.nano.refined(coarse, bar(coarse), fine, bar(fine).mean(), symmetric=False)
    assert np.count_nonzero(there) == np.count_nonzero(bar(fine)) and there[fine.held].all()
    assert (there != bar(fine)).mean() < 0.02
    again = jm.nano.refined(fine, bar(fine), fine, bar(fine).mean(), symmetric=False)
    assert (again != bar(fine)).mean() < 1e-3


def test_symmetry():
    """A design and its images count alike."""
    coarse, fine = beams(False)
    sites, design = sites_of(fine), coarse.held | (np.random.default_rng(0).random(len(coarse.lattice)) < 0.5)
    there, *images = (jm.nano.refined(coarse, design[image], fine, 0.5) for image in _symmetries(coarse))
    assert len(images) > 1 and 0.5 * len(there) - sites.size.max() < np.count_nonzero(there) <= 0.5 * len(there)
    np.testing.assert_array_equal(sites.alike(there.astype(float)), there)
    for image in images:
        np.testing.assert_array_equal(image, there)


def test_refusals():
    (coarse, fine), (free, _) = beams(True), beams(False)
    refuses("finer", jm.nano.refined, free, free.domain, fine, 0.5)
    refuses("finer", jm.nano.refined, coarse, coarse.domain, None, 0.5)
    refuses("problem", jm.nano.refined, None, coarse.domain, fine, 0.5)
    refuses("occupied", jm.nano.refined, coarse, fine.domain, fine, 0.5)
    refuses("occupied", jm.nano.refined, coarse, 0.5 * coarse.domain, fine, 0.5)
    for value in (0.0, 1.1, *NO_NUMBERS.values()):
        refuses("volume_fraction", jm.nano.refined, coarse, coarse.domain, fine, value)
