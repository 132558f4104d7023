"""What `tolerance`, `residual`, `steps`, `start` and `throw` promise."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.solvers import Result, SolverError
from tests import example_cells as cells
from tests.homogenization.problems import EXACT, LOOSE, SOLID, exact, homogenize, relative_error

CARRYING = [c.name for c in cells.select(percolates=True)]
TOLERANCES = [1e-3, 1e-5, 1e-7]


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("name", CARRYING)
def test_tolerance_is_the_error_of_the_stiffness(name, tolerance):
    """Every entry of C to `tolerance` of √(C_ii C_jj), against the oracle; C errs from above, as an energy does.

    The preconditioners come in turn."""
    preconditioner = ("multigrid", "fft")[(CARRYING.index(name) + TOLERANCES.index(tolerance)) % 2]
    h = homogenize(cells.CELLS[name](8), 1e-9, tolerance=tolerance, preconditioner=preconditioner)
    expected = exact(name, 8, 1e-9)
    assert h.result == 0
    assert relative_error(h.stiffness, expected) <= tolerance
    assert h.stats.error.max() <= tolerance
    assert np.linalg.eigvalsh(np.asarray(h.stiffness) - expected)[0] >= -1e-13


@pytest.mark.parametrize("name", ["truss", "hole"])
def test_tolerance_knows_of_modes_that_come_up_late(name):
    """Shear of a nearly incompressible solid: the first steps gain little of it, and only the residual tells."""
    density, solid = jax.device_put(cells.CELLS[name](8)), jm.Isotropic(1.0, 0.499999)
    options = {"max_steps": 3000, "interpolation": jm.SIMP(3.0, 1e-9)}
    expected = np.asarray(jm.homogenize(density, solid, tolerance=1e-10, **options).stiffness)
    h = jm.homogenize(density, solid, tolerance=1e-3, **options)
    assert relative_error(h.stiffness, expected) <= 1e-3


@pytest.mark.parametrize("name", ["gyroid", "random_grey", "bridge"])
def test_residual_is_met(name):
    """The residual recomputed from the displacement, not the one that the solver carries along."""
    density = jax.device_put(cells.CELLS[name](8))
    h = homogenize(density, 1e-9, residual=EXACT, preconditioner="fft")
    material = jm.homogenization.material_field(density, SOLID, jm.SIMP(3.0, 1e-9), None)
    operator = jm.fem.Stiffness(material, jnp.ones(3), jm.fem.Periodic())
    force = jax.jit(jax.vmap(operator))
    displacement = jnp.moveaxis(h.displacement, -1, 1)
    left, load = force(displacement, jnp.eye(6)), force(jnp.zeros_like(displacement), jnp.eye(6))
    ratio = jnp.linalg.norm(left.reshape(6, -1), axis=1) / jnp.linalg.norm(load.reshape(6, -1), axis=1)
    assert h.result == 0
    assert h.stats.residual.max() <= EXACT
    assert ratio.max() <= 3 * EXACT


@pytest.mark.parametrize("void", [1e-9, 0.0])
def test_fixed_steps(void):
    """Exactly so many steps, none of them wrong: the energy falls from that of the uniform strain."""
    field = cells.random_grey(8)
    options = {"void": void, "preconditioner": "fft"}
    best = np.diag(exact("random_grey", 8, void))
    previous = np.inf
    for steps in (1, 3):
        h = homogenize(field, steps=steps, **options)
        np.testing.assert_array_equal(h.stats.steps, np.full(6, steps))
        diagonal = np.diag(h.stiffness)
        assert np.all(diagonal >= best * (1 - 1e-12))
        assert np.all(diagonal < previous)
        previous = diagonal
    for _ in range(15):
        h = homogenize(field, steps=3, start=h.displacement, **options)
    assert relative_error(h.stiffness, exact("random_grey", 8, void)) <= 1e-3


@pytest.mark.parametrize(
    ("dtype", "preconditioner", "warm"),
    [
        (jnp.float32, "multigrid", False),
        (jnp.float32, "multigrid", True),
        (jnp.float64, "multigrid", True),
        (jnp.float32, "fft", True),
    ],
    ids=["float32-cold", "float32", "float64", "fft"],
)
def test_steps_past_convergence_change_nothing(dtype, preconditioner, warm):
    """Two hundred steps, ten times as many as are needed: C to 1e-5 of what carries load, and no drift.

    A warm start is where a cold one has converged, so that all its steps are too many. In float32 from there on with
    every void, else with each in turn."""
    settings = list(itertools.product(LOOSE, (1e-9, 0.0)))
    if not (warm and dtype == jnp.float32 and preconditioner == "multigrid"):
        settings = settings[::4] + settings[3::4]
    for name, void in settings:
        options = {"void": void, "dtype": dtype, "preconditioner": preconditioner}
        start = homogenize(LOOSE[name](8), **options).displacement if warm else None
        h = homogenize(LOOSE[name](8), steps=200, start=start, **options)
        error = relative_error(h.stiffness, exact(name, 8, void), floor=1e-4)
        assert error <= 1e-5, (name, void)
        assert jnp.abs(h.displacement).max() < 1e3, (name, void)
        if name in ("p_surface", "random_grey", "single voxels"):
            assert h.result == 0
            assert h.stats.error.max() <= 1e-6
            assert error <= 4 * h.stats.error.max()


@pytest.mark.parametrize("symmetry", ["mirror", "cubic"])
def test_steps_past_convergence_change_nothing_in_an_octant(symmetry):
    for name in ("p_surface", "plates"):
        octant, options = cells.CELLS[name](8)[:4, :4, :4], {"dtype": jnp.float32, "symmetry": symmetry}
        start = homogenize(octant, **options).displacement
        h = homogenize(octant, steps=200, start=start, **options)
        assert h.result == 0
        assert relative_error(h.stiffness, exact(name, 8, 1e-9)) <= 1e-6


@pytest.mark.parametrize("name", ["p_surface", "single voxels"])
def test_a_residual_out_of_reach_is_told(name):
    """In float32: at once, and with the C that can be had."""
    h = homogenize(LOOSE[name](8), dtype=jnp.float32, residual=1e-20)
    assert h.result == Result.stagnated
    assert h.stats.steps.max() < 60
    assert relative_error(h.stiffness, exact(name, 8, 1e-9)) <= 1e-6


def test_a_translation_in_the_start_costs_nothing():
    """Of a periodic cell only the strain of the start counts."""
    field = cells.random_binary(8)
    cold = homogenize(field, dtype=jnp.float32)
    h = homogenize(field, dtype=jnp.float32, start=cold.displacement + 1e3)
    assert h.result == 0
    assert relative_error(h.stiffness, exact("random_binary", 8, 1e-9)) <= 1e-5


def test_fixed_steps_raise_nothing():
    h = jm.homogenize(cells.random_grey(8), SOLID, steps=1, preconditioner="fft")
    assert h.result != Result.converged


@pytest.mark.parametrize("name", ["gyroid", "random_binary", "noise_grey"])
def test_warm_start(name):
    """From its own result a solve ends at once, with the same C; from one of a near cell, sooner than from nothing."""
    field = cells.CELLS[name](8)
    cold = homogenize(field, 1e-9, preconditioner="fft")
    warm = homogenize(field, 1e-9, preconditioner="fft", start=cold.displacement)
    assert warm.result == 0
    assert warm.stats.steps.max() <= 2
    assert relative_error(warm.stiffness, exact(name, 8, 1e-9)) <= 1e-5
    near = np.clip(field * 0.99, 0, 1)
    again = homogenize(near, 1e-9, preconditioner="fft", start=cold.displacement)
    fresh = homogenize(near, 1e-9, preconditioner="fft")
    assert again.result == 0
    assert again.stats.steps.max() < fresh.stats.steps.max()
    assert relative_error(again.stiffness, np.asarray(fresh.stiffness)) <= 2e-5


def test_unconverged_raises_when_eager():
    """With what happened, what to try, and how far it came."""
    with pytest.raises(SolverError, match=r"ran out of steps .*`max_steps`.*Steps \[2, .*error \["):
        jm.homogenize(cells.gyroid(8), SOLID, residual=EXACT, max_steps=2, preconditioner="fft")


def test_unconverged_is_told_without_throw():
    h = homogenize(cells.gyroid(8), residual=EXACT, max_steps=2, preconditioner="fft")
    assert h.result == Result.max_steps_reached
    np.testing.assert_array_equal(h.stats.steps, np.full(6, 2))
    assert jnp.isfinite(h.stiffness).all()


def test_nothing_raises_inside_a_trace():
    """Under jit, with `throw` left at its default; out-of-range densities too are the caller's own business there."""

    @jax.jit
    def traced(density):
        h = jm.homogenize(density, SOLID, residual=EXACT, max_steps=2, preconditioner="fft")
        return h.stiffness, h.result

    stiffness, result = traced(jnp.asarray(cells.gyroid(8)))
    assert result == Result.max_steps_reached
    assert jnp.isfinite(stiffness).all()
    _, spoiled = traced(jnp.full((8, 8, 8), jnp.nan))
    assert spoiled == Result.breakdown


def test_displacement_carries_no_derivative():
    """A documented cut: what is handed to the next solve is a starting point and nothing else."""
    field = jnp.asarray(cells.random_grey(4))
    options = {"residual": EXACT, "preconditioner": "fft"}
    slope = jax.grad(lambda d: jnp.sum(jm.homogenize(d, SOLID, **options).displacement ** 2))(field)
    np.testing.assert_array_equal(slope, jnp.zeros_like(field))
