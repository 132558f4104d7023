"""Material fields: what the element kernel needs to know of the solid in every voxel.

A field is a pytree of per-voxel moduli. The kernel asks it for two things only: the stress that belongs to a strain,
and the six diagonal moduli from which Jacobi's diagonal is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard, TypeVar, runtime_checkable

import jax
from jax import Array
from jaxtyping import Float

Field = TypeVar("Field")

Strain = Sequence[Array | None]
"""Six Voigt components 11 22 33 23 13 12, shear as engineering strain; `None` is zero everywhere."""


def _sum(terms: Sequence[Array | None]) -> Array | None:
    present = [term for term in terms if term is not None]
    return sum(present[1:], present[0]) if present else None


def _times(modulus: Array, strain: Array | None) -> Array | None:
    return None if strain is None else modulus * strain


@runtime_checkable
class MaterialField(Protocol):
    """Per-voxel moduli of one symmetry class."""

    def map(self: Field, function: Callable[[Array], Array]) -> Field:
        """The field with `function` applied to every modulus (padding, coarsening, slicing, casting)."""
        ...

    def stress(self, strain: Strain) -> list[Array | None]:
        """σ = C ε, component by component."""
        ...

    @property
    def diagonal(self) -> tuple[Array, Array, Array, Array, Array, Array]:
        """C11, C22, C33, C44, C55, C66."""
        ...


class _Mapped:
    def map(self: Field, function: Callable[[Array], Array]) -> Field:
        return jax.tree.map(function, self)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class IsotropicField(_Mapped):
    """Lamé's constants in every voxel: σ = λ tr(ε) 1 + 2 μ ε.

    Args:
        lmbda: first Lamé constant, (nx, ny, nz), in units of stress.
        mu: shear modulus, (nx, ny, nz), in units of stress.
    """

    lmbda: Float[Array, "..."]
    mu: Float[Array, "..."]

    def stress(self, strain: Strain) -> list[Array | None]:
        trace = _sum(strain[:3])
        if trace is None:
            return [None, None, None] + [_times(self.mu, s) for s in strain[3:]]
        pressure = self.lmbda * trace
        normal = [pressure if s is None else pressure + 2 * self.mu * s for s in strain[:3]]
        return normal + [_times(self.mu, s) for s in strain[3:]]

    @property
    def diagonal(self) -> tuple[Array, Array, Array, Array, Array, Array]:
        p_wave = self.lmbda + 2 * self.mu
        return p_wave, p_wave, p_wave, self.mu, self.mu, self.mu


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CubicField(_Mapped):
    """Three constants of cubic symmetry, axes along the grid, in every voxel.

    Args:
        c11, c12, c44: (nx, ny, nz) each, in units of stress.
    """

    c11: Float[Array, "..."]
    c12: Float[Array, "..."]
    c44: Float[Array, "..."]

    def stress(self, strain: Strain) -> list[Array | None]:
        trace = _sum(strain[:3])
        shear = [_times(self.c44, s) for s in strain[3:]]
        if trace is None:
            return [None, None, None, *shear]
        pressure = self.c12 * trace
        return [pressure if s is None else pressure + (self.c11 - self.c12) * s for s in strain[:3]] + shear

    @property
    def diagonal(self) -> tuple[Array, Array, Array, Array, Array, Array]:
        return self.c11, self.c11, self.c11, self.c44, self.c44, self.c44


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GeneralField(_Mapped):
    """A full stiffness tensor in every voxel, stored as the 21 upper entries of the Voigt matrix.

    Args:
        upper: 21 arrays (nx, ny, nz), row by row: C11 C12 … C16 C22 … C66, in units of stress.
    """

    upper: tuple[Float[Array, "..."], ...]

    @classmethod
    def from_matrix(cls, stiffness: Float[Array, "nx ny nz 6 6"]) -> GeneralField:
        """From one symmetric 6×6 matrix for each voxel; only the upper triangle is read."""
        return cls(tuple(stiffness[..., i, j] for i in range(6) for j in range(i, 6)))

    def _entry(self, i: int, j: int) -> Array:
        i, j = min(i, j), max(i, j)
        return self.upper[i * 6 - i * (i - 1) // 2 + j - i]

    def stress(self, strain: Strain) -> list[Array | None]:
        return [_sum([_times(self._entry(i, j), strain[j]) for j in range(6)]) for i in range(6)]

    @property
    def diagonal(self) -> tuple[Array, Array, Array, Array, Array, Array]:
        d = [self._entry(i, i) for i in range(6)]
        return d[0], d[1], d[2], d[3], d[4], d[5]


Known = IsotropicField | CubicField | GeneralField
"""The fields that a CPU has kernels for. Their operations tell them apart by the number of constants: 2, 3 or 21."""


def is_known(field: MaterialField) -> TypeGuard[Known]:
    """Whether there are kernels for it: not for a subclass, which may have a stress of its own."""
    return type(field) in (IsotropicField, CubicField, GeneralField)


def constants(field: Known) -> list[Array]:
    """The arrays of a field."""
    return jax.tree.leaves(field)


def of_constants(*arrays: Array) -> Known:
    """The field of so many arrays."""
    if len(arrays) == 2:
        return IsotropicField(*arrays)
    return CubicField(*arrays) if len(arrays) == 3 else GeneralField(arrays)
