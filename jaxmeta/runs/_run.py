"""A run of numbered tasks in a folder, each done once, by any number of processes.

What a task gives is one small file, put in its place whole, so that a run which is killed at any moment loses what was
not finished and nothing else. A process that works at a task holds a lock on the task's file in `claims`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..io import file_error
from ._folder import SETTINGS, locked, settle
from ._workers import PAUSE

Part = TypeVar("Part")


@dataclass(frozen=True)
class Run(Generic[Part]):
    """The folder of a run.

    Args:
        folder: made if it is not there.
        settings: what the run was given, as JSON can hold it; a folder that holds a run with others is refused. What
            cannot be written so goes in as its `digest` or `function_digest`.
        tasks: number of tasks.
        write: puts what a task gave into a new file, whole or not at all, as `io.write_bytes` does.
        read: the content of such a file.
        suffix: of its name.

    Raises:
        FileError: the folder cannot be written, or holds another run.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from jaxmeta.io import write_bytes
        >>> from jaxmeta.runs import Run
        >>> def write(path, text):
        ...     write_bytes(path, text.encode(), overwrite=False)
        >>> with tempfile.TemporaryDirectory() as name:
        ...     run = Run(Path(name), {"what": "squares"}, 3, write, Path.read_text, ".txt")
        ...     done = list(run.work(lambda task: str(task**2)))
        ...     again = list(run.work(lambda task: str(task**2)))
        ...     parts = run.parts()
        >>> done, again, parts
        ([0, 1, 2], [], ['0', '1', '4'])
    """

    folder: Path
    settings: Mapping[str, Any]
    tasks: int
    write: Callable[[Path, Part], None]
    read: Callable[[Path], Part]
    suffix: str = ""

    def __post_init__(self) -> None:
        for name in ("parts", "claims"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        changed = settle(self.folder, {**self.settings, "tasks": self.tasks})
        if changed:
            raise file_error(self.folder / SETTINGS, "settings", "those of this same run", f"it has another {changed}")

    def file(self, task: int) -> Path:
        """Where the part of a task is, or will be."""
        return self.folder / "parts" / f"{task:06d}{self.suffix}"

    def done(self) -> list[int]:
        """Numbers of the tasks whose parts are there."""
        names = {path.name for path in (self.folder / "parts").iterdir()}
        return [task for task in range(self.tasks) if self.file(task).name in names]

    def work(self, make: Callable[[int], Part]) -> Iterator[int]:
        """Do what is left to do, and give the number of every task that was done here.

        Args:
            make: the part of a task; the same whenever it is called.
        """
        for task in sorted({*range(self.tasks)} - {*self.done()}):
            claim = locked(self.folder / "claims" / f"{task:06d}")
            if claim is None:
                continue
            try:
                file = self.file(task)
                if not file.exists():
                    for left in file.parent.glob(f".{file.name}.*.tmp"):
                        left.unlink(missing_ok=True)  # of a process that was killed while it wrote
                    self.write(file, make(task))
                    yield task
            finally:
                claim.release()

    def finish(self, make: Callable[[int], Part]) -> Iterator[int]:
        """`work`, and wait for what other processes are at, which is done here if they end before.

        Args:
            make: the part of a task; the same whenever it is called.
        """
        yield from self.work(make)
        while len(self.done()) < self.tasks:
            time.sleep(PAUSE)
            yield from self.work(make)

    def parts(self) -> list[Part]:
        """What the tasks gave that are done, in their order."""
        return [self.read(self.file(task)) for task in self.done()]
