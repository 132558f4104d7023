"""Makes `removals.npz`: what the removal of single atoms does to the stiffness of three beams, by relaxing all anew.

    python -m tests.nano.make_removals

Sixty free atoms of each beam, chosen by chance, are taken out one at a time. It takes some minutes.
"""

from pathlib import Path

import numpy as np

import jaxmeta as jm

FILE = Path(__file__).with_name("removals.npz")
PBC = (False, False, True)


def beam(name):
    """Positions, held atoms, direction and cell of a beam of 12×6×2 cells: with two holes, with a notch, or of an X."""
    a = jm.nano.crystal(jm.nano.zhou2004("Al")).lattice_constant
    lattice = jm.nano.Lattice((12, 6, 2), a)
    x, y, _ = (lattice.positions / a).T
    if name == "holes":
        keep = ~((abs(x - 4) < 1.3) & (abs(y - 2.8) < 1.3)) & ~((abs(x - 8) < 1.3) & (abs(y - 2.8) < 1.3))
    elif name == "notch":
        keep = ~((abs(x - 6) < 1.3) & (y < 2.2))
    else:
        along = (x - 1) / 10
        keep = (abs(y / 6 - along) < 0.26) | (abs(y / 6 - (1 - along)) < 0.26) | (x < 1) | (x > 10.9)
    where = lattice.positions[keep]
    low, high = where[:, 0] < a - 0.1, where[:, 0] > 11 * a - 0.1
    return where, low | high, np.outer(high, [0.0, 1.0, 0.0]), lattice.cell


def chosen(held):
    """The atoms that are taken out."""
    return np.sort(np.random.default_rng(0).choice(np.flatnonzero(~held), 60, replace=False))


def main():
    """Write the file."""
    out = {}
    for name in ("holes", "notch", "x"):
        where, held, direction, cell = beam(name)
        whole = jm.nano.stiffness(jm.nano.zhou2004("Al"), where, held, direction, cell, PBC)
        changes = []
        for atom in chosen(held):
            rest = np.arange(len(held)) != atom
            try:
                less = jm.nano.stiffness(
                    jm.nano.zhou2004("Al"), whole.positions[rest], held[rest], direction[rest], cell, PBC
                )
                changes.append(less.k - whole.k)
            except jm.nano.RelaxationError as error:
                print(name, atom, error)
                changes.append(np.nan)
        out |= {f"{name}.k": whole.k, f"{name}.changes": np.array(changes)}
        print(name, len(where), whole.k)
    np.savez(FILE, **out)


if __name__ == "__main__":
    main()
