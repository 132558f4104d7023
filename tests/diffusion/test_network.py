"""Blocks of the wedge, and networks: symmetric output, weights, derivatives of the gathers."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.diffusion import PRESETS, Conditions, GridNet, Model, WedgeNet, conditions
from jaxmeta.diffusion import _wedge as wedge
from jaxmeta.diffusion._model import apply, shapes
from jaxmeta.diffusion._noise import symmetric_noise
from jaxmeta.geometry.symmetry import permute_average

SMALL = WedgeNet(side=8, block=2, features=(8, 12), depth=(1, 0), embedding=16)
LEAST = WedgeNet(side=8, block=4, features=(32, 32), depth=(0, 0), embedding=16)
"""For tests of what is around a network."""
GRID = GridNet(side=4, features=(8, 8), attention=2, heads=2, embedding=16)
ASKED = conditions(c11=0.2, c12=0.05, c44=0.06, volume_fraction=0.4)


def random_weights(network, seed=0):
    """A model none of whose weights is zero."""
    random = np.random.default_rng(seed)
    return Model(
        network, jax.tree.map(lambda leaf: jnp.asarray(0.2 * random.standard_normal(leaf.shape)), shapes(network))
    )


def octant_of(rows, side):
    """The octant of blocks of one voxel, by the definition."""
    octant = np.zeros((side,) * 3)
    for row, place in zip(rows, wedge.blocks(side), strict=True):
        for order in itertools.permutations(range(3)):
            octant[tuple(place[list(order)])] = row
    return octant


def test_neighbours_are_those_of_the_mirrored_octant():
    side = 4
    rows = np.arange(len(wedge.blocks(side)), dtype=float)
    octant = np.pad(octant_of(rows, side), 1, mode="symmetric")
    found = wedge.look(wedge.neighbours(side), jnp.asarray(rows)[:, None])
    for place, seen in zip(wedge.blocks(side) + 1, np.asarray(found), strict=True):
        steps = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (0, -1, 0), (0, 0, -1)]
        assert seen.tolist() == [octant[tuple(place + step)] for step in np.array(steps)]


def test_children_and_parents_are_within_each_other():
    side = 4
    fine = np.arange(len(wedge.blocks(side)), dtype=float)
    octant = octant_of(fine, side)
    within = np.asarray(wedge.look(wedge.children(side), jnp.asarray(fine)[:, None]))
    for place, seen in zip(2 * wedge.blocks(side // 2), within, strict=True):
        assert seen.tolist() == octant[tuple(slice(start, start + 2) for start in place)].ravel().tolist()
    again = wedge.look(wedge.parents(side), jnp.asarray(within).reshape(-1, 1))
    assert np.asarray(again)[:, 0].tolist() == fine.tolist()


def test_split_and_join_are_inverse_on_the_wedge():
    field = permute_average(jax.random.normal(jax.random.key(0), (8, 8, 8)))
    joined = wedge.join(wedge.split(field, 2), 4, 2)
    inside = octant_of(np.ones(len(wedge.blocks(4))), 4)[0, 0, 0]
    assert inside == 1
    i, j, k = np.indices((8, 8, 8)) // 2
    np.testing.assert_array_equal(joined, np.where((i <= j) & (j <= k), field, 0))


@pytest.mark.parametrize("table", [wedge.neighbours, wedge.children, wedge.parents, wedge.placed])
def test_the_derivative_of_looking_is_its_transpose(table):
    table = table(4)
    x = jax.random.normal(jax.random.key(0), (table.rows, 3))
    y, back = jax.vjp(lambda x: wedge.look(table, x), x)
    matrix = np.zeros((*table.looks.shape, table.rows + 1))
    np.put_along_axis(matrix, table.looks[..., None], 1, axis=-1)
    matrix = matrix[..., :-1].reshape(-1, table.rows)
    np.testing.assert_allclose(y.reshape(-1, 3), matrix @ x)
    g = jax.random.normal(jax.random.key(1), y.shape)
    np.testing.assert_allclose(back(g)[0], matrix.T @ g.reshape(-1, 3), atol=1e-12)


@pytest.mark.parametrize("network", [SMALL, GRID], ids=["wedge", "grid"])
def test_output_is_symmetric_to_rounding_and_depends_on_all_inputs(network):
    model = random_weights(network)
    x, before = (symmetric_noise(jax.random.key(key), network.side, jnp.float64) for key in (1, 2))

    def output(x, before, noise, given):
        return apply(network, model.weights, x, before, noise, Conditions(ASKED.values, given))

    yes, no, noise = jnp.ones(4, bool), jnp.zeros(4, bool), jnp.asarray(0.1)
    inputs = [
        (x, before, noise, yes), (2 * x, before, noise, yes), (x, 2 * before, noise, yes),
        (x, before, 2 * noise, yes), (x, before, noise, no),
    ]  # fmt: skip
    first, *others = jax.jit(jax.vmap(output))(*map(jnp.stack, zip(*inputs, strict=True)))
    assert first.dtype == jnp.float64
    for order in itertools.permutations(range(3)):
        assert np.abs(first - first.transpose(order)).max() < 1e-13
    assert float(first.std()) > 1e-3
    assert all(float(np.abs(other - first).max()) > 1e-4 for other in others)


def test_sizes_of_the_presets():
    def count(network):
        return sum(leaf.size for leaf in jax.tree.leaves(shapes(network)))

    assert count(PRESETS["small"]) < 8_000_000
    assert 2e7 < count(PRESETS["paper"]) < 4e7


@pytest.mark.parametrize("wrong", [{"side": 12}, {"depth": (1,)}, {"block": 3}])
def test_networks_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="Argument"):
        WedgeNet(**wrong)


@pytest.mark.parametrize("wrong", [{"c11": float("nan")}, {"c11": -0.1}, {"volume_fraction": 1.2}, {"c44": [0.1, 0.2]}])
def test_conditions_out_of_range(wrong, unchecked):
    with pytest.raises(ValueError, match="Argument"):
        conditions(**wrong)
