"""`jaxmeta generate`: its table, its files, and what it refuses."""

import json
import shlex

import numpy as np
import pytest

import jaxmeta as jm
from tests.doc_cells import blocks

(README,) = (line for block in blocks("README.md", "sh") for line in block.splitlines() if "jaxmeta generate" in line)


@pytest.mark.slow
def test_a_cell_of_wanted_stiffness(tmp_path, run):
    """The command of the README, for one cell."""
    folder = tmp_path / "out"
    words = (*shlex.split(README)[1:], "--count", 1, "--output", folder)
    assert words[:5] == ("generate", "--target-young", "0.1", "--target-poisson", "0.2")
    answer = run(*words, "--size", 10, "--no-pictures")
    assert answer.code == 0, answer.err
    told = json.loads((folder / "cells.json").read_text("utf-8"))
    (cell,) = told["cells"]
    assert cell["exact"] and cell["error"] <= 5e-4
    names = ["result.npz", "result.h5", "cell.vti", "cell.stl", "report.html", "report.json"]
    assert sorted(path.name for path in (folder / "cell-1").iterdir()) == sorted(names)
    file = jm.io.read_density(folder / "cell-1" / "result.npz")
    assert jm.symmetry.detect(file.density) == "cubic"
    octant, void = file.density[:32, :32, :32], jm.SIMP(1.0, 1e-9)
    h = jm.homogenize(octant, jm.Isotropic(1.0, 0.3), interpolation=void, symmetry="cubic", tolerance=1e-7)
    wanted = np.asarray(jm.Isotropic(0.1, 0.2).stiffness)
    norm = np.linalg.norm(wanted[[0, 0, 3], [0, 1, 3]])
    np.testing.assert_allclose(np.asarray(h.stiffness), wanted, atol=6e-4 * norm)
    assert max(file.spacing) == pytest.approx(10 / 64)
    report = json.loads((folder / "cell-1" / "report.json").read_text("utf-8"))
    assert report["error"] == cell["error"] and report["provenance"]["start"] == "library"
    row = next(line.split() for line in answer.out.splitlines() if line.strip().startswith("cell-1 "))
    assert row[1:4] == [f"{float(h.stiffness[entry]):.5g}" for entry in ((0, 0), (0, 1), (3, 3))]
    again = run(*words)
    assert again.code == 2 and "new or empty folder" in again.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "`--target` must be a file, or else"),
        ("--target-young 0.1", "`--target` must be a file, or else"),
        ("--target-young 2 --target-poisson 0.3", "must be in reach of a cell"),
        ("--target-c11 0.1 --target-c12 0.2 --target-c44 0.1", "positive definite"),
        ("--target-young 0.3 --target-poisson 0.3 --volume-fraction 0.2", "at volume fraction 0.2"),
        ("--target-young 0.1 --target-poisson 0.2 --count 0", "`--count` must be at least 1"),
        ("--target-young 0.1 --target-poisson 0.2 --tolerance 0", "`--tolerance` must be a positive number"),
        ("--target-young 0.1 --target-poisson 0.2 --library nowhere.h5", "there is no such file"),
        ("--target nowhere.npy", "nowhere.npy"),
    ],
)
def test_refusals(tmp_path, run, words, said):
    answer = run("generate", *words.split(), "--output", tmp_path / "out")
    assert answer.code == 2 and answer.err.count("Error:") == 1 and said in answer.err
    assert not (tmp_path / "out").exists()
