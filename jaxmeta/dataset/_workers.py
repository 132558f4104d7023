"""Who does the tasks of a run: this process, several on this machine, or the jobs of an array on a cluster.

A process works at one task on each of its devices at the same time.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from ..io import FileError
from ._run import Run

Make = Callable[[int], Mapping[str, np.ndarray]]
Report = Callable[[str, int, int], None]
"""Called now and then as report(what, tasks done, tasks)."""
PAUSE = 1.0
"""Seconds between two looks at what is done."""


class WorkerError(RuntimeError):
    """A process or a job failed; what was done is kept, and the same call goes on with what is left."""


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Args:
        processes: on this machine; with one, this process does it.
        jobs: of an array that `submitit` hands to the cluster, in place of processes here.
        cluster: "slurm", or "local" for processes in the place of jobs.
        parameters: of the jobs, as `submitit.AutoExecutor.update_parameters` takes them, such as
            ``{"timeout_min": 240, "slurm_partition": "cpu", "cpus_per_task": 1}``.
    """

    processes: int = 1
    jobs: int = 0
    cluster: str = "slurm"
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ValueError(f"Argument `processes` must be at least 1, but is {self.processes}.")
        if self.jobs < 0:
            raise ValueError(f"Argument `jobs` must not be negative, but is {self.jobs}.")
        if self.cluster not in ("slurm", "local"):
            raise ValueError(f'Argument `cluster` must be "slurm" or "local", but is {self.cluster!r}.')

    def work(self, run: Run, make: Make, attributes: Mapping[str, Any], what: str, report: Report | None) -> None:
        """Do all tasks of a run.

        Args:
            run: the run.
            make: the records of a task.
            attributes: of the files.
            what: is made, for the report.
            report: called with the progress.

        Raises:
            WorkerError: a process or a job failed; what was done is kept.
        """

        def tell() -> None:
            if report is not None:
                report(what, run.tasks - len(run.remaining()), run.tasks)

        tell()
        if not run.remaining():
            return
        if self.jobs:
            self._submit(run, make, attributes, tell)
        elif self.processes > 1:
            self._spawn(run, make, attributes, tell)
        else:
            for _ in _on_devices(run, make, attributes):
                tell()
        while run.remaining():  # another process is at these, or was when it ended
            time.sleep(PAUSE)
            for _ in _on_devices(run, make, attributes):
                tell()
        tell()

    def _spawn(self, run: Run, make: Make, attributes: Mapping[str, Any], tell: Callable[[], None]) -> None:
        context = multiprocessing.get_context("spawn")
        said = context.SimpleQueue()
        arguments = (run, make, attributes, os.getpid(), said)
        workers = [context.Process(target=_worker, args=arguments, daemon=True) for _ in range(self.processes)]
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

    def _submit(self, run: Run, make: Make, attributes: Mapping[str, Any], tell: Callable[[], None]) -> None:
        import submitit

        executor = submitit.AutoExecutor(folder=run.folder / "jobs", cluster=self.cluster)
        executor.update_parameters(**self.parameters)
        jobs = executor.map_array(_job, *zip(*[(run, make, attributes)] * self.jobs, strict=True))
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


def _worker(run: Run, make: Make, attributes: Mapping[str, Any], parent: int, said: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    try:
        for _ in _on_devices(run, make, attributes):
            if os.getppid() != parent:  # which was killed: end like it, between two tasks
                return
    except FileError as error:
        said.put(str(error))
        sys.exit(1)


def _job(run: Run, make: Make, attributes: Mapping[str, Any]) -> None:
    for _ in _on_devices(run, make, attributes):
        pass


def _on_devices(run: Run, make: Make, attributes: Mapping[str, Any]) -> Iterator[int]:
    """`Run.work` on every device of this process."""
    devices, precise = jax.local_devices(), jax.config.read("jax_enable_x64")
    if len(devices) == 1:
        yield from run.work(make, attributes)
        return
    done, stop = queue.SimpleQueue(), threading.Event()

    def work(device: Any) -> None:
        with jax.enable_x64(precise), jax.default_device(device):  # both are settings of a thread
            for task in run.work(make, attributes):
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
