"""Relaxes and designs bodies that four devices share, and the same on one; prints how they differ, as JSON."""

import json
import os

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

import jaxmeta as jm
from jaxmeta.nano._grips import padded
from jaxmeta.nano._halo import checked_mesh
from jaxmeta.nano._stiffness import checked, respond

ZHOU, A0 = jm.nano.zhou2004("Al"), 4.05
MESH = Mesh(np.array(jax.devices()), ("x",))


def apart(one, other) -> float:
    return float(abs(np.asarray(one) - np.asarray(other)).max())


def holed_beam():
    """A beam with a hole, large enough for boxes; its atoms in any order."""
    beam = jm.nano.cantilever((20, 8, 9), A0, periodic=False)
    x, y, _ = (beam.lattice.positions / A0 - np.array([10, 4, 0])).T
    there = np.random.default_rng(0).permutation(np.flatnonzero((abs(x) > 2) | (abs(y) > 2)))
    return beam.lattice.positions[there], beam.held[there], beam.direction[there]


def of_a_beam() -> dict:
    alone, together = (jm.nano.stiffness(ZHOU, *holed_beam(), mesh=mesh) for mesh in (None, MESH))
    return {
        "k": abs(together.k / alone.k - 1), "positions": apart(together.positions, alone.positions),
        "displacement": apart(together.displacement, alone.displacement),
        "lowest_eigenvalue": abs(together.lowest_eigenvalue / alone.lowest_eigenvalue - 1),
        "steps": [together.steps - alone.steps, together.solve - alone.solve],
    }  # fmt: skip


def of_a_program() -> dict:
    """What devices pass to each other, of a body of which each holds a quarter."""
    with jax.enable_x64(True):
        where, held, direction = holed_beam()
        order = np.argsort(where[:, 0])
        asked = checked(ZHOU, where[order], held[order], direction[order], None, (False,) * 3)
        body = asked.body(checked_mesh(MESH))
        direction = padded(asked.direction, body.table.count)
        text = respond.lower(body, jnp.zeros_like(direction), direction).compile().as_text() or ""
    assert body.table.halo is not None
    return {
        "gathers": text.count("all-gather("), "passes": text.count("collective-permute("),
        "halo": body.table.halo.up.shape[1] / (len(where) / 4),
        "own": [shard.data.shape[-1] for shard in body.table.offset.addressable_shards],  # pyright: ignore
    }  # fmt: skip


def of_a_crystal() -> float:
    """Repeating along all axes, so that the first block is next to the last; with a vacancy."""
    crystal = jm.nano.Lattice((16, 2, 2), A0)
    asked = crystal.positions[1:], None, crystal.cell, (True, True, True)
    alone, together = (jm.nano.relax(ZHOU, *asked, tolerance=1e-6, mesh=mesh) for mesh in (None, MESH))
    return abs(together.energy - alone.energy)


def of_a_design() -> list[int]:
    beam = jm.nano.cantilever((16, 4, 1), A0)
    designs = [
        jm.nano.optimize(ZHOU, beam, 0.8, start="full", rate=0.1, trials=2, max_steps=4, mesh=mesh).occupancy
        for mesh in (None, MESH)
    ]
    return [int(designs[1].sum()), int((designs[0] != designs[1]).sum())]


def refused() -> str:
    bar = jm.nano.pillar((4, 3, 3), A0)
    try:
        jm.nano.stiffness(ZHOU, bar.lattice.positions, bar.held, bar.direction, mesh=MESH)
    except ValueError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    for part in (of_a_beam, of_a_program, of_a_crystal, of_a_design, refused):
        print(json.dumps({part.__name__: part()}), flush=True)
