"""A run loses and doubles nothing, whenever it is killed and however many work at it; another one is refused."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxmeta.io import FileError
from jaxmeta.runs import WorkerError, Workers, _folder
from tests.runs import toy

ROOT = Path(__file__).parents[2]


def start(kind: str, folder: Path, count: int, pause: float = 0.0) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.runs.toy", kind, str(folder), str(count), str(pause)]
    env = {**os.environ, "JAX_ENABLE_X64": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env)


@pytest.mark.slow
def test_tasks_and_a_loop_that_are_killed(tmp_path):
    _tasks_killed_at_random_moments(tmp_path / "tasks")
    _a_loop_killed_and_resumed(tmp_path / "loop")


def _tasks_killed_at_random_moments(tmp_path):
    """Two processes at a time; one of them is killed twelve times."""
    tasks, random = 250, np.random.default_rng(0)
    helper = start("tasks", tmp_path, tasks)
    done = []
    for _ in range(12):
        victim = start("tasks", tmp_path, tasks)
        assert victim.stdout is not None and victim.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0, 0.03))
        os.kill(victim.pid, signal.SIGKILL)
        done += [int(line) for line in victim.stdout.read().splitlines()]
        victim.wait()
    assert helper.stdout is not None
    done += [int(line) for line in helper.stdout.read().splitlines()[1:]]
    assert helper.wait() == 0
    run = toy.run(tmp_path, tasks)
    list(run.work(toy.make))
    assert run.done() == list(range(tasks))
    assert len(done) == len(set(done)) > 190
    assert [number for part in run.parts() for number in part] == list(range(3 * tasks))
    assert not list(tmp_path.glob("**/.*.tmp"))


def _a_loop_killed_and_resumed(tmp_path):
    """SIGKILL three times on the way; it ends where a walk ends that was left alone, with the whole history."""
    taken = []
    for last in (8, 20, 33):
        victim = start("loop", tmp_path / "killed", 40, 0.03)
        assert victim.stdout is not None
        for line in victim.stdout:
            taken.append(int(line))
            if taken[-1] >= last:
                break
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
    state, history = toy.loop(tmp_path / "killed", 40)
    alone, whole = toy.loop(tmp_path / "alone", 40)
    assert len(taken) < 60  # it did not begin anew each time
    assert history == whole and len(whole["first"]) == 40
    np.testing.assert_array_equal(state.place, alone.place)
    np.testing.assert_array_equal(*(jax.random.key_data(end.key) for end in (state, alone)))


@pytest.fixture(params=["tasks", "loop"])
def begun(request, tmp_path):
    """A run with the seed 1 in a folder, and what takes it up with other settings."""
    again = {
        "tasks": lambda **settings: list(toy.run(tmp_path, 4, **settings).work(toy.make)),
        "loop": lambda **settings: toy.loop(tmp_path, 4, **settings)[1]["first"],
    }[request.param]
    again(seed=1, table={"b": [1.5, None]})
    return again


def test_another_run_is_refused(begun, monkeypatch):
    """Tasks and loops alike, and whatever differs: a setting, one that was not there, a version, a precision."""
    same = {"seed": 1, "table": {"b": [1.5, None]}}
    begun(**same)
    cases = [
        ({**same, "seed": 2}, r"another seed \(1, not 2\)"),
        ({**same, "table": {"b": [1.5, 0]}}, r'another table \(\{"b": \[1\.5, null\]\}, not'),
        ({**same, "more": 1}, r"another more \(null, not 1\)"),
        ({"seed": 1}, "another table"),
    ]
    for settings, text in cases:
        with pytest.raises(ValueError, match=f"this same run, but .*{text}"):
            begun(**settings)
    with jax.enable_x64(False), pytest.raises(ValueError, match=r"another x64 \(true, not false\)"):
        begun(**same)
    with jax.default_matmul_precision("high"), pytest.raises(ValueError, match="another matmul precision"):
        begun(**same)
    monkeypatch.setattr(_folder, "version", lambda name: "9.9")
    with pytest.raises(ValueError, match=r'another jax \("0\..*", not "9\.9"\), jaxlib .*, jaxmeta'):
        begun(**same)
    monkeypatch.undo()
    begun(**same)


def test_another_number_of_tasks_is_refused(tmp_path):
    toy.run(tmp_path, 4)
    with pytest.raises(
        FileError, match=r"run\.json`, settings: expected those of this same run, but it has another tasks"
    ):
        toy.run(tmp_path, 5)


def test_damaged_settings_are_named(begun, tmp_path):
    (tmp_path / "run.json").write_text('{"seed": 1')
    with pytest.raises(FileError, match=r"run\.json`, contents: expected the settings of a run in JSON"):
        begun(seed=1)


def test_a_part_that_is_removed_is_made_again(tmp_path):
    run = toy.run(tmp_path, 3)
    list(run.work(toy.make))
    run.file(1).unlink()
    assert run.done() == [0, 2] and run.parts() == [[0, 1, 2], [6, 7, 8]]
    assert list(run.work(toy.make)) == [1]


def test_a_task_is_claimed(tmp_path):
    """By another process or thread, and let go when its work fails."""
    run, seen = toy.run(tmp_path, 2), []

    def outer(task: int) -> list[int]:
        seen.append(list(run.work(toy.make)))
        return [task]

    assert list(run.work(outer)) == [0] and seen == [[1]]
    with pytest.raises(ZeroDivisionError):
        list(toy.run(tmp_path / "other", 1).work(lambda task: [1 // task]))
    assert list(toy.run(tmp_path / "other", 1).work(toy.make)) == [0]


def fail(task: int) -> list[int]:
    if task == 1:
        raise FileError("File `disk`, writing: expected room, but there is none.")
    return [task]


def precise(task: int) -> list[int]:
    return [int(jax.config.jax_enable_x64), os.getpid()]


@pytest.mark.parametrize(
    "workers", [Workers(processes=2), Workers(jobs=1, cluster="local", parameters={"timeout_min": 5})]
)
def test_workers(tmp_path, workers):
    """They work in the precision of who began the run, in other processes, and report."""
    run, heard = toy.run(tmp_path, 3), []
    workers.work(run, precise, "numbers", lambda *said, **_: heard.append(said))
    parts = run.parts()
    assert {part[0] for part in parts} == {1}
    assert os.getpid() not in {part[1] for part in parts}
    assert heard[0] == ("numbers", 0, 3) and heard[-1] == ("numbers", 3, 3)


def test_what_a_process_could_not_do_is_said(tmp_path):
    run = toy.run(tmp_path, 2)
    with pytest.raises(WorkerError, match=r"code 1; call again .* It said: File `disk`, writing: expected room"):
        Workers(processes=2).work(run, fail, "numbers", None)
    assert run.done() == [0]
    Workers().work(run, toy.make, "numbers", None)
    assert run.parts() == [[0], [3, 4, 5]]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"processes": 0}, "`processes` must be at least 1"),
        ({"jobs": -1}, "`jobs` must not be negative"),
        ({"cluster": "sge", "jobs": 1}, '`cluster` must be "slurm" or "local"'),
        ({"cluster": "local"}, "`cluster` must come with `jobs`"),
        ({"parameters": {"timeout_min": 1}}, "`parameters` must come with `jobs`"),
        ({"jobs": 1, "processes": 2}, "`processes` must not come with `jobs`"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_workers_that_make_no_sense(given, text):
    with pytest.raises(ValueError, match=text):
        Workers(**given)


def test_settings_are_kept_as_they_are_read(tmp_path):
    toy.run(tmp_path, 2, seed=1)
    kept = json.loads((tmp_path / "run.json").read_bytes())
    assert kept["seed"] == 1 and kept["tasks"] == 2 and kept["x64"] is True and kept["jax"] == jax.__version__


def test_no_lock_in_place_of_a_real_one(tmp_path, monkeypatch):
    """On a file system without locks a run is refused: what outlives a process that is killed is no lock."""
    fcntl = pytest.importorskip("fcntl")

    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", missing)
    with pytest.raises(FileError, match=r"000000`, locking: expected a folder that can be written to, with file locks"):
        list(toy.run(tmp_path, 1).work(toy.make))
    monkeypatch.undo()
    assert list(toy.run(tmp_path, 1).work(toy.make)) == [0]
