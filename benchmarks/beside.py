"""What is measured beside single cells: a first call, a design, a batch, the operator against the copy bandwidth."""

from __future__ import annotations

import os
import tempfile
import time

from timing import median_seconds

CELLS = 16
COPIES = 20


def first_call() -> dict:
    """C of the 64³ gyroid where nothing has been compiled yet, neither the CPU's kernels nor XLA's programs."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        import jax
        from problems import PROBLEMS

        import jaxmeta as jm

        jax.config.update("jax_enable_compilation_cache", False)
        density = PROBLEMS["gyroid_64"].density()
        start = time.perf_counter()
        h = jm.homogenize(density.astype("float32"), jm.Isotropic(1.0, 0.3), interpolation=jm.SIMP(3.0, 1e-9))
        jax.block_until_ready(h.stiffness)
        return {"seconds": time.perf_counter() - start}


def design() -> dict:
    """A hundred steps of a 64³ cubic design, compilation included."""
    import jax

    import jaxmeta as jm

    start = time.perf_counter()
    first = jm.geometry.trigonometric(jax.random.key(0), (32, 32, 32), symmetry="cubic", volume_fraction=0.3)
    solid = jm.Isotropic(1.0, 0.3)
    d = jm.optimize(jm.objectives.maximize_bulk(), first, solid=solid, volume_fraction=0.3, max_steps=100, stop=1e-9)
    return {"seconds": time.perf_counter() - start, "report": d.report}


def batch() -> dict:
    """Cubic 64³ cells labelled in a second: one call for each, and one call for all by `vmap`."""
    import jax
    import jax.numpy as jnp

    import jaxmeta as jm

    solid = jm.Isotropic(1.0, 0.3)
    octants = []
    for i, key in enumerate(jax.random.split(jax.random.key(0), CELLS)):
        field = jm.geometry.trigonometric(key, (32, 32, 32), symmetry="cubic", volume_fraction=0.5)
        octants.append(jm.geometry.threshold(field, 0.3 + 0.3 * i / (CELLS - 1)).astype(jnp.float32))
    cells = jnp.stack(octants)

    def label(octant: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = jm.homogenize(octant, solid, symmetry="cubic", throw=False)
        return h.stiffness, h.stats.steps

    one, all_at_once = jax.jit(label), jax.jit(jax.vmap(label))
    steps = [int(one(cell)[1].max()) for cell in cells]
    jax.block_until_ready(all_at_once(cells))
    alone, together = median_seconds([lambda: [one(cell) for cell in cells], lambda: all_at_once(cells)], 7)
    return {"cells": CELLS, "steps": steps, "one_by_one": CELLS / alone, "vmap": CELLS / together}


def operator() -> dict:
    """One application of the operator at 128³ in float32, and the time in which as many bytes as it must move at least
    are copied: three displacements and two moduli read, three forces written, in every voxel."""
    import jax
    import jax.numpy as jnp

    from jaxmeta.fem import IsotropicField, Periodic, Stiffness

    shape, least = (128, 128, 128), 4 * (3 + 2 + 3)
    modulus = jax.random.uniform(jax.random.key(0), shape)
    field, edges = IsotropicField(0.6 * modulus, 0.4 * modulus), jnp.ones(3)
    nodal = jax.random.normal(jax.random.key(1), (3, *shape))
    apply = jax.jit(lambda m, h, u: Stiffness(m, h, Periodic())(u))
    source = jnp.ones(2**27 // 4)
    copy = jax.jit(lambda x: -x)
    jax.block_until_ready((apply(field, edges, nodal), copy(source)))
    seconds, copying = median_seconds([lambda: apply(field, edges, nodal), lambda: copy(source)], COPIES)
    bandwidth = 2 * source.nbytes / copying
    return {
        "seconds": seconds,
        "bytes_per_voxel": least,
        "copy_bandwidth": bandwidth,
        "share": least * modulus.size / seconds / bandwidth,
    }


BESIDE = {
    "first_call_gyroid_64": first_call,
    "design_64_cubic_100_steps": design,
    "batch_64_cubic": batch,
    "operator_128": operator,
}
