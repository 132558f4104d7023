"""A clamped block under loads: displacement and compliance, with derivatives.

Compliance is written in its stationary form c = 2 fᵀu − uᵀK u. At K u = f its derivative is the explicit one,
dc = 2 dfᵀu − uᵀdK u, so that a gradient needs no adjoint solve; u stays differentiable inside, for second derivatives.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jaxtyping import Bool, Float

from ..elasticity import Isotropic
from ..solvers import PCG, Result, SolverError, Stats
from ..solvers import solve as linear_solve
from ._boundary import Block
from ._fields import CubicField, GeneralField, IsotropicField, MaterialField
from ._interpolation import SIMP, Interpolation
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
    interpolation: Interpolation = SIMP(3.0, 1e-9),
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
    material = _material(field, solid, interpolation)
    shape = material.diagonal[0].shape
    dtype = material.diagonal[0].dtype
    nodal = (*(n + 1 for n in shape), 3)
    for name, array in (("supports", supports), ("loads", loads)):
        if array.shape != nodal:
            raise ValueError(f"Argument `{name}` must have shape {nodal}, but has shape {array.shape}.")
    boundary = Block((~jnp.moveaxis(jnp.asarray(supports, bool), -1, 0),))
    force = boundary.free(jnp.moveaxis(jnp.asarray(loads, dtype), -1, 0))
    lengths = jnp.stack([jnp.asarray(edge, dtype) for edge in spacing])
    method = PCG(tolerance, residual, max_steps)
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


def _material(field: Array | MaterialField, solid: Isotropic | None, interpolation: Interpolation) -> MaterialField:
    if isinstance(field, IsotropicField | CubicField | GeneralField):
        return field
    array = jnp.asarray(field)
    if array.ndim == 5 and array.shape[3:] == (6, 6):
        return GeneralField.from_matrix(array)
    if array.ndim != 3:
        raise ValueError(
            f"Argument `field` must have shape (nx, ny, nz) or (nx, ny, nz, 6, 6), but has shape {array.shape}."
        )
    if solid is None:
        raise ValueError("Argument `solid` must be given with a density.")
    if not isinstance(array, Tracer) and not (np.min(array) >= -1e-6 and np.max(array) <= 1 + 1e-6):
        raise ValueError(f"Argument `field` must lie in [0, 1], but ranges from {array.min()} to {array.max()}.")
    lmbda, mu = (jnp.asarray(m, array.dtype) for m in solid.lame)
    cast = jax.tree.map(lambda leaf: jnp.asarray(leaf, array.dtype), interpolation)
    modulus = cast(array)
    return IsotropicField(lmbda * modulus, mu * modulus)
