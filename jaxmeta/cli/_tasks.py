"""A command whose work is done in tasks: progress, picture, interruption, and what it says at the end."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..runs import TaskProgress
from ._coverage import Coverage
from ._options import flat
from ._session import session, versions

if TYPE_CHECKING:
    from jaxmeta.runs import Report, Workers

# As on every process of a run, so that all make the same cells.
DTYPE = "float32"


@runtime_checkable
class Maker(Protocol):
    """The options of such a command."""

    @property
    def output(self) -> Path: ...
    @property
    def workers(self) -> Workers: ...

    def make(self, report: Report) -> int:
        """Makes the library and returns its number of records."""
        ...


def run_tasks(command: Maker, words: list[str], cells: int | None, kept: Path | None = None) -> int:
    """Runs a command whose work is done in tasks.

    Args:
        command: The options.
        words: The command line.
        cells: Number of cells that all tasks of a round make, or None if each makes one.
        kept: File of a library whose records belong to the new one, or None.
    """
    try:
        command.workers.check()
        with session(DTYPE):
            began = time.perf_counter()
            coverage = Coverage(command.output, kept)
            with TaskProgress(cells) as progress:

                def report(what: str, done: int, total: int, **numbers: float) -> None:
                    progress.update(what, done, total, **numbers)
                    coverage.update()

                records = command.make(report)
                coverage.draw()
            tell(command, records, began, coverage)
    except KeyboardInterrupt:
        print(_advice(command, words), file=sys.stderr)
        return 130
    except RuntimeError as error:
        from jaxmeta.runs import WorkerError

        if not isinstance(error, WorkerError):  # one of JAX
            raise
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _advice(command: Maker, words: list[str]) -> str:
    jobs = "; jobs of the cluster run on" if command.workers.jobs else ""
    again = shlex.join(("jaxmeta", *words))
    return f"Interrupted{jobs}; the same command goes on with what is left: {again}"


def tell(command: Any, records: int, began: float, coverage: Coverage | None = None) -> None:
    """Says what was made.

    Args:
        command: The options, `output`, `json` and perhaps `source` among them.
        records: Number of records.
        began: When, by `time.perf_counter`.
        coverage: The picture, if the run has one.
    """
    from jaxmeta.io import to_json

    from .._texts import duration

    facts: dict[str, Any] = {
        "command": f"dataset {type(command).__name__.lower()}",
        "output": str(command.output),
        "records": records,
        "settings": {name: value for name, value in flat(command).items() if name not in ("source", "output")},
        "versions": versions(),
    }
    if hasattr(command, "source"):
        facts["source"] = str(command.source)
    notes = [] if coverage is None else coverage.notes
    if coverage is not None:
        facts |= {"picture": str(coverage.path) if coverage.path.exists() else None, "notes": notes}
    seconds = facts["seconds"] = time.perf_counter() - began
    if command.json:
        print(to_json(facts, non_finite="null"))
        return
    print(f"Wrote {records} record{'s' * (records != 1)} to {command.output} in {duration(seconds)}.")
    if coverage is not None and coverage.path.exists():
        print(f"{coverage.path} shows the properties reached; the rest of that folder is not needed any more.")
    for note in notes:
        print(f"Note: {note}")
