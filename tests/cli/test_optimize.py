"""`jaxmeta optimize`: what it finds, writes and prints, and how it is stopped and taken up again."""

import contextlib
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import h5py
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.cli import main
from jaxmeta.cli._goals import Limits, Target, make_goal
from jaxmeta.cli._start import Start
from jaxmeta.io import read_density, read_stiffness
from jaxmeta.runs import Progress, spent_seconds
from tests.cli.conftest import Answer, phases

SMALL = ("--resolution", 8, "--filter-radius", 1.2, "--no-pictures", "--dtype", "float64")
PROGRAM = (sys.executable, "-u", "-c", "import sys; from jaxmeta.cli import main; sys.exit(main())")
SOLID = jm.Isotropic(1.0, 0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("optimize") / "out"


@pytest.fixture(scope="module")
def optimize(tmp_path_factory):
    """Runs `jaxmeta optimize` inside this process, so that all runs share one compilation."""
    here = tmp_path_factory.mktemp("here")

    def command(*words: object) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(here), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["optimize", *map(str, (*SMALL, *words))])
        return Answer(code, out.getvalue(), err.getvalue())

    return command


@pytest.fixture(scope="module")
def answer(folder, optimize):
    """A run of four steps: what it printed on both streams."""
    done = optimize("--max-steps", 4, "--output", folder, "--json", "--young", 70)
    assert done.code == 0, done.err
    return done.data, done.err


def test_cell_and_score(answer, folder):
    data, _ = answer
    file = read_density(folder / "result.npz")
    assert set(np.unique(file.density)) <= {0, 1}
    assert file.density.shape == (8, 8, 8)
    assert data["connected"]
    assert data["volume_fraction"] == pytest.approx(float(file.density.mean()))
    again = jm.homogenize(file.density.astype(float), jm.Isotropic(70.0, 0.3), residual=1e-7)
    np.testing.assert_allclose(data["stiffness"], again.stiffness, rtol=1e-5, atol=1e-4)


def test_objective_and_loss(answer):
    data, _ = answer
    found = data["optimization"]
    assert found["objective"] == "bulk modulus"
    assert found["sense"] == "maximized"
    assert found["binary"] == pytest.approx(data["moduli"]["bulk"], rel=1e-6)
    assert found["loss_from_binarising"] == pytest.approx(found["optimised"] - found["binary"], rel=1e-6)
    assert found["result"] == "max_steps_reached"
    assert any("all its steps" in note for note in data["notes"])


def test_files(answer, folder):
    data, _ = answer
    names = ["cell.stl", "cell.vti", "checkpoint", "density.npz", "history.json"]
    names += ["report.html", "report.json", "result.h5", "result.npz"]
    assert sorted(path.name for path in folder.iterdir()) == names
    history = json.loads((folder / "history.json").read_text())
    assert len(history["objective"]) == 4
    grey = read_density(folder / "density.npz").density
    stiffness = jm.homogenize(grey, jm.Isotropic(70.0, 0.3), interpolation=jm.SIMP(3.0, 1e-9)).stiffness
    bulk = np.asarray(stiffness)[:3, :3].sum() / 9
    assert data["optimization"]["optimised"] == pytest.approx(bulk, rel=1e-3)
    assert grey.shape == (8, 8, 8)
    assert np.mean(grey) == pytest.approx(0.3, abs=2e-3)
    np.testing.assert_array_equal(read_density(folder / "cell.vti", name="optimised").density, grey)
    np.testing.assert_array_equal(read_stiffness(folder / "result.h5"), data["stiffness"])
    with h5py.File(folder / "result.h5") as file:
        assert file["settings"].attrs["volume_fraction"] == 0.3
    assert "Course of the optimisation" in (folder / "report.html").read_text()


@pytest.mark.slow
def test_a_cell_that_can_be_printed(answer, folder, optimize):
    """From the same steps: the cell obeys, and the course is explained in the report."""
    words = ("--young", 70, "--output", folder, "--max-steps", 4, "--json", "--resume")
    data = optimize(*words, "--open-pores", "--smallest-member", 2).data
    assert data["closed_pores"] == 0 and data["thinnest_member"] >= 2 and data["connected"]
    assert data["volume_fraction"] <= 0.3
    assert data["optimization"]["drilled"] >= 0
    assert data["settings"]["open_pores"] is True
    optimize(*words)  # as it was


PHASES = ["Starting", "Compiling", "Optimising", "Scoring", "Drawing", "Writing"]


def test_progress_is_on_standard_error(answer):
    """Every phase has a line when it begins, in a pipe as well, and one with its seconds when it ends."""
    data, err = answer
    assert "step 1 of 4: bulk modulus" in err
    assert "Optimising bulk modulus, at most 4 steps." in err
    assert phases(err) == PHASES
    assert set(data["phases"]) == {what.lower() for what in PHASES}
    assert 0.9 * data["seconds"] <= sum(data["phases"].values()) <= data["seconds"]
    assert data["phases"]["compiling"] > data["phases"]["optimising"]  # four steps of 4³ voxels


@pytest.mark.parametrize("phase", ["Scoring", "Drawing", "Writing"])
def test_sigterm_in_the_last_phases(optimize, tmp_path, monkeypatch, phase):
    """As in the loop: the exit code, one sentence, no file, and the run goes on where it was, with all its seconds."""
    begun, where = Progress.phase, tmp_path / "out"

    def ends(progress, what, of="", **more):
        begun(progress, what, of, **more)
        if what == phase and of:
            monkeypatch.setattr(Progress, "phase", begun)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.5)

    monkeypatch.setattr(Progress, "phase", ends)
    words = ("--max-steps", 4, "--output", where, "--json", "--young", 70)
    stopped = optimize(*words)
    assert (stopped.code, stopped.out) == (143, "")
    assert phases(stopped.err)[-1] == phase
    assert stopped.err.splitlines()[-1].startswith("Interrupted; to go on from the last step: jaxmeta optimize")
    assert [path.name for path in where.iterdir()] == ["checkpoint"]
    spent = spent_seconds(where / "checkpoint")
    assert spent > 0.5
    done = optimize(*words, "--resume")
    assert done.code == 0 and "step" not in phases(done.err)
    assert 0 <= done.data["seconds"] - spent - sum(done.data["phases"].values()) < 3
    assert (where / "report.html").exists()


@pytest.mark.slow
def test_runs_that_go_on(answer, folder, optimize, environment, tmp_path):
    _resume_of_a_longer_run(answer, folder, optimize)
    _interrupted_and_resumed(environment, tmp_path)


def _resume_of_a_longer_run(answer, folder, optimize):
    """More steps from the checkpoint are the same as all of them at once."""
    first, _ = answer
    options = ("--young", 70, "--output", folder, "--json", "--max-steps", 6)
    refused = optimize(*options)  # neither --resume nor --overwrite
    assert refused.code == 2
    assert "`--overwrite`" in refused.err
    longer = optimize(*options, "--resume").data
    assert longer["optimization"]["steps"] == 6
    history = json.loads((folder / "history.json").read_text())
    # What was optimised in four steps is what the fourth one saw.
    assert history["objective"][3] == pytest.approx(first["optimization"]["optimised"], rel=1e-3)
    other = optimize(*options, "--start", "iwp", "--resume")
    assert other.code == 2
    assert other.err.splitlines()[-1].startswith("Error: Argument `--resume` must be a folder of this same run")
    anew = optimize(*options, "--overwrite").data
    assert anew["optimization"]["optimised"] == pytest.approx(longer["optimization"]["optimised"], rel=1e-9)
    np.testing.assert_allclose(anew["stiffness"], longer["stiffness"], rtol=1e-9, atol=1e-9)


def test_a_foreign_checkpoint_folder_is_left_alone(run, tmp_path):
    (tmp_path / "out" / "checkpoint").mkdir(parents=True)
    (tmp_path / "out" / "checkpoint" / "mine.txt").write_text("mine")
    answer = run("optimize", *SMALL, "--output", tmp_path / "out", "--overwrite")
    assert answer.code == 2
    assert (tmp_path / "out" / "checkpoint" / "mine.txt").read_text() == "mine"


def test_constraints_and_a_start_from_a_file(run, tmp_path):
    np.save(tmp_path / "start.npy", np.full((8, 8, 8), 0.4))
    answer = run(
        "optimize", *SMALL[2:], "--start", tmp_path / "start.npy", "--objective", "poisson", "--max-steps", 2,
        "--volume-fraction", 0.4, "--smallest-feature", 1.5, "--output", tmp_path / "out",
    )  # fmt: skip
    assert answer.code == 0
    assert "Binary cell of 8 × 8 × 8 voxels, cubic symmetry" in answer.out
    assert "Poisson's ratio: " in answer.out
    assert "C11 is kept above 0.043" in answer.out
    assert "allow more with `--max-steps`" in answer.out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    names = [constraint["name"] for constraint in report["optimization"]["constraints"]]
    assert names == ["C11 at least 0.043", "smallest solid feature 1.5", "volume fraction at most"]
    page = (tmp_path / "out" / "report.html").read_text()
    for row in report["optimization"]["constraints"]:
        assert f'<th scope="row">{row["name"]}</th>' in page
    assert f"{report['volume_fraction']:.5g}</td>" in page


def _interrupted_and_resumed(environment, tmp_path):
    """Ctrl-C in the middle: exit code 130, and the advice is a command that goes on."""
    words = ["optimize", *map(str, SMALL), "--young", "70", "--max-steps", "30", "--json"]
    shared = {name: value for name, value in os.environ.items() if name.startswith(("JAX_", "XLA_"))}  # compiled above
    options = {"cwd": tmp_path, "env": environment | shared, "text": True}
    with subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        lines = []
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            lines.append(line)
            if line.startswith("step 10 of 30"):
                process.send_signal(signal.SIGINT)
        assert process.wait(timeout=300) == 130
        assert process.stdout.read() == ""
    assert "Traceback" not in "".join(lines)
    assert "step 20 of 30" not in "".join(lines)
    advice = lines[-1].split(": ", 1)
    assert advice[0] == "Interrupted; to go on from the last step"
    command = shlex.split(advice[1])
    assert command == ["jaxmeta", *words, "--resume"]
    done = subprocess.run([*PROGRAM, *command[1:]], capture_output=True, timeout=600, **options)
    assert done.returncode == 0, done.stderr
    assert "step 10 of 30" not in done.stderr
    assert json.loads(done.stdout)["optimization"]["steps"] == 30


@pytest.mark.parametrize("name", ["trigonometric", "random", "primitive", "iwp"])
@pytest.mark.parametrize("symmetry", ["none", "mirror", "cubic"])
def test_starts(name, symmetry):
    density, spacing = Start(start=name, resolution=8).build(symmetry, 0.3, 1.0, "float32")
    assert density.shape == ((8, 8, 8) if symmetry == "none" else (4, 4, 4))
    assert density.dtype == np.float32
    assert spacing == (1.0, 1.0, 1.0)
    assert float(density.mean()) == pytest.approx(0.3, abs=1e-3)


def test_start_from_a_file(tmp_path):
    """A cell without the symmetry is averaged."""
    noise = np.random.default_rng(0).random((6, 6, 6))
    np.save(tmp_path / "a.npy", noise)
    for symmetry in ("none", "mirror", "cubic"):
        density, _ = Start(start=str(tmp_path / "a.npy")).build(symmetry, 0.3, 1.0, "float64")
        whole = density if symmetry == "none" else jm.symmetry.unfold(density)
        np.testing.assert_allclose(whole, jm.symmetry.symmetrize(noise, symmetry), rtol=1e-12)


def test_goals():
    """Signs, bounds and units of objectives and constraints, on a stiffness with no symmetry."""
    rng = np.random.default_rng(1)
    root = rng.standard_normal((6, 6))
    c, rho = jnp.asarray(root @ root.T + 3 * np.eye(6)), jnp.full((2, 2, 2), 0.3)
    bulk = c[:3, :3].sum() / 9
    young = 1 / np.linalg.inv(c)[1, 1]
    limits = Limits(min_bulk=2.0, min_young=1.0, max_poisson=0.5, min_c44=2.0)
    goal = make_goal("young", (0.0, 2.0, 0.0), Target(), limits, SOLID, 0.3)
    assert goal.sign * float(goal.objective(c, rho)) == pytest.approx(young)
    values = {constraint.name.split(" at ")[0]: float(constraint(c, rho)) for constraint in goal.constraints}
    assert values["bulk modulus"] == pytest.approx((2 - bulk) / 2)
    assert values["C44"] == pytest.approx((2 - np.diag(c)[3:].mean()) / 2)
    assert values["Young's modulus along (0.0, 2.0, 0.0)"] == pytest.approx(1 - young)
    assert len(values) == 4
    limits = Limits(smallest_feature=3.0, smallest_gap=2.5)
    goal = make_goal("bulk", None, Target(), limits, SOLID, 0.3)
    assert goal.constraints == (jm.constraints.smallest_feature(3.0), jm.constraints.smallest_feature(2.5, "void"))
    target = Target(target_c11=0.15, target_c12=0.05, target_c44=0.04)
    goal = make_goal("match", None, target, Limits(), SOLID, 0.3)
    assert goal.sign == 1
    assert float(goal.objective(jnp.asarray(target.stiffness()), rho)) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(target.stiffness()[:3, :3], 0.05 + 0.1 * np.eye(3), rtol=1e-12)


def test_targets_in_engineering_terms():
    """Of the nearest isotropic tensor, each by itself for the least volume, and together as a tensor to match."""
    target = Target(target_young=0.1, target_poisson=0.2)
    exact = jm.Isotropic(0.1, 0.2).stiffness
    np.testing.assert_allclose(target.stiffness(), exact, rtol=1e-12)
    goal = make_goal("volume", None, target, Limits(isotropic=0.03), SOLID, 1.0)
    rho = jnp.full((2, 2, 2), 0.3)
    assert float(goal.objective(exact, rho)) == pytest.approx(0.3)
    names = [function.name for function in goal.constraints]
    assert names == ["Young's modulus 0.1", "Poisson's ratio 0.2", "isotropic within 0.03"]
    off = jm.Isotropic(0.099, 0.202).stiffness  # 1 % each; of a ratio that is twice what is allowed
    assert float(goal.constraints[0](off, rho)) == pytest.approx(0.01)
    assert float(goal.constraints[1](off, rho)) == pytest.approx(1.0, abs=1e-3)
    assert float(goal.constraints[0].quantity(off, rho)) == pytest.approx(0.099)


def test_target_file(tmp_path):
    np.save(tmp_path / "c.npy", np.diag([3.0, 3, 3, 1, 1, 1]))
    np.testing.assert_array_equal(Target(target=tmp_path / "c.npy").stiffness(), np.diag([3.0, 3, 3, 1, 1, 1]))
