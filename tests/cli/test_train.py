"""`jaxmeta train`: options reach the library, one sentence for bad input, and a run that goes on."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from jaxmeta import diffusion
from jaxmeta.diffusion import PRESETS, Training
from tests.dataset.libraries import ATTRIBUTES, _file, columns


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Calls of `jaxmeta.diffusion.train`, which does nothing."""
    seen = []

    def train(network, library, settings, folder, **options):
        seen.append((network, len(library), settings, folder, options["every"], options["save_every"]))
        options["report"]("step", 1, settings.steps, loss=1.0)
        options["check"]()
        (folder / "curve.json").parent.mkdir(exist_ok=True)
        row = {"step": settings.steps, "loss": 0.5, "validation": 0.6}
        (folder / "curve.json").write_text(json.dumps({"curve": [row]}))
        return SimpleNamespace(count=7)

    monkeypatch.setattr(diffusion, "train", train)
    return seen


def test_options_reach_the_library(run, calls, tmp_path):
    out = tmp_path / "out"
    words = ("--steps", 7, "--batch", 3, "--rate", 1e-4, "--seed", 5, "--every", 4, "--save-every", 9)
    answer = run("train", "--preset", "tiny", "--output", out, *words, "--json")
    assert answer.code == 0 and answer.data["curve"] == [{"step": 7, "loss": 0.5, "validation": 0.6}]
    network, cells, settings, folder, every, save_every = calls[0]
    assert (network, cells, folder) == (PRESETS["tiny"], 13448, out)
    assert settings == Training(steps=7, batch=3, rate=1e-4, seed=5) and (every, save_every) == (4, 9)
    assert "step 1 of 7: loss 1" in answer.err
    assert "on 10,987 of the library's 13,448 cells" in answer.err
    plain = run("train", "--output", out, "--steps", 7)
    assert calls[1][0] == PRESETS["small"] and "Loss 0.5, on validation cells 0.6." in plain.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--steps", 0), "`--steps` must be at least 1, but is 0"),
        (("--dropped", 0.5), "`--dropped` must lie in [0, 1/3]"),
        (("--every", 0), "`--every` must be at least 1"),
        (("--library", "missing.h5"), "no such file"),
        (("--start", "missing.h5"), "no such file"),
        (("--preset", "huge"), "huge"),
    ],
)
def test_one_sentence_for_bad_input(run, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    answer = run("train", *words)
    assert answer.code == 2 and answer.out == ""
    assert answer.err.splitlines()[-1].startswith("Error: ") and said in answer.err.splitlines()[-1]


def test_a_library_of_another_resolution(run, tmp_path):
    _file.write(tmp_path / "small.h5", columns(6), ATTRIBUTES, overwrite=False)
    answer = run("train", "--library", tmp_path / "small.h5", "--output", tmp_path / "out")
    assert answer.code == 2 and "`--library` must have octants of side 32, but has 6." in answer.err


@pytest.mark.slow
def test_a_run_of_the_command_goes_on(run, tmp_path, monkeypatch):
    made = columns(12, 32)
    _file.write(tmp_path / "library.h5", made, ATTRIBUTES | {"side": 32}, overwrite=False)
    words = ("train", "--preset", "tiny", "--library", tmp_path / "library.h5", "--steps", 6, "--batch", 2)
    words += ("--every", 2)
    whole = run(*words, "--output", tmp_path / "whole", "--json").data
    train, count = diffusion.train, iter(range(1, 10))

    def stopped(*given, check, **options):
        def stop():
            check()
            if next(count) == 3:
                raise KeyboardInterrupt

        return train(*given, check=stop, **options)

    with monkeypatch.context() as context:
        context.setattr(diffusion, "train", stopped)
        answer = run(*words, "--output", tmp_path / "again")
    assert answer.code == 130 and "the same command goes on with what is left: jaxmeta train" in answer.err
    again = run(*words, "--output", tmp_path / "again", "--json").data
    assert [row | {"seconds": 0} for row in again["curve"]] == [row | {"seconds": 0} for row in whole["curve"]]
    assert diffusion.load(tmp_path / "again" / "weights.h5").count == whole["weights"]
    assert np.isfinite(whole["curve"][-1]["validation"])
