"""Grids that do not halve: odd, flat and long ones take few steps, and give the C of the other preconditioner."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm

SOLID = jm.Isotropic(1.0, 0.3)


def gyroid(shape):
    x = np.meshgrid(*(2 * np.pi * (np.arange(n) + 0.5) / n for n in shape), indexing="ij")
    return jnp.asarray(sum(np.sin(x[a]) * np.cos(x[(a + 1) % 3]) for a in range(3)) > 0.3, float)


@pytest.mark.parametrize("shape", [(17, 11, 13), (20, 18, 1)])
def test_both_preconditioners_give_the_same_stiffness(shape):
    density = 0.1 + 0.9 * gyroid(shape)
    c, other = (
        jm.homogenize(density, SOLID, preconditioner=name, tolerance=1e-12).stiffness for name in ("multigrid", "fft")
    )
    np.testing.assert_allclose(c, other, rtol=0, atol=1e-9 * np.abs(other).max())


def test_steps_of_odd_and_flat_cells():
    """As many as on a grid that halves, 8 on 16³; coarsened to 4 × 3 × 2 voxels, the second takes 8."""
    for shape, most in (((17, 11, 13), 8), ((30, 20, 15), 6), ((40, 36, 1), 12)):
        h = jm.homogenize(gyroid(shape).astype(jnp.float32), SOLID)
        assert h.stats.steps.max() <= most, (shape, h.stats.steps)


def test_steps_of_a_plate():
    """Clamped and bent; coarse voxels longer than the plate is thick would be far too stiff."""
    shape = (24, 24, 2)
    held = jnp.zeros((25, 25, 3, 3), bool).at[0].set(True)
    loads = jnp.zeros((25, 25, 3, 3)).at[-1, :, :, 2].set(1 / 75)
    solution = jm.fem.solve(jnp.ones(shape), held, loads, solid=SOLID, tolerance=1e-8)
    assert int(solution.stats.steps) <= 14
