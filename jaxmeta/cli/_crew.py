"""Options that say who does the work of a long run."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from ._errors import UsageError

if TYPE_CHECKING:
    from jaxmeta.dataset import Workers


@dataclass(frozen=True)
class Crew:
    """Who does the work."""

    processes: int = 1
    """Processes on this machine."""
    jobs: int = 0
    """Jobs of an array on a cluster, in place of processes here; needs `jaxmeta[slurm]`."""
    cluster: Literal["slurm", "local"] = "slurm"
    """Cluster of the jobs, or local for processes in the place of jobs."""
    parameters: Annotated[str | None, tyro.conf.arg(metavar="JSON", help_behavior_hint="")] = None
    """Parameters of the jobs for submitit, such as '{"timeout_min": 240, "slurm_partition": "cpu"}'."""

    def check(self) -> None:
        """Refuses options that do not belong together, before anything is loaded.

        Raises:
            UsageError: If they do not.
        """
        if self.processes < 1:
            raise UsageError(f"Argument `processes` must be at least 1, but is {self.processes}.")
        if self.jobs < 0:
            raise UsageError(f"Argument `jobs` must not be negative, but is {self.jobs}.")
        for name, given in (("cluster", self.cluster != "slurm"), ("parameters", self.parameters is not None)):
            if given and not self.jobs:
                raise UsageError(f"Argument `{name}` must come with `jobs`, which is missing.")
        if self.jobs and self.processes > 1:
            raise UsageError("Argument `processes` must not come with `jobs`, which take their place.")
        if self.jobs and self.cluster == "slurm" and shutil.which("srun") is None:
            raise UsageError("Argument `jobs` needs Slurm's command srun, which is missing here, or `cluster` local.")
        if self.jobs:
            self._check_parameters()

    def workers(self) -> Workers:
        """The workers for `jaxmeta.dataset`."""
        from jaxmeta.dataset import Workers

        return Workers(self.processes, self.jobs, self.cluster, self._parsed())

    def _check_parameters(self) -> None:
        """Has submitit check them, before a run is begun."""
        import submitit

        parameters = self._parsed()
        try:
            with TemporaryDirectory() as folder:
                submitit.AutoExecutor(folder, self.cluster).update_parameters(**parameters)
        except (AssertionError, NameError, TypeError, ValueError) as error:
            said = str(error).partition("\n")[0].rstrip(".")
            raise UsageError(f"Argument `parameters` must be those of submitit: {said}.") from None

    def _parsed(self) -> dict[str, Any]:
        if self.parameters is None:
            return {}
        try:
            found = json.loads(self.parameters)
        except ValueError as error:
            raise UsageError(f"Argument `parameters` must be JSON text, but it cannot be read: {error}.") from None
        if not isinstance(found, dict):
            raise UsageError(f"Argument `parameters` must be a JSON object, but is {self.parameters}.")
        return found
