"""What an optimisation is to reach: objective and constraints, from the options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ._errors import UsageError
from ._options import Unset

if TYPE_CHECKING:
    import numpy as np

    from jaxmeta import Isotropic

_NEAR = 0.005
"""Largest deviation from a target, relative to it, in the design; cutting it to voxels adds to that."""

ObjectiveName = Literal["bulk", "shear", "young", "poisson", "match", "volume"]


@dataclass(frozen=True)
class Target:
    """What --objective match comes near to, and --objective volume has with the least material: in the unit of --young;
    E and Poisson's ratio are those of the nearest isotropic stiffness."""

    target: Unset[Path] = None
    """File with a 6 × 6 matrix: .npy .npz or .h5, Voigt order 11 22 33 23 13 12."""
    target_c11: Unset[float] = None
    """C11 of a cubic cell."""
    target_c12: Unset[float] = None
    """C12 of a cubic cell."""
    target_c44: Unset[float] = None
    """C44 of a cubic cell."""
    target_young: Unset[float] = None
    """Young's modulus of the cell."""
    target_poisson: Unset[float] = None
    """Poisson's ratio of the cell."""

    @property
    def numbers(self) -> dict[str, float]:
        """Those that are asked for, by their names."""
        names = ("c11", "c12", "c44", "young", "poisson")
        values = {name: getattr(self, f"target_{name}") for name in names}
        return {name: value for name, value in values.items() if value is not None}

    def check_whole(self) -> None:
        """Refuses what is not a whole stiffness.

        Raises:
            UsageError: If it is not given in exactly one way.
        """
        given = set(self.numbers)
        if given in (set(), {"c11", "c12", "c44"}, {"young", "poisson"}) and bool(given) != (self.target is not None):
            return
        raise UsageError(
            "Argument `target` must be a file, or else `target_c11`, `target_c12` and `target_c44` be given, or "
            "`target_young` and `target_poisson`."
        )

    def stiffness(self) -> np.ndarray:
        """The whole target, shape (6, 6), in the unit of the solid.

        Raises:
            UsageError: If it is not given in exactly one way, or is not positive definite.
        """
        import numpy as np

        from jaxmeta.elasticity import CubicConstants
        from jaxmeta.io import read_stiffness

        self.check_whole()
        if self.target is not None:
            matrix = read_stiffness(self.target)
        elif "c11" in self.numbers:
            matrix = np.asarray(CubicConstants(**self.numbers).stiffness)
        else:
            matrix = self._isotropic()
        if not np.linalg.eigvalsh(matrix).min() > 0:
            name = "target" if self.target is not None else "target_c11"
            raise UsageError(
                f"Argument `{name}` must make a positive definite stiffness, but some deformation of it would cost no "
                "energy."
            )
        return matrix

    def _isotropic(self) -> np.ndarray:
        import numpy as np

        from jaxmeta import Isotropic

        young, poisson = self.target_young or 0.0, self.target_poisson or 0.0
        if not young > 0:
            raise UsageError(f"Argument `target_young` must be positive, but is {young:g}.")
        if not -1 < poisson < 0.5:
            raise UsageError(f"Argument `target_poisson` must lie between -1 and 0.5, but is {poisson:g}.")
        return np.asarray(Isotropic(young, poisson).stiffness, float)

    def check_bounds(self, solid: Isotropic, volume_fraction: float) -> None:
        """Refuses what no cell of the solid can have.

        Args:
            solid: The solid.
            volume_fraction: Upper bound of the volume fraction.

        Raises:
            UsageError: If the bulk or shear modulus that is asked for is above its Hashin–Shtrikman bound, or the
                target is not positive definite.
        """
        from jaxmeta.elasticity import bounds

        given = set(self.numbers)
        if self.target is None and not {"c11", "c12", "c44"} <= given and not {"young", "poisson"} <= given:
            self._check_alone(solid)
            return
        excess = bounds.exceeded(self.stiffness(), volume_fraction, solid)
        if excess is not None:
            option = "target" if self.target is not None else "target_c11" if "c11" in given else "target_young"
            raise UsageError(
                f"Argument `{option}` must be in reach of a cell, but takes a {excess.name} modulus of "
                f"{excess.value:.4g}, and none has more than {excess.bound:.4g} at volume fraction {volume_fraction:g} "
                "(Hashin and Shtrikman)."
            )

    def _check_alone(self, solid: Isotropic) -> None:
        """Of a target that is not the whole stiffness."""
        import numpy as np

        young, most = self.target_young, float(np.asarray(solid.young))
        if young is not None and not 0 < young <= most:
            raise UsageError(
                f"Argument `target_young` must be positive and at most `young`, {most:g}, but is {young:g}."
            )
        if self.target_poisson is not None and not -1 < self.target_poisson < 0.5:
            raise UsageError(f"Argument `target_poisson` must lie between -1 and 0.5, but is {self.target_poisson:g}.")


@dataclass(frozen=True)
class Limits:
    """Constraints, in the unit of --young."""

    isotropic: Unset[float] = None
    """Largest deviation of Zener's ratio from one, such as 0.03."""
    min_c11: Unset[float] = None
    """Least C11, the mean over the axes."""
    min_c44: Unset[float] = None
    """Least C44, the mean over the axes."""
    min_bulk: Unset[float] = None
    """Least bulk modulus."""
    min_shear: Unset[float] = None
    """Least shear modulus, Voigt's average."""
    min_young: Unset[float] = None
    """Least Young's modulus along --direction."""
    max_poisson: Unset[float] = None
    """Largest Poisson's ratio, the mean over the axes."""
    smallest_feature: Unset[float] = None
    """Least thickness of solid members in voxels, between half and twice the radius of the filter."""
    smallest_gap: Unset[float] = None
    """Least thickness of the void between members, likewise."""

    @property
    def stiff(self) -> tuple[float | None, ...]:
        """The least moduli."""
        return self.min_c11, self.min_c44, self.min_bulk, self.min_shear, self.min_young

    def check_features(self, filter_radius: float) -> None:
        """Refuses thicknesses that the filter cannot tell.

        Args:
            filter_radius: In voxels.

        Raises:
            UsageError: If one is out of range.
        """
        for option in ("smallest_feature", "smallest_gap"):
            size = getattr(self, option)
            if size is not None and not filter_radius > 1:
                raise UsageError(f"Argument `filter_radius` must be above 1 with `{option}`, but is {filter_radius:g}.")
            if size is not None and not 0.5 * filter_radius <= size <= 2 * filter_radius:
                raise UsageError(
                    f"Argument `{option}` must be between half and twice `filter_radius`, {filter_radius:g}, "
                    f"but is {size:g}."
                )


@dataclass(frozen=True)
class Goal:
    """An objective with its constraints.

    Attributes:
        name: Name of the objective for the eye.
        sign: -1 if it is maximised, so that sign times the minimised value is for the eye.
        objective: For `jaxmeta.optimize`.
        constraints: For `jaxmeta.optimize`, with names.
        notes: What was added unasked.
        most: Upper bound of the volume fraction.
        target: Stiffness that is to be matched, shape (6, 6), or None.
    """

    name: str
    sign: int
    objective: Any
    constraints: tuple[Any, ...]
    notes: tuple[str, ...]
    most: float
    target: np.ndarray | None = None


def make_goal(
    name: ObjectiveName,
    direction: tuple[float, float, float] | None,
    target: Target,
    limits: Limits,
    solid: Isotropic,
    volume_fraction: float,
) -> Goal:
    """Builds objective and constraints.

    Args:
        name: The objective.
        direction: Of Young's modulus, or None for x.
        target: What is asked for, by the objectives "match" and "volume".
        limits: Constraints.
        solid: The solid.
        volume_fraction: Upper bound of the volume fraction.

    Returns:
        The goal.

    Raises:
        UsageError: If options are missing, do not belong together, or are out of range.
    """
    import jax.numpy as jnp

    from jaxmeta import objectives

    if name not in ("match", "volume") and target != Target():
        option = "target" if target.target is not None else f"target_{next(iter(target.numbers))}"
        raise UsageError(f"Argument `{option}` must come with `objective` match or volume.")
    if name == "volume" and target.target is not None:
        raise UsageError("Argument `target` must come with `objective` match; volume takes `target_c11` and the like.")
    if name == "volume" and target == Target() and limits.stiff == (None,) * len(limits.stiff):
        raise UsageError(
            "Argument `objective` volume must come with a target or a least stiffness, such as `min_bulk`."
        )
    if target != Target():
        target.check_bounds(solid, volume_fraction)
    if direction is not None and name != "young" and limits.min_young is None:
        raise UsageError("Argument `direction` must come with `objective` young or with `min_young`.")
    along = direction or (1.0, 0.0, 0.0)
    if not any(along):
        raise UsageError("Argument `direction` must be three numbers, not all zero.")
    notes: tuple[str, ...] = ()
    if name == "poisson" and all(bound is None for bound in limits.stiff):
        # A cell that falls apart has any Poisson's ratio; this much stiffness holds it together.
        least = float(f"{0.2 * volume_fraction**2 * float(solid.stiffness[0, 0]):.2g}")
        limits = replace(limits, min_c11=least)
        notes = (
            f"C11 is kept above {least:g}, so that the cell does not fall apart: set `--min-c11` for another bound.",
        )
    label, sign, objective = {
        "bulk": lambda: ("bulk modulus", -1, objectives.maximize_bulk()),
        "shear": lambda: ("shear modulus", -1, objectives.maximize_shear()),
        "young": lambda: ("Young's modulus", -1, objectives.maximize_young(along)),
        "poisson": lambda: ("Poisson's ratio", 1, objectives.minimize_poisson()),
        "match": lambda: ("squared distance", 1, objectives.match(jnp.asarray(target.stiffness()))),
        "volume": lambda: ("volume fraction", 1, objectives.minimize_volume()),
    }[name]()
    wanted = _wanted(target) if name == "volume" else ()
    whole = target.stiffness() if name == "match" else None
    return Goal(label, sign, objective, wanted + _constraints(limits, along), notes, volume_fraction, whole)


def _wanted(target: Target) -> tuple[Any, ...]:
    """Each number that is asked for, as a constraint."""
    from jaxmeta import constraints, elasticity

    functions: dict[str, tuple[str, Any]] = {
        "c11": ("C11", lambda c, _: elasticity.cubic_constants(c).c11),
        "c12": ("C12", lambda c, _: elasticity.cubic_constants(c).c12),
        "c44": ("C44", lambda c, _: elasticity.cubic_constants(c).c44),
        "young": ("Young's modulus", lambda c, _: elasticity.voigt_average(c).young),
        "poisson": ("Poisson's ratio", lambda c, _: elasticity.voigt_average(c).poisson),
    }

    def wanted(name: str, value: float) -> Any:
        label, function = functions[name]
        if name in ("young", "c11", "c44"):  # more of it would only take more material
            return constraints.at_least(function, value, label)
        return constraints.near(function, value, _NEAR, label)

    return tuple(wanted(name, value) for name, value in target.numbers.items())


def _constraints(limits: Limits, along: tuple[float, float, float]) -> tuple[Any, ...]:
    import jax.numpy as jnp

    from jaxmeta import constraints, elasticity

    functions: dict[str, tuple[str, Any]] = {
        "min_c11": ("C11", lambda c, _: elasticity.cubic_constants(c).c11),
        "min_c44": ("C44", lambda c, _: elasticity.cubic_constants(c).c44),
        "min_bulk": ("bulk modulus", lambda c, _: elasticity.voigt_average(c).bulk),
        "min_shear": ("shear modulus", lambda c, _: elasticity.voigt_average(c).shear),
        "min_young": (
            f"Young's modulus along {along}",
            lambda c, _: elasticity.directional_young(c, jnp.asarray(along, c.dtype)),
        ),
    }
    chosen: list[Any] = []
    if limits.isotropic is not None:
        if not limits.isotropic > 0:
            raise UsageError(f"Argument `isotropic` must be positive, but is {limits.isotropic:g}.")
        chosen.append(constraints.isotropic(limits.isotropic))
    for option, (name, function) in functions.items():
        bound = getattr(limits, option)
        if bound is not None:
            if not bound > 0:
                raise UsageError(f"Argument `{option}` must be positive, but is {bound:g}.")
            chosen.append(constraints.at_least(function, bound, f"{name} at least"))
    if limits.max_poisson is not None:
        ratio = elasticity.poisson_ratio
        chosen.append(constraints.at_most(lambda c, _: ratio(c), limits.max_poisson, "Poisson's ratio at most"))
    if limits.smallest_feature is not None:
        chosen.append(constraints.smallest_feature(limits.smallest_feature))
    if limits.smallest_gap is not None:
        chosen.append(constraints.smallest_feature(limits.smallest_gap, "void"))
    return tuple(chosen)
