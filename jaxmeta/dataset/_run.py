"""A run that lasts: numbered tasks in a folder, each done once, by any number of processes.

A task's records are one small dataset file, put in its place whole, so that a run which is killed at any moment loses
what was not finished and nothing else. A process that works at a task holds a lock on the task's file in `claims`,
which the system lets go when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..io import FileError, file_error, write_bytes
from . import _file

SETTINGS = "run.json"


@dataclass(frozen=True)
class Run:
    """The folder of a run.

    Args:
        folder: made if it is not there.
        settings: what the run was given; a folder that holds a run with others is refused.
        tasks: number of tasks.
    """

    folder: Path
    settings: Mapping[str, Any]
    tasks: int

    def __post_init__(self) -> None:
        (self.folder / "parts").mkdir(parents=True, exist_ok=True)
        (self.folder / "claims").mkdir(exist_ok=True)
        stated = json.dumps({**self.settings, "tasks": self.tasks}, indent=1, sort_keys=True).encode()
        path = self.folder / SETTINGS
        if not path.exists():
            try:
                write_bytes(path, stated, overwrite=False)
            except FileError:
                if not path.exists():  # another process may have been first
                    raise
        found = json.loads(path.read_bytes())
        wanted = json.loads(stated)
        for name in sorted({*found, *wanted}):
            if found.get(name) != wanted.get(name):
                expected = f"`{name}` {found.get(name)!r} as before in this folder"
                raise file_error(path, "settings", expected, f"it is {wanted.get(name)!r} now")

    def part(self, task: int) -> Path:
        """The file of a task's records."""
        return self.folder / "parts" / f"{task:06d}.h5"

    def remaining(self) -> list[int]:
        """Tasks without a file."""
        done = {path.name for path in (self.folder / "parts").iterdir()}
        return [task for task in range(self.tasks) if self.part(task).name not in done]

    def work(self, make: Callable[[int], Mapping[str, np.ndarray]], attributes: Mapping[str, Any]) -> Iterator[int]:
        """Do what is left to do, and give the number of every task that was done here.

        Args:
            make: the records of a task, columns of `_file.COLUMNS`; the same whenever it is called.
            attributes: of the files.
        """
        for task in self.remaining():
            with self._claimed(task) as mine:
                if mine and not self.part(task).exists():
                    for left in self.part(task).parent.glob(f".{self.part(task).name}.*.tmp"):
                        left.unlink(missing_ok=True)  # of a process that was killed while it wrote
                    _file.write(self.part(task), make(task), attributes, overwrite=False)
                    yield task

    @contextmanager
    def _claimed(self, task: int) -> Iterator[bool]:
        file = os.open(self.folder / "claims" / f"{task:06d}", os.O_CREAT | os.O_WRONLY, 0o666)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(file)

    def columns(self) -> _file.Columns:
        """The records of all parts that are there, in the order of the tasks.

        Raises:
            FileError: a part is damaged; remove it, and the run makes it again.
        """
        parts = [read_columns(path) for path in sorted((self.folder / "parts").glob("*.h5"))]
        return joined(parts)


def read_columns(path: Path) -> _file.Columns:
    """All columns of a file, checked.

    Raises:
        FileError: the file or a record of it is damaged.
    """
    with _file.open_file(path, damaged=False) as file:
        columns = {name: file[name][()] for name in _file.COLUMNS}
    wrong = np.flatnonzero(_file.checksums(columns) != columns.pop("checksum"))
    if len(wrong):
        raise file_error(path, f"record {wrong[0]}", "the record as it was written", "its checksum differs")
    return columns


def joined(parts: Sequence[Mapping[str, np.ndarray]]) -> _file.Columns:
    """Rows of several sets of columns, one set after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
