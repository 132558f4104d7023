"""Commands run as a user runs them, with one compilation cache for all processes."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from jaxmeta.cli import main


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict:
        return json.loads(self.out)


def phases(err: str) -> list[str]:
    """The phases that are told of on standard error, in order.

    Each has a line at its beginning, but perhaps the first one, and at its end, but perhaps the last one.
    """
    lines = err.splitlines()
    ended = [line.split(":")[0] for line in lines if re.match(r"[A-Z][a-z]+: .*s\.$", line)]
    begun = [line.split()[0].rstrip(".") for line in lines if re.match(r"[A-Z][a-z]+ing\b[^:]*\.$", line)]
    begun = [what for what in begun if what != "Stopping"]
    begun = ended[: ended[:1] != begun[:1]] + begun
    assert begun[: len(ended)] == ended and len(begun) - len(ended) <= 1
    return begun


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """The environment of a user with an empty cache, on a processor."""
    cache = str(tmp_path_factory.mktemp("cache"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_", "TF_CPP"))}
    return kept | {"XDG_CACHE_HOME": cache, "JAX_PLATFORMS": "cpu", "COLUMNS": "100"}


@pytest.fixture
def run(capsys):
    """Runs a command inside this process."""

    def command(*words: object) -> Answer:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Answer(code, *capsys.readouterr())

    return command


@pytest.fixture
def shell(environment, tmp_path):
    """Runs a command as a process of its own."""

    def command(*words: object, **options) -> Answer:
        done = subprocess.run(
            [sys.executable, "-c", "import sys; from jaxmeta.cli import main; sys.exit(main())", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=600,
            **({"env": environment} | options),
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return command


@pytest.fixture(scope="session")
def frame() -> np.ndarray:
    """The edges of a cube, cubic, 8 × 8 × 8."""
    axis = np.array([1, 1, 0, 0, 0, 0, 1, 1])
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    return (x + y + z >= 2).astype(np.float32)


@pytest.fixture
def cell_file(tmp_path, frame) -> Path:
    path = tmp_path / "frame.npy"
    np.save(path, frame)
    return path
