"""Homogenizes cells that devices share, and the same cells on one device; prints how they differ, as JSON lines.

python shared_cell.py                   # meshes of 2, 4 and 8 devices, all of this process
python shared_cell.py PORT PROCESS      # a mesh of two processes with one device each
"""

import json
import os
import re
import sys
from functools import cache

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + (
    f" --xla_force_host_platform_device_count={1 if len(sys.argv) > 1 else 8}"
)

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jaxmeta as jm

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
SOLID = jm.Isotropic(1.0, 0.3)
GRIDS = {
    (2,): (32, 32, 32),  # the next coarser grid is shared as well
    (2, 2): (16, 16, 16),  # it is whole on every device
    (4, 1, 2): (8, 11, 20),  # uneven along the axis that is not cut
}
"""Grid for each shape of a mesh."""
WITH_GRADIENT = (16, 16, 16)


def cell(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=shape)


def stiffness(density: Array, mesh: Mesh | None) -> Array:
    return jm.homogenize(density, SOLID, residual=1e-10, spacing=(1.0, 0.8, 1.2), mesh=mesh).stiffness


def with_gradient(density: Array, mesh: Mesh | None) -> tuple[Array, Array]:
    def part(rho: Array) -> tuple[Array, Array]:
        c = stiffness(rho, mesh)
        return c[0, 3] + c[1, 1], c

    (_, c), gradient = jax.value_and_grad(part, has_aux=True)(density)
    return c, gradient


def off(actual: Array, expected: Array) -> float:
    return float(abs(np.asarray(actual) - np.asarray(expected)).max() / abs(np.asarray(expected)).max())


def mesh_of(counts: tuple[int, ...]) -> Mesh:
    return Mesh(np.array(jax.devices()[: np.prod(counts)]).reshape(counts), ("a", "b", "c")[: len(counts)])


@cache
def alone(shape: tuple[int, ...]) -> tuple[Array, Array | None]:
    """Stiffness on one device, and gradient of the one cell whose gradient is compared."""
    if shape == WITH_GRADIENT:
        return jax.jit(with_gradient, static_argnums=1)(cell(shape), None)
    return stiffness(cell(shape), None), None


def compare(counts: tuple[int, ...]) -> dict:
    density = cell(GRIDS[counts])
    program = jax.jit(stiffness, static_argnums=1).lower(density, mesh_of(counts)).compile()
    text = program.as_text() or ""
    fields = [size.split(",")[-3:] for size in re.findall(r"= f64\[([\d,]+)\]\S* all-gather", text)]
    gathered = [np.prod([int(n) for n in field]) for field in fields]
    return {
        "counts": counts,
        "stiffness": off(program(density), alone(density.shape)[0]),
        "largest_gathered": max(gathered, default=0) / density.size,
        "passes_planes": "collective-permute" in text,
    }


def compare_gradients(counts: tuple[int, ...]) -> dict:
    c, gradient = jax.jit(with_gradient, static_argnums=1)(cell(WITH_GRADIENT), mesh_of(counts))
    c_alone, gradient_alone = alone(WITH_GRADIENT)
    return {
        "stiffness": off(c, c_alone),
        "gradient": off(gradient, gradient_alone),
        "blocks": [block.data.shape for block in gradient.addressable_shards],
    }


def two_processes(port: str, process: str) -> dict:
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, int(process))
    mesh = Mesh(np.array(jax.devices()), ("x",))
    density = cell((16, 8, 8))
    sharding = NamedSharding(mesh, PartitionSpec("x"))
    own = jax.make_array_from_callback(density.shape, sharding, lambda index: density[index])
    alone = stiffness(density, None)
    try:
        stiffness(2 * own, mesh)
        refused = ""
    except ValueError as error:
        refused = str(error)
    return {
        "devices": len(jax.devices()),
        "own_devices": len(jax.local_devices()),
        "stiffness": off(stiffness(own, mesh), alone),
        "same_density_on_both": off(stiffness(density, mesh), alone),
        "refused": refused,
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(two_processes(*sys.argv[1:])), flush=True)
    else:
        for counts in GRIDS:
            print(json.dumps(compare(counts)), flush=True)
        print(json.dumps(compare_gradients((2, 2, 2))), flush=True)
