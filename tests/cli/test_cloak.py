"""`jaxmeta cloak`: numbers, files, interruption, and what it refuses."""

import json

import numpy as np
import pytest

SMALL = ("--cells", 12, "--inner", 2, "--outer", 4, "--max-steps", 25)


def test_stiffnesses_of_a_cloak(tmp_path, run):
    folder = tmp_path / "out"
    answer = run("cloak", "--homogenized", *SMALL, "--output", folder, "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert told["distortion"] < 0.3 * told["distortion_without"] and told["share_outside"] == 0
    assert told["distortion_cells"] is None and told["distortion_resolved"] is None
    names = {"cloak.json", "cloak.npz", "displacement.png", "report.html"}
    assert {path.name for path in folder.iterdir() if path.is_file()} == names
    with np.load(folder / "cloak.npz", allow_pickle=False) as found:
        weights = np.hypot(np.arange(-6, 7)[:, None], np.arange(7)) > 4
        weights = np.where(np.arange(7) == 0, 0.5, 1.0) * weights
        apart = ((found["with_cloak"] - found["undisturbed"]) ** 2).sum(-1)[..., 0]
        whole = (found["undisturbed"] ** 2).sum(-1)[..., 0]
        by_hand = np.sqrt((weights * apart).sum() / (weights * whole).sum())
        assert by_hand == pytest.approx(told["distortion"], rel=1e-4)
        assert found["constants"].shape == (told["distinct_cells"], 3)
    # The same command goes on from what is there, and comes to the same.
    again = run("cloak", "--homogenized", *SMALL, "--output", folder)
    assert again.code == 0 and f"{100 * told['distortion']:.3g} % with the cloak" in again.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--inner 30", "`--inner` must be below 20, so that the hole lies in the structure"),
        ("--outer 7", "`--outer` must be at least 7.667, so that the cloak has one cell"),
        ("--cells 11", "`--cells` must be an even number"),
        ("--max-steps 0", "`--max-steps` must be at least 1"),
        ("--smoothness -1", "`--smoothness` must not be negative"),
        ("--tolerance 0", "`--tolerance` must be a positive number"),
        ("--resolve --homogenized", "`--resolve` must not come with `--homogenized`"),
        ("--library nowhere.h5", "`--library` must be a file"),
        ("--hole round", "Invalid choice 'round'"),
    ],
)
def test_refusals(tmp_path, run, words, said):
    answer = run("cloak", *words.split(), "--output", tmp_path / "out")
    assert answer.code == 2 and answer.err.count("Error:") == 1 and said in answer.err
    assert not (tmp_path / "out").exists()
