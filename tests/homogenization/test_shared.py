"""A cell that several devices, or several processes, share in blocks has the same C and the same derivatives."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

import jaxmeta as jm
from jaxmeta.fem import Periodic, Shared
from jaxmeta.fem._boundary import Grids

PROGRAM = [sys.executable, str(Path(__file__).with_name("shared_cell.py"))]
MESHES = [(2,), (2, 2), (4, 1, 2)]


@pytest.mark.slow
def test_devices_and_processes_share_a_cell():
    _devices_share_a_cell()
    _processes_share_a_cell()


def _devices_share_a_cell():
    """C to what the residual leaves, and no device ever holds a whole field of a shared grid; and a gradient."""
    done = subprocess.run(PROGRAM, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    *rows, gradient = map(json.loads, done.stdout.splitlines())
    assert [tuple(row["counts"]) for row in rows] == MESHES
    largest = {(2,): 1 / 64, (2, 2): 1 / 8}
    for row in rows:
        assert row["stiffness"] <= 1e-12, row
        assert row["passes_planes"], row
        # An FFT or a dense inverse on the finest grid needs the whole field.
        assert row["largest_gathered"] <= largest.get(tuple(row["counts"]), np.inf), row
    assert gradient["stiffness"] <= 1e-12
    assert gradient["gradient"] <= 1e-9
    assert gradient["blocks"] == [[8, 8, 8]] * 8


def _processes_share_a_cell():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*PROGRAM, port, str(i)], **options) for i in range(2)]
    try:
        for process in processes:
            out, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors
            row = json.loads(out.splitlines()[-1])
            assert (row["devices"], row["own_devices"]) == (2, 1)
            assert row["stiffness"] <= 1e-12 and row["same_density_on_both"] <= 1e-12
            assert row["refused"].startswith("Argument `density` must lie in [0, 1]")
    finally:
        for process in processes:
            process.kill()


def test_coarser_grids_are_shared_while_blocks_are_large():
    mesh = Mesh(np.array(jax.devices()[:1]), ("x",))
    boundary = Shared.of(mesh, (64, 64, 64))
    assert (boundary.halvings, boundary.names) == (2, ("x", None, None))
    grids = Grids((64, 64, 64), (32, 32, 32))
    assert boundary.coarse(grids).coarse(grids).coarse(grids) == Periodic()
    two = Mesh(np.array(jax.devices()[:1] * 2), ("x",))
    assert Shared.of(two, (36, 64, 63)).halvings == 1  # 9 planes of voxels are no two halves


def test_what_a_mesh_needs(unchecked):
    one = np.array(jax.devices()[:1])
    cell = np.ones((4, 4, 4))
    with pytest.raises(ValueError, match="Argument `mesh` needs symmetry \"none\", but symmetry is 'cubic'"):
        jm.homogenize(cell, jm.Isotropic(1.0, 0.3), symmetry="cubic", mesh=Mesh(one, ("x",)))
    with pytest.raises(ValueError, match=r"Argument `mesh` must have at most three axes, .* shape \(1, 1, 1, 1\)"):
        jm.homogenize(cell, jm.Isotropic(1.0, 0.3), mesh=Mesh(one.reshape(1, 1, 1, 1), ("x", "y", "z", "w")))
    with pytest.raises(ValueError, match=r"even number of voxels, but has shape \(2,\) for a grid of \(6, 4, 4\)"):
        Shared.of(Mesh(np.array([jax.devices()[0]] * 2), ("x",)), (6, 4, 4))
