"""Steps and seconds on grids of all kinds, beside those of 64³ of the same kind.

    python -m benchmarks.grids [FILE.json]
    python -m benchmarks.grids check

Periodic gyroids (six loads), octants of a P surface (two loads), clamped blocks of random cubic stiffness under a load
at their end; in float32. The flat cell, which has no gyroid, is a grid of two families of walls. `check`
solves the cells and octants in float64 to 1e-12 with multigrid and with the Jacobi-scaled FFT, and tells by how much C
differs, over its largest entry.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxmeta as jm
from benchmarks.timing import median_seconds

REPEATS = 9
SOLID = jm.Isotropic(1.0, 0.3)
GRIDS = {
    "cell": [(64, 64, 64), (96, 96, 96), (100, 100, 100), (60, 40, 30), (37, 41, 43), (128, 128, 1)],
    "octant": [(64, 64, 64), (50, 50, 50), (37, 37, 37)],
    "block": [(64, 64, 64), (50, 50, 50), (40, 40, 8), (40, 40, 2)],
}


def phases(shape: tuple[int, ...], period: float) -> list[np.ndarray]:
    return np.meshgrid(*(period * (np.arange(n) + 0.5) / n for n in shape), indexing="ij")


def cell_density(shape: tuple[int, ...]) -> np.ndarray:
    x = phases(shape, 2 * np.pi)
    field = sum(np.sin(x[a]) * np.cos(x[(a + 1) % 3]) for a in range(3)) - 0.6
    if min(shape) == 1:
        field = np.maximum(np.cos(x[0]), np.cos(x[1])) - 0.5
    return field > 0


def octant_density(shape: tuple[int, ...]) -> np.ndarray:
    return sum(np.cos(x) for x in phases(shape, np.pi)) > 0.3


def cell(shape: tuple[int, ...]) -> Callable[[], Any]:
    density = jnp.asarray(cell_density(shape), jnp.float32)
    return lambda: jm.homogenize(density, SOLID).stats


def octant(shape: tuple[int, ...]) -> Callable[[], Any]:
    density = jnp.asarray(octant_density(shape), jnp.float32)
    return lambda: jm.homogenize(density, SOLID, symmetry="cubic").stats


def block(shape: tuple[int, ...]) -> Callable[[], Any]:
    a, b, c = np.random.default_rng(0).uniform(0.5, 1.5, (3, *shape)).astype(np.float32)
    field = jm.fem.CubicField(jnp.asarray(2 * a + b), jnp.asarray(b), jnp.asarray(c))
    nodes = (*(n + 1 for n in shape), 3)
    held = np.zeros(nodes, bool)
    held[0] = True
    loads = np.zeros(nodes, np.float32)
    loads[-1, :, :, 2] = 1 / loads[-1, :, :, 2].size
    return lambda: jm.fem.solve(field, held, jnp.asarray(loads)).stats


def _steps(run: Callable[[], Any]) -> int:
    return int(np.max(jax.block_until_ready(run()).steps))


def check() -> None:
    for kind, make, symmetry in (("cell", cell_density, "none"), ("octant", octant_density, "cubic")):
        for shape in GRIDS[kind]:
            with jax.enable_x64(True):
                density = jnp.asarray(make(shape), float)
                c, other = (
                    np.asarray(
                        jm.homogenize(
                            density, SOLID, symmetry=symmetry, preconditioner=name, tolerance=1e-12, max_steps=5000
                        ).stiffness
                    )
                    for name in ("multigrid", "fft")
                )
            difference = np.abs(c - other).max() / np.abs(c).max()
            print(f"{kind} {' × '.join(map(str, shape)):15s} {difference:.1e}", flush=True)


def main(file: str | None) -> None:
    if file == "check":
        check()
        return
    rows = []
    print(f"{'':22s} {'steps':>6s} {'seconds':>8s} {'µs/voxel':>9s}   times those of 64³, in turn")
    for kind, make in (("cell", cell), ("octant", octant), ("block", block)):
        standard = make(GRIDS[kind][0])
        first = _steps(standard)
        for shape in GRIDS[kind]:
            run = make(shape)
            steps = _steps(run)
            seconds, beside = median_seconds([run, standard], REPEATS)
            row = {"steps": steps, "seconds": seconds, "per_voxel": 1e6 * seconds / float(np.prod(shape))}
            row["times_64"] = row["per_voxel"] / (1e6 * beside / float(np.prod(GRIDS[kind][0])))
            print(
                f"{kind} {' × '.join(map(str, shape)):15s} {steps:6d} {seconds:8.3f} {row['per_voxel']:9.2f}"
                f"   {steps / first:.2f} {row['times_64']:.2f}",
                flush=True,
            )
            rows.append({"kind": kind, "shape": shape, **row})
    if file is not None:
        with open(file, "w", encoding="utf-8") as out:
            json.dump({"device": jax.devices()[0].device_kind, "rows": rows}, out, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:2] or [None])
