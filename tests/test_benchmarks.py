"""The benchmarks compare like with like, and the page of figures is that of the committed results."""

import dataclasses
import json
import re
import sys
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.fem import CubicField, _cells, _form, _medium
from tests import reference

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import accuracy  # noqa: E402
import methods  # noqa: E402
import outcome  # noqa: E402
import page  # noqa: E402
import peer_fans  # noqa: E402
import problems  # noqa: E402
import run  # noqa: E402

PEERS = [name for name in methods.METHODS if not name.startswith("jaxmeta")]


def uneven(n):
    """A cell without any symmetry, so that a swapped axis or a swapped component of C shows."""
    x, y, z = np.meshgrid(*[np.arange(n)] * 3, indexing="ij")
    return ((x + 2 * y < n) | (z * z + y * x < n) | (x == z)).astype(float)


@pytest.mark.parametrize("name", PEERS)
def test_peers_solve_the_same_problem(name):
    problem = problems.Problem("uneven_8", uneven, 8, "none")
    modulus = 1e-9 + (1 - 1e-9) * problem.field(8) ** 3
    exact = reference.homogenize(modulus, reference.isotropic_young(1.0, 0.3)).stiffness
    try:
        measured = methods.METHODS[name](problem, 1e-5, exact)
    except outcome.NotInstalledError as missing:
        pytest.skip(str(missing))
    scale = np.sqrt(np.diag(exact))
    assert np.abs((measured.stiffness - exact) / np.outer(scale, scale)).max() <= 1e-5
    assert measured.steps is None or measured.steps > 0


def test_a_peer_that_is_not_there_is_not_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(run, "CASES", [])
    monkeypatch.setattr(run, "PEER_CASES", [("gyroid_32", "fans")])
    monkeypatch.setattr(run, "BESIDE", {})
    output = tmp_path / "results.json"
    output.write_text(json.dumps({"rows": [{"problem": "gyroid_32", "method": "jaxmeta"}]}))
    monkeypatch.setattr(sys, "argv", ["run.py", "--output", str(output)])
    run.main()
    assert capsys.readouterr().out == "gyroid_32 fans not measured: FANS is not on the PATH\n"
    assert len(json.loads(output.read_text())["rows"]) == 1


def test_a_peer_runs_in_the_python_that_is_named(monkeypatch):
    monkeypatch.setenv("JAXMETA_BENCH_MUGRID", "/other/python")
    assert run.interpreter("mugrid_green_jacobi") == "/other/python"
    assert run.interpreter("fans") == sys.executable


def test_a_case_is_ended_at_the_limit_with_all_that_it_started(tmp_path):
    code = "import pathlib, subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'input()'], "
    code += "stdin=subprocess.PIPE); pathlib.Path(sys.argv[1]).write_text(str(child.pid)); time.sleep(60)"
    began = time.perf_counter()
    returned, _, errors = run.finished([sys.executable, "-S", "-c", code, str(tmp_path / "pid")], 2)
    assert returned and errors == "not finished after 2 s"
    assert time.perf_counter() - began < 30
    child = int((tmp_path / "pid").read_text())
    status = Path(f"/proc/{child}/stat")
    for _ in range(100):  # it was told to end, and takes a moment
        if not status.exists() or status.read_text().split()[2] == "Z":
            break
        time.sleep(0.1)
    else:
        pytest.fail("the child still runs")


def test_loosest_takes_the_first_residual_that_is_right():
    asked = []

    def solve(residual):
        asked.append(residual)
        return accuracy.Attempt(np.eye(6) * (1 + residual), 1.0, 3)

    residual, attempt = accuracy.loosest(solve, 2e-3, np.eye(6))
    assert (residual, attempt.seconds, attempt.steps) == (1e-3, 1.0, 3)
    assert asked == [1e-2, 3e-3, 1e-3, 1e-3, 1e-3]
    with pytest.raises(RuntimeError, match="no residual"):
        accuracy.loosest(lambda residual: accuracy.Attempt(2 * np.eye(6), 1.0, 3), 1e-3, np.eye(6))


def test_input_of_fans_states_the_cell(tmp_path):
    import h5py

    problem = problems.Problem("grey_8", lambda n: np.round(uneven(n) + 0.5 * (1 - uneven(n).T), 3) / 1.5, 8, "none")
    path = peer_fans.write_input(problem, tmp_path, 3e-4)
    settings = json.loads(path.read_text())
    with h5py.File(settings["microstructure"]["filepath"]) as file:
        phase = file[settings["microstructure"]["datasetname"]][()].transpose(2, 1, 0)
    material = settings["materials"][0]
    bulk, shear = (np.array(material["material_properties"][k]) for k in ("bulk_modulus", "shear_modulus"))
    assert material["phases"] == list(range(len(bulk)))
    np.testing.assert_allclose((9 * bulk * shear / (3 * bulk + shear))[phase], problem.modulus(), rtol=1e-9)
    np.testing.assert_allclose((3 * bulk - 2 * shear) / (6 * bulk + 2 * shear), 0.3)
    assert settings["FE_type"] == "HEX8"
    assert settings["error_parameters"] == {"measure": "L2", "type": "relative", "tolerance": 3e-4}
    assert [len(load) for load in settings["macroscale_loading"]] == [1] * 6


def test_results_of_fans_come_in_our_order(tmp_path):
    import h5py

    exact = np.arange(36.0).reshape(6, 6)
    order, weight = [0, 1, 2, 5, 4, 3], np.sqrt([1, 1, 1, 2, 2, 2])
    mandel = exact[np.ix_(order, order)] * np.outer(weight, weight)
    with h5py.File(tmp_path / "output.h5", "w") as file:
        for i in range(6):
            file[f"cell_results/load{i}/time_step0/stress_average"] = mandel[:, i]
    np.testing.assert_allclose(peer_fans.read_stiffness(tmp_path / "output.h5"), exact)


def test_log_of_fans():
    text = """
# Start FANS - Conjugate Gradient Solver
Before 1st iteration:   4.3e-02
it   1 .... err   1.9e-02  / 4.6e-01, ratio: 0.0, FFT time: 0.000659 sec
it   2 .... err   9.1e-03  / 2.1e-01, ratio: 0.4, FFT time: 0.000561 sec
# Total FFT Time ...............   0.007012 sec
# Total Time per iteration .....   0.004439 sec
# Total Time ...................   0.057702 sec
# Start FANS - Conjugate Gradient Solver
it   1 .... err   1.9e-02  / 4.6e-01, ratio: 0.0, FFT time: 0.000659 sec
# Total Time ...................   1.5 sec
"""
    assert peer_fans.read_log(text) == (1.557702, 2)


def test_page_is_that_of_the_results():
    results, of_library = (
        json.loads((FOLDER / "results" / f"{n}.json").read_text("utf-8")) for n in ("cpu", "library_cpu")
    )
    written = (FOLDER.parent / "docs" / "benchmarks.md").read_text("utf-8")
    assert page.page(results, of_library, *map(page.measured, ("shell", "calls", "generator"))) == written


def test_whole_runs_stand_beside_each_other():
    row = {"problem": "gyroid_64", "seconds": 3.52, "processor_seconds": 5.1, "solve": 0.9, "error": 4e-6, "load": 0.2}
    rows = [row | {"program": "jaxmeta"}, row | {"program": "fans", "ranks": 2, "residual": 1e-3, "seconds": 4.81}]
    lines = page.from_shell({"rows": rows}).splitlines()[2:]
    assert lines[0] == "| gyroid_64 | jaxmeta | 3.5 s | 5.1 s | 0.9 s | 4.0e-06 | 0.2 |"
    assert lines[1].startswith("| gyroid_64 | FANS, 2 ranks | 4.8 s |")
    assert page.from_shell(None) == "Not measured."


def test_every_stated_case_was_measured():
    results = json.loads((FOLDER / "results" / "cpu.json").read_text("utf-8"))
    measured = {(row["problem"], row.get("method")) for row in results["rows"]}
    assert set(run.CASES) | {(name, None) for name in run.BESIDE} <= measured
    assert all(row["error"] <= 1e-5 for row in results["rows"] if "error" in row)


DISTINCT = {re.sub(r"_\d+", "", p.name, count=1): p for p in reversed(problems.PROBLEMS.values())}.values()
"""One of each name without its size."""


@pytest.mark.parametrize("problem", DISTINCT, ids=lambda p: p.name)
def test_the_fast_path_agrees_with_the_plain_one(problem, monkeypatch):
    """Float32, kernels of the CPU, multigrid; and float64, the element's matrices in JAX, FFT: on small grids.

    An isotropic solid given by its three cubic constants takes the second way.
    """
    side = 8 if problem.name.startswith("random") else 16  # the plain way takes hundreds of steps for noise
    small = dataclasses.replace(problem, size=side if problem.symmetry == "none" else 32)
    density, solid = small.density(), jm.Isotropic(1.0, 0.3)
    if small.symmetry == "cubic":  # rounding of the level set may break a tie
        density = density[tuple(np.sort(np.indices(density.shape), axis=0))]
    options = {"interpolation": jm.SIMP(small.penalty, small.void), "symmetry": small.symmetry}
    fast = jm.homogenize(jnp.asarray(density, jnp.float32), solid, tolerance=1e-6, **options)
    monkeypatch.setattr(_cells, "target", lambda *_: None)
    monkeypatch.setattr(_form, "FEW_VOXELS", 10**9)
    monkeypatch.setattr(_medium, "IsotropicField", lambda lmbda, mu: CubicField(lmbda + 2 * mu, lmbda, mu))
    plain = jm.homogenize(jnp.asarray(density), solid, tolerance=1e-9, preconditioner="fft", max_steps=3000, **options)
    assert accuracy.error_of(np.asarray(fast.stiffness, float), np.asarray(plain.stiffness)) <= 5e-6
