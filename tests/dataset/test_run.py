"""Runs that make a library: their parts, their source, and what is said when a part cannot be written."""

import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from jaxmeta import dataset
from jaxmeta.dataset import Perturbation, Refinement, _file, _make
from jaxmeta.io import FileError
from jaxmeta.runs import WorkerError, Workers
from tests.dataset.libraries import ATTRIBUTES, columns


def make(task: int) -> _file.Columns:
    return columns(3, first=3 * task)


def run(folder: Path, tasks: int):
    return _make._run(folder, {}, tasks, ATTRIBUTES)


def test_a_damaged_part_is_named(tmp_path):
    two = run(tmp_path, 2)
    list(two.work(make))
    damaged = bytearray(two.file(1).read_bytes())
    damaged[-30] ^= 1
    two.file(1).write_bytes(damaged)
    with pytest.raises(FileError, match=r"000001\.h5`, record \d: expected the record as it was written"):
        two.parts()
    two.file(1).unlink()
    assert list(two.work(make)) == [1]
    assert [part["identity"].tolist() for part in two.parts()] == [[0, 1, 2], [3, 4, 5]]


def test_what_a_process_could_not_write_is_said(tmp_path):
    """It has no room, and its parent says so; nothing is done, and nothing is left in the way."""
    two, workers = run(tmp_path, 2), Workers(processes=2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))  # the processes inherit it
    try:
        with pytest.raises(WorkerError, match=r"code 1; call again .* It said: File `.*\.h5`, writing: expected room"):
            workers.work(two, partial(columns, 5, 6), "cells", None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert two.done() == []
    assert list(two.work(make)) == [0, 1]


def test_the_run_of_another_source_is_refused(tmp_path, monkeypatch):
    """A file of the same name and length with other cells in it is another source."""
    source, output = tmp_path / "source.h5", tmp_path / "new.h5"
    _file.write(source, columns(4), ATTRIBUTES, overwrite=False)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Workers, "work", killed)
    commands = ((dataset.perturb, Perturbation(3)), (dataset.refine, Refinement(steps=1)))
    for command, settings in commands:
        with pytest.raises(KeyboardInterrupt):
            command(source, output.with_stem(command.__name__), settings)
    _file.write(source, columns(4, first=1), ATTRIBUTES, overwrite=True)
    for command, settings in commands:
        with pytest.raises(FileError, match=r"run\.json`, settings: .* it has another source"):
            command(source, output.with_stem(command.__name__), settings)


def test_what_is_finished(tmp_path):
    """The parts of all rounds, and nothing that is being written."""
    folder = dataset.run_folder(tmp_path / "new.h5")
    assert folder == tmp_path / "new.h5.run" and dataset.finished(tmp_path / "new.h5") == []
    first, second = run(folder / "round-1", 1), run(folder / "round-2", 2)
    list(first.work(make))
    next(second.work(make))
    (folder / "round-2" / "parts" / ".000001.h5.ab.tmp").write_text("")
    assert dataset.finished(tmp_path / "new.h5") == [first.file(0), second.file(0)]


def test_reading_needs_nothing_of_unix():
    """Nor does the command line; modules that Windows lacks are not there."""
    program = (
        "import sys\n"
        "for name in ('fcntl', 'grp', 'pwd', 'resource', 'termios'):\n    sys.modules[name] = None\n"
        "import jaxmeta as jm\nfrom jaxmeta.cli import main\nfrom jaxmeta.runs import Checkpoint, Run\n"
        "assert len(jm.dataset.load()) > 5000 and main(['dataset', 'generate', '--help']) == 0"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
