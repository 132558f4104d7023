"""The effective stiffness of a field of moduli, by symmetry of the cell, with its derivative.

C_ij = ⟨(ε⁰_i + B ũ_i)ᵀ C (ε⁰_j + B ũ_j)⟩ is stationary in both fluctuations. So its first derivative is the explicit
one alone, dC_ij = ⟨(ε⁰_i + B ũ_i)ᵀ dC (ε⁰_j + B ũ_j)⟩, with no further solve. The rule below states just that; ũ
itself stays a differentiable function inside it, so that second derivatives come out right.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jax.sharding import Mesh

from ..fem import Boundary, Periodic, Shared, by_blocks, mutual_energies, octant
from ..solvers import PCG, Stats
from ._fluctuation import Preconditioner, Problem, fluctuation
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


def _fluctuations(plan: Plan, method: PCG, problem: Problem, start: Array | None) -> tuple[Array, Stats]:
    shape = problem.material.diagonal[0].shape
    macros = jnp.eye(6, dtype=problem.spacing.dtype)[jnp.array(LOADS[plan.symmetry])]
    boundaries = load_boundary(plan.symmetry, shape, plan.mesh)

    def one(load: tuple[Boundary, Array, Array | None]) -> tuple[Array, Stats]:
        boundary, macro, first = load
        return fluctuation(plan.preconditioner, method, problem, boundary, macro, first)

    loads = (boundaries, macros, start)
    return jax.vmap(one)(loads) if plan.batched else jax.lax.map(one, loads)


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


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def effective_stiffness(plan: Plan, method: PCG, problem: Problem, start: Array | None) -> tuple[Array, Array, Stats]:
    """C (6, 6), the fluctuations of the solved loads, and their statistics.

    Args:
        plan: how to find them.
        method: when a solve stops.
        problem: material and spacing of the cell, or of its octant.
        start: fluctuations to start from, (loads, 3, x, y, z), if not zero.
    """

    def value(method: PCG, problem: Problem, start: Array | None) -> tuple[Array, Array, Stats]:
        fluctuations, stats = _fluctuations(plan, method, problem, start)
        return _gram(plan, problem, fluctuations), fluctuations, stats

    return in_turn(value, problem.material.diagonal[0].size)(method, problem, start)


def _effective_stiffness_jvp(plan, primals, tangents):
    method, problem, start = primals
    fluctuations, stats = _fluctuations(plan, method, problem, start)
    # The derivative by what does not change, such as the spacing, would cost as much as the rest.
    leaves, tree = jax.tree.flatten(problem)
    d_leaves = tree.flatten_up_to(tangents[1])
    moving = [k for k, d in enumerate(d_leaves) if not isinstance(d, SymbolicZero)]

    def gram(*moved: Array) -> Array:
        there = dict(zip(moving, moved, strict=True))
        every = [there.get(k, leaf) for k, leaf in enumerate(leaves)]
        return _gram(plan, jax.tree.unflatten(tree, every), fluctuations)

    c, d_c = jax.jvp(gram, tuple(leaves[k] for k in moving), tuple(d_leaves[k] for k in moving))
    no_change = jax.tree.map(lambda s: jax.custom_derivatives.zero_from_primal(s), (fluctuations, stats))
    return (c, fluctuations, stats), (d_c, *no_change)


effective_stiffness.defjvp(_effective_stiffness_jvp, symbolic_zeros=True)
