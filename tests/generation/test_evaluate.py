"""Errors by hand, shapes voxel by voxel, targets by their rule, and a run that goes on to the same results."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull

import jaxmeta as jm
from jaxmeta.generation import (
    Comparison,
    Targets,
    _measures,
    _starts,
    _ways,
    draw_targets,
    eq3_error,
    evaluate,
    measure,
    most_similar,
    pair_similarity,
    plain_error,
)
from jaxmeta.generation._measures import held_out_similarity
from jaxmeta.runs import _run
from tests.dataset.libraries import octant as random_octant
from tests.generation import small

WAYS = ["raw", "neighbour", "neighbour-fitted"]
SETTINGS = Comparison(count=2, resolution=2 * small.SIDE, steps=4, max_solves=3)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small.write_library(tmp_path_factory.mktemp("library") / "small.h5")


@pytest.fixture(scope="module")
def targets(library):
    """One by hand, C and volume fraction of a test cell, and one far from all."""
    test = library.split("test")
    constants = np.stack([test.constants[0], [0.2, 0.05, 0.07]])
    return Targets(constants, np.array([test.volume_fraction[0], 0.5]), np.array([1, 0]), np.array([[1, -1], [0, 2]]))


def test_errors_by_hand():
    wanted, got = np.array([0.3, 0.1, 0.1]), np.array([0.2, 0.15, 0.08])
    by_hand = (0.1 / (1.3425703 - 0.0118019) + 0.05 / (0.5749314 + 0.0924240) + 0.02 / (0.3837908 - 0.0004335)) / 3
    assert eq3_error(wanted, got) == pytest.approx(by_hand, rel=1e-12)
    assert plain_error(wanted, got) == pytest.approx(np.sqrt((0.01 + 0.0025 + 0.0004) / 0.11), rel=1e-12)
    many = eq3_error(np.tile(wanted, (4, 1, 1)), np.tile(got, (4, 3, 1)))
    np.testing.assert_allclose(many, np.full((4, 3), by_hand), rtol=1e-12)


def by_voxels(one, other):
    """Eq. 4 of whole cells, of both positions of the second one."""
    a, b = (np.pad(octant, [(0, 6)] * 3, mode="symmetric") for octant in (one, other))
    return max(
        (a & moved).sum() / np.sqrt(float(a.sum()) * moved.sum())
        for moved in (b, np.roll(b, (6, 6, 6), axis=(0, 1, 2)))
    )


def test_held_out_cells_are_compared_at_equal_volume(library):
    test, training = library.split("test"), library.split("training")
    own = most_similar(test.octants(np.arange(len(test))), training)[0]
    asked = np.array([test.volume_fraction.min(), 0.5])
    for count in (1, 3):
        expected = [np.median(own[np.argsort(abs(test.volume_fraction - f), kind="stable")[:count]]) for f in asked]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_measures, "_ALIKE", count)
            np.testing.assert_allclose(held_out_similarity(asked, test, training), expected, rtol=1e-6)
    assert np.isnan(held_out_similarity(asked, test[:0], training)).all()


def test_what_is_least_like_the_others_is_fitted_next():
    rng = np.random.default_rng(3)
    taken = rng.random((2, 6, 6, 6)) < 0.4
    near, far, none = taken[0].copy(), rng.random((6, 6, 6)) < 0.4, np.zeros((6, 6, 6), bool)
    near[0, 0] = ~near[0, 0]
    starts = [_starts.Start(octant, error, {}) for octant, error in ((near, 0.01), (far, 0.3), (none, 0.9))]
    assert _ways._least_similar(starts, list(taken)) == 1  # nothing is less like them, but too far off
    assert _ways._least_similar(starts[::-1], list(taken)) == 1
    assert _ways._least_similar(starts[::2], list(taken)) == 0


def test_similarity_is_that_of_whole_cells(unchecked):
    first, second = (np.stack([random_octant(seed) for seed in seeds]) for seeds in ((0, 1, 2), (3, 4)))
    first[1] = second[1][::-1, ::-1, ::-1]
    found = jm.dataset.similarity(first, second)
    expected = [[by_voxels(a, b) for b in second] for a in first]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found[1, 1] == pytest.approx(1, abs=1e-6) and found.max() <= 1 + 1e-6
    pairs = [by_voxels(a, b) for a, b in itertools.combinations(first, 2)]
    assert pair_similarity(first) == pytest.approx(np.mean(pairs), rel=1e-6)
    assert np.isnan(pair_similarity(first[:1])) and jm.dataset.similarity(first, np.zeros_like(second)).max() == 0
    with pytest.raises(ValueError, match="of one side"):
        jm.dataset.similarity(first, second[:, :5])


def test_most_similar_cell_of_a_library(library):
    octants = library.octants(np.arange(len(library)))
    some = np.stack([octants[7][::-1, ::-1, ::-1], octants[3] & octants[5], random_octant(1, small.SIDE)])
    best, number = most_similar(some, library)
    all_of_them = jm.dataset.similarity(some, octants)
    np.testing.assert_allclose(best, all_of_them.max(axis=1), rtol=1e-6)
    assert number[0] == 7 and number.tolist() == all_of_them.argmax(axis=1).tolist()
    finer = some.repeat(2, 1).repeat(2, 2).repeat(2, 3)
    np.testing.assert_allclose(most_similar(finer, library)[0], best, rtol=1e-6)
    with pytest.raises(ValueError, match=f"multiple of {small.SIDE}"):
        most_similar(some[:, :6, :6, :6], library)


def test_measures_of_two_cells():
    """The second has no stiffness; the first is nearer to the target than the library's cell that is most like it."""
    octants = np.zeros((1, 2, 4, 4, 4), bool)
    octants[0, 0, :2] = True
    got = np.array([[[0.2, 0.1, 0.1], [np.nan] * 3]])
    theirs = np.array([[[0.25, 0.1, 0.1], [0.2, 0.1, 0.1]]])
    near = np.array([[0.8, 0.0]])
    found = measure(np.array([[0.2, 0.1, 0.09]]), np.array([0.4]), octants, got, near, theirs)
    assert found.plain[0, 0] == pytest.approx(0.01 / np.sqrt(0.04 + 0.01 + 0.0081)) and np.isnan(found.plain[0, 1])
    np.testing.assert_allclose(found.volume, [[0.1, 0.4]])
    assert found.nearer.tolist() == [[True, False]]
    same = measure(np.array([[0.2, 0.1, 0.09]]), np.array([0.4]), octants, got, np.ones((1, 2)), theirs)
    assert not same.nearer.any()


def test_targets_follow_their_rule(library):
    small_library, library = library, jm.dataset.load()
    drawn, more = draw_targets(library, 6, 3, seed=4), draw_targets(library, 9, 3, seed=4)
    assert drawn.kind.tolist() == [0, 1, 0, 1, 0, 1, 2, 2, 2]
    for name in ("constants", "volume_fraction", "kind"):
        np.testing.assert_array_equal(getattr(drawn, name)[:6], getattr(more, name)[:6])
    split, family = library.column("split"), library.column("family")
    for constants, volume, kind, (one, other) in zip(*drawn, strict=True):
        if kind == 0:
            pair = library.constants[[one, other]]
            assert family[one] != family[other] and split[one] == split[other] == 1
            assert 0.02 < np.linalg.norm(pair[1] - pair[0]) / np.linalg.norm(pair[0]) < 0.10
            np.testing.assert_allclose(constants, pair.mean(axis=0))
            assert volume == pytest.approx(library.volume_fraction[[one, other]].mean())
        if kind == 1:
            assert split[one] == 3 and constants.tolist() == library.constants[one].tolist()

    def point(c):
        return np.stack([np.log(c[..., 0]), np.arcsinh(c[..., 1] / 0.02), np.log(c[..., 2])], axis=-1)

    hull = ConvexHull(point(library.constants))
    beyond = (hull.equations @ np.column_stack([point(drawn.constants[6:]), np.ones(3)]).T).max(axis=0)
    assert (beyond > 1e-3).all()
    with pytest.raises(ValueError, match="Argument `library` must have cells for"):
        draw_targets(small_library, 20)


@pytest.mark.slow
def test_every_way_is_scored_alone(library, targets):
    found = evaluate(library, targets, WAYS, SETTINGS, model=small.model())
    near = found.made["neighbour"]
    for number in range(2):
        wanted = targets.constants[number]
        training = library.split("training")
        picks = jm.dataset.nearest(training, wanted, targets.volume_fraction[number], 2, per_family=1).numbers
        np.testing.assert_array_equal(near.octants[number], training.octants(picks))
        np.testing.assert_allclose(near.constants[number], training.constants[picks], rtol=1e-4)
    assert near.connected.all() and not near.solves.any()
    fitted, raw = found.made["neighbour-fitted"], found.made["raw"]
    assert (fitted.solves[0] > 1).all()
    errors = found.measures["neighbour-fitted"].plain
    assert (errors <= found.measures["neighbour"].plain + 1e-6)[:, 0].all() and (np.diff(errors) >= 0).all()
    score = jm.cells.Scorer(jm.Isotropic(1.0, 0.3), residual=None, tolerance=1e-6)
    for way in (fitted, raw):
        for cell, constants in zip(score.octants(list(way.octants[0]), [{}] * 2), way.constants[0], strict=True):
            expected = np.full(3, np.nan) if cell is None else cell.constants[:3]
            np.testing.assert_allclose(constants, expected, rtol=1e-4, atol=1e-8)
    assert abs(raw.octants.mean(axis=(2, 3, 4)) - targets.volume_fraction[:, None]).max() < 0.02
    rows = {(row["way"], row["targets"]): row for row in found.rows()}
    assert set(rows) == {(way, name) for way in WAYS for name in ("inside", "between", "test")}
    plain = found.measures["neighbour"].plain
    row = rows["neighbour", "inside"]
    assert row["plain"]["first"] == pytest.approx(plain[:, 0].mean())
    assert row["plain"]["best"] == pytest.approx(plain.min(axis=1).mean())
    assert row["eq3"]["all_median"] == pytest.approx(np.median(found.measures["neighbour"].eq3))
    assert row["connected"] == 1 and row["library_similarity"] == pytest.approx(1) and row["nearer"] == 0
    assert row["held_out_similarity"] == pytest.approx(np.median(found.held_out)) and 0 < found.held_out.min() < 1


def test_what_another_process_is_at_is_waited_for(library, targets, monkeypatch, tmp_path):
    """One that ends before it has made its target."""
    taken, claims = [], []

    def locked(path):
        claims.append(path.name)
        return None if claims.count("000001") == 1 and path.name == "000001" else real(path)

    real = _run.locked
    monkeypatch.setattr(_run, "locked", locked)
    monkeypatch.setattr(_run, "PAUSE", 0.0)
    found = evaluate(
        library, targets, ["neighbour"], SETTINGS, folder=tmp_path, callback=lambda done, *_: taken.append(done)
    )
    assert claims.count("000001") == 2 and taken == list(range(1, len(targets.volume_fraction) + 1))
    assert len(found.made["neighbour"].octants) == len(targets.volume_fraction)


def test_a_start_that_cannot_be_solved_is_not_fitted(library, targets, monkeypatch):
    def fails(*_, **__):
        raise jm.SolverError("stagnated")

    monkeypatch.setattr("jaxmeta.generation._ways.fit_stiffness", fails)
    made = evaluate(library, targets, ["neighbour-fitted"], replace(SETTINGS, count=3)).made["neighbour-fitted"]
    assert np.isfinite(made.constants).all() and made.octants.any(axis=(2, 3, 4)).all()


def test_a_killed_run_goes_on_to_the_same(library, targets, tmp_path):
    whole = evaluate(library, targets, ["raw", "neighbour"], SETTINGS, model=small.model())

    def kill(done, of, part):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(library, targets, ["raw", "neighbour"], SETTINGS, model=small.model(), folder=tmp_path, callback=kill)
    assert len(list((tmp_path / "parts").iterdir())) == 1
    rest = []
    again = evaluate(
        library, targets, ["raw", "neighbour"], SETTINGS, model=small.model(), folder=tmp_path,
        callback=lambda done, of, part: rest.append((done, of)),
    )  # fmt: skip
    assert rest == [(2, 2)]
    for way, made in whole.made.items():
        for name in ("octants", "constants", "connected", "solves"):
            np.testing.assert_array_equal(getattr(again.made[way], name), getattr(made, name))
    with pytest.raises(jm.io.FileError, match="it has another settings"):
        evaluate(
            library, targets, ["raw", "neighbour"], replace(SETTINGS, seed=1), model=small.model(), folder=tmp_path
        )


@pytest.mark.parametrize(
    ("ways", "change", "said"),
    [
        ([], {}, "Argument `ways` must name some of raw"),
        (["best"], {}, "each once, but is best"),
        (["raw"], {}, "Argument `model` must be given for the ways raw, guided and fitted"),
        (["neighbour"], {"resolution": 36}, "Argument `resolution` must be 24 or 48, but is 36"),
        (["neighbour"], {"count": 9}, "Argument `count` must be at most the number of families, 8"),
    ],
)
def test_refusals(library, targets, ways, change, said, unchecked):
    with pytest.raises(ValueError, match="Argument") as caught:
        evaluate(library, targets, ways, replace(SETTINGS, **change))
    assert said in str(caught.value)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"steps": 1}, {"guided": 0}, {"tolerance": 0.0}, {"scale": -1.0}])
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=f"Argument `{next(iter(wrong))}` must"):
        Comparison(**wrong)


@pytest.mark.slow
def test_guided_samples_and_optimised_cells(library, targets):
    """Guidance changes a sample of the same noise; an optimised cell is bound by the volume fraction."""
    one = Targets(*(values[:1] for values in targets))
    settings = replace(SETTINGS, count=1, max_steps=4, guided=4)
    found = evaluate(library, one, ["raw", "guided", "optimized"], settings, model=small.model())
    raw, guided, optimised = (found.made[way] for way in ("raw", "guided", "optimized"))
    assert (raw.octants != guided.octants).any() and guided.solves.tolist() == [[16]]
    assert optimised.solves.tolist() == [[4]] and optimised.octants.mean() <= one.volume_fraction[0] + 0.02
    octant = optimised.octants[0, 0]
    (cell,) = jm.cells.Scorer(jm.Isotropic(1.0, 0.3), residual=None, tolerance=1e-6).octants([octant], [{}])
    np.testing.assert_allclose(optimised.constants[0, 0], cell.constants[:3], rtol=1e-3)
