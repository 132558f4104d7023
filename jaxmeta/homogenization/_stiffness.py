"""The effective stiffness of a field of moduli, by symmetry of the cell, with its derivative.

C_ij = ⟨(ε⁰_i + B ũ_i)ᵀ C (ε⁰_j + B ũ_j)⟩ is stationary in both fluctuations. So its first derivative is the explicit
one alone, dC_ij = ⟨(ε⁰_i + B ũ_i)ᵀ dC (ε⁰_j + B ũ_j)⟩, with no further solve: `solvers.stationary`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import Mesh

from ..fem import Boundary, Periodic, Shared, by_blocks, mutual_energies, octant
from ..solvers import Stats, stationary
from ._fluctuation import Load, Preconditioner, Problem, fluctuation, followed
from ._in_turn import in_turn

Symmetry = Literal["none", "mirror", "cubic"]

LOADS: dict[str, tuple[int, ...]] = {"none": (0, 1, 2, 3, 4, 5), "mirror": (0, 1, 2, 3, 4, 5), "cubic": (0, 3)}
"""Unit strains, as Voigt indices, that are solved for each symmetry."""


class Plan(NamedTuple):
    """How the stiffness of a cell is found.

    Attributes:
        preconditioner: makes an approximate inverse of a stiffness operator.
        symmetry: of the cell.
        batched: solve all loads at once, instead of one after the other.
        mesh: of the devices that share the cell.
    """

    preconditioner: Preconditioner
    symmetry: Symmetry
    batched: bool
    mesh: Mesh | None


def load_boundary(symmetry: Symmetry, shape: tuple[int, ...], mesh: Mesh | None) -> Boundary:
    """Boundary conditions of all loads; those of an octant are stacked on a leading axis."""
    if symmetry == "none":
        return Shared.of(mesh, shape) if mesh else Periodic()
    octants = [octant(load) for load in LOADS[symmetry]]
    return jax.tree.map(lambda *parities: jnp.stack(parities), *octants)


def _each_load(plan: Plan, function: Callable[[Load, Any], Any], problem: Problem, fields: Any) -> Any:
    """The function of every load that is solved, and of its share of some fields."""
    shape = problem.material.diagonal[0].shape
    macros = jnp.eye(6, dtype=problem.spacing.dtype)[jnp.array(LOADS[plan.symmetry])]
    boundaries = load_boundary(plan.symmetry, shape, plan.mesh)

    def one(load: tuple[Boundary, Array, Any]) -> Any:
        boundary, macro, share = load
        return function(Load(problem, boundary, macro), share)

    loads = (boundaries, macros, fields)
    return jax.vmap(one)(loads) if plan.batched else jax.lax.map(one, loads)


def _found(plan: Plan, problem: Problem, start: Array | None) -> tuple[Array, Stats]:
    return _each_load(plan, partial(fluctuation, plan.preconditioner), problem, start)


def _followed(plan: Plan, problem: Problem, fluctuations: Array) -> Array:
    return _each_load(plan, partial(followed, plan.preconditioner), problem, fluctuations)


def _gram(plan: Plan, problem: Problem, fluctuations: Array) -> Array:
    """C from the fluctuations of the loads that the symmetry asks for."""
    boundaries = load_boundary(plan.symmetry, problem.material.diagonal[0].shape, plan.mesh)
    dtype = fluctuations.dtype
    unit = jnp.eye(6, dtype=dtype)
    if plan.symmetry == "none":

        def energies(boundary: Periodic, displacements: Array, problem: Problem) -> Array:
            nodal = boundary.corners(displacements)
            return mutual_energies(problem.material, problem.spacing, nodal, unit, boundary.whole)

        return by_blocks(boundaries, energies, fluctuations, problem, mean=True)
    nodal = jax.vmap(lambda boundary, u: boundary.free(u))(boundaries, fluctuations)
    if plan.symmetry == "mirror":
        c = mutual_energies(problem.material, problem.spacing, nodal, unit)
        normal = jnp.zeros((6, 6), dtype).at[:3, :3].set(1)
        return c * (normal + jnp.diag(jnp.array([0, 0, 0, 1, 1, 1], dtype)))
    # The field of load yy is that of load xx with the axes x and y exchanged.
    second = nodal[0][jnp.array([1, 0, 2])].transpose(0, 2, 1, 3)
    g = mutual_energies(
        problem.material, problem.spacing, jnp.stack([nodal[0], second, nodal[1]]), unit[jnp.array([0, 1, 3])]
    )
    c11, c12, c44 = 0.5 * (g[0, 0] + g[1, 1]), g[0, 1], g[2, 2]
    block = jnp.full((3, 3), 1, dtype) * c12 + jnp.eye(3, dtype=dtype) * (c11 - c12)
    return jnp.zeros((6, 6), dtype).at[:3, :3].set(block).at[3:, 3:].set(jnp.eye(3, dtype=dtype) * c44)


def effective_stiffness(plan: Plan, problem: Problem, start: Array | None) -> tuple[Array, Array, Stats]:
    """C (6, 6), the fluctuations of the solved loads, which carry no derivative, and their statistics.

    Args:
        plan: how to find them.
        problem: material and spacing of the cell, or of its octant, and when a solve stops.
        start: fluctuations to start from, (loads, 3, x, y, z), if not zero.
    """
    solved = in_turn(partial(_found, plan), problem.material.diagonal[0].size)
    fluctuations, stats = solved(jax.lax.stop_gradient(problem), jax.lax.stop_gradient(start))
    c = stationary(partial(_gram, plan), partial(_followed, plan), problem, fluctuations)
    return c, fluctuations, stats
