"""`jaxmeta nano stiffness | relax | info`: what a body of atoms in a file does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .._texts import duration
from ..runs import Progress
from ._errors import UsageError
from ._options import Flag, Triple, Unset, check_positive, flat
from ._session import prepare, session, versions

if TYPE_CHECKING:
    import numpy as np

    from jaxmeta.nano import EAM, Atoms


@dataclass(frozen=True)
class Potential:
    """How atoms act on each other."""

    potential: str = "zhou"
    """One of zhou (Zhou and others 2004, tapered) and mishin (Mishin and others 1999), or a file of the form eam/alloy
    or eam/fs."""
    element: Unset[str] = None
    """Which element of such a file, where it has several."""

    def made(self) -> EAM:
        """The potential."""
        from jaxmeta.nano import EAM, mishin1999, zhou2004

        if self.potential in ("zhou", "mishin"):
            if self.element not in (None, "Al"):
                raise UsageError(f"Argument `element` must be Al for this potential, but is {self.element}.")
            return zhou2004("Al") if self.potential == "zhou" else mishin1999()
        return EAM.read(self.potential, self.element)


@dataclass(frozen=True)
class Grips:
    """Which atoms are held, in place of what the file says."""

    grip: Annotated[float | None, tyro.conf.arg(metavar="Å", help_behavior_hint="")] = None
    """Hold the atoms that are so near to the ends along the axis."""
    axis: Literal["x", "y", "z"] = "x"
    """Axis between the grips."""
    direction: Triple = None
    """Unit displacement of the grip at the high end (default: 0 1 0)."""
    pbc: Annotated[str | None, tyro.conf.arg(metavar="TTT", help_behavior_hint="")] = None
    """Along which axes atoms repeat, three of T and F."""

    def check(self) -> None:
        """Refuses what can be seen without the file."""
        check_positive(grip=self.grip)
        if self.direction is not None and self.grip is None:
            raise UsageError("Argument `direction` must come with `grip`, which is missing.")
        if self.pbc is not None and (len(self.pbc) != 3 or set(self.pbc) - {"T", "F"}):
            raise UsageError(f"Argument `pbc` must be three of T and F, such as FFT, but is {self.pbc}.")

    def of(self, atoms: Atoms) -> Atoms:
        """The atoms with their grips."""
        import numpy as np

        if self.pbc is not None:
            x, y, z = (letter == "T" for letter in self.pbc)
            atoms = replace(atoms, pbc=(x, y, z))
        if self.grip is None:
            return atoms
        along = atoms.positions[:, "xyz".index(self.axis)]
        low, high = along <= along.min() + self.grip, along >= along.max() - self.grip
        if (low & high).any():
            raise UsageError(f"Argument `grip` must leave room between the grips, but is {self.grip:g}.")
        move = np.outer(high, self.direction or (0.0, 1.0, 0.0))
        return replace(atoms, held=low | high, direction=move)


@dataclass(frozen=True)
class _Reading:
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The atoms: extended XYZ (.xyz, .extxyz), LAMMPS data (.lmp, .data) or .vtp."""
    potential: Potential = field(default_factory=Potential)
    grips: Grips = field(default_factory=Grips)
    output: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """File for the relaxed atoms, of one of the same kinds."""
    overwrite: Flag = False
    """Replace that file if it exists."""
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line; not needed here.

        Returns:
            The exit code.
        """
        self.grips.check()
        if self.output is not None:
            check_output(self.output, self.overwrite)
        prepare()
        began = time.perf_counter()
        with Progress() as progress, session("float64"):
            progress.phase("Reading", str(self.file), quiet=True)
            from jaxmeta.nano import read_atoms

            atoms, potential = self.grips.of(read_atoms(self.file)), self.potential.made()
            if atoms.element != potential.element:
                raise UsageError(
                    f"Argument `potential` must be one for {atoms.element}, as in {self.file}, but is for "
                    f"{potential.element}."
                )
            facts, lines, relaxed = self._work(atoms, potential, progress)
            if self.output is not None and relaxed is not None:
                from jaxmeta.nano import write_atoms

                progress.phase("Writing", str(self.output))
                write_atoms(self.output, relaxed, mass=potential.mass, overwrite=self.overwrite)
                lines.append(f"Wrote {self.output}.")
            progress.phase("")
        facts |= {"settings": flat(self), "versions": versions(), "seconds": time.perf_counter() - began}
        if self.json:
            from jaxmeta.io import to_json

            print(to_json(facts, non_finite="null"))
        else:
            print("\n".join([f"{self.file}: {len(atoms.positions)} atoms of {atoms.element}", *lines]))
        return 0

    def _work(self, atoms: Atoms, potential: EAM, progress: Progress) -> tuple[dict[str, Any], list[str], Atoms | None]:
        raise NotImplementedError


@dataclass(frozen=True)
class Stiffness(_Reading):
    """Compute the stiffness of a body of atoms between grips, k = u·H·u at the relaxed positions.

    Grips and their motion are columns `held` and `direction` of the file, as `jaxmeta nano optimize` writes them, or
    are given with --grip.
    """

    def _work(self, atoms: Atoms, potential: EAM, progress: Progress) -> tuple[dict[str, Any], list[str], Atoms | None]:
        from jaxmeta import nano

        if atoms.held is None or atoms.direction is None:
            raise UsageError(f"Argument `grip` must be given, as {self.file} has no columns `held` and `direction`.")
        progress.phase("Solving", "after compilation")
        began = time.perf_counter()
        s = nano.stiffness(potential, atoms.positions, atoms.held, atoms.direction, atoms.cell, atoms.pbc)
        names = ("k", "slope", "energy", "lowest_eigenvalue", "instabilities", "steps", "products", "solve")
        facts = {"command": "nano stiffness", "atoms": len(atoms.positions)} | {n: getattr(s, n) for n in names}
        facts["stable"] = s.lowest_eigenvalue > 0
        lines = [
            f"k = {s.k:.6g} eV/Å² ({16.02176634 * s.k:.5g} N/m), slope {s.slope:.4g} eV/Å",
            f"energy {s.energy:.8g} eV, lowest eigenvalue {s.lowest_eigenvalue:.4g} eV/Å², "
            f"{'stable' if s.lowest_eigenvalue > 0 else 'unstable'}",
            f"Relaxed in {s.steps} Newton steps and {s.products} of conjugate gradients, solved in {s.solve}; "
            f"{duration(time.perf_counter() - began)} with compilation.",
        ]
        numbers = dict(atoms.numbers) | {"displacement": s.displacement}
        return facts, lines, replace(atoms, positions=s.positions, numbers=numbers)


@dataclass(frozen=True)
class Relax(_Reading):
    """Move the free atoms to the nearest positions of least energy."""

    def _work(self, atoms: Atoms, potential: EAM, progress: Progress) -> tuple[dict[str, Any], list[str], Atoms | None]:
        import numpy as np

        from jaxmeta import nano

        progress.phase("Relaxing", "after compilation")
        r = nano.relax(potential, atoms.positions, atoms.held, atoms.cell, atoms.pbc)
        furthest = float(np.linalg.norm(r.positions - atoms.positions, axis=1).max())
        names = ("energy", "force", "lowest_eigenvalue", "instabilities", "steps", "products")
        facts = {"command": "nano relax", "atoms": len(atoms.positions)} | {n: getattr(r, n) for n in names}
        facts["furthest"] = furthest
        lines = [
            f"energy {r.energy:.8g} eV, largest force {r.force:.2g} eV/Å, furthest moved {furthest:.4g} Å",
            f"lowest eigenvalue {r.lowest_eigenvalue:.4g} eV/Å², {r.instabilities} saddles left, "
            f"{r.steps} Newton steps",
        ]
        energies = nano.energies(potential, r.positions, atoms.cell, atoms.pbc)
        return facts, lines, replace(atoms, positions=r.positions, numbers=dict(atoms.numbers) | {"energy": energies})


@dataclass(frozen=True)
class Info(_Reading):
    """Say what a body of atoms is: its size, coordination, energy and forces as it stands."""

    def _work(self, atoms: Atoms, potential: EAM, progress: Progress) -> tuple[dict[str, Any], list[str], Atoms | None]:
        import numpy as np

        from jaxmeta import nano

        solid = nano.crystal(potential)
        near = coordination(atoms, solid.lattice_constant)
        counts = {str(k): int(n) for k, n in enumerate(np.bincount(near)) if n}
        energy = nano.energy(potential, atoms.positions, atoms.cell, atoms.pbc)
        force = float(np.abs(nano.forces(potential, atoms.positions, atoms.cell, atoms.pbc)).max())
        extent = np.ptp(atoms.positions, axis=0)
        held = None if atoms.held is None else int(atoms.held.sum())
        facts: dict[str, Any] = {
            "command": "nano info", "atoms": len(atoms.positions), "element": atoms.element, "pbc": list(atoms.pbc),
            "cell": None if atoms.cell is None else atoms.cell.tolist(), "extent": extent.tolist(), "held": held,
            "coordination": counts, "energy": energy, "largest_force": force,
            "crystal": solid._asdict(),
        }  # fmt: skip
        lines = [
            f"extent {extent[0]:.4g} × {extent[1]:.4g} × {extent[2]:.4g} Å, periodic "
            f"{''.join('FT'[p] for p in atoms.pbc)}, {'grips unknown' if held is None else f'{held} held'}",
            "neighbours: " + ", ".join(f"{n} with {k}" for k, n in counts.items()),
            f"energy {energy:.8g} eV, largest force {force:.3g} eV/Å",
            f"crystal of the potential: {solid.lattice_constant:.5f} Å, {solid.energy:.5f} eV an atom",
        ]
        return facts, lines, None


def coordination(atoms: Atoms, lattice_constant: float) -> np.ndarray:
    """Neighbours of every atom up to the middle between the first two shells."""
    import numpy as np

    from jaxmeta.nano import neighbors

    table = neighbors(atoms.positions, 0.854 * lattice_constant, atoms.cell, atoms.pbc)
    return np.asarray(table.index < table.count).sum(0)


def check_output(path: Path, overwrite: bool) -> None:
    """Refuses a file that could not be written in the end.

    Raises:
        UsageError: its ending is no known one, it exists, or there is no such folder.
    """
    if path.suffix.lower() not in (".xyz", ".extxyz", ".lmp", ".data", ".vtp"):
        raise UsageError(f"Argument `output` must end in .xyz, .extxyz, .lmp, .data or .vtp, but is {path}.")
    if path.exists() and not overwrite:
        raise UsageError(f"Argument `output` must be a new file, but {path} exists: add `overwrite` to replace it.")
    if not path.parent.is_dir():
        raise UsageError(f"Argument `output` must be in a folder that exists, but {path.parent} does not.")
