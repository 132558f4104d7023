"""Long runs by tasks: who works, progress, picture, interruption, failure."""

from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest
import submitit  # noqa: F401  # not later: with its logging it closes what an earlier handler writes to, as pytest's stream

from jaxmeta import dataset
from jaxmeta.cli import _coverage
from jaxmeta.cli._coverage import Coverage
from jaxmeta.cli._dataset_make import Generate, Perturb, Refine, Select
from jaxmeta.dataset import _file
from jaxmeta.runs import TaskProgress, WorkerError, Workers, _progress
from tests.dataset.libraries import ATTRIBUTES, columns


@pytest.fixture
def clock(monkeypatch):
    """A time that stands still until the test moves it."""
    now = [1000.0]
    for module in (_progress, _coverage):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_options_are_the_settings_of_the_library():
    """Declared there and nowhere else: the groups of options are its classes."""
    made = {command: {field.name for field in fields(command)} for command in (Generate, Perturb, Refine, Select)}
    assert made == {
        Generate: {"output", "generation", "workers", "json"},
        Perturb: {"source", "output", "perturbation", "workers", "json"},
        Refine: {"source", "output", "refinement", "workers", "json"},
        Select: {"source", "output", "selection", "json"},
    }
    assert type(Generate(Path("a")).workers) is Workers and type(Generate(Path("a")).generation) is dataset.Generation


@pytest.fixture
def calls(monkeypatch):
    """Calls of `jaxmeta.dataset`, which do nothing."""
    seen = []
    for name in ("generate", "perturb", "refine", "select"):

        def call(*given, name=name, **options):
            options.pop("report", None)
            seen.append((name, *given, options))
            return 7

        monkeypatch.setattr(dataset, name, call)
    return seen


def test_options_reach_the_library(run, calls, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run("dataset", "generate", "a.h5", "--count", 3, "--side", 16, "--lowest", 0.3, "--processes", 2).code == 0
    words = ("--count", 4, "--amplitude", 1, 2, "--rounds", 3, "--seed", 5, "--jobs", 2, "--cluster", "local")
    answer = run("dataset", "perturb", "a.h5", "b.h5", *words, "--parameters", '{"timeout_min": 5}', "--json")
    assert run("dataset", "refine", "a.h5", "c.h5", "--count", 2, "--steps", 3).code == 0
    assert run("dataset", "select", "a.h5", "d.h5", "--count", 9, "--overlap", 0.9).code == 0
    one = Workers()
    a, b, c, d = (Path(f"{name}.h5") for name in "abcd")
    jobs = Workers(1, 2, "local", {"timeout_min": 5})
    assert calls == [
        ("generate", a, dataset.Generation(3, side=16, lowest=0.3), {"workers": Workers(2)}),
        ("perturb", a, b, dataset.Perturbation(4, 5, 3, (1.0, 2.0)), {"workers": jobs}),
        ("refine", a, c, dataset.Refinement(2, 3), {"workers": one}),
        ("select", a, d, dataset.Selection(9, 0.9), {}),
    ]
    data = answer.data
    assert data["command"] == "dataset perturb" and data["records"] == 7 and data["settings"]["rounds"] == 3
    assert data["source"] == "a.h5" and data["output"] == "b.h5" and data["picture"] is None


CASES = [
    ("--processes 0", "`--processes`"),
    ("--jobs -1", "`--jobs`"),
    ("--cluster local", "`--cluster` must come with `--jobs`"),
    ('--parameters {"a":1}', "`--parameters` must come with `--jobs`"),
    ("--jobs 1 --processes 2 --cluster local", "`--processes` must not come with `--jobs`"),
    ("--jobs 1 --cluster local --parameters {x", "`--parameters` must be JSON text"),
    ("--jobs 1 --cluster local --parameters [1]", "`--parameters` must be a JSON object"),
    ('--jobs 1 --cluster local --parameters {"timeout_mn":5}', "`--parameters` must be those of submitit: Unknown"),
    ("--count 0", "`--count` must be at least 1"),
    ("--side 9", "`--side` must be even"),
    ("--lowest 0.8 --highest 0.3", "`--lowest` and `--highest`"),
    ("--cluster sge", "--cluster"),
    ("--cuont 2", "perhaps you meant --count. See `jaxmeta dataset generate --help`"),
]


@pytest.mark.parametrize(("words", "part"), CASES, ids=[words for words, _ in CASES])
def test_one_sentence(run, monkeypatch, tmp_path, words, part):
    monkeypatch.chdir(tmp_path)
    answer = run("dataset", "generate", "a.h5", *words.split())
    assert answer.code == 2 and answer.out == ""
    assert answer.err.startswith("Error: ") and answer.err.count("\n") == 1 and part in answer.err
    assert list(tmp_path.iterdir()) == []


def test_no_slurm(run, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = run("dataset", "generate", tmp_path / "a.h5", "--jobs", 3)
    assert answer.code == 2 and "`--jobs` needs Slurm's command srun" in answer.err


@pytest.mark.parametrize("jobs", [False, True])
def test_interrupted(run, monkeypatch, tmp_path, jobs):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "generate", interrupt)
    words = ["dataset", "generate", str(tmp_path / "my cells.h5")]
    words += ["--jobs", "2", "--cluster", "local"] if jobs else []
    answer = run(*words, "--json")
    assert answer.code == 130 and answer.out == "" and answer.err.count("\n") == 1
    tail = " --jobs 2 --cluster local" if jobs else ""
    assert answer.err.endswith(f"goes on with what is left: jaxmeta dataset generate '{words[2]}'{tail} --json\n")
    assert ("jobs of the cluster run on" in answer.err) == jobs


def test_a_worker_that_fails(run, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise WorkerError("A process ended with code -9; call again to go on with what is left.")

    monkeypatch.setattr(dataset, "generate", fail)
    answer = run("dataset", "generate", tmp_path / "a.h5")
    assert answer.code == 1 and answer.out == ""
    assert answer.err == "Error: A process ended with code -9; call again to go on with what is left.\n"


def test_faults_are_not_hidden(run, monkeypatch, tmp_path):
    class Fault(RuntimeError):
        pass

    def fail(*_, **__):
        raise Fault("of the compiler")

    monkeypatch.setattr(dataset, "generate", fail)
    with pytest.raises(Fault):
        run("dataset", "generate", tmp_path / "a.h5")


def test_lines(clock, capsys):
    """One at the beginning and at the end, and between them none within half a minute or for less than a twentieth."""
    with TaskProgress(200) as progress:
        progress.update("cells", 10, 40)
        done = {10: 20, 25: 21, 31: 22, 65: 23, 100: 25, 399: 26, 401: 26, 410: 40, 411: 40}
        for seconds, tasks in done.items():
            clock[0] = 1000.0 + seconds
            progress.update("cells", tasks, 40)
        progress.update("cells, round 2", 0, 40)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "25 % of 200 cells done.",
        "55 % of 200 cells done: 116 a minute, 46 s left.",
        "62 % of 200 cells done: 45 a minute, 1 min 40 s left.",
        "65 % of 200 cells done: 12 a minute, 5 min 49 s left.",
        "100 % of 200 cells done: 22 a minute.",
        "0 % of 200 cells, round 2 done.",
    ]


def test_throughput_of_thousands(clock, capsys):
    with TaskProgress(4000) as progress:
        progress.update("cells", 0, 40)
        clock[0] += 60
        progress.update("cells", 20, 40)
    assert capsys.readouterr().err.splitlines()[1] == "50 % of 4000 cells done: 2000 a minute, 1 min 0 s left."


def part(folder: Path, number: int, rows: int) -> None:
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    given = columns(rows, first=10 * number)
    _file.write(folder / "parts" / f"{number:06d}.h5", given, ATTRIBUTES, overwrite=False)


@pytest.fixture
def drawn(monkeypatch):
    """Numbers of records, and of optimised ones among them, in the pictures that were drawn."""
    from jaxmeta import render

    seen = []

    def draw(path, constants, volume_fraction, *, optimised, overwrite):
        assert len(constants) == len(volume_fraction) == len(optimised) and overwrite
        seen.append((Path(path).name, len(constants), int(optimised.sum())))

    monkeypatch.setattr(render, "property_space", draw)
    return seen


def test_picture(clock, drawn, tmp_path):
    """At most one a minute, at the end as well, of all parts of all rounds and what the new library keeps."""
    given = columns(5)
    given["round"][3:] = 1
    _file.write(tmp_path / "old.h5", given, ATTRIBUTES, overwrite=False)
    coverage = Coverage(tmp_path / "new.h5", tmp_path / "old.h5")
    folder = tmp_path / "new.h5.run"
    assert coverage.path == folder / "coverage.png"
    part(folder / "round-1", 1, 4)
    coverage.update()
    clock[0] += 59
    coverage.update()
    assert drawn == []
    clock[0] += 1
    coverage.update()
    assert drawn == [("coverage.png", 9, 7)]
    part(folder / "round-2", 1, 6)
    part(folder / "round-2", 2, 0)
    coverage.update()
    assert len(drawn) == 1
    coverage.draw()
    coverage.draw()  # nothing new
    assert drawn[1:] == [("coverage.png", 15, 13)] and coverage.notes == []


def test_slow_pictures_are_rare(clock, monkeypatch, drawn, tmp_path):
    coverage = Coverage(tmp_path / "new.h5", None)
    part(coverage.path.parent, 0, 3)
    monkeypatch.setattr(coverage, "_draw", lambda: clock.__setitem__(0, clock[0] + 10.0))
    clock[0] += 60
    coverage.update()
    monkeypatch.undo()
    part(coverage.path.parent, 1, 3)
    due = coverage._due - clock[0]
    assert due == pytest.approx(200.0)


def test_no_picture_is_no_failure(drawn, tmp_path):
    coverage = Coverage(tmp_path / "new.h5", None)
    part(coverage.path.parent, 0, 3)
    (coverage.path.parent / "parts" / "000001.h5").write_text("half a part")
    coverage.draw()
    assert drawn == []
    (note,) = coverage.notes
    assert note.startswith("The picture of the properties reached could not be drawn: File ")
    part(coverage.path.parent, 2, 3)
    (coverage.path.parent / "parts" / "000001.h5").unlink()
    coverage.draw()
    assert drawn == [("coverage.png", 6, 6)] and coverage.notes == []
