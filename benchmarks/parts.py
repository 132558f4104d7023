"""Seconds to compile and to run the parts of a solve: where to look before making it faster.

    python benchmarks/parts.py [voxels along an edge, 64]

One thread of XLA's is used if the process may run on one core only (taskset -c 0 on Linux).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

import jaxmeta as jm
from jaxmeta.fem import IsotropicField, Multigrid, Periodic, Stiffness, mutual_energies, octant

REPEATS = 5


def measure(name: str, function: Callable, *arguments: object) -> None:
    """Print seconds of tracing, of compilation, and the least of some runs."""
    began = time.perf_counter()
    lowered = jax.jit(function).lower(*arguments)
    traced = time.perf_counter()
    compiled = lowered.compile()
    ready = time.perf_counter()
    jax.block_until_ready(compiled(*arguments))
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        seconds.append(time.perf_counter() - start)
    print(f"{name:32s} {traced - began:7.2f} s {ready - traced:7.2f} s {1e3 * min(seconds):9.2f} ms", flush=True)


def main(n: int) -> None:
    jax.config.update("jax_enable_compilation_cache", False)
    jax.jit(lambda x: x + 1)(1.0)
    print(f"{'part, ' + str(n) + '³':32s} {'tracing':>9s} {'compiling':>9s} {'running':>12s}")
    solid = jm.Isotropic(1.0, 0.3)
    cell = jm.geometry.random_field(jax.random.key(0), (n, n, n), n / 6, volume_fraction=0.4)
    density = jm.geometry.trigonometric(jax.random.key(0), (n // 2,) * 3, symmetry="cubic", volume_fraction=0.4)
    field, edges = IsotropicField(0.6 * cell, 0.4 * cell), jnp.ones(3)
    nodal = jnp.ones((3, n, n, n))
    small = IsotropicField(0.6 * cell[:4, :4, :4], 0.4 * cell[:4, :4, :4])
    loads = jax.random.normal(jax.random.key(1), (6, 3, n + 1, n + 1, n + 1))

    measure("operator", lambda m, h, u: Stiffness(m, h, Periodic())(u), field, edges, nodal)
    measure("V-cycle with its set-up", lambda m, h, u: Multigrid()(Stiffness(m, h, Periodic()))(u), field, edges, nodal)
    held = octant(0)
    forces = jnp.ones((3, 5, 5, 5))
    measure("coarsest grid of an octant", lambda m, h, r: Multigrid()(Stiffness(m, h, held))(r), small, edges, forces)
    measure("mutual energies of six loads", mutual_energies, field, edges, loads, jnp.eye(6))
    energies = jax.value_and_grad(lambda m, h, u: mutual_energies(m, h, u, jnp.eye(6))[0, 1])
    measure("the same with gradient", energies, field, edges, loads)
    for symmetry, given in (("none", cell), ("cubic", density)):

        def stiffness(rho: jax.Array, symmetry: str = symmetry) -> jax.Array:
            return jm.homogenize(rho, solid, symmetry=symmetry, throw=False).stiffness

        measure(f"C, symmetry {symmetry}", stiffness, given)
        measure("the same with gradient", jax.value_and_grad(lambda rho, f=stiffness: f(rho)[0, 0]), given)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 64)
