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

ObjectiveName = Literal["bulk", "shear", "young", "poisson", "match"]


@dataclass(frozen=True)
class Match:
    """The stiffness to be matched; for --objective match only."""

    target: Unset[Path] = None
    """File with a 6 × 6 matrix: .npy .npz or .h5, Voigt order 11 22 33 23 13 12."""
    c11: Unset[float] = None
    """C11 of a cubic target, in the unit of --young; with c12 and c44, in place of a file."""
    c12: Unset[float] = None
    """C12 of a cubic target."""
    c44: Unset[float] = None
    """C44 of a cubic target."""

    def stiffness(self) -> np.ndarray:
        """The target, shape (6, 6), in the unit of the solid.

        Raises:
            UsageError: If it is not given in exactly one way, or is not positive definite.
        """
        import numpy as np

        from jaxmeta.elasticity import CubicConstants
        from jaxmeta.io import read_stiffness

        cubic = (self.c11, self.c12, self.c44)
        if (self.target is None) == all(value is None for value in cubic) or (
            self.target is None and any(value is None for value in cubic)
        ):
            raise UsageError("Argument `objective` match needs either `target` or all of `c11`, `c12` and `c44`.")
        if self.target is not None:
            matrix = read_stiffness(self.target)
        else:
            matrix = np.asarray(CubicConstants(*(float(value or 0.0) for value in cubic)).stiffness)
        if not np.linalg.eigvalsh(matrix).min() > 0:
            raise UsageError(
                f"Argument `{'c11' if self.target is None else 'target'}` must make a positive definite stiffness, "
                "but some deformation of it would cost no energy."
            )
        return matrix


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
    """

    name: str
    sign: int
    objective: Any
    constraints: tuple[Any, ...]
    notes: tuple[str, ...]


def make_goal(
    name: ObjectiveName,
    direction: tuple[float, float, float] | None,
    match: Match,
    limits: Limits,
    solid: Isotropic,
    volume_fraction: float,
) -> Goal:
    """Builds objective and constraints.

    Args:
        name: The objective.
        direction: Of Young's modulus, or None for x.
        match: Target of the objective "match".
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

    if name != "match" and match != Match():
        raise UsageError("Arguments `target`, `c11`, `c12` and `c44` must come with `objective` match only.")
    if direction is not None and name != "young" and limits.min_young is None:
        raise UsageError("Argument `direction` must come with `objective` young or with `min_young`.")
    along = direction or (1.0, 0.0, 0.0)
    if not any(along):
        raise UsageError("Argument `direction` must be three numbers, not all zero.")
    notes: tuple[str, ...] = ()
    stiff = (limits.min_c11, limits.min_c44, limits.min_bulk, limits.min_shear, limits.min_young)
    if name == "poisson" and all(bound is None for bound in stiff):
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
        "match": lambda: ("squared distance", 1, objectives.match(jnp.asarray(match.stiffness()))),
    }[name]()
    return Goal(label, sign, objective, _constraints(limits, along), notes)


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
