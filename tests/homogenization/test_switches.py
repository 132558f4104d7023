"""JAX's own switches for finding errors, set by a user around the package: the same numbers under each of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm

SOLID = jm.Isotropic(1.0, 0.3)
CELL = jnp.asarray(np.random.default_rng(0).uniform(0.2, 1.0, (4, 4, 4)))
HELD = jnp.zeros((5, 5, 5, 3), bool).at[0].set(True)
PULL = jnp.zeros((5, 5, 5, 3)).at[-1, :, :, 0].set(1 / 25)


def _stiffness(cell, **options):
    return jm.homogenize(cell, SOLID, throw=False, **options).stiffness


@jax.jit
def _product(cell):
    """The Hessian of C11, times the cell."""
    return jax.jvp(jax.grad(lambda rho: _stiffness(rho)[0, 0]), (cell,), (cell,))[1]


CALLS: dict[str, Callable] = {
    "homogenize": _stiffness,
    "fft": partial(_stiffness, preconditioner="fft"),
    "octant": partial(_stiffness, symmetry="mirror"),
    "fixed steps": partial(_stiffness, steps=40),
    "solve": lambda cell: jm.fem.solve(cell, HELD, PULL, solid=SOLID).compliance,
    "product": _product,
}
SWITCHES: dict[str, Callable[[], AbstractContextManager]] = {
    "transfers": lambda: jax.transfer_guard("disallow"),
    "nans": lambda: jax.debug_nans(True),
    "infinities": lambda: jax.debug_infs(True),
    "leaks": lambda: jax.checking_leaks(),
    "checks": lambda: jax.enable_checks(True),
}


@pytest.fixture(scope="module")
def expected():
    return {name: np.asarray(call(CELL)) for name, call in CALLS.items()}


TRACED = ("solve", "product")
"""Calls for the switches that look at traces; the others look at numbers, of which every call has its own."""


@pytest.mark.parametrize("switch", SWITCHES)
def test_the_same_numbers_under_a_switch(switch, expected):
    for name in TRACED if switch in ("leaks", "checks") else CALLS:
        with SWITCHES[switch]():
            actual = np.asarray(CALLS[name](CELL))
        np.testing.assert_allclose(actual, expected[name], rtol=0, atol=1e-10 * np.abs(expected[name]).max())


@pytest.mark.slow
def test_step_by_step(expected):
    """Without compilation, operation by operation."""
    for name in ("homogenize", "solve"):
        with jax.disable_jit():
            actual = np.asarray(CALLS[name](CELL))
        np.testing.assert_allclose(actual, expected[name], rtol=0, atol=1e-10 * np.abs(expected[name]).max())


def test_numbers_of_a_solid_may_go_to_the_device():
    with jax.transfer_guard("disallow"):
        jm.homogenize(CELL, jm.Isotropic(1.0, 0.25), interpolation=jm.SIMP(2.0, 1e-6), spacing=(1.0, 2.0, 1.0))


def test_tolerances_compile_nothing():
    """Values of a tolerance, of any kind, are no part of the program."""
    from jaxmeta.homogenization import _homogenize

    cell = CELL[:, :, :2]
    jm.homogenize(cell, SOLID, tolerance=1e-3)
    before = _homogenize._solve._cache_size()
    for tolerance in (1e-4, 1e-6, np.float64(1e-5), jnp.asarray(1e-5)):
        h = jm.homogenize(cell, SOLID, tolerance=tolerance)
        assert h.result == 0 and h.stats.error.max() <= tolerance
    assert _homogenize._solve._cache_size() <= before + 1  # strongly typed numbers are another type
    slope = jax.grad(lambda t: jm.homogenize(cell, SOLID, tolerance=t).stiffness[0, 0])(1e-4)
    assert slope == 0
