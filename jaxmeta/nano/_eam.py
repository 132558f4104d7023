"""Embedded-atom potentials of one element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from ..io import Path as FileName
from ._setfl import read_setfl
from ._splines import Spline

Function = Callable[[Float[Array, "*n"]], Float[Array, "*n"]]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class EAM:
    """An embedded-atom potential, E = Σᵢ F(ρᵢ) + ½ Σᵢⱼ φ(rᵢⱼ) with ρᵢ = Σⱼ f(rᵢⱼ). A pytree; units are eV and Å.

    The functions are pytrees that take arrays, and may be differentiated three times. `read` makes a potential from a
    file, `zhou2004` and `mishin1999` are there.

    Args:
        pair: φ(r), in eV.
        density: f(r), in the units that `embedding` takes.
        embedding: F(ρ), in eV.
        cutoff: distance in Å from which on φ and f are zero.
        element: symbol of the element.
        mass: of an atom, in g/mol.
        lattice_constant: of the FCC crystal that the author states, in Å.
    """

    pair: Function
    density: Function
    embedding: Function
    cutoff: float = field(metadata={"static": True})
    element: str = field(metadata={"static": True})
    mass: float = field(metadata={"static": True})
    lattice_constant: float = field(metadata={"static": True})

    @classmethod
    def read(cls, path: FileName, element: str | None = None) -> EAM:
        """Read a table of the forms `eam/alloy` (setfl) and `eam/fs`, as LAMMPS reads it.

        The ending `.fs` tells the second form. Between the points of a table the functions are cubic Hermite splines
        whose slopes are differences of fourth order; this agrees with LAMMPS to rounding.

        Args:
            path: the file.
            element: which one of a file with several.

        Raises:
            FileError: the file is not as described, or is cut off.
            ValueError: the element is not in the file, or is not named where there are several.

        Example:
            >>> import jaxmeta as jm
            >>> from pathlib import Path
            >>> path = Path(jm.nano.__file__).with_name("Al99.eam.alloy")
            >>> jm.nano.EAM.read(path).element
            'Al'
        """
        table = read_setfl(path, element)
        pair = _OverDistance(Spline.of(table.pair, table.distance_step))
        density = Spline.of(table.density, table.distance_step)
        embedding = Spline.of(table.embedding, table.density_step)
        return cls(pair, density, embedding, table.cutoff, table.element, table.mass, table.lattice_constant)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _OverDistance:
    """φ(r) from a table of r φ(r)."""

    product: Spline

    def __call__(self, r: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return self.product(r) / r


def mishin1999() -> EAM:
    """The potential of Mishin and others (1999) for aluminium, `Al99.eam.alloy` of NIST's repository.

    Example:
        >>> import jaxmeta as jm
        >>> jm.nano.mishin1999().cutoff
        6.28721

    References:
        Y. Mishin, D. Farkas, M. J. Mehl, D. A. Papaconstantopoulos, Phys. Rev. B 59, 3393 (1999). Table: C. A. Becker,
        NIST Interatomic Potentials Repository, https://www.ctcms.nist.gov/potentials (2008).
    """
    return EAM.read(Path(__file__).with_name("Al99.eam.alloy"))


def derivatives(function: Function, x: Array, order: int) -> list[Array]:
    """A function of one variable and its derivatives up to an order, entry by entry."""

    def value_and_slopes(x: Array, order: int) -> list[Any]:
        if order == 0:
            return [function(x)]
        below, slopes = jax.jvp(lambda x: value_and_slopes(x, order - 1), (x,), (jnp.ones_like(x),))
        return [*below, slopes[-1]]

    return value_and_slopes(x, order)
