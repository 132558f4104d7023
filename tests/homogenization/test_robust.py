"""Multigrid at the contrast and on the fields that a design passes through: steps, and the error they leave."""

from functools import cache

import numpy as np
import pytest
import scipy.ndimage

from tests import example_cells as cells
from tests.homogenization.problems import homogenize, random_field, relative_error

N = 32
CONTRASTS = (1e-3, 1e-6, 1e-9, 0.0)


def filtered(seed, radius):
    """Uniform noise under a Gaussian filter, stretched to [0, 1]: an early design."""
    field = scipy.ndimage.gaussian_filter(random_field((N, N, N), seed), radius, mode="wrap")
    return (field - field.min()) / (field.max() - field.min())


def projected(seed, radius, beta):
    """The same after a smoothed threshold: a design halfway."""
    field = filtered(seed, radius)
    return 0.5 * (1 + np.tanh(beta * (field - 0.5)) / np.tanh(0.5 * beta))


GREY = {
    "random": lambda: cells.random_grey(N),
    "sphere": lambda: cells.sphere(N),
    "uniform_noise": lambda: random_field((N, N, N), 0),
    "filtered_fine": lambda: filtered(1, 1.0),
    "projected_sharp": lambda: projected(4, 2.0, 16.0),
}
BINARY = {name: (lambda name=name: cells.CELLS[name](N)) for name in ("gyroid", "random_binary")}
FIELDS = GREY | {f"binary_{name}": make for name, make in BINARY.items()}


@cache
def tight(name):
    h = homogenize(FIELDS[name](), 1e-9, residual=1e-8)
    assert h.result == 0
    return np.asarray(h.stiffness)


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, "float32") for name in FIELDS), *((name, "float64") for name in list(FIELDS)[::3])]
)
def test_fields_of_a_design(name, dtype):
    """C to 1e-5 in at most thirty steps, void 1e-9; in double precision, which is no harder, of every third."""
    h = homogenize(FIELDS[name](), 1e-9, dtype, preconditioner="multigrid")
    error = relative_error(h.stiffness, tight(name))
    assert h.result == 0
    assert error <= 1e-5
    assert h.stats.steps.max() <= 30


REPORTED = ("noise_grey",)
"""Independent voxels over nine orders of magnitude: no coarse grid represents them, and steps grow to some sixty."""


@pytest.mark.parametrize(
    "name", [c.name for c in cells.select(percolates=True) if c.name not in ("uniform", *REPORTED)]
)
def test_steps_do_not_grow_with_contrast(name):
    """At 16³, from a void of 1e-3, which still carries load beside a thin bar, to none at all."""
    field = cells.CELLS[name](16)
    counts = []
    for void in CONTRASTS:
        h = homogenize(field, void, preconditioner="multigrid")
        assert h.result == 0
        counts.append(int(h.stats.steps.max()))
    assert max(counts[1:]) - min(counts[1:]) <= 2, counts
    assert max(counts) <= 1.4 * counts[0], counts
    assert max(counts) <= 30, counts


@pytest.mark.parametrize("name", REPORTED)
def test_voxel_noise_converges(name, record_property):
    """Steps are reported, not bounded as for designs; the answer is right all the same."""
    field = cells.CELLS[name](16)
    for void in CONTRASTS[::2]:
        h = homogenize(field, void, preconditioner="multigrid")
        record_property(f"steps at {void:g}", int(h.stats.steps.max()))
        tight = homogenize(field, void, preconditioner="fft", residual=1e-9)
        assert h.result == tight.result == 0
        assert relative_error(h.stiffness, np.asarray(tight.stiffness)) <= 1e-5
