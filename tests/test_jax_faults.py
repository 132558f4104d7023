"""Faults of JAX releases: the one that is installed has none but those that are known of it, others are refused."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import jaxlib
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
TRIED = "0.10.1"
"""The release with which this package was tried; see docs/versions.md."""
FAULTY = ("0.10.2", "0.11.0", "0.11.1", "0.11.2", "0.12.0", "0.12.0.1")
SHARED = {"array_that_is_shifted_in_place"}
"""Faults of the release that was tried, too; nothing in this package writes a part of an array over itself."""
PROGRAMS = [
    "product_and_sum_of_rows",
    "batched_product_that_is_summed",
    "one_operation_after_another",
    "small_writes_in_a_loop",
    "array_that_is_shifted_in_place",
    "sum_of_a_product_of_many_axes",
]


def test_the_release_is_the_one_that_was_tried():
    assert jax.__version__ == jaxlib.__version__ == TRIED


@pytest.mark.parametrize("name", ["jax", "jaxlib"])
def test_releases_with_faults_are_refused(name):
    """Those that were found, and any that may come."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    (pin,) = (r.specifier for r in map(Requirement, dependencies) if r.name == name)
    assert pin.contains(TRIED)
    assert not any(pin.contains(release) for release in (*FAULTY, "0.10.1.1", "0.12.1", "1.0"))


@pytest.fixture(scope="module")
def wrong() -> dict[str, str]:
    """What is wrong with each program, in a process without flags."""
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    command = [sys.executable, str(Path(__file__).with_name("jax_faults.py"))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    found = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    return {name: found.get(name, f"ended the process: {done.stderr[-300:]}") for name in PROGRAMS}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_release_computes_it_right(name, wrong):
    """Of those that this release is known to compute wrongly it is said when they are right again."""
    assert bool(wrong[name]) == (name in SHARED), wrong[name]
