"""Properties of aluminium by the potentials that ship: crystal, vacancy, surfaces.

    python -m experiments.nano.properties

Vacancy: one site less in a periodic cell of 6×6×6 cubic cells, relaxed; its energy is E(n − 1) − (n − 1) e, with e the
energy of an atom in the crystal. Surface: a slab, periodic along it, with two free faces, relaxed; (E − n e)/2A. That
of {100} is 12 cells thick (24 planes), that of {110} 16 periods (32 planes), that of {111} 6 periods (18 planes).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import jaxmeta as jm

GPA, JOULE = 160.21766208, 16.021766208
"""Of 1 eV/Å³, and of 1 eV/Å² in J/m²."""
VACANCY_CELLS = 6
SLABS = {
    "100": ((1, 1, 12), ((1, 0, 0), (0, 1, 0), (0, 0, 1))),
    "110": ((1, 1, 16), ((0, 0, 1), (1, -1, 0), (1, 1, 0))),
    "111": ((1, 1, 6), ((1, -1, 0), (1, 1, -2), (1, 1, 1))),
}
FILE = Path(__file__).with_name("properties.json")


def vacancy(potential: jm.nano.EAM, cells: int = VACANCY_CELLS) -> float:
    """Energy of a vacancy in eV."""
    solid = jm.nano.crystal(potential)
    lattice = jm.nano.Lattice((cells,) * 3, solid.lattice_constant)
    relaxed = jm.nano.relax(potential, lattice.positions[1:], cell=lattice.cell, pbc=(True, True, True), tolerance=1e-7)
    return relaxed.energy - (len(lattice) - 1) * solid.energy


def surface(potential: jm.nano.EAM, name: str) -> float:
    """Energy of a relaxed surface in J/m²."""
    solid = jm.nano.crystal(potential)
    lattice = jm.nano.Lattice(SLABS[name][0], solid.lattice_constant, SLABS[name][1])
    slab = jm.nano.relax(potential, lattice.positions, cell=lattice.cell, pbc=(True, True, False), tolerance=1e-7)
    area = lattice.lengths[0] * lattice.lengths[1]
    return (slab.energy - len(lattice) * solid.energy) / (2 * area) * JOULE


def properties(potential: jm.nano.EAM) -> dict[str, float]:
    """All of them."""
    solid = jm.nano.crystal(potential)
    return {
        "lattice_constant_A": solid.lattice_constant,
        "cohesive_energy_eV": solid.energy,
        "c11_GPa": GPA * solid.c11,
        "c12_GPa": GPA * solid.c12,
        "c44_GPa": GPA * solid.c44,
        "vacancy_eV": vacancy(potential),
        **{f"surface_{name}_J_per_m2": surface(potential, name) for name in SLABS},
    }


def main() -> None:
    """Compute and write."""
    potentials = {"mishin1999": jm.nano.mishin1999(), "zhou2004": jm.nano.zhou2004("Al")}
    table = {name: {k: float(np.round(v, 8)) for k, v in properties(p).items()} for name, p in potentials.items()}
    FILE.write_text(json.dumps(table, indent=1) + "\n")
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
