"""Annotations of shapes and dtypes hold: quick tests of the numerical packages once more, with every call checked.

A failure here that is none in the test itself is a wrong annotation.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKED = ["jaxmeta", "beartype.beartype"]
LOOP = "tests/design/test_loop.py::test_every_optimiser_comes_to_the_known_optimum"
FILES = ["tests/elasticity/test_voigt.py", "tests/geometry/test_symmetry.py", LOOP]


def test_every_call_agrees_with_its_annotations():
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", f"--jaxtyping-packages={','.join(CHECKED)}", *FILES]
    environment = {**os.environ, "JAXTYPING_DISABLE": "0"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-1000:]


def test_a_wrong_shape_is_seen():
    """The check is not idle."""
    code = (
        "from jaxtyping import install_import_hook, TypeCheckError\n"
        f"hook = install_import_hook(*{CHECKED!r})\n"
        "import jax.numpy as jnp, jaxmeta as jm\n"
        "try:\n    jm.topology.DensityFilter(2.0)(jnp.ones((2, 2)))\n"
        "except TypeCheckError:\n    print('seen')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "seen", run.stderr[-1000:]
