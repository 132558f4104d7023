"""Training: it learns, its random numbers follow from the step, and a run goes on bit for bit."""

import csv
import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta import diffusion
from jaxmeta.diffusion import BoxExamples, BoxNet, Examples, Training, to_field, training
from jaxmeta.diffusion.training import _shown
from tests.dataset.libraries import ATTRIBUTES, _file, _records, columns, octant
from tests.diffusion.test_network import LEAST

SETTINGS = Training(steps=120, batch=8, warmup=10, rate=1e-2, average=0.9)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "library.h5"
    made = columns(24, 8)
    coarse = np.stack([octant(number, 4) for number in range(24)]).repeat(2, 1).repeat(2, 2).repeat(2, 3)
    made |= {"wedge": _records._wedge.pack(coarse), "volume_fraction": coarse.mean((1, 2, 3))}
    _file.write(path, made, ATTRIBUTES | {"side": 8}, overwrite=False)
    return jm.dataset.load(path)


@pytest.fixture(scope="module")
def examples(library):
    return Examples.of(library.octants(np.arange(24)), library.constants, library.volume_fraction)


def test_examples_are_the_fields_of_the_cells(library, examples):
    numbers = np.array([5, 0, 17])
    fields = examples.fields(jnp.asarray(numbers), (8, 8, 8))
    for field, solid in zip(fields, library.octants(numbers), strict=True):
        np.testing.assert_allclose(field, to_field(solid), atol=1e-6)
    np.testing.assert_allclose(examples.values[:, 3], library.volume_fraction, rtol=1e-6)


def test_shares_of_conditions_that_are_dropped():
    shown = np.asarray(_shown(jax.random.key(0), 20000, 0.1))
    assert (shown[:, 0] == shown[:, 1]).all() and (shown[:, 0] == shown[:, 2]).all()
    kinds = {(s, v): np.mean((shown[:, 0] == s) & (shown[:, 3] == v)) for s in (True, False) for v in (True, False)}
    assert kinds[True, True] == pytest.approx(0.7, abs=0.015)
    for kind in [(True, False), (False, True), (False, False)]:
        assert kinds[kind] == pytest.approx(0.1, abs=0.01)


def run(library, folder, **options):
    losses = []
    seen = {"report": lambda what, done, total, **numbers: losses.append(numbers["loss"])}
    model = diffusion.train(LEAST, library, SETTINGS, folder, every=60, **(seen | options))
    return model, losses


@pytest.fixture(scope="module")
def whole(library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, *run(library, folder)


def stopping(after, error):
    """Stops a run after some steps."""
    count = iter(range(1, 100))

    def check():
        if next(count) == after:
            raise error

    return check


@pytest.mark.parametrize(
    ("error", "every", "kept"), [(KeyboardInterrupt(), 1e9, 4), (RuntimeError(), 0.0, 3), (RuntimeError(), 1e9, 0)]
)
def test_a_run_that_was_stopped_comes_to_the_same_bits(library, whole, tmp_path, error, every, kept):
    """Asked to stop, it saves; killed, it goes on from the last save, or begins anew."""
    folder, model, losses = whole
    with pytest.raises(type(error)):
        run(library, tmp_path / "run", check=stopping(4, error), save_every=every)
    again, rest = run(library, tmp_path / "run")
    assert rest == losses[kept:]
    for first, second in zip(jax.tree.leaves(model.weights), jax.tree.leaves(again.weights), strict=True):
        np.testing.assert_array_equal(first, second)
    curves = [json.loads((path / "curve.json").read_text())["curve"] for path in (folder, tmp_path / "run")]
    for first, second in zip(*curves, strict=True):
        assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_what_a_run_leaves(whole):
    folder, model, losses = whole
    rows = list(csv.DictReader((folder / "curve.csv").open()))
    assert [row["step"] for row in rows] == ["60", "120"]
    assert float(rows[0]["loss"]) == pytest.approx(np.mean(losses[:60]))
    kept = diffusion.load(folder / "weights.h5")
    assert json.loads(kept.notes)["samples"] == 960
    for first, second in zip(jax.tree.leaves(model.weights), jax.tree.leaves(kept.weights), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-6)


def test_another_run_is_refused(library, whole):
    with pytest.raises(ValueError, match="of this same run"):
        diffusion.train(LEAST, library, Training(steps=7, batch=4), whole[0], every=60)
    with pytest.raises(ValueError, match="octants of side 32, but has 8"):
        diffusion.train(diffusion.PRESETS["tiny"], library, SETTINGS, whole[0])


def test_a_model_is_trained_further(library, whole, examples, tmp_path):
    """It begins with the model's weights, which stay whole, says so in its notes, and is another run."""
    _, model, _ = whole
    further, losses = run(library, tmp_path / "further", start=model)
    first = training.init(LEAST, SETTINGS, model.weights).model(LEAST)
    assert np.mean(training.validate(first, examples)) == np.mean(training.validate(model, examples))
    assert np.mean(losses[:20]) < 1.1 * np.mean(whole[2][-20:])
    notes = json.loads(further.notes)
    assert notes["steps"] == 120 and notes["start"] == json.loads(model.notes)
    with pytest.raises(ValueError, match="of this same run"):
        run(library, whole[0], start=model)
    with pytest.raises(ValueError, match="`start` must be a model of WedgeNet"):
        diffusion.train(dataclasses.replace(LEAST, embedding=8), library, SETTINGS, tmp_path / "other", start=model)


def test_it_learns(whole, examples):
    """The loss falls, and the average follows."""
    _, model, losses = whole
    assert np.mean(losses[-20:]) < 0.85 * np.mean(losses[:5])
    first, last = (training.validate(m, examples) for m in (training.init(LEAST, SETTINGS).model(LEAST), model))
    # Before it learns, the estimate is x c_skip, whose error at much noise is all of the field.
    assert first[-1] == pytest.approx(float(jnp.mean(examples.fields(jnp.arange(24), (8, 8, 8)) ** 2)), rel=0.02)
    assert last[1] < 0.8 * first[1]


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"rate": -1.0}, {"average": 1.0}, {"dropped": 0.5}, {"steps": 2.5}])
def test_settings_that_cannot_be(wrong, unchecked):
    with pytest.raises(ValueError, match=f"Argument `{next(iter(wrong))}`"):
        Training(**wrong)


def test_a_network_on_a_box_learns_fields_of_other_things():
    """Two fields, of halves along x or along y, told apart by the first condition."""
    network = BoxNet((8, 4, 2), (2, 2, 2), (32, 32), (1, 0), 16)
    settings, schedule = Training(steps=300, batch=32, warmup=10, rate=4e-3, average=0.9), diffusion.Schedule()
    x, y, _ = np.indices(network.shape)
    values = jnp.array([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]], jnp.float32)
    halves = BoxExamples(jnp.asarray(np.where([x < 4, y < 2], 1, -1), jnp.int8), values)
    state = training.init(network, settings)
    for wrong in (halves._replace(signs=halves.signs.transpose(0, 2, 1, 3)), halves._replace(values=values[:1])):
        with pytest.raises(ValueError, match=r"Argument `examples` must have \d fields of shape"):
            training.step(network, settings, schedule, wrong, state)
    with pytest.raises(ValueError, match="Argument `examples` must be for WedgeNet"):
        training.step(LEAST, settings, schedule, halves, training.init(LEAST, settings))
    for _ in range(settings.steps):
        state, _ = training.step(network, settings, schedule, halves, state)
    model = state.model(network)
    assert training.validate(model, halves)[1] < 0.05
    for signs, value in zip(halves.signs, values, strict=True):
        asked = diffusion.Conditions(value, jnp.ones(4, bool))
        field = diffusion.sample_field(model, asked, jax.random.key(3), 8)
        assert (np.sign(np.asarray(field)) == np.asarray(signs)).mean() > 0.95
