"""Stiffness against a dense Hessian of a plain energy over all pairs, and against finite motions of the grips."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests.arguments import refuses

ZHOU = jm.nano.zhou2004("Al")
A0 = 4.0502475


@cache
def bar():
    """Positions, held atoms and direction of a bar with a hole that is sheared and pulled at its end."""
    lattice = jm.nano.Lattice((7, 2, 2), A0)
    positions = lattice.positions
    keep = ~((abs(positions[:, 0] - 14) < 3) & (positions[:, 1] < 2.1) & (positions[:, 2] < 4.1))
    positions = positions[keep]
    low, high = positions[:, 0] < A0 - 0.1, positions[:, 0] > 6 * A0 - 0.1
    return positions, low | high, np.outer(high, [0.8, 0.6, 0.0])


def plain_energy(positions):
    """By a matrix of all distances."""
    vectors = positions[:, None] - positions[None]
    count = len(positions)
    distance = jnp.sqrt(jnp.sum(vectors**2, -1) + jnp.eye(count) * 9)
    near = (distance < ZHOU.cutoff) & ~jnp.eye(count, dtype=bool)
    rho = jnp.where(near, ZHOU.density(distance), 0).sum(1)
    return ZHOU.embedding(rho).sum() + 0.5 * jnp.where(near, ZHOU.pair(distance), 0).sum()


@cache
def dense(kept=None):
    """Positions relaxed once more by dense Newton steps, gradient and Hessian there."""
    positions, held, _ = bar()
    where = jnp.asarray(found().positions).ravel()
    free = np.repeat(~held, 3)
    flat = lambda x: plain_energy(x.reshape(-1, 3))  # noqa: E731
    slope, curvature = jax.jit(jax.grad(flat)), jax.jit(jax.hessian(flat))
    for _ in range(2):
        step = np.linalg.solve(np.asarray(curvature(where))[np.ix_(free, free)], np.asarray(slope(where))[free])
        where = where.at[free].add(-step)
    return np.asarray(where).reshape(-1, 3), np.asarray(slope(where)), np.asarray(curvature(where))


@cache
def found():
    return jm.nano.stiffness(ZHOU, *bar())


def test_against_a_dense_hessian():
    positions, held, direction = bar()
    relaxed, slope, curvature = dense()
    free, d = np.repeat(~held, 3), direction.ravel()
    assert abs(slope[free]).max() < 1e-12
    u = d.copy()
    u[free] = -np.linalg.solve(curvature[np.ix_(free, free)], (curvature @ d)[free])
    s = found()
    np.testing.assert_allclose(s.positions, relaxed, atol=1e-8)
    np.testing.assert_allclose(s.positions[held], positions[held], atol=0)
    assert s.k == pytest.approx(u @ curvature @ u, rel=1e-8)
    np.testing.assert_allclose(s.displacement.ravel(), u, atol=1e-7)
    assert s.slope == pytest.approx(slope @ d, rel=1e-7)
    assert abs(s.slope) > 0.1 * s.k  # surfaces pull
    assert s.energy == pytest.approx(float(plain_energy(jnp.asarray(relaxed))), abs=1e-9)
    assert s.lowest_eigenvalue == pytest.approx(np.linalg.eigvalsh(curvature[np.ix_(free, free)])[0], rel=1e-6)
    assert s.lowest_eigenvalue > 0 and s.instabilities == 0


def test_finite_motions_agree():
    """The error falls with the square of the motion."""
    wide, narrow = (jm.nano.stiffness_by_curvature(ZHOU, *bar(), delta=delta) for delta in (0.04, 0.02))
    assert narrow == pytest.approx(found().k, rel=1e-4)
    assert (4 * narrow - wide) / 3 == pytest.approx(found().k, rel=1e-6)


def test_a_beam_two_cells_thick():
    """24×12×2 cells, periodic along its thickness of 8.1 Å, guided at its end: k as measured with other programs."""
    lattice = jm.nano.Lattice((24, 12, 2), A0)
    x = lattice.positions[:, 0]
    low, high = x < A0 - 0.1, x > 23 * A0 - 0.1
    s = jm.nano.stiffness(
        ZHOU, lattice.positions, low | high, np.outer(high, [0.0, 1.0, 0.0]), lattice.cell, (False, False, True)
    )
    assert s.k == pytest.approx(0.3295, abs=5e-5)
    assert s.products < 40 and s.solve < 40


@pytest.mark.slow
def test_steps_do_not_grow_with_length():
    steps = []
    for length in (12, 40):
        lattice = jm.nano.Lattice((length, 6, 2), A0)
        x = lattice.positions[:, 0]
        low, high = x < A0 - 0.1, x > (length - 1) * A0 - 0.1
        s = jm.nano.stiffness(
            ZHOU, lattice.positions, low | high, np.outer(high, [0.0, 1.0, 0.0]), lattice.cell, (False, False, True)
        )
        steps.append(s.solve)
    assert max(steps) < 40 and steps[1] <= steps[0] + 4


def test_wrong_arguments(unchecked):
    positions, held, direction = bar()
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
    refuses("delta", lambda: jm.nano.stiffness_by_curvature(ZHOU, positions, held, direction, delta=0.0))
    refuses("potential", call, jm.nano.zhou2004(taper=None), positions * 4.05025 / A0, held, direction)


def test_a_grip_that_turns_is_one_grip():
    positions, held, direction = bar()
    x, y, _ = positions.T
    turned = np.where((direction[:, 0] > 0)[:, None], np.stack([-(y - 4), x - 26, 0 * x], 1), 0.0)
    s = jm.nano.stiffness(ZHOU, positions, held, turned)
    assert s.k > 0
