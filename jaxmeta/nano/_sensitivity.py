"""Derivatives of the stiffness by the occupancy of every site.

Move the grips by δ d: the relaxed positions follow a path x(δ) = x + δ u + ½ δ² u₂ + …, on which the forces on free
atoms stay zero; of second order that says

    H_ff u₂ = −(D³E[u, u])_f,        u₂ = 0 at the grips.

**Occupied sites.** By the envelope theorem ∂W(δ)/∂sᵢ = μᵢ(x(δ)), with μᵢ = ∂E/∂sᵢ. Two derivatives by δ make

    ∂k/∂sᵢ = D²μᵢ[u, u] + Dμᵢ · u₂.

**Empty sites.** An atom of vanishing occupancy does not disturb the others; it stays where its own μᵢ(x, y) is least in
y, and follows the path with y' = −μ_yy⁻¹ μ_yx u. As μ_y = 0, its y'' does not matter. The rule is the same with y' in
place of the site's u. Where μ has no minimum near the site, no atom would stay there.

**Site rule.** With the energies eᵢ of the atoms in place of μᵢ, the shares D²eᵢ[u, u] + Deᵢ · u₂ sum to k.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import ArrayLike, Bool, Float

from .._arguments import require_kind
from .._numbers import refused
from ..solvers import PCG, Result, SolverError
from ._body import Body, body_of, checked_held
from ._cells import checked_cell, checked_positions
from ._eam import EAM
from ._energy import Geometry, gradient, site_energies, site_potentials
from ._evaluate import Flags
from ._grips import padded
from ._neighbors import table_of
from ._stiffness import Stiffness

_FREE: Flags = (False, False, False)
_RESIDUAL = 1e-10
_PLACING, _LONGEST, _FURTHEST, _AT_REST = 16, 0.15, 0.8, 1e-7
"""An empty site finds its place in so many steps, of at most so many Å, so many Å from it, to such a force in eV/Å."""
_TAKEN = 1.5
"""A site that is nearer to an atom, in Å, is taken by it."""


class Sensitivities(NamedTuple):
    """Derivatives of k by occupancies, in eV/Å².

    Attributes:
        occupied: ∂k/∂s of the atoms, (n,).
        site: their shares of k by the site rule, (n,).
        empty: ∂k/∂s of the empty sites, (m,); zero where no atom would stay.
        places: where atoms there would be, (m, 3), in Å; the sites themselves where none would stay.
        stays: whether an atom would stay, (m,).
        second: u₂, (n, 3), in 1/Å.
    """

    occupied: Float[np.ndarray, "n"]
    site: Float[np.ndarray, "n"]
    empty: Float[np.ndarray, "m"]
    places: Float[np.ndarray, "m 3"]
    stays: Bool[np.ndarray, "m"]
    second: Float[np.ndarray, "n 3"]


def sensitivities(
    potential: EAM,
    solved: Stiffness,
    held: Bool[ArrayLike, "n"],
    empty: Float[ArrayLike, "m 3"] | None = None,
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
) -> Sensitivities:
    """Exact derivatives of a stiffness by the occupancies of its atoms and of empty sites.

    It takes one solve more, for u₂, and derivatives of third order of the potential. Those of tables are rough: the
    second derivatives of `mishin1999` jump from point to point.

    Args:
        potential: of the atoms.
        solved: their stiffness, at relaxed positions.
        held: atoms of both grips.
        empty: sites without an atom, in Å; none if omitted.
        cell, pbc: as for the stiffness.

    Raises:
        ValueError: an argument is not as described.
        SolverError: the solve for u₂ did not converge.
    """
    require_kind("potential", potential, (EAM,))
    require_kind("solved", solved, (Stiffness,))
    flags, box = checked_held(held, len(solved.positions)), checked_cell(cell, pbc)
    sites = checked_positions("empty", np.zeros((0, 3)) if empty is None else empty)
    count = len(flags)
    if not flags.any():
        raise refused("held", "hold some atoms", "holds none")
    with jax.enable_x64(True):
        body = body_of(potential, solved.positions, flags, box)
        u = padded(solved.displacement, body.table.count)
        second, stats = second_response(body, u)
        if int(stats.result) not in (Result.converged, Result.stagnated) or float(stats.residual) > 1e-6:
            raise SolverError(f"{Result(int(stats.result)).text} Steps {int(stats.steps)}.")
        occupied, site = (np.asarray(values)[:count] for values in _of_atoms(body, u, second))
        turned = np.asarray(second).T[:count]
        if not len(sites):
            return Sensitivities(occupied, site, np.zeros(0), sites, np.zeros(0, bool), turned)
        # Of empty sites only their own neighbours count; those of atoms are the same with them in the table.
        where = np.concatenate([solved.positions, sites])
        table = table_of(where, potential.cutoff + _FURTHEST, box, least=0.0)
        taken = np.linalg.norm(table.offset[0], axis=0)[count:] < _TAKEN
        there = jnp.asarray(np.repeat([1.0, 0.0], [count, len(sites)]))
        geometry = Geometry(table, jnp.zeros((3, len(where))), there)
        motions = [padded(np.concatenate([field, 0 * sites]), len(where)) for field in (solved.displacement, turned)]
        value, place, stays = (np.asarray(x) for x in _of_empty(potential, geometry, *motions))
        stays = stays[count:] & ~taken
        places = sites + np.where(stays, place[:, count:], 0).T
        return Sensitivities(occupied, site, np.where(stays, value[count:], 0), places, stays, turned)


@jax.jit
def second_response(body: Body, u: Array):
    """u₂ and how it was found."""
    still = jnp.zeros_like(u)
    load = body.free[None] * second_derivative(lambda x: gradient(body.potential, body.geometry(x)), still, u)
    operator = body.hessian(still)
    approximate = body.preconditioner(operator, body.corrections())
    method = PCG(residual=_RESIDUAL, max_steps=2000)
    return method(lambda p: body.free[None] * operator(p), -load, approximate)


def second_derivative(function: Callable[[Array], Array], x: Array, u: Array, second: Array | None = None) -> Array:
    """Of function(x + t u + ½ t² u₂) by t, at zero."""
    bend = jax.jvp(lambda x: jax.jvp(function, (x,), (u,))[1], (x,), (u,))[1]
    return bend if second is None else bend + jax.jvp(function, (x,), (second,))[1]


@jax.jit
def _of_atoms(body: Body, u: Array, second: Array) -> tuple[Array, Array]:
    """Derivatives of the atoms, and the shares of the site rule."""
    still = jnp.zeros_like(u)

    def along(function: Callable[[EAM, Geometry], Array]) -> Array:
        return second_derivative(lambda x: function(body.potential, body.geometry(x)), still, u, second)

    return along(site_potentials), along(site_energies)


@jax.jit
def _of_empty(potential: EAM, geometry: Geometry, u: Array, second: Array) -> tuple[Array, Array, Array]:
    """Derivatives of empty sites, how far their places are from them, and whether atoms would stay."""
    empty = 1 - geometry.occupancy
    axes = empty[None, None] * jnp.eye(3)[:, :, None]

    def at(x: Array) -> Array:
        return site_potentials(potential, geometry._replace(displacement=x))

    def by_place(function: Callable[[Array], Array], x: Array) -> Array:
        """Of every μ by its own place, (3, …): sites without atoms do not feel each other."""
        return jax.vmap(lambda axis: jax.jvp(function, (x,), (axis,))[1])(axes)

    def slope(x: Array) -> Array:
        return by_place(at, x)

    def curvature(x: Array) -> Array:
        """(n, 3, 3)."""
        return by_place(slope, x).transpose(2, 0, 1)

    def answer(curvature: Array, force: Array) -> tuple[Array, Array]:
        """−curvature⁻¹ force with the curvature's eigenvalues made positive, and the least of them."""
        values, vectors = jnp.linalg.eigh(curvature)
        stiff = jnp.maximum(jnp.abs(values), 1e-3)
        part = jnp.einsum("nij,in->nj", vectors, force, precision="highest") / stiff
        return -jnp.einsum("nij,nj->in", vectors, part, precision="highest"), values[:, 0]

    def nearer(_: int, x: Array) -> Array:
        step = answer(curvature(x), slope(x))[0]
        length = jnp.sqrt(jnp.sum(step**2, 0))
        share = jnp.minimum(1, _LONGEST / jnp.maximum(length, 1e-300))
        return x + (empty * share)[None] * step

    start = geometry.displacement
    x = lax.fori_loop(0, _PLACING, nearer, start)
    force, bend = slope(x), curvature(x)
    pulled = jax.jvp(slope, (x,), (u,))[1]
    follows, least = answer(bend, pulled)
    value = second_derivative(at, x, u + empty[None] * follows, second)
    certified = jnp.sqrt(jnp.sum((x - start) ** 2, 0)) < _FURTHEST
    stays = (least > 1e-2) & (jnp.max(jnp.abs(force), 0) < _AT_REST) & certified & (empty > 0)
    return value, x, stays
