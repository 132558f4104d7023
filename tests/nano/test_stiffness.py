"""Stiffness against a dense Hessian of a plain energy over all pairs, and against finite motions of the grips."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

import jaxmeta as jm
from tests.arguments import refuses
from tests.nano.bars import A0, ZHOU, bar, solved


def plain_energy(positions):
    """By a matrix of all distances."""
    vectors = positions[:, None] - positions[None]
    count = len(positions)
    distance = jnp.sqrt(jnp.sum(vectors**2, -1) + jnp.eye(count) * 9)
    near = (distance < ZHOU.cutoff) & ~jnp.eye(count, dtype=bool)
    rho = jnp.where(near, ZHOU.density(distance), 0).sum(1)
    return ZHOU.embedding(rho).sum() + 0.5 * jnp.where(near, ZHOU.pair(distance), 0).sum()


@jax.jit
def derivatives(x):
    """Energy, gradient and Hessian, in one program."""

    def slope(x):
        energy, slope = jax.value_and_grad(lambda x: plain_energy(x.reshape(-1, 3)))(x)
        return slope, (energy, slope)

    curvature, (energy, slope) = jax.jacfwd(slope, has_aux=True)(x)
    return energy, slope, curvature


@pytest.mark.slow
def test_against_a_dense_hessian():
    """Of positions that are relaxed once more by dense Newton steps."""
    positions, held, direction, _ = bar()
    free, where = np.repeat(~held, 3), solved().positions.ravel().copy()
    for _ in range(2):
        _, slope, curvature = map(np.asarray, derivatives(where))
        where[free] -= np.linalg.solve(curvature[np.ix_(free, free)], slope[free])
    energy, slope, curvature = map(np.asarray, derivatives(where))
    d = direction.ravel()
    assert abs(slope[free]).max() < 1e-12
    u = d.copy()
    u[free] = -np.linalg.solve(curvature[np.ix_(free, free)], (curvature @ d)[free])
    s = solved()
    np.testing.assert_allclose(s.positions.ravel(), where, atol=1e-8)
    np.testing.assert_allclose(s.positions[held], positions[held], atol=0)
    assert s.k == pytest.approx(u @ curvature @ u, rel=1e-8)
    np.testing.assert_allclose(s.displacement.ravel(), u, atol=1e-7)
    assert s.slope == pytest.approx(slope @ d, rel=1e-7)
    assert abs(s.slope) > 0.1 * s.k  # surfaces pull
    assert s.energy == pytest.approx(float(energy), abs=1e-9)
    assert s.lowest_eigenvalue == pytest.approx(np.linalg.eigvalsh(curvature[np.ix_(free, free)])[0], rel=1e-6)
    assert s.lowest_eigenvalue > 0 and s.instabilities == 0
    assert s.solve < 60  # 78 without the grid of the preconditioner


def test_finite_motions_agree():
    """The error falls with the square of the motion."""
    wide, narrow = (jm.nano.stiffness_by_curvature(ZHOU, *bar()[:3], delta=delta) for delta in (0.03, 0.015))
    assert narrow == pytest.approx(solved().k, rel=1e-4)
    assert (4 * narrow - wide) / 3 == pytest.approx(solved().k, rel=1e-6)


@pytest.mark.slow
def test_beams_two_cells_thick_and_bodies_that_devices_share():
    _devices_share_atoms()
    _beams_two_cells_thick()


def _beams_two_cells_thick():
    """Periodic along the thickness of 8.1 Å, guided at the end: k as measured with other programs, and few steps."""
    found = {}
    for cells in ((24, 12, 2), (12, 6, 2), (40, 6, 2)):
        lattice = jm.nano.Lattice(cells, A0)
        x = lattice.positions[:, 0]
        low, high = x < A0 - 0.1, x > (cells[0] - 1) * A0 - 0.1
        found[cells] = jm.nano.stiffness(
            ZHOU, lattice.positions, low | high, np.outer(high, [0.0, 1.0, 0.0]), lattice.cell, (False, False, True)
        )
    assert found[24, 12, 2].k == pytest.approx(0.3295, abs=5e-5) and found[24, 12, 2].products < 40
    assert max(s.solve for s in found.values()) < 40
    assert found[40, 6, 2].solve <= found[12, 6, 2].solve + 4  # they do not grow with the length


def _devices_share_atoms():
    """k, positions and designs on four devices are those on one; nothing is gathered."""
    program = [sys.executable, str(Path(__file__).with_name("shared_atoms.py"))]
    done = subprocess.run(program, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    found = {name: value for line in done.stdout.splitlines() for name, value in json.loads(line).items()}
    beam, program = found["of_a_beam"], found["of_a_program"]
    assert max(beam["k"], beam["positions"], beam["displacement"]) < 1e-10 and beam["steps"] == [0, 0]
    assert beam["lowest_eigenvalue"] < 1e-6
    assert program["gathers"] == 0 and program["passes"] > 0 and program["halo"] < 0.5
    assert len(program["own"]) == 4 and len(set(program["own"])) == 1
    assert found["of_a_crystal"] < 1e-10
    atoms, differ = found["of_a_design"]
    assert atoms < 256 and differ == 0
    assert "Argument `mesh` must cut the body into slices thicker than the cutoff" in found["refused"]


def test_wrong_arguments(unchecked):
    positions, held, direction, _ = bar()
    call = jm.nano.stiffness
    refuses("held", call, ZHOU, positions, held[:-1], direction)
    refuses("held", call, ZHOU, positions, np.zeros(len(held), bool), direction)
    refuses("held", call, ZHOU, positions, np.full(len(held), 2), direction)
    refuses("direction", call, ZHOU, positions, held, direction[:, :2])
    refuses("direction", call, ZHOU, positions, held, np.ones_like(direction))
    refuses("direction", call, ZHOU, positions, held, 0 * direction)
    refuses("direction", call, ZHOU, positions, held, direction * np.nan)
    refuses("potential", call, "Al", positions, held, direction)
    apart = np.concatenate([positions, positions[:1] + 100])
    refuses("held", call, ZHOU, apart, np.append(held, False), np.concatenate([direction, np.zeros((1, 3))]))
    near = (positions[:, 0] < 9) | held  # grips that reach each other
    refuses("held", call, ZHOU, positions[positions[:, 0] < 9], np.ones(np.count_nonzero(positions[:, 0] < 9), bool),
            np.outer(positions[positions[:, 0] < 9][:, 0] > 4, [1.0, 0, 0]))  # fmt: skip
    assert near.any()
    refuses(
        "mesh", lambda: call(ZHOU, positions, held, direction, mesh=Mesh(np.array(jax.devices())[:1, None], ("x", "y")))
    )
    refuses("mesh", lambda: call(ZHOU, positions, held, direction, mesh="x"))
    refuses("delta", lambda: jm.nano.stiffness_by_curvature(ZHOU, positions, held, direction, delta=0.0))
    refuses("potential", call, jm.nano.zhou2004(taper=None), positions * 4.05025 / A0, held, direction)


def test_a_grip_that_turns_is_one_grip():
    positions, held, direction, _ = bar()
    x, y, _ = positions.T
    turned = np.where((direction[:, 0] > 0)[:, None], np.stack([-(y - 4), x - 22, 0 * x], 1), 0.0)
    s = jm.nano.stiffness(ZHOU, positions, held, turned)
    assert s.k > 0
