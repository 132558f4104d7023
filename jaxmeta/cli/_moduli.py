"""The numbers that describe a cell: moduli, anisotropy, bounds, connectedness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxmeta import Isotropic

_SAME = 1e-4
_GREY = 1e-3


@dataclass(frozen=True)
class Cell:
    """A whole cell with its stiffness, and what it was made of.

    Attributes:
        density: Shape (nx, ny, nz), no unit.
        spacing: Voxel edges, three lengths.
        stiffness: Shape (6, 6), Voigt order 11 22 33 23 13 12, in the unit of the solid's Young's modulus.
        solid: The solid.
        background: The second solid, or None for void.
        unit: Name of that unit.
    """

    density: np.ndarray
    spacing: tuple[float, float, float]
    stiffness: np.ndarray
    solid: Isotropic
    background: Isotropic | None
    unit: str

    @property
    def is_grey(self) -> bool:
        """Whether some voxels are neither void nor solid, so that bounds on mixtures do not hold."""
        return bool(np.any((self.density > _GREY) & (self.density < 1 - _GREY)))

    @property
    def volume_fraction(self) -> float:
        """Mean density."""
        return float(np.mean(self.density, dtype=np.float64))


def describe(cell: Cell) -> dict[str, Any]:
    """Computes all numbers in float64.

    Args:
        cell: The cell.

    Returns:
        What goes into the JSON object: `volume_fraction`, `stiffness`, `moduli`, `relative` to the solid, `bounds` of
        Hashin and Shtrikman and the `share` of them, `connected`, `parts` and `percolates`.
    """
    import jax

    from jaxmeta import bounds, elasticity, geometry

    with jax.enable_x64(True):
        matrix = np.asarray(cell.stiffness, np.float64)
        voigt = elasticity.voigt_average(matrix)
        moduli: dict[str, Any] = {"bulk": float(voigt.bulk), "shear": float(voigt.shear)}
        moduli |= _inverse_moduli(matrix)
        moduli["zener"] = _finite(elasticity.zener(matrix))
        limits = None
        if not cell.is_grey:
            upper = bounds.hashin_shtrikman(cell.volume_fraction, cell.solid, cell.background)
            limits = {"bulk": float(upper.bulk), "shear": float(upper.shear)}
        solid = {
            "bulk": float(cell.solid.bulk),
            "shear": float(cell.solid.shear),
            "young": float(np.asarray(cell.solid.young)),
        }
        parts = geometry.label(cell.density)[1]
        percolates = [bool(axis) for axis in geometry.percolates(cell.density)]
    return {
        "shape": list(cell.density.shape),
        "spacing": list(cell.spacing),
        "volume_fraction": cell.volume_fraction,
        "unit": cell.unit,
        "stiffness": matrix.tolist(),
        "moduli": moduli,
        "relative": {
            "bulk": moduli["bulk"] / solid["bulk"],
            "shear": moduli["shear"] / solid["shear"],
            "young": None if moduli["young"] is None else [value / solid["young"] for value in moduli["young"]],
        },
        "bounds": limits,
        "share": None if limits is None else {name: _share(moduli[name], limits[name]) for name in limits},
        "connected": parts == 1,
        "parts": parts,
        "percolates": percolates,
    }


def _inverse_moduli(matrix: np.ndarray) -> dict[str, Any]:
    """What is read off the compliance; None throughout where some deformation costs no energy."""
    from jaxmeta import elasticity

    values = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    names = ("young", "poisson", "axial_shear", "universal_anisotropy")
    if not values.min() > 1e-13 * max(values.max(), 0.0):
        return dict.fromkeys(names)
    constants = elasticity.engineering_constants(matrix)
    poisson = np.asarray(constants.poisson)
    return {
        "young": np.asarray(constants.young).tolist(),
        "poisson": {f"{i + 1}{j + 1}": float(poisson[i, j]) for i in range(3) for j in range(3) if i != j},
        "axial_shear": np.asarray(constants.shear).tolist(),
        "universal_anisotropy": _finite(elasticity.universal_anisotropy(matrix)),
    }


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(float(value)) else None


def _share(value: float, bound: float) -> float | None:
    return value / bound if bound > 0 else None


def rows(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Lists the properties as rows of a table.

    Args:
        facts: From `describe`.

    Returns:
        Rows of `name`, `value`, `unit`, `relative` to the solid, `bound` and `share`; what does not exist is None.
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


def connectivity(facts: dict[str, Any]) -> str:
    """Says in one sentence how the solid hangs together."""
    axes = [axis for axis, through in zip("xyz", facts["percolates"], strict=True) if through]
    parts = facts["parts"]
    whole = {0: "No voxel is solid", 1: "The solid is one connected part"}.get(parts, f"The solid has {parts} parts")
    if parts == 0:
        return f"{whole}."
    return f"{whole} and percolates along {', '.join(axes)}." if axes else f"{whole} and does not percolate."
