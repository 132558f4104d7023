"""Blocks of the wedge and of a box, and networks: symmetric output, weights, derivatives of the gathers."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.diffusion import (
    PRESETS,
    BoxNet,
    Conditions,
    FiniteElements,
    GridNet,
    Model,
    NetworkDenoiser,
    Tuning,
    WedgeNet,
    _blocks,
    conditions,
    descend,
    sample,
    sample_field,
    tune,
)  # fmt: skip
from jaxmeta.diffusion._model import apply, shapes
from jaxmeta.diffusion._noise import noise_of, symmetric_noise
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


BLOCKS = [_blocks.wedge(4), _blocks.Blocks((4, 3, 1))]


def whole_of(rows, blocks):
    """The field of blocks of one voxel, by the definition."""
    field = np.zeros(blocks.shape)
    for row, place in zip(rows, _blocks.places(blocks), strict=True):
        for order in itertools.permutations(range(3)) if blocks.wedge else [(0, 1, 2)]:
            field[tuple(place[list(order)])] = row
    return field


def numbered(blocks):
    return np.arange(len(_blocks.places(blocks)), dtype=float)


@pytest.mark.parametrize("blocks", BLOCKS)
def test_neighbours_are_those_of_the_mirrored_field(blocks):
    rows = numbered(blocks)
    field = np.pad(whole_of(rows, blocks), 1, mode="symmetric")
    found = _blocks.look(_blocks.neighbours(blocks), jnp.asarray(rows)[:, None])
    for place, seen in zip(_blocks.places(blocks) + 1, np.asarray(found), strict=True):
        steps = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (0, -1, 0), (0, 0, -1)]
        assert seen.tolist() == [field[tuple(place + step)] for step in np.array(steps)]


@pytest.mark.parametrize("blocks", BLOCKS)
def test_children_and_parents_are_within_each_other(blocks):
    fine = numbered(blocks)
    field = whole_of(fine, blocks)
    field = np.pad(field, [(0, count % 2) for count in field.shape], mode="symmetric")  # images beyond the mirrors
    within = np.asarray(_blocks.look(_blocks.children(blocks), jnp.asarray(fine)[:, None]))
    for place, seen in zip(2 * _blocks.places(blocks.halved()), within, strict=True):
        assert seen.tolist() == field[tuple(slice(start, start + 2) for start in place)].ravel().tolist()
    again = _blocks.look(_blocks.parents(blocks), jnp.asarray(within).reshape(-1, 1))
    assert np.asarray(again)[:, 0].tolist() == fine.tolist()


def test_split_and_join_are_inverse_on_the_wedge_and_in_a_box():
    field, wedge = permute_average(jax.random.normal(jax.random.key(0), (8, 8, 8))), _blocks.wedge(4)
    joined = _blocks.join(_blocks.split(field, wedge, (2, 2, 2)), wedge, (2, 2, 2))
    i, j, k = np.indices((8, 8, 8)) // 2
    np.testing.assert_array_equal(joined, np.where((i <= j) & (j <= k), field, 0))
    field, box = jax.random.normal(jax.random.key(0), (8, 6, 3)), _blocks.Blocks((4, 2, 1))
    rows = _blocks.split(field, box, (2, 3, 3))
    np.testing.assert_array_equal(rows[1], field[:2, 3:, :].ravel())
    np.testing.assert_array_equal(_blocks.join(rows, box, (2, 3, 3)), field)


@pytest.mark.parametrize("table", [_blocks.neighbours, _blocks.children, _blocks.parents, _blocks.placed])
@pytest.mark.parametrize("blocks", BLOCKS)
def test_the_derivative_of_looking_is_its_transpose(table, blocks):
    table = table(blocks)
    x = jax.random.normal(jax.random.key(0), (table.rows, 3))
    y, back = jax.vjp(lambda x: _blocks.look(table, x), x)
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


def test_fields_on_a_box_keep_their_directions():
    network = BoxNet((4, 4, 2), (2, 2, 2), (8, 8), (1, 0), 8)
    model = random_weights(network)
    x, before = (noise_of(network, jax.random.key(key), jnp.float64) for key in (1, 2))
    np.testing.assert_array_equal(x, jax.random.normal(jax.random.key(1), x.shape, jnp.float64))
    asked = Conditions(jnp.array([0.3, -2.0, 0.0, 0.5]), jnp.ones(4, bool))  # no stiffness is negative
    field = apply(network, model.weights, x, before, jnp.asarray(0.1), asked)
    assert field.shape == (4, 4, 2) and np.abs(field - field.transpose(1, 0, 2)).max() > 0.1
    other = apply(network, model.weights, x, before, jnp.asarray(0.1), asked._replace(values=asked.values + 0.1))
    assert np.isfinite(field).all() and np.abs(other - field).max() > 1e-3
    levels = jnp.asarray(model.schedule.levels(4))
    drawn = sample_field(model, asked, jax.random.key(2), 4)
    plain = descend(NetworkDenoiser(model, asked), noise_of(network, jax.random.key(2), jnp.float64), levels)
    np.testing.assert_allclose(drawn, plain, rtol=1e-9)  # not smoothed


def test_functions_of_cells_refuse_models_of_fields_on_a_box(tmp_path):
    model = random_weights(BoxNet((4, 4, 4), (2, 2, 2), (8, 8), (0, 0), 8))
    library, octant = jm.dataset.load(), np.ones((4, 4, 4), bool)
    calls = (
        lambda: sample(model, ASKED, jax.random.key(0), 2),
        lambda: sample_field(model, ASKED, jax.random.key(0), 2, FiniteElements([0.2, 0.05, 0.06])),
        lambda: jm.generate(jm.Isotropic(0.2, 0.2).stiffness, source="model", model=model),
        lambda: jm.generation.Noises.of(model, octant, octant),
        lambda: jm.generation.evaluate(library, jm.generation.draw_targets(library, 2, 0), ("raw",), model=model),
        lambda: tune(model, library, Tuning(steps=1), tmp_path / "tuned"),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"Argument `(model|network)` must be of cubic cells"):
            call()


def test_sizes_of_the_presets():
    def count(network):
        return sum(leaf.size for leaf in jax.tree.leaves(shapes(network)))

    assert count(PRESETS["small"]) < 8_000_000
    assert 2e7 < count(PRESETS["paper"]) < 4e7


@pytest.mark.parametrize("wrong", [{"side": 12}, {"depth": (1,)}, {"block": 3}])
def test_networks_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="Argument"):
        WedgeNet(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (8, 4, 3)},
        {"shape": (0, 4, 2)},
        {"shape": (8, 4)},
        {"shape": 8},
        {"block": (2, 2, -2)},
        {"depth": (1,)},
    ],
)
def test_networks_on_a_box_that_cannot_be(wrong, unchecked):
    with pytest.raises(ValueError, match=f"Argument `{next(iter(wrong))}`"):
        BoxNet(**{"shape": (8, 4, 2), "features": (8, 8, 8), "depth": (1, 0, 0)} | wrong)


@pytest.mark.parametrize("wrong", [{"c11": float("nan")}, {"c11": -0.1}, {"volume_fraction": 1.2}, {"c44": [0.1, 0.2]}])
def test_conditions_out_of_range(wrong, unchecked):
    with pytest.raises(ValueError, match="Argument"):
        conditions(**wrong)
