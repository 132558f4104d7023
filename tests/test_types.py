"""Annotations of shapes and dtypes hold: quick tests of the numerical packages once more, with every call checked.

A failure here that is none in the test itself is a wrong annotation.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOOP = "tests/design/test_loop.py::test_every_optimiser_comes_to_the_known_optimum"
FILES = ["tests/elasticity/test_voigt.py", "tests/geometry/test_symmetry.py", LOOP]
NOT_IDLE = """
import jax.numpy as jnp
import pytest
from jaxtyping import TypeCheckError

import jaxmeta as jm


def test_a_wrong_shape_is_seen():
    with pytest.raises(TypeCheckError):
        jm.topology.DensityFilter(2.0)(jnp.ones((2, 2)))
"""


@pytest.mark.slow
def test_every_call_agrees_with_its_annotations(tmp_path):
    """Quick tests, and one that shows that the check is not idle, in a process in which every call is checked."""
    own = tmp_path / "test_not_idle.py"
    own.write_text(NOT_IDLE)
    command = [sys.executable, "-m", "pytest", "-q", "-rp", "-n", "0", "--jaxtyping-packages=jaxmeta,beartype.beartype"]
    environment = {**os.environ, "JAXTYPING_DISABLE": "0"}
    checked = subprocess.run([*command, *FILES, str(own)], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout[-4000:] + checked.stderr[-1000:]
    for file in FILES:
        assert f"PASSED {file}" in checked.stdout
    lines = checked.stdout.splitlines()
    assert any(line.startswith("PASSED ") and line.endswith("test_a_wrong_shape_is_seen") for line in lines)
