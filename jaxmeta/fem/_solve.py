"""A clamped block under loads: displacement and compliance, with derivatives.

Compliance is written in its stationary form c = 2 fᵀu − uᵀK u. At K u = f its derivative is the explicit one,
dc = 2 dfᵀu − uᵀdK u, so that a gradient needs no adjoint solve; u stays differentiable inside, for second derivatives.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer
from jaxtyping import Bool, Float

from .._arguments import positive_number, real_array, refused, require_finite, three_lengths, truth_values, whole_number
from ..elasticity import Isotropic
from ..solvers import PCG, Result, SolverError, Stats
from ..solvers import solve as linear_solve
from ._boundary import Block
from ._fields import MaterialField
from ._interpolation import Interpolation
from ._medium import Mixture, checked_medium
from ._multigrid import Multigrid
from ._operator import Stiffness


class BlockSolution(NamedTuple):
    """Equilibrium of a clamped block.

    Attributes:
        displacement: (nx+1, ny+1, nz+1, 3), in units of length.
        compliance: work of the loads fᵀu, in units of energy.
        result: a `Result`, as an integer array; 0 is converged.
        stats: how it was found.
    """

    displacement: Float[Array, "x y z 3"]
    compliance: Float[Array, ""]
    result: Array
    stats: Stats


def solve(
    field: Float[Array, "nx ny nz"] | Float[Array, "nx ny nz 6 6"] | MaterialField,
    supports: Bool[Array, "x y z 3"],
    loads: Float[Array, "x y z 3"],
    *,
    solid: Isotropic | None = None,
    interpolation: Interpolation | None = None,
    spacing: tuple[float, float, float] | Float[Array, "3"] = (1.0, 1.0, 1.0),
    tolerance: float = 1e-8,
    residual: float | None = None,
    max_steps: int = 2000,
    throw: bool = True,
) -> BlockSolution:
    """Displacement and compliance of a block of voxels, held at some nodes and loaded at others.

    Args:
        field: density (nx, ny, nz) in [0, 1] of `solid`; or a stiffness tensor in every voxel (nx, ny, nz, 6, 6),
            Voigt with engineering shear; or a material field such as `CubicField`.
        supports: components that are held, (nx+1, ny+1, nz+1, 3).
        loads: nodal forces, (nx+1, ny+1, nz+1, 3), in units of stress × length².
        solid: the solid where the density is 1; for a density only.
        interpolation: from density to modulus; for a density only.
        spacing: edges of a voxel, in units of length.
        tolerance: relative error of the compliance at which the solve stops.
        residual: instead, the relative norm of the residual.
        max_steps: steps after which the solve gives up.
        throw: raise `SolverError` when called eagerly and not converged.

    Returns:
        A `BlockSolution`. Displacement and compliance can be differentiated any number of times with respect to the
        field, the solid, the spacing and the loads.

    Raises:
        ValueError: a shape does not fit.
        SolverError: not converged, called eagerly with `throw`.

    Example:
        >>> import jax.numpy as jnp, jaxmeta as jm
        >>> held = jnp.zeros((5, 3, 3, 3), bool).at[0].set(True)
        >>> pull = jnp.zeros((5, 3, 3, 3)).at[-1, :, :, 0].set(1 / 9)
        >>> bar = jm.fem.solve(jnp.ones((4, 2, 2)), held, pull, solid=jm.Isotropic(1.0, 0.0))
        >>> print(f"{bar.compliance:.3f}")
        1.075
    """
    medium = checked_medium("field", field, solid, interpolation)
    material = medium.moduli() if isinstance(medium, Mixture) else medium
    shape, dtype = material.diagonal[0].shape, material.diagonal[0].dtype
    nodal = (*(n + 1 for n in shape), 3)
    held, forces = truth_values("supports", supports), real_array("loads", loads)
    for name, array in (("supports", held), ("loads", forces)):
        if array.shape != nodal:
            raise refused(name, f"have shape {nodal}", f"has shape {array.shape}")
    require_finite("loads", forces)
    boundary = Block((~jnp.moveaxis(held, -1, 0),))
    force = boundary.free(jnp.moveaxis(forces.astype(dtype), -1, 0))
    lengths = three_lengths("spacing", spacing, dtype)
    method = PCG(
        positive_number("tolerance", tolerance),
        None if residual is None else positive_number("residual", residual),
        whole_number("max_steps", max_steps),
    )
    value, compliance, stats = _equilibrium(method, boundary, (material, lengths, force))
    result = stats.result
    if throw and not isinstance(result, Tracer) and int(result) != 0:
        raise SolverError(f"{Result(int(result)).text} Steps {int(stats.steps)}, error {float(stats.error)}.")
    return BlockSolution(jnp.moveaxis(value, 0, -1), compliance, result, stats)


Data = tuple[MaterialField, Array, Array]
"""Material, spacing and forces: what the solution depends on smoothly."""


@partial(jax.jit, static_argnums=0)
def _equilibrium(method: PCG, boundary: Block, data: Data) -> tuple[Array, Array, Stats]:
    value, stats = _displacement(method, boundary, data)
    return value, _compliance(method, boundary, data), stats


def _displacement(method: PCG, boundary: Block, data: Data) -> tuple[Array, Stats]:
    material, spacing, force = data
    fixed = Stiffness(*jax.lax.stop_gradient((material, spacing)), boundary)
    operator = Stiffness(material, spacing, boundary)
    solution = linear_solve(operator, force, method, Multigrid()(fixed))
    return solution.value, solution.stats


def _stationary(boundary: Block, data: Data, displacement: Array) -> Array:
    material, spacing, force = data
    image = Stiffness(material, spacing, boundary)(displacement)
    return jnp.vdot(2 * force - image, displacement)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _compliance(method: PCG, boundary: Block, data: Data) -> Array:
    return _stationary(boundary, data, _displacement(method, boundary, data)[0])


@_compliance.defjvp
def _compliance_jvp(method: PCG, primals: tuple[Block, Data], tangents: tuple[Block, Data]) -> tuple[Array, Array]:
    boundary, data = primals
    displacement, _ = _displacement(method, boundary, data)
    return jax.jvp(lambda d: _stationary(boundary, d, displacement), (data,), (tangents[1],))
