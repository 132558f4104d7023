"""Preconditioned conjugate gradients on dense systems whose solution is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.solvers import PCG, Result, inner
from tests.solvers.problems import SPECTRA, matrix, vector


def _given(method, a, b, m, energy=None, norm=None):
    return method(lambda x: a @ x, b, lambda r: m @ r, energy=energy, norm=norm)


_solve = jax.jit(_given, static_argnums=0)
OPTIMISED = {"xla_backend_optimization_level": 3}
"""Sums and products are rounded as in the code that users have; what the tests compile else is not optimised."""
_solve_optimised = jax.jit(_given, static_argnums=0, compiler_options=OPTIMISED)
_product_optimised = jax.jit(jnp.matmul, compiler_options=OPTIMISED)


def _preconditioners(a):
    """None; Jacobi; a random symmetric positive definite matrix; the inverse itself."""
    size = len(a)
    rough = matrix(np.geomspace(0.3, 3.0, size), seed=9)
    return {
        "none": jnp.eye(size),
        "jacobi": jnp.diag(1 / jnp.diag(a)),
        "rough": rough,
        "inverse": jnp.linalg.inv(a),
    }


@pytest.mark.parametrize("preconditioner", ["none", "jacobi", "rough", "inverse"])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_residual_is_met(spectrum, preconditioner):
    a, b = matrix(SPECTRA[spectrum]), vector(30)
    solution = _solve(PCG(residual=1e-9), a, b, _preconditioners(a)[preconditioner])
    assert solution.result == Result.converged
    residual = jnp.linalg.norm(b - a @ solution.value) / jnp.linalg.norm(b)
    assert residual <= 2e-9
    np.testing.assert_allclose(solution.stats.residual, residual, rtol=0, atol=1e-9)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("preconditioner", ["none", "jacobi", "rough"])
@pytest.mark.parametrize("spectrum", ["even", "wide", "decades"])
def test_tolerance_bounds_the_energy_of_the_error(spectrum, preconditioner, tolerance):
    """‖x − x*‖²_K ≤ tolerance ‖x*‖²_K, at the condition numbers that a preconditioner leaves.

    No estimate from the steps alone can know of an eigenvalue that has not come up yet, so not for any spectrum.
    """
    a, b = matrix(SPECTRA[spectrum]), vector(30)
    exact = jnp.linalg.solve(a, b)
    solution = _solve(PCG(tolerance=tolerance), a, b, _preconditioners(a)[preconditioner])
    error = solution.value - exact
    true = (error @ a @ error) / (exact @ b)
    assert solution.result == Result.converged
    # Without a preconditioner the last steps say less of those to come, and the estimate is right to a factor of two.
    assert true <= (2 if preconditioner == "none" else 1) * tolerance
    assert solution.stats.error <= tolerance


def test_tolerance_is_relative_to_what_is_left_of_the_energy():
    """With an energy of which the solution takes all but a hundredth, the error is a hundredth of that."""
    a, b = matrix(SPECTRA["decades"]), vector(30)
    exact = jnp.linalg.solve(a, b)
    energy = 1.01 * exact @ b
    solution = _solve(PCG(tolerance=1e-3), a, b, jnp.eye(30), energy)
    loose = _solve(PCG(tolerance=1e-3), a, b, jnp.eye(30))
    error, before = solution.value - exact, loose.value - exact
    assert error @ a @ error <= 1e-3 * 0.01 * exact @ b
    assert solution.stats.steps > loose.stats.steps
    assert before @ a @ before <= 1e-3 * exact @ b


@pytest.mark.parametrize("spectrum", ["clusters"])
def test_steps_are_those_of_distinct_eigenvalues(spectrum):
    """In exact arithmetic CG ends after as many steps as there are distinct eigenvalues."""
    a, b = matrix(SPECTRA[spectrum]), vector(30)
    solution = _solve(PCG(residual=1e-6), a, b, jnp.eye(30))
    assert solution.stats.steps <= 4
    assert _solve(PCG(residual=1e-6), a, b, jnp.linalg.inv(a)).stats.steps <= 2


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_steps_are_exactly_those_asked_for(steps):
    """After k steps x minimises the energy over the k-th Krylov space."""
    a, b = matrix(SPECTRA["even"]), vector(30)
    solution = _solve(PCG(steps=steps), a, b, jnp.eye(30))
    assert solution.stats.steps == steps
    krylov = [b]
    for _ in range(steps - 1):
        krylov.append(a @ krylov[-1])
    basis = np.linalg.qr(np.stack(krylov, 1))[0][:, :steps]
    best = basis @ np.linalg.solve(basis.T @ np.asarray(a) @ basis, basis.T @ np.asarray(b)) if steps else 0 * b
    np.testing.assert_allclose(solution.value, best, rtol=0, atol=1e-10)


PRECISIONS = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=lambda d: d.__name__)


def _energy_of_error(solution, a, exact):
    """Relative to that of the solution, in double precision."""
    error = solution.value.astype(jnp.float64) - exact
    return (error @ a @ error) / (exact @ a @ exact)


@PRECISIONS
@pytest.mark.parametrize("spectrum", ["even", "wide", "decades"])
def test_more_steps_than_needed_do_no_harm(spectrum, dtype):
    """Past what the arithmetic can gain the value stays, to ε² times the condition number in energy."""
    a, b, eps = matrix(SPECTRA[spectrum]), vector(30), float(jnp.finfo(dtype).eps)
    single = a.astype(dtype), b.astype(dtype), jnp.eye(30, dtype=dtype)
    solution = _solve(PCG(steps=500), *single)
    assert solution.result == Result.converged
    assert _energy_of_error(solution, a, jnp.linalg.solve(a, b)) <= 200 * eps**2
    assert solution.stats.steps < 60
    assert eps < solution.stats.error <= 8 * eps
    again = _solve(PCG(steps=400), *single)
    np.testing.assert_array_equal(again.value, solution.value)
    zero = _solve(PCG(steps=400), single[0], 0 * single[1], single[2])
    np.testing.assert_array_equal(zero.value, jnp.zeros(30))
    assert zero.stats.steps == 0 and zero.result == Result.converged


@PRECISIONS
@pytest.mark.parametrize("method", [PCG(steps=60), PCG(steps=500), PCG(residual=1e-30), PCG(tolerance=1e-30)])
def test_rounding_along_null_vectors_is_not_lengthened(method, dtype):
    """Asked for more than there is to gain, by steps or by a tolerance, the solve keeps its solution.

    As of a part that hangs on nothing: the preconditioner takes its motions for soft ones, and answers rounding there.
    """
    eigenvalues = np.concatenate([np.zeros(4), np.geomspace(1e-2, 1.0, 26)])
    a, m = matrix(eigenvalues), matrix(np.concatenate([np.full(4, 1e5), 1 / eigenvalues[4:]]))
    b = _product_optimised(a, vector(30))
    exact = jnp.linalg.pinv(a, rtol=1e-10) @ b
    solution = _solve_optimised(method, a.astype(dtype), b.astype(dtype), m.astype(dtype))
    error = float(abs(_energy_of_error(solution, a, exact)))
    single = dtype == jnp.float32
    assert error <= (1e-5 if single else 1e-13)
    assert error <= 10 * float(solution.stats.error)
    assert jnp.abs(solution.value.astype(jnp.float64) - exact).max() <= 200
    assert solution.stats.steps < 60
    fails = method.steps is None
    assert solution.result == (Result.stagnated if fails else Result.converged)


def test_what_rounding_spoils_is_not_called_converged():
    """A condition number of 1e7 in float32: what can be had is wrong by 0.9 %, although recursions say 1e-9."""
    a, b = matrix(SPECTRA["outlier"]), vector(30)
    single = a.astype(jnp.float32), b.astype(jnp.float32), jnp.eye(30, dtype=jnp.float32)
    for method in (PCG(steps=500), PCG(max_steps=5000)):
        solution = _solve_optimised(method, *single)
        assert _energy_of_error(solution, a, jnp.linalg.solve(a, b)) > 1e-3
        assert solution.result == Result.stagnated


@pytest.mark.parametrize("method", [PCG(tolerance=1e-6), PCG(residual=1e-6)])
def test_singular_but_consistent(method):
    """A null space that the load does not touch stays untouched."""
    eigenvalues = np.concatenate([np.zeros(5), np.linspace(1.0, 4.0, 25)])
    a = matrix(eigenvalues)
    b = a @ vector(30)
    solution = _solve(method, a, b, jnp.eye(30))
    assert solution.result == Result.converged
    np.testing.assert_allclose(solution.value, jnp.linalg.pinv(a, rtol=1e-10) @ b, rtol=0, atol=1e-2)


@pytest.mark.parametrize("method", [PCG(tolerance=1e-6), PCG(residual=1e-6)])
@pytest.mark.parametrize("energy", [None, 0.0, 1.0])
def test_no_load_needs_no_step(method, energy):
    a = matrix(SPECTRA["even"])
    solution = _solve(method, a, jnp.zeros(30), jnp.eye(30), None if energy is None else jnp.asarray(energy))
    assert solution.result == Result.converged
    assert solution.stats.steps == 0
    np.testing.assert_array_equal(solution.value, jnp.zeros(30))
    assert solution.stats.residual == 0 and solution.stats.error == 0


def test_running_out_of_steps_is_reported():
    a, b = matrix(SPECTRA["geometric"]), vector(30)
    solution = _solve(PCG(residual=1e-9, max_steps=4), a, b, jnp.eye(30))
    assert solution.result == Result.max_steps_reached
    assert solution.stats.steps == 4
    assert solution.stats.residual > 1e-9 and jnp.isfinite(solution.stats.error)


@pytest.mark.parametrize("method", [PCG(tolerance=1e-9), PCG(residual=1e-12)])
@pytest.mark.parametrize("spoiled", ["indefinite", "zero", "nan", "inf"])
def test_breakdown_is_reported(spoiled, method):
    """A direction of no or negative stiffness, or a number that is not finite: a result, and it ends at once."""
    a, b = matrix(SPECTRA["even"]), vector(30)
    a = {"indefinite": -a, "zero": 0 * a, "nan": a.at[3, 3].set(jnp.nan), "inf": a.at[3, 3].set(jnp.inf)}[spoiled]
    solution = _solve(method, a, b, jnp.eye(30))
    assert solution.result == Result.breakdown
    assert solution.stats.steps <= 2


def test_stagnation_is_reported():
    """A residual below the rounding of float32 is out of reach: the solve says so, and well before its last step."""
    a, b = (v.astype(jnp.float32) for v in (matrix(np.geomspace(1e-6, 1.0, 30)), vector(30)))
    solution = _solve(PCG(residual=1e-14, max_steps=5000), a, b, jnp.eye(30, dtype=jnp.float32))
    assert solution.result == Result.stagnated
    assert solution.stats.steps < 2000
    assert solution.value.dtype == jnp.float32
    assert jnp.isfinite(solution.value).all()


def test_lanes_of_a_batch_are_independent():
    """A lane gives what it gives alone, however long the others take."""
    matrices = jnp.stack([matrix(SPECTRA[name]) for name in SPECTRA])
    loads = jnp.stack([vector(30, seed) for seed in range(len(SPECTRA) - 1)] + [jnp.zeros(30)])
    method = PCG(residual=1e-8)
    batch = jax.jit(jax.vmap(lambda a, b: method(lambda x: a @ x, b, lambda r: r)))(matrices, loads)
    for k in range(len(SPECTRA)):
        alone = _solve(method, matrices[k], loads[k], jnp.eye(30))
        assert batch.stats.result[k] == alone.result
        # Products of a batch are rounded in another order, which costs a step or two of sixty.
        assert abs(batch.stats.steps[k] - alone.stats.steps) <= 1 + alone.stats.steps // 50
        np.testing.assert_allclose(matrices[k] @ batch.value[k], loads[k], rtol=0, atol=1e-7)
    assert batch.stats.steps[-1] == 0


def test_results_have_their_texts():
    """Every way to fail says what happened and what to try; the larger, the worse."""
    assert [int(r) for r in Result] == [0, 1, 2, 3]
    for result in Result:
        assert result.text.endswith(".") and result.text[0].isupper()
    for word, result in (
        ("max_steps", Result.max_steps_reached),
        ("float64", Result.stagnated),
        ("moduli", Result.breakdown),
    ):
        assert word in result.text


def test_an_inner_product_of_a_million_numbers():
    """In float32 right to the seventh digit; and of one number, and of none."""
    left = np.random.default_rng(0).standard_normal((3, 64, 64, 64)).astype(np.float32)
    found = jax.jit(inner)(jnp.asarray(left), jnp.asarray(left))
    np.testing.assert_allclose(found, np.sum(left.astype(float) ** 2), rtol=5e-7)
    assert inner(jnp.float32(2), jnp.float32(3)) == 6 and inner(jnp.zeros((3, 0)), jnp.zeros((3, 0))) == 0
