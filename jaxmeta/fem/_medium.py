"""What fills a grid: a density of one or two isotropic solids, a tensor in every voxel, or any material field."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getattr_static
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from .._arguments import real_array, require_finite, require_kind, require_scalars
from .._numbers import refused
from ..elasticity import Isotropic
from ._fields import GeneralField, IsotropicField, MaterialField, is_known
from ._interpolation import RAMP, SIMP, Interpolation

_ROUNDING = 1e-6
_PROBES = [
    *np.eye(6).tolist(),
    [1.0, 1.0, 1.0, 0.0, 0.0, 0.0],
    [1.0, -1.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, -1.0, 0.0, 0.0, 0.0],
    [1.0, 0.0, -1.0, 0.0, 0.0, 0.0],
]
"""Strains whose energy must not be negative; for cubic and isotropic moduli that is all it takes."""


class Mixture(NamedTuple):
    """A density with Lamé's constants (λ, μ) of its solids.

    Attributes:
        density: (nx, ny, nz), in [0, 1].
        solid: constants where the density is 1.
        interpolation: from density to modulus.
        background: constants where the density is 0; None for void.
    """

    density: Array
    solid: tuple[Array, Array]
    interpolation: Interpolation
    background: tuple[Array, Array] | None

    def map(self, function: Callable[[Array], Array]) -> Mixture:
        """The mixture with a function applied to its density."""
        return self._replace(density=function(self.density))

    def moduli(self) -> IsotropicField:
        """Lamé's constants in every voxel."""
        if self.background is None:
            modulus = self.interpolation(self.density)
            return IsotropicField(*(constant * modulus for constant in self.solid))
        weight = self.interpolation.weight(self.density)
        pairs = zip(self.solid, self.background, strict=True)
        return IsotropicField(*(second + (first - second) * weight for first, second in pairs))


Medium = Mixture | MaterialField


def per_voxel(medium: Medium) -> list[Array]:
    """The arrays (nx, ny, nz) that a medium is made of."""
    seen: list[Array] = []

    def note(array: Array) -> Array:
        seen.append(array)
        return array

    medium.map(note)
    return seen


def material_field(
    density: Array, solid: Isotropic, interpolation: Interpolation, background: Isotropic | None
) -> IsotropicField:
    """Moduli in every voxel of a density."""
    return Mixture(density, solid.lame, interpolation, None if background is None else background.lame).moduli()


def checked_medium(
    name: str,
    given: Any,
    solid: Isotropic | None,
    interpolation: Interpolation | None,
    background: Isotropic | None = None,
) -> Medium:
    """The medium that the arguments of a public function describe.

    Args:
        name: of the argument `given`.
        given: a density (nx, ny, nz); a tensor in every voxel (nx, ny, nz, 6, 6); or a material field.
        solid: where the density is 1; for a density only, as are those below.
        interpolation: SIMP(3.0, 1e-9) if omitted.
        background: where the density is 0, if not void.

    Raises:
        ValueError: an argument is not as described.
    """
    # Not by isinstance, which would compute the diagonal.
    is_field = all(getattr_static(given, part, None) is not None for part in ("map", "stress", "diagonal"))
    array = None if is_field else real_array(name, given)
    if array is None or (array.ndim == 5 and array.shape[3:] == (6, 6)):
        for other, value in (("solid", solid), ("interpolation", interpolation), ("background", background)):
            if value is not None:
                raise refused(other, "not be given with a field of moduli", "is given")
        return _checked_field(name, given if array is None else _checked_tensors(name, array))
    density = _checked_density(name, array)
    if solid is None:
        raise refused("solid", "be given with a density", "is None")
    law = SIMP(3.0, 1e-9) if interpolation is None else interpolation
    require_kind("solid", solid, (Isotropic,))
    require_kind("interpolation", law, (SIMP, RAMP))
    if background is not None:
        require_kind("background", background, (Isotropic,))
    for other, value in (("solid", solid), ("interpolation", law), ("background", background)):
        require_scalars(other, value)
    dtype = density.dtype
    # Lamé's constants are formed in the widest precision that is given: rounded first, a ratio near 1/2 loses digits.
    arrays = [leaf.dtype for leaf in jax.tree.leaves((solid, background)) if isinstance(leaf, jax.Array)]
    widest = np.dtype(float) if np.dtype(float) in arrays else dtype
    first, second = jax.tree.map(
        lambda leaf: leaf.astype(widest) if isinstance(leaf, jax.Array) else float(leaf), (solid, background)
    )
    constants = first.lame, law, None if second is None else second.lame
    return Mixture(density, *jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), constants))


def _checked_density(name: str, density: Array) -> Array:
    """The density in float32 or float64, with what is out of [0, 1] by rounding cut off."""
    if density.ndim != 3 or 0 in density.shape:
        raise refused(name, "have shape (nx, ny, nz)", f"has shape {density.shape}")
    if not jnp.issubdtype(density.dtype, jnp.floating):
        density = density.astype(jnp.result_type(float))
    if density.dtype not in (jnp.float32, jnp.float64):
        raise refused(name, "be float32 or float64", f"is {density.dtype}")
    if isinstance(density, Tracer):
        return density
    require_finite(name, density)
    low, high, clipped = _cut_off(density)
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise refused(name, "lie in [0, 1]", f"ranges from {low} to {high}")
    return clipped


@jax.jit
def _cut_off(density: Array) -> tuple[Array, Array, Array]:
    """The least and the greatest density, and all in [0, 1]: one program instead of three."""
    return density.min(), density.max(), jnp.clip(density, 0, 1)


def _checked_tensors(name: str, tensors: Array) -> GeneralField:
    require_finite(name, tensors)
    if not isinstance(tensors, Tracer):
        values = np.asarray(tensors, np.float64)
        off = np.abs(values - np.swapaxes(values, -1, -2)).max(initial=0.0)
        if off > 1e-4 * np.abs(values).max(initial=0.0):
            raise refused(name, "hold symmetric matrices", f"an entry differs from its mirror image by {off:.3g}")
    return GeneralField.from_matrix(tensors)


def _checked_field(name: str, field: MaterialField) -> MaterialField:
    """The field with its moduli in float32 or float64."""
    if any(leaf is field for leaf in jax.tree.leaves(field)):
        found = f"{type(field).__name__} is not registered as one: see jax.tree_util.register_dataclass"
        raise refused(name, "be a pytree", found)
    field = jax.tree.map(lambda leaf: real_array(name, leaf), field)
    moduli = per_voxel(field)
    shapes = {array.shape for array in moduli}
    if len(shapes) != 1 or any(len(shape) != 3 or 0 in shape for shape in shapes):
        raise refused(name, "hold moduli of one shape (nx, ny, nz)", f"holds {sorted(shapes)}")
    kinds = {array.dtype for array in moduli if jnp.issubdtype(array.dtype, jnp.floating)}
    if odd := kinds - {np.dtype("float32"), np.dtype("float64")}:
        raise refused(name, "be float32 or float64", f"is {odd.pop()}")
    dtype = max(kinds, key=lambda kind: kind.itemsize, default=jnp.result_type(float))
    field = jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, field)
    field = field.map(lambda array: array.astype(dtype))
    if {modulus.shape for modulus in field.diagonal} != shapes:
        raise refused(name, "have diagonal moduli of the shape of its arrays", "has others")
    if not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(field)):
        _require_sound(name, field)
    return field


@np.errstate(all="ignore")
def _require_sound(name: str, field: MaterialField) -> None:
    """Refuse moduli that are not finite or have a negative energy, and a stiffness that is not linear in them."""
    for array in per_voxel(field):
        require_finite(name, array)
    xp: Any = jnp
    if is_known(field) and all(leaf.is_fully_addressable for leaf in jax.tree.leaves(field)):
        # NumPy forms the stresses of these as well, and has nothing to compile.
        field, xp = jax.tree.map(np.asarray, field), np
    for once, twice in zip(field.diagonal, field.map(lambda array: 2 * array).diagonal, strict=True):
        if bool((xp.abs(twice - 2 * once) > _ROUNDING * xp.abs(twice)).any()):
            raise refused(name, "have a stiffness that is linear in the arrays of its `map`", "is not twice as stiff")
    one = xp.ones_like(field.diagonal[0])
    for strain in _PROBES:
        stress = field.stress([e * one if e else None for e in strain])
        energy = sum(e * s for e, s in zip(strain, stress, strict=True) if e and s is not None)
        size = sum(e * e * xp.abs(d) for e, d in zip(strain, field.diagonal, strict=True) if e)
        if bool(xp.any(energy < -1e-5 * size)):
            raise refused(name, "store energy under every strain", f"loses some under {strain}")
