"""The benchmarks compare like with like, and the page of figures is that of the committed results."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import reference

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import methods  # noqa: E402
import page  # noqa: E402
import problems  # noqa: E402

PEERS = [name for name in methods.METHODS if not name.startswith("jaxmeta")]


@pytest.mark.parametrize("name", PEERS)
def test_peers_solve_the_same_problem(name):
    problem = problems.Problem("gyroid_8", problems.PROBLEMS["gyroid_64"].field, 8, "none")
    modulus = 1e-9 + (1 - 1e-9) * problem.field(8) ** 3
    exact = reference.homogenize(modulus, reference.isotropic_young(1.0, 0.3)).stiffness
    outcome = methods.METHODS[name](problem, 1e-5, exact)
    scale = np.sqrt(np.diag(exact))
    assert np.abs((outcome.stiffness - exact) / np.outer(scale, scale)).max() <= 1e-5
    assert outcome.steps > 0


def test_page_is_that_of_the_results():
    results = json.loads((FOLDER / "results" / "cpu.json").read_text("utf-8"))
    assert page.page(results) == (FOLDER.parent / "docs" / "benchmarks.md").read_text("utf-8")


def test_every_stated_case_was_measured():
    import run

    results = json.loads((FOLDER / "results" / "cpu.json").read_text("utf-8"))
    measured = {(row["problem"], row.get("method")) for row in results["rows"]}
    assert set(run.CASES) <= measured
    assert all(row["error"] <= 1e-5 for row in results["rows"] if "error" in row)
