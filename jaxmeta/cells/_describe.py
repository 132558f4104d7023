"""The numbers that describe a cell: moduli, anisotropy, bounds, connectedness; as data, as a table, as a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from .. import elasticity
from ._cell import Cell

_SAME = 1e-4


def describe(cell: Cell) -> dict[str, Any]:
    """Compute all numbers of a cell, in float64.

    Args:
        cell: the cell.

    Returns:
        Plain numbers and texts, as `jm.io.write_json` takes them: `shape`, `spacing`, `volume_fraction`, `unit`,
        `stiffness`, `moduli`, `relative` to the solid, `bounds` of Hashin and Shtrikman and the `share` of them,
        `connected`, `parts` and `percolates` of the solid; `void_connected`, `void_parts`, `closed_pores` (parts of the
        void that end within the repeated cell), `closed_share` of the void in them and `sealed_cavities` of a single
        cell; `thinnest_member` in voxels, `thinnest_length` in `length_unit`, and `thin_share` of the solid in members
        thinner than two voxels. What does not exist is None.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> solid = jm.Isotropic(1.0, 0.3)
        >>> found = jm.cells.describe(jm.cells.Cell(np.ones((4, 4, 4)), "none", np.asarray(solid.stiffness), solid))
        >>> found["parts"], round(found["share"]["bulk"], 6), [round(young, 6) for young in found["moduli"]["young"]]
        (1, 1.0, [1.0, 1.0, 1.0])
    """
    matrix, cubic = np.asarray(cell.stiffness, np.float64), cell.constants
    with jax.enable_x64(True), np.errstate(divide="ignore", invalid="ignore"):
        moduli: dict[str, Any] = {"bulk": float(cubic.bulk), "shear": float(cubic.shear)}
        moduli |= _inverse_moduli(matrix) | {"zener": _finite(cubic.zener)}
        solid = {name: float(getattr(cell.solid, name)) for name in ("bulk", "shear", "young")}
    young = moduli["young"]
    return {
        "shape": list(cell.cell.shape),
        "spacing": list(cell.spacing),
        "volume_fraction": cell.volume_fraction,
        "unit": cell.unit,
        "stiffness": matrix.tolist(),
        "moduli": moduli,
        "relative": {
            "bulk": moduli["bulk"] / solid["bulk"],
            "shear": moduli["shear"] / solid["shear"],
            "young": None if young is None else [value / solid["young"] for value in young],
        },
        "bounds": None if cell.bounds is None else cell.bounds._asdict(),
        "share": None if cell.shares is None else {n: _finite(v) for n, v in cell.shares._asdict().items()},
        "connected": cell.facts.connected,
        "parts": cell.facts.parts,
        "percolates": list(cell.facts.percolates),
        **_voids_and_members(cell),
    }


def _voids_and_members(cell: Cell) -> dict[str, Any]:
    facts = cell.facts
    thinnest = facts.thinnest or None
    return {
        "void_connected": facts.void_connected,
        "void_parts": len(facts.void.sizes),
        "closed_pores": facts.closed_pores,
        "closed_share": facts.closed_share,
        "sealed_cavities": facts.sealed_cavities(),
        "thinnest_member": thinnest,
        "thinnest_length": thinnest * min(cell.spacing) if thinnest and cell.length_unit else None,
        "length_unit": cell.length_unit,
        "thin_share": facts.thin,
    }


def _inverse_moduli(matrix: np.ndarray) -> dict[str, Any]:
    """What is read off the compliance; None throughout where some deformation costs no energy."""
    values = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    names = ("young", "poisson", "axial_shear", "universal_anisotropy")
    if not values.min() > 1e-13 * max(values.max(), 0.0):
        return dict.fromkeys(names)
    constants, anisotropy = elasticity.host_constants(matrix)
    poisson = constants.poisson
    return {
        "young": constants.young.tolist(),
        "poisson": {f"{i + 1}{j + 1}": float(poisson[i, j]) for i in range(3) for j in range(3) if i != j},
        "axial_shear": constants.shear.tolist(),
        "universal_anisotropy": _finite(anisotropy),
    }


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(float(value)) else None


def properties(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """List the properties of a cell as rows of a table.

    Args:
        facts: from `describe`.

    Returns:
        Rows of `name`, `value`, `unit`, `relative` to the solid, `bound` and `share`; what does not exist is None.

    Example:
        >>> import jaxmeta as jm
        >>> rows = jm.cells.properties(jm.cells.describe(jm.dataset.load()[7]))
        >>> [row["name"] for row in rows][:3]
        ['Volume fraction', 'Bulk modulus K', 'Shear modulus G (Voigt)']
    """
    moduli, relative, unit = facts["moduli"], facts["relative"], facts["unit"]
    bounds, share = facts["bounds"] or {}, facts["share"] or {}

    def row(name: str, value: Any, of_solid: Any = None, key: str = "", unit: str = "") -> dict[str, Any]:
        return {
            "name": name,
            "value": value,
            "unit": unit,
            "relative": of_solid,
            "bound": bounds.get(key),
            "share": share.get(key),
        }

    table = [
        row("Volume fraction", facts["volume_fraction"]),
        row("Bulk modulus K", moduli["bulk"], relative["bulk"], "bulk", unit),
        row("Shear modulus G (Voigt)", moduli["shear"], relative["shear"], "shear", unit),
    ]
    if moduli["young"] is not None:
        ratios = moduli["poisson"]
        for axes, value in _merged(zip("xyz", moduli["young"], strict=True)):
            place = "" if axes == "xyz" else f" along {', '.join(axes)}"
            of_solid = relative["young"]["xyz".index(axes[0])]
            table.append(row(f"Young's modulus E{place}", value, of_solid, unit=unit))
        for pairs, value in _merged((f"{name} ", ratios[name]) for name in ("12", "13", "23", "21", "31", "32")):
            table.append(row("Poisson's ratio ν" + ("" if len(pairs) == 18 else f" {', '.join(pairs.split())}"), value))
        solid_shear = moduli["shear"] / relative["shear"]
        for pairs, value in _merged(zip(("23 ", "13 ", "12 "), moduli["axial_shear"], strict=True)):
            place = "" if len(pairs) == 9 else f" {', '.join(pairs.split())}"
            table.append(row(f"Shear modulus along the axes{place}", value, value / solid_shear, unit=unit))
    table.append(row("Zener's ratio", moduli["zener"]))
    table.append(row("Universal anisotropy", moduli["universal_anisotropy"]))
    return table


def _merged(items: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Joins the names of values that are the same for the eye."""
    groups: list[tuple[str, float]] = []
    for name, value in items:
        for position, (names, other) in enumerate(groups):
            if abs(value - other) <= _SAME * max(abs(value), abs(other), 1e-30):
                groups[position] = names + name, other
                break
        else:
            groups.append((name, value))
    return groups


def connection(facts: dict[str, Any]) -> str:
    """Say in one sentence how the solid hangs together.

    Args:
        facts: from `describe`.

    Example:
        >>> import jaxmeta as jm
        >>> jm.cells.connection(jm.cells.describe(jm.dataset.load()[7]))
        'The solid is one connected part and percolates along x, y, z.'
    """
    axes = [axis for axis, through in zip("xyz", facts["percolates"], strict=True) if through]
    parts = facts["parts"]
    whole = {0: "No voxel is solid", 1: "The solid is one connected part"}.get(parts, f"The solid has {parts} parts")
    if parts == 0:
        return f"{whole}."
    return f"{whole} and percolates along {', '.join(axes)}." if axes else f"{whole} and does not percolate."


def pores(facts: dict[str, Any]) -> str:
    """Say in one sentence how the void hangs together, and whether powder or resin can leave it.

    Args:
        facts: from `describe`.

    Example:
        >>> import jaxmeta as jm
        >>> jm.cells.pores(jm.cells.describe(jm.dataset.load()[7]))
        'The void is one connected part, and open.'
    """
    count, closed = facts["void_parts"], facts["closed_pores"]
    if count == 0:
        return "No voxel is void."
    whole = "The void is one connected part" if count == 1 else f"The void has {count} parts"
    if closed == 0:
        return f"{whole}, and open." if count == 1 else f"{whole}, all of them open."
    share = f"{100 * facts['closed_share']:.3g} % of the void"
    if count == 1:
        return f"{whole}, and a closed pore: powder or resin cannot leave."
    some = "all of them" if closed == count else f"{closed} of them"
    pores = "closed pores" if closed > 1 else "a closed pore"
    return f"{whole}, {some} {pores} with {share}: powder or resin cannot leave."


def members(facts: dict[str, Any]) -> str:
    """Say in one sentence how thin the solid is.

    Args:
        facts: from `describe`.

    Example:
        >>> import jaxmeta as jm
        >>> jm.cells.members(jm.cells.describe(jm.dataset.load()[7].sized(10.0)))
        'The thinnest member is 1 voxel (0.156 mm) wide; 2.7 % of the solid is thinner than two voxels.'
    """
    thinnest = facts["thinnest_member"]
    if thinnest is None:
        return "There is no member."
    length = facts["thinnest_length"]
    size = "" if length is None else f" ({length:.3g} {facts['length_unit']})"
    text = f"The thinnest member is {thinnest} voxel{'s' * (thinnest > 1)}{size} wide"
    if thinnest > 1:
        return f"{text}."
    return f"{text}; {100 * facts['thin_share']:.3g} % of the solid is thinner than two voxels."


def sentences(facts: dict[str, Any]) -> list[str]:
    """All that is said of solid, void and members, in sentences.

    Args:
        facts: from `describe`.

    Example:
        >>> import jaxmeta as jm
        >>> len(jm.cells.sentences(jm.cells.describe(jm.dataset.load()[7])))
        3
    """
    return [connection(facts), pores(facts), members(facts)]
