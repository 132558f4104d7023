"""`jaxmeta cloak`: numbers, files, interruption, and what it refuses."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxmeta.multiscale import _make

SMALL = ("--cells", 12, "--inner", 2, "--outer", 4, "--max-steps", 25)


@pytest.mark.slow
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


@pytest.mark.slow
def test_cells_that_cannot_be(tmp_path, run, monkeypatch):
    """Faces with nothing on them, and stiffnesses that no cell has: one sentence before anything is fitted.

    The second run goes on from the design of the first."""
    fit, folder = _make.fit_tiles, tmp_path / "out"
    for change, said in (
        (lambda some, c: (some._replace(faces=np.zeros_like(some.faces)), c), "must have cells that connect"),
        (lambda some, c: (some, 50 * c), "must be near some cell of the library"),
    ):

        def changed(catalogue, constants, *others, change=change, **options):
            return fit(*change(catalogue, constants), *others, **options)

        monkeypatch.setattr(_make, "fit_tiles", changed)
        answer = run("cloak", *SMALL[:-1], 2, "--output", folder)
        assert answer.code == 2 and answer.err.count("Error:") == 1 and said in answer.err
        assert not (folder / "cloak.json").exists()


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path, shell, environment):
    """SIGKILL after the design, and after the first cell: it ends as a run left alone, and does nothing twice."""
    words = ("cloak", "--cells", 8, "--inner", 1, "--outer", 2, "--max-steps", 12, "--reference", "isotropic")

    def killed(once_there_is: str) -> None:
        command = [sys.executable, "-c", "import sys; from jaxmeta.cli import main; sys.exit(main())"]
        command += [*map(str, words), "--output", str(tmp_path / "killed")]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as victim:
            while not list(tmp_path.glob(once_there_is)):
                assert victim.poll() is None, victim.communicate()[1]
                time.sleep(0.01)
            victim.kill()

    killed("killed/run/design/rounded/states")
    designed = list(tmp_path.glob("killed/run/design/design/states/*"))
    killed("killed/run/cells/parts/*.npz")
    first = {path: path.stat().st_mtime_ns for path in tmp_path.glob("killed/run/cells/parts/*.npz")}
    ended = shell(*words, "--output", tmp_path / "killed", "--json")
    alone = shell(*words, "--output", tmp_path / "alone", "--json")
    assert ended.code == alone.code == 0, ended.err + alone.err
    assert list(tmp_path.glob("killed/run/design/design/states/*")) == designed
    assert len(first) < ended.data["distinct_cells"]
    assert all(path.stat().st_mtime_ns == at for path, at in first.items())
    with np.load(tmp_path / "killed/cloak.npz") as one, np.load(tmp_path / "alone/cloak.npz") as other:
        assert set(one) == set(other)
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=1e-7)


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
