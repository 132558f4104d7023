"""A run loses nothing and doubles nothing, whenever it is killed and however many work at it."""

import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from jaxmeta.dataset import WorkerError, Workers
from jaxmeta.dataset._run import Run, read_columns
from jaxmeta.io import FileError
from tests.dataset.libraries import ATTRIBUTES, columns
from tests.dataset.worker import make

ROOT = Path(__file__).parents[2]


def start(folder: Path, tasks: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.dataset.worker", str(folder), str(tasks)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_killed_at_random_moments(tmp_path):
    """Two processes at a time; one of them is killed twelve times."""
    tasks, random = 250, np.random.default_rng(0)
    helper = start(tmp_path, tasks)
    done = []
    for _ in range(12):
        victim = start(tmp_path, tasks)
        assert victim.stdout is not None and victim.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0, 0.03))
        os.kill(victim.pid, signal.SIGKILL)
        done += [int(line) for line in victim.stdout.read().splitlines()]
        victim.wait()
    assert helper.stdout is not None
    done += [int(line) for line in helper.stdout.read().splitlines()[1:]]
    assert helper.wait() == 0
    run = Run(tmp_path, {"command": "test"}, tasks)
    list(run.work(make, ATTRIBUTES))
    assert run.remaining() == []
    assert len(done) == len(set(done)) > 190
    found, expected = run.columns(), columns(3 * tasks)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_a_run_with_other_settings_is_refused(tmp_path):
    Run(tmp_path, {"seed": 1}, 4)
    Run(tmp_path, {"seed": 1}, 4)
    with pytest.raises(
        FileError, match=r"run\.json`, settings: expected `seed` 1 as before in this folder, but it is 2"
    ):
        Run(tmp_path, {"seed": 2}, 4)
    with pytest.raises(FileError, match="expected `tasks` 4 as before"):
        Run(tmp_path, {"seed": 1}, 5)


def test_a_damaged_part_is_named(tmp_path):
    run = Run(tmp_path, {}, 2)
    list(run.work(make, ATTRIBUTES))
    damaged = bytearray(run.part(1).read_bytes())
    damaged[-30] ^= 1
    run.part(1).write_bytes(damaged)
    with pytest.raises(FileError, match=r"000001\.h5`, record \d: expected the record as it was written"):
        run.columns()
    run.part(1).unlink()
    assert list(run.work(make, ATTRIBUTES)) == [1]
    assert len(run.columns()["identity"]) == 6
    assert read_columns(run.part(0))["identity"].tolist() == [0, 1, 2]


def test_what_a_process_could_not_write_is_said(tmp_path):
    """It has no room, and its parent says so; nothing is done, and nothing is left in the way."""
    run, workers = Run(tmp_path, {}, 2), Workers(processes=2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))  # the processes inherit it
    try:
        with pytest.raises(WorkerError, match=r"code 1; call again .* It said: File `.*\.h5`, writing: expected room"):
            workers.work(run, partial(columns, 5, 6), ATTRIBUTES, "cells", None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert run.remaining() == [0, 1]
    assert list(run.work(make, ATTRIBUTES)) == [0, 1]
