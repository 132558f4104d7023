"""The pictures and the report of a body that was designed atom by atom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._nano_read import coordination

if TYPE_CHECKING:
    import numpy as np

    from jaxmeta.nano import EAM, Design

_NEIGHBORS = 12
"""Of an atom that no surface is near."""
_NUMBERS = ("atoms", "sites", "volume_fraction", "k", "lowest_eigenvalue", "slope", "energy", "steps")


def write_report(place: Path, found: Design, potential: EAM, facts: dict[str, Any], files: dict[str, str]) -> None:
    """Pictures of the atoms by coordination, energy and strain, and a report with views that can be turned.

    Args:
        place: folder.
        found: the design.
        potential: of the atoms.
        facts: what is told of it.
        files: what is in the folder, which these are added to.
    """
    from jaxmeta.render import picture_of_atoms, write_atoms_report

    atoms, a = found.atoms(potential), found.problem.lattice.lattice_constant
    near = coordination(atoms, a)
    values = {
        "coordination": (near, "neighbours"),
        "energy": (found.energies(potential), "eV"),
        "strain": (_shear(found, a), "for 1 Å"),
    }
    for name, (numbers, unit) in values.items():
        picture_of_atoms(found.positions, place / f"{name}.png", numbers, title=f"{name}, {unit}")
        files[f"{name}.png"] = f"the atoms, coloured by {name}"
    files["report.html"] = "the body to be turned, numbers, pictures and history"
    history = {"objective": found.history["stiffness"], "atoms": found.history["atoms"]} if found.history else None
    write_atoms_report(
        place / "report.html",
        title=f"A body of {facts['atoms']} atoms",
        sentences=[
            f"k = {found.k:.6g} eV/Å², lowest eigenvalue {facts['lowest_eigenvalue']:.4g} eV/Å².",
            facts["text"].replace("`", ""),
            "Atoms with all twelve neighbours are not drawn. Strain is the shear when the grips move by 1 Å.",
        ],
        positions=found.positions,
        values=values,
        seen=near < _NEIGHBORS,
        pictures={f"The atoms, coloured by {name}.": (place / f"{name}.png").read_bytes() for name in values},
        numbers={name: facts[name] for name in _NUMBERS},
        history=history,
        objective="k in eV/Å²",
        settings=facts["settings"],
        versions=facts["versions"],
        files=files,
    )


def _shear(found: Design, lattice_constant: float) -> np.ndarray:
    """The norm of the deviator of the strain of u, √(e : e)."""
    import numpy as np

    from jaxmeta import nano

    lattice, pbc = found.problem.lattice, found.problem.pbc
    radius = 0.854 * lattice_constant
    strain = nano.local_strain(found.positions, found.scored.displacement, radius, lattice.cell, pbc)
    deviator = strain[:, :3] - strain[:, :3].mean(1, keepdims=True)
    return np.sqrt((deviator**2).sum(1) + 0.5 * (strain[:, 3:] ** 2).sum(1))
