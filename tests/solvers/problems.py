"""Symmetric systems with known spectra, shared by the tests of the solvers."""

import jax
import jax.numpy as jnp
import numpy as np


def matrix(eigenvalues, seed: int = 0) -> jnp.ndarray:
    """A dense symmetric matrix with the given eigenvalues and random eigenvectors."""
    values = np.asarray(eigenvalues, np.float64)
    vectors, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    return jnp.asarray((vectors * values) @ vectors.T)


def vector(size: int, seed: int = 1) -> jnp.ndarray:
    return jax.device_put(np.random.default_rng(seed).normal(size=size))


SPECTRA = {
    "even": np.linspace(1.0, 2.0, 30),
    "geometric": np.geomspace(1e-4, 1.0, 30),
    "clusters": np.concatenate([np.full(10, 1e-3), np.full(10, 1.0), np.full(10, 1e3)]),
    "wide": np.linspace(1.0, 40.0, 30),
    "decades": np.geomspace(1e-2, 1.0, 30),
    "outlier": np.concatenate([[1e-6], np.linspace(1.0, 10.0, 29)]),
}
