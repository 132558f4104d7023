"""Prolongation and restriction: transposes of each other, exact on linear fields, between grids of any size."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.fem import Block
from jaxmeta.fem._boundary import Grids
from jaxmeta.fem._operator import _means
from jaxmeta.fem._transfer import corrected, restrict
from tests.fem.problems import BOUNDARIES

GRIDS = {
    "even": Grids((4, 6, 2), (2, 3, 1)),
    "odd": Grids((5, 3, 7), (3, 2, 4)),
    "one axis stays": Grids((6, 5, 3), (3, 3, 3)),
}


@partial(jax.jit, static_argnames="grids")
def prolong(coarse, boundary, grids):
    return corrected(jnp.zeros((3, *boundary.nodes(grids.fine))), coarse, boundary, grids)


@partial(jax.jit, static_argnames="grids")
def restricted(fine, boundary, grids):
    """With the coarse boundary, and what either boundary leaves free."""
    coarse = boundary.coarse(grids)
    free = [b.free(jnp.ones((3, *b.nodes(n)))) for b, n in ((boundary, grids.fine), (coarse, grids.coarse))]
    return restrict(fine, boundary, grids), *free


@pytest.mark.parametrize("grids", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_restriction_is_the_transpose_of_prolongation(boundary, grids):
    fine = BOUNDARIES[boundary](grids.fine)
    rng = np.random.default_rng(0)
    u, f = (rng.normal(size=(3, *fine.nodes(shape))) for shape in (grids.coarse, grids.fine))
    there, (back, free, coarse_free) = np.asarray(prolong(u, fine, grids)), map(np.asarray, restricted(f, fine, grids))
    left, right = np.vdot(there, f), np.vdot(u, back)
    assert there.shape == f.shape and back.shape == u.shape
    assert abs(left - right) <= 1e-14 * np.linalg.norm(u) * np.linalg.norm(f)
    assert abs(left) > 1e-3
    # What is held stays held.
    np.testing.assert_array_equal(there, free * there)
    np.testing.assert_array_equal(back, coarse_free * back)


@pytest.mark.parametrize("grids", GRIDS.values(), ids=GRIDS)
def test_linear_fields_are_exact_on_a_block(grids):
    def linear(shape):
        x, y, z = np.meshgrid(
            *(np.linspace(0, whole, n + 1) for whole, n in zip(grids.fine, shape, strict=True)), indexing="ij"
        )
        return jax.device_put(np.stack([1 + x - 2 * y, 3 * z, x + y + z]))

    boundary = BOUNDARIES["free"](grids.fine)
    fine = prolong(linear(grids.coarse), boundary, grids)
    np.testing.assert_allclose(fine, linear(grids.fine), rtol=0, atol=1e-13)


@pytest.mark.parametrize("grids", GRIDS.values(), ids=GRIDS)
def test_interpolation_around_a_period(grids):
    """Against numpy's, along every axis, of values that no plane shares."""
    boundary = BOUNDARIES["periodic"](grids.fine)
    u = np.random.default_rng(1).normal(size=(3, *grids.coarse))
    expected = u
    for axis, (fine, coarse) in enumerate(zip(grids.fine, grids.coarse, strict=True), 1):
        at, known = np.arange(fine) / fine, np.arange(coarse) / coarse
        expected = np.apply_along_axis(lambda v, at=at, known=known: np.interp(at, known, v, period=1), axis, expected)
    np.testing.assert_allclose(prolong(jax.device_put(u), boundary, grids), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("grids", GRIDS.values(), ids=GRIDS)
def test_coarse_moduli_are_means_over_the_coarse_voxels(grids):
    """Against means over pieces so small that every voxel of both grids is made of whole ones."""
    field = np.random.default_rng(2).uniform(size=grids.fine)
    expected = field
    for axis, (fine, coarse) in enumerate(zip(grids.fine, grids.coarse, strict=True)):
        pieces = np.repeat(expected, coarse, axis)
        expected = np.stack([part.mean(axis) for part in np.split(pieces, coarse, axis)], axis)
        assert pieces.shape[axis] == fine * coarse
    np.testing.assert_allclose(jax.jit(partial(_means, grids))(field), expected, rtol=0, atol=1e-14)


def test_a_coarse_node_is_held_where_the_nearest_fine_one_is():
    grids = GRIDS["odd"]
    mask = np.random.default_rng(3).uniform(size=(3, *(n + 1 for n in grids.fine))) < 0.5
    coarse = Block(mask=jax.device_put(mask)).coarse(grids).mask
    for index in np.ndindex(*coarse.shape[1:]):
        nearest = tuple(round(i * f / c) for i, f, c in zip(index, grids.fine, grids.coarse, strict=True))
        np.testing.assert_array_equal(coarse[:, *index], mask[:, *nearest])
