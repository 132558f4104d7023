"""Who does the tasks of a run: this process, several on this machine, or the jobs of an array on a cluster.

A process works at one task on each of its devices at the same time.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ._run import Run

Make = Callable[[int], Any]
PAUSE = 1.0
"""Seconds between two looks at what is done."""


@runtime_checkable
class Report(Protocol):
    """Hears of the progress of a run, now and then."""

    def __call__(self, what: str, done: int, total: int, **numbers: float) -> None:
        """Take note.

        Args:
            what: is made; another text begins anew.
            done: steps or tasks done, of all processes.
            total: steps or tasks.
            numbers: what is worth seeing besides.
        """
        ...


class WorkerError(RuntimeError):
    """A process or a job failed; what was done is kept, and the same call goes on with what is left."""


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Args:
        processes: Processes on this machine; with one, this process does it.
        jobs: Jobs of an array on a cluster, in place of processes here; needs `jaxmeta[slurm]`.
        cluster: Cluster of the jobs, or local for processes in the place of jobs.
        parameters: Parameters of the jobs for submitit, such as '{"timeout_min": 240, "slurm_partition": "cpu"}'.
    """

    processes: int = 1
    jobs: int = 0
    cluster: Literal["slurm", "local"] = "slurm"
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ValueError(f"Argument `processes` must be at least 1, but is {self.processes}.")
        if self.jobs < 0:
            raise ValueError(f"Argument `jobs` must not be negative, but is {self.jobs}.")
        if self.cluster not in ("slurm", "local"):
            raise ValueError(f'Argument `cluster` must be "slurm" or "local", but is {self.cluster!r}.')
        for name, given in (("cluster", self.cluster != "slurm"), ("parameters", bool(self.parameters))):
            if given and not self.jobs:
                raise ValueError(f"Argument `{name}` must come with `jobs`, which is missing.")
        if self.jobs and self.processes > 1:
            raise ValueError("Argument `processes` must not come with `jobs`, which take their place.")

    def check(self) -> None:
        """Refuse jobs that this machine cannot hand over, before a run is begun.

        Raises:
            ValueError: Slurm is missing, or a parameter is none of submitit's.
        """
        if not self.jobs:
            return
        if self.cluster == "slurm" and shutil.which("srun") is None:
            raise ValueError("Argument `jobs` needs Slurm's command srun, which is missing here, or `cluster` local.")
        import submitit

        try:
            with TemporaryDirectory() as folder:
                submitit.AutoExecutor(folder, self.cluster).update_parameters(**self.parameters)
        except (AssertionError, NameError, TypeError, ValueError) as error:
            said = str(error).partition("\n")[0].rstrip(".")
            raise ValueError(f"Argument `parameters` must be those of submitit: {said}.") from None

    def work(self, run: Run, make: Make, what: str, report: Report | None) -> None:
        """Do all tasks of a run.

        Args:
            run: the run.
            make: the part of a task.
            what: is made, for the report.
            report: called with the progress.

        Raises:
            WorkerError: a process or a job failed; what was done is kept.
        """

        def tell() -> None:
            if report is not None:
                report(what, len(run.done()), run.tasks)

        tell()
        if len(run.done()) == run.tasks:
            return
        if self.jobs:
            self._submit(run, make, tell)
        elif self.processes > 1:
            self._spawn(run, make, tell)
        else:
            for _ in _on_devices(run, make):
                tell()
        while len(run.done()) < run.tasks:  # another process is at these, or was when it ended
            time.sleep(PAUSE)
            for _ in _on_devices(run, make):
                tell()
        tell()

    def _spawn(self, run: Run, make: Make, tell: Callable[[], None]) -> None:
        context = multiprocessing.get_context("spawn")
        said = context.SimpleQueue()
        given = (run, make, _precise(), said)
        workers = [context.Process(target=_worker, args=given, daemon=True) for _ in range(self.processes)]
        for number, worker in enumerate(workers):
            with _on_cores(number, self.processes):
                worker.start()
        try:
            while any(worker.is_alive() for worker in workers):
                time.sleep(PAUSE)
                tell()
        finally:
            for worker in workers:
                worker.terminate()
        failed = [worker.exitcode for worker in workers if worker.exitcode]
        if failed:
            why = "" if said.empty() else f" It said: {said.get()}"
            raise WorkerError(f"A process ended with code {failed[0]}; call again to go on with what is left.{why}")

    def _submit(self, run: Run, make: Make, tell: Callable[[], None]) -> None:
        import submitit

        executor = submitit.AutoExecutor(folder=run.folder / "jobs", cluster=self.cluster)
        executor.update_parameters(**self.parameters)
        jobs = executor.map_array(_job, *zip(*[(run, make, _precise())] * self.jobs, strict=True))
        while not all(job.done() for job in jobs):
            time.sleep(PAUSE)
            tell()
        failed = [error for error in (job.exception() for job in jobs) if error is not None]
        if failed:
            raise WorkerError(f"A job failed; call again to go on with what is left. It said: {failed[0]}")


@contextmanager
def _on_cores(number: int, processes: int) -> Iterator[None]:
    """A process that is started here stays on its share of the cores: two processes of one thread each do more than
    one of two, or two of two. XLA counts the cores once, when it starts."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[number % len(cores) :: processes])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _worker(run: Run, make: Make, precise: bool, said: Any) -> None:
    from ..io import FileError

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    parent = multiprocessing.parent_process()
    try:
        _set_precision(precise)
        for _ in _on_devices(run, make):
            if parent is not None and not parent.is_alive():  # it was killed: end like it, between two tasks
                return
    except FileError as error:
        said.put(str(error))
        sys.exit(1)


def _job(run: Run, make: Make, precise: bool) -> None:
    _set_precision(precise)
    for _ in _on_devices(run, make):
        pass


def _precise() -> bool:
    from ._folder import switch

    return switch("jax_enable_x64")


def _set_precision(precise: bool) -> None:
    """In a process of this run: that of the one which began it."""
    import jax

    jax.config.update("jax_enable_x64", precise)


def _on_devices(run: Run, make: Make) -> Iterator[int]:
    """`Run.work` on every device of this process."""
    import jax

    devices, precise = jax.local_devices(), _precise()
    if len(devices) == 1:
        yield from run.work(make)
        return
    done, stop = queue.SimpleQueue(), threading.Event()

    def work(device: Any) -> None:
        with jax.enable_x64(precise), jax.default_device(device):  # both are settings of a thread
            for task in run.work(make):
                done.put(task)
                if stop.is_set():
                    return

    with ThreadPoolExecutor(len(devices)) as pool:
        threads = [pool.submit(work, device) for device in devices]
        try:
            while not (done.empty() and all(thread.done() for thread in threads)):
                for thread in threads:
                    if thread.done():
                        thread.result()  # raises what it raised
                try:
                    yield done.get(timeout=PAUSE)
                except queue.Empty:
                    continue
            for thread in threads:
                thread.result()
        finally:
            stop.set()
