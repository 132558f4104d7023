"""How the effective stiffness is computed: ours, and the CPU solvers that a user would take instead.

Every case runs in a process of its own.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from outcome import Method, Outcome
from peer_fans import fans
from peer_feax import feax
from peer_jaxfem import jaxfem
from peer_mugrid import mugrid
from peer_sfepy import sfepy
from peers import peer
from problems import Problem
from timing import median_seconds

YOUNG, POISSON = 1.0, 0.3
SHORT, LONG = 1.0, 50.0
"""Seconds of a solve below which it is measured fifteen times, and from which on once; five times in between."""


def _held(program: Any) -> int:
    """Bytes of a compiled program: its arguments, results and everything in between."""
    m = program.memory_analysis()
    return m.argument_size_in_bytes + m.output_size_in_bytes + m.temp_size_in_bytes


def _jaxmeta(precision: str, gradient: bool, preconditioner: str | None) -> Method:
    def run(problem: Problem, tolerance: float, exact: np.ndarray) -> Outcome:
        import jax

        if precision == "float64":
            jax.config.update("jax_enable_x64", True)
        import jax.numpy as jnp

        import jaxmeta as jm

        solid = jm.Isotropic(YOUNG, POISSON)
        density = jnp.asarray(problem.density(), precision)
        options = {
            "interpolation": jm.SIMP(problem.penalty, problem.void),
            "symmetry": problem.symmetry,
            "tolerance": tolerance,
            "preconditioner": preconditioner,
            "throw": False,
        }
        forward = jax.jit(lambda rho: jm.homogenize(rho, solid, **options)[:3])
        start = time.perf_counter()
        program = forward.lower(density).compile()
        compiled = time.perf_counter() - start
        c, result, stats = jax.block_until_ready(program(density))
        setup = time.perf_counter() - start
        first = setup - compiled
        if int(result):
            raise RuntimeError(jm.Result(int(result)).text)
        repeats = 15 if first < SHORT else 5 if first < LONG else 1
        programs = [program]
        if gradient:
            both = jax.jit(jax.value_and_grad(lambda rho: jnp.trace(jm.homogenize(rho, solid, **options).stiffness)))
            programs.append(both.lower(density).compile())
            jax.block_until_ready(programs[1](density))
        seconds = median_seconds([lambda each=each: each(density) for each in programs], repeats)
        memory = tuple(_held(each) / density.size for each in programs)
        notes = f"{precision}, {preconditioner or 'multigrid'}"
        used = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
        peak = used / 1e6 if used else None
        steps = int(stats.steps.max())
        backward = seconds[1] if gradient else None
        return Outcome(np.asarray(c, float), setup, seconds[0], backward, steps, notes, peak, memory, compiled)

    return run


METHODS: dict[str, Method] = {
    "jaxmeta": _jaxmeta("float32", False, None),
    "jaxmeta_gradient": _jaxmeta("float32", True, None),
    "jaxmeta_float64": _jaxmeta("float64", False, None),
    "jaxmeta_fft": _jaxmeta("float32", False, "fft"),
    "scipy_jacobi": peer("scipy_jacobi"),
    "pyamg": peer("pyamg"),
    "fans": fans,
    "mugrid_green": mugrid("green"),
    "mugrid_green_jacobi": mugrid("green_jacobi"),
    "sfepy": sfepy,
    "jaxfem_jacobi": jaxfem("jacobi"),
    "jaxfem_gamg": jaxfem("gamg"),
    "feax": feax(None),
    "feax_amg": feax("amg"),
}
