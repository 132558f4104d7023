"""A design is killed or interrupted, and resumed; a checkpoint of another run is refused."""

import os
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxmeta as jm

SOLID = jm.Isotropic(1.0, 0.3)


def _start(n):
    return jm.geometry.trigonometric(jax.random.key(0), (n, n, n), symmetry="cubic", volume_fraction=0.4)


RUN = """
import jax, sys, time, jaxmeta as jm, numpy as np
jax.config.update("jax_enable_x64", True)
from jaxmeta.topology import Continuation
start = jm.geometry.trigonometric(jax.random.key(0), (4, 4, 4), symmetry="cubic", volume_fraction=0.4)
def slow(step, info):
    print(step, flush=True)
    time.sleep(float(sys.argv[3]))
from jaxmeta.runs import Checkpoint
Checkpoint.__init__.__defaults__ = (0.05,)
d = jm.optimize(jm.objectives.maximize_bulk(), start, solid=jm.Isotropic(1.0, 0.3), volume_fraction=0.4,
                filter_radius=1.0, projection=Continuation(1.0, 2.0, 6, 8.0), max_steps=20,
                checkpoint=sys.argv[1] or None, callback=slow)
np.savez(sys.argv[2], density=d.density, cell=d.cell, objective=d.history["objective"])
"""


@pytest.mark.slow
def test_killed_run_resumes_to_the_same_cell(tmp_path):
    """SIGKILL in the middle; the second process takes up the checkpoint and ends where an undisturbed run ends."""
    command = [sys.executable, "-c", RUN]
    whole = tmp_path / "whole.npz"
    subprocess.run([*command, "", str(whole), "0"], check=True, capture_output=True)
    folder, resumed = tmp_path / "checkpoint", tmp_path / "resumed.npz"
    victim = subprocess.Popen([*command, str(folder), str(resumed), "0.2"], stdout=subprocess.PIPE, text=True)
    for line in victim.stdout:
        if int(line) >= 9:
            break
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert not resumed.exists()
    done = subprocess.run([*command, str(folder), str(resumed), "0"], check=True, capture_output=True, text=True)
    assert int(done.stdout.split()[0]) > 5  # it did not begin anew
    a, b = np.load(whole), np.load(resumed)
    np.testing.assert_array_equal(a["cell"], b["cell"])
    np.testing.assert_allclose(a["density"], b["density"], atol=1e-12)
    assert len(a["objective"]) == len(b["objective"])


def test_checkpoint_of_another_run_is_refused(tmp_path):
    options = {"solid": SOLID, "filter_radius": 1.5, "max_steps": 1, "checkpoint": tmp_path / "c"}
    jm.optimize(jm.objectives.maximize_bulk(), _start(4), volume_fraction=0.4, **options)
    with pytest.raises(ValueError, match=r"Argument `checkpoint` must be a folder of this same run"):
        jm.optimize(jm.objectives.maximize_bulk(), _start(4), volume_fraction=0.5, **options)


def test_interrupt_leaves_a_checkpoint(tmp_path):
    def interrupt(step, info):
        if step == 2:
            raise KeyboardInterrupt

    options = {"solid": SOLID, "volume_fraction": 0.4, "filter_radius": 1.5, "checkpoint": tmp_path / "c"}
    with pytest.raises(KeyboardInterrupt):
        jm.optimize(jm.objectives.maximize_bulk(), _start(4), callback=interrupt, **options)
    seen = []
    jm.optimize(
        jm.objectives.maximize_bulk(), _start(4), max_steps=3, callback=lambda step, info: seen.append(step), **options
    )
    assert seen == [3]


def test_file_where_the_checkpoint_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="Argument `checkpoint` must be a folder that can be written"):
        jm.optimize(
            jm.objectives.maximize_bulk(), _start(4), solid=SOLID, volume_fraction=0.4, checkpoint=tmp_path / "file"
        )
