"""`jaxmeta evaluate` and `jaxmeta interpolate`: results, files, a run that goes on, and what they refuse."""

import json

import numpy as np
import pytest

import jaxmeta as jm
from tests.generation import small


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    library = small.write_library(folder / "small.h5")
    jm.diffusion.save(small.model(), folder / "weights.h5")
    np.savez(folder / "cell.npz", density=np.asarray(jm.symmetry.unfold(library[5].octant), np.float32))
    return folder


def test_an_evaluation(run, files, tmp_path):
    out = tmp_path / "out"
    words = ("evaluate", "--ways", "raw", "neighbour", "--model", files / "weights.h5", "--library", files / "small.h5")
    words += ("--targets", 2, "--count", 2, "--resolution", 24, "--steps", 4, "--output", out, "--no-pictures")
    answer = run(*words, "--json")
    assert answer.code == 0, answer.err
    told = answer.data
    assert {(row["way"], row["targets"]) for row in told["rows"]} == {
        (way, kind) for way in ("raw", "neighbour") for kind in ("inside", "between", "test")
    }
    one = told["cells"][1]
    assert one["kind"] == "test" and np.shape(one["raw"]["constants"]) == (2, 3)
    wanted, got = np.array(one["constants"]), np.array(one["neighbour"]["constants"])
    by_hand = np.linalg.norm(got - wanted, axis=1) / np.linalg.norm(wanted)
    np.testing.assert_allclose(one["neighbour"]["error"], by_hand, rtol=1e-9)
    names = {"cells.npz", "results.json", "errors.png", "asked.png", "report.html"}
    assert {path.name for path in out.iterdir() if path.is_file()} == names
    assert all((out / name).read_bytes()[:4] == b"\x89PNG" for name in ("errors.png", "asked.png"))
    assert json.loads((out / "results.json").read_bytes())["rows"] == told["rows"]
    again = run(*words)
    assert again.code == 0 and "Targets 1" not in again.err and "neighbour" in again.out
    other = run(*words, "--seed", 3)
    assert other.code == 2 and "it has another settings" in other.err


def test_a_family(run, files, tmp_path):
    out = tmp_path / "out"
    words = ("--library", files / "small.h5", "--output", out, "--no-pictures")
    answer = run("interpolate", files / "cell.npz", 8, "--raw", "--model", files / "weights.h5", "--members", 3, *words)
    assert answer.code == 0, answer.err
    told = json.loads((out / "family.json").read_bytes())
    assert [row["place"] for row in told["members"]] == [0, 0.5, 1] and told["attempts"] == 0
    library = jm.dataset.load(files / "small.h5")
    np.testing.assert_allclose(told["members"][0]["constants"], library.constants[5], rtol=1e-3)
    assert told["members"][2]["constants"] == pytest.approx(library.constants[8].tolist())
    with np.load(out / "member-02.npz") as found:
        assert found["density"].shape == (24, 24, 24) and found["stiffness"].shape == (6, 6)
    assert {"path.png", "report.html"} <= {path.name for path in out.iterdir()}
    assert "3 members" in answer.out and "without conditions" in answer.out
    near = run("interpolate", 5, 6, "--members", 2, "--step", 0.2, *words, "--json")
    assert near.code == 0 and len(near.data["members"]) == 2 and near.data["connecting"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("evaluate --ways raw raw", "`--ways` must name some of raw"),
        ("evaluate --ways best", "Invalid choice 'best'"),
        ("evaluate --targets 0", "`--targets` must be at least 1"),
        ("evaluate --outside -1", "`--outside` must not be negative"),
        ("evaluate --count 0", "`--count` must be at least 1"),
        ("evaluate --model nowhere.h5", "`--weights` must be a file"),
        ("evaluate --library nowhere.h5", "`--library` must be a file"),
        ("evaluate --ways neighbour --resolution 100 --targets 1", "`--resolution` must be 64 or 128"),
        ("interpolate 1", "Missing from"),
        ("interpolate 1 99999999", "Cell B must be the number of a record, from 0 to 13447, but is 99999999"),
        ("interpolate one 2", "Cell A must be the number of a record, or a file, but is one"),
        ("interpolate 1 2 --step 0", "`--step` must be a positive number"),
        ("interpolate 1 2 --members 1", "`--members` must be at least 2"),
        ("interpolate 1 nowhere.npy", "no such file"),
    ],
)
def test_refusals(tmp_path, run, words, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = run(*words.split(), "--output", tmp_path / "out")
    assert answer.code == 2 and answer.out == "" and answer.err.count("Error:") == 1 and said in answer.err
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").glob("*.json"))


def test_a_cell_that_is_not_cubic(tmp_path, run):
    cell = np.zeros((8, 8, 8), np.float32)
    cell[:, :4, :2] = 1
    np.save(tmp_path / "bar.npy", cell)
    answer = run("interpolate", tmp_path / "bar.npy", 2, "--output", tmp_path / "out")
    assert answer.code == 2 and "Cell A must have cubic symmetry" in answer.err
    np.save(tmp_path / "odd.npy", np.ones((7, 7, 7), np.float32))
    answer = run("interpolate", 2, tmp_path / "odd.npy", "--output", tmp_path / "out")
    assert answer.code == 2 and "Cell B must be binary with equal and even sides" in answer.err
