"""From a density or a material field to the effective stiffness of the periodic cell."""

from __future__ import annotations

from functools import partial, reduce
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.sharding import AxisType, Mesh
from jaxtyping import ArrayLike, Bool, Float, Real

from .._arguments import positive_number, real_array, require_kind, three_lengths
from .._numbers import refused, whole_number
from ..elasticity import Isotropic
from ..fem import (
    CubicField,
    Interpolation,
    IsotropicField,
    JacobiFFT,
    MaterialField,
    Mixture,
    Multigrid,
    Shared,
    checked_medium,
    per_voxel,
)
from ..solvers import PCG, Result, SolverError, Stats
from ._fluctuation import Preconditioner, Problem
from ._in_turn import TOGETHER
from ._solving import Solving
from ._stiffness import LOADS, Plan, Symmetry, effective_stiffness, load_boundary
from ._turned import Turn

_ROUNDING = 1e-6


class Homogenization(NamedTuple):
    """The effective stiffness of a cell and how it was found.

    Attributes:
        stiffness: (6, 6), Voigt order 11 22 33 23 13 12 with engineering shear, in the solid's unit of stress.
        result: the worst `Result` of all loads, as an integer array; 0 is converged.
        stats: `Stats` of every solved load, (loads,) each.
        displacement: fluctuations of the solved loads, (loads, nodes…, 3), in units of length; hand them to `start` to
            begin the next solve from here. They carry no derivative.
    """

    stiffness: Float[Array, "6 6"]
    result: Array
    stats: Stats
    displacement: Float[Array, "loads x y z 3"]

    def check(self) -> None:
        """Raise `SolverError` if a load did not converge; `homogenize` does so where it is called eagerly."""
        if (result := Result(int(self.result))) != Result.converged:
            steps, error = self.stats.steps.tolist(), self.stats.error.tolist()
            raise SolverError(f"{result.text} Steps {steps}, error {error}.")


@jax.transfer_guard("allow")  # the numbers among the arguments go to the device on purpose
def homogenize(
    density: Real[ArrayLike, "nx ny nz"]
    | Bool[ArrayLike, "nx ny nz"]
    | Real[ArrayLike, "nx ny nz 6 6"]
    | MaterialField,
    solid: Isotropic | None = None,
    *,
    interpolation: Interpolation | None = None,
    spacing: tuple[float, float, float] | Float[Array, "3"] = (1.0, 1.0, 1.0),
    symmetry: Symmetry = "none",
    tolerance: Real[ArrayLike, ""] = Solving.tolerance,
    residual: Real[ArrayLike, ""] | None = Solving.residual,
    background: Isotropic | None = None,
    start: Float[Array, "loads x y z 3"] | None = None,
    steps: int | None = None,
    max_steps: int = Solving.max_steps,
    preconditioner: Literal["multigrid", "fft"] | None = Solving.preconditioner,
    mesh: Mesh | None = None,
    throw: bool = True,
) -> Homogenization:
    r"""Effective stiffness of a periodic cell of voxels, differentiable any number of times.

    Every voxel is a trilinear hexahedron. Under each unit strain :math:`\varepsilon^0_i` the periodic fluctuation
    :math:`\tilde u_i` minimises the energy, and

    .. math:: C_{ij} = \langle (\varepsilon^0_i + B \tilde u_i)^T C(\rho)\, (\varepsilon^0_j + B \tilde u_j) \rangle,
       \qquad \frac{\partial C_{ij}}{\partial \rho_e} =
       \langle (\varepsilon^0_i + B \tilde u_i)^T \frac{\partial C}{\partial \rho_e}
       (\varepsilon^0_j + B \tilde u_j) \rangle .

    A first derivative needs no further solve; a second one needs one for each load and direction.

    Args:
        density: volume fraction of solid in every voxel, (nx, ny, nz), in [0, 1], no unit. Or the moduli themselves,
            in units of stress: a stiffness tensor in every voxel, (nx, ny, nz, 6, 6), Voigt with engineering shear; or
            any object that fulfils `fem.MaterialField`, such as `fem.CubicField`. The dtype, float32 or float64, is
            that of the computation; whole numbers are taken in JAX's default dtype. With symmetry "mirror" or "cubic"
            it is the first octant of the cell, whose mirror images hold the mirror images of its tensors.
        solid: isotropic solid, where the density is 1; for a density only, and so are `interpolation` and `background`.
        interpolation: `SIMP` or `RAMP`, from density to modulus; SIMP(3.0, 1e-9) if omitted.
        spacing: edges of a voxel, in any unit of length; only their ratios matter for the stiffness.
        symmetry: "none": six loads on the periodic cell. "mirror": the cell is symmetric under the mirrors of the three
            axes; six loads on its octant. "cubic": the octant is symmetric under permutations of the axes as well; two
            loads. The octant is averaged over the six permutations inside; it is a density, an `IsotropicField` or a
            `CubicField`.
        tolerance: relative error of C at which the solve stops, by an estimate of the energy of the error. A first
            derivative errs like its square root at worst.
        residual: instead, the relative norm of the residual at which the solve stops.
        background: a second solid where the density is 0, in place of void; the interpolation's void is not used then.
        start: fluctuations to start from, such as `displacement` of an earlier result.
        steps: do the work of exactly so many solver steps for every load, whatever the error; nothing is raised then.
            Those that would gain nothing but rounding change nothing.
        max_steps: steps after which the solve gives up.
        preconditioner: "multigrid", the default, or "fft".
        mesh: devices that share the cell in equal blocks, of one process or of several (`jax.distributed`). The axes of
            the mesh cut the first axes of the grid, in order, each into blocks of an even number of voxels. Needs
            symmetry "none". The gradient is shared like the density; C is on every device.
        throw: raise `SolverError` when called eagerly and not converged. Inside a trace nothing raises; see `result`.

    Returns:
        A `Homogenization`.

    Raises:
        ValueError: an argument has a wrong type, dtype or shape, or a wrong value: concrete ones only, beyond rounding.
            The constants of the solids and of the interpolation must be single numbers; `jax.vmap` makes a batch.
        SolverError: not converged, called eagerly with `throw`.

    Example:
        >>> import jax, jax.numpy as jnp, jaxmeta as jm
        >>> cell = jnp.ones((8, 8, 8)).at[:, :, 4:].set(0.0)
        >>> h = jm.homogenize(cell, jm.Isotropic(young=1.0, poisson=0.3))
        >>> print(f"{h.stiffness[0, 0]:.4f} {h.stiffness[2, 2]:.4f}")
        0.5495 0.0000
        >>> gradient = jax.grad(lambda rho: jm.homogenize(rho, jm.Isotropic(1.0, 0.3)).stiffness[0, 0])(cell)
        >>> gradient.shape
        (8, 8, 8)

    References:
        J. M. Guedes, N. Kikuchi, Comput. Methods Appl. Mech. Eng. 83, 143 (1990). O. Sigmund, Int. J. Solids Struct.
        31, 2313 (1994).
    """
    symmetry = _checked_symmetry(symmetry)
    medium = checked_medium("density", density, solid, interpolation, background)
    shape, dtype = per_voxel(medium)[0].shape, per_voxel(medium)[0].dtype
    lengths = three_lengths("spacing", spacing, dtype)
    if symmetry == "cubic":
        _require_cubic(medium, lengths)
    chosen = _preconditioner(preconditioner, shape)
    method = _method(tolerance, residual, max_steps, steps)
    if mesh is not None:
        mesh = _checked_mesh(mesh, symmetry)
    loads = len(LOADS[symmetry])
    nodes = load_boundary(symmetry, shape, mesh).nodes(shape)
    first = None
    if start is not None:
        first = real_array("start", start)
        if first.shape != (loads, *nodes, 3):
            raise refused("start", f"have shape {(loads, *nodes, 3)}", f"has shape {first.shape}")
        first = jnp.moveaxis(first.astype(dtype), -1, 1)
    batched = shape[0] * shape[1] * shape[2] <= TOGETHER
    if mesh is not None:
        blocks = Shared.of(mesh, shape).sharding()
        medium = medium.map(lambda x: x if isinstance(x, Tracer) else jax.device_put(x, blocks))
    plan = Plan(chosen, symmetry, batched, mesh)
    h = _solve(plan, method, medium, lengths, first)
    if throw and steps is None and not isinstance(h.result, Tracer):
        h.check()
    return h


@partial(jax.jit, static_argnums=0)
def _solve(
    plan: Plan, method: PCG, medium: Mixture | MaterialField, spacing: Array, start: Array | None
) -> Homogenization:
    if plan.symmetry == "cubic":
        medium = medium.map(_permutation_mean)
    if plan.mesh is not None:
        blocks = Shared.of(plan.mesh, per_voxel(medium)[0].shape).sharding()
        medium = medium.map(lambda x: jax.lax.with_sharding_constraint(x, blocks))
    material = medium.moduli() if isinstance(medium, Mixture) else medium
    # Only ratios matter, so both scales are taken out: single precision then holds for any unit.
    largest = [modulus.max() for modulus in material.diagonal]
    stiffest = jax.lax.stop_gradient(reduce(jnp.maximum, largest[:3]) + reduce(jnp.maximum, largest[3:]))
    unit = jnp.where(stiffest > 0, stiffest, 1)
    edge = jax.lax.stop_gradient(spacing.max())
    first = None if start is None else start / edge
    turn = Turn(0) if plan.mesh is not None or plan.symmetry == "cubic" else Turn.of(material)
    if turn.by:
        material, spacing = material.map(turn.grid), jnp.roll(spacing, -turn.by)
        first = None if first is None else turn.there(first)
    scaled = Problem(material.map(lambda field: field / unit), spacing / edge, method)
    c, fluctuations, stats = effective_stiffness(plan, scaled, first)
    if turn.by:
        c, fluctuations, stats = turn.back(c, fluctuations, stats)
    return Homogenization(c * unit, stats.result.max(), stats, jnp.moveaxis(fluctuations * edge, 1, -1))


def _permutation_mean(octant: Array) -> Array:
    cyclic = (octant + octant.transpose(1, 2, 0) + octant.transpose(2, 0, 1)) / 3
    return 0.5 * (cyclic + cyclic.transpose(1, 0, 2))


def _checked_symmetry(symmetry: str) -> Symmetry:
    if not (isinstance(symmetry, str) and symmetry in LOADS):
        raise refused("symmetry", 'be "none", "mirror" or "cubic"', f"is {symmetry!r}")
    return symmetry  # pyright: ignore[reportReturnType]


def _require_cubic(medium: Mixture | MaterialField, spacing: Array) -> None:
    """Refuse a medium or voxel edges that permutations of the axes change."""
    fields = per_voxel(medium)
    if len(set(fields[0].shape)) != 1:
        raise refused("density", "be a cube for cubic symmetry", f"has shape {fields[0].shape}")
    if not isinstance(medium, (Mixture, IsotropicField, CubicField)):
        found = f"is a {type(medium).__name__}, whose axes a permutation would have to exchange"
        raise refused("density", "be a density, an isotropic or a cubic field for cubic symmetry", found)
    for field in fields:
        if isinstance(field, Tracer):
            continue
        values = np.asarray(field)
        size = 1.0 if isinstance(medium, Mixture) else np.abs(values).max()
        off = max(float(np.abs(values - values.transpose(p)).max()) for p in [(1, 0, 2), (0, 2, 1)])
        if off > _ROUNDING * size:
            requirement = "be the same under the six permutations of its axes for cubic symmetry"
            raise refused("density", requirement, f"is off by {off:.3g}")
    if not isinstance(spacing, Tracer):
        values = np.asarray(spacing)
        if not np.allclose(values, values[0], rtol=_ROUNDING):
            raise refused("spacing", "be three equal lengths for cubic symmetry", f"is {tuple(values.tolist())}")


def _checked_mesh(mesh: Mesh, symmetry: Symmetry) -> Mesh:
    require_kind("mesh", mesh, (Mesh,))
    if symmetry != "none":
        raise ValueError(f'Argument `mesh` needs symmetry "none", but symmetry is {symmetry!r}.')
    # The compiler places what is between the blocks, whatever the mesh was made for.
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * mesh.devices.ndim)


def _method(tolerance: ArrayLike, residual: ArrayLike | None, max_steps: int, steps: int | None) -> PCG:
    return PCG(
        positive_number("tolerance", tolerance),
        None if residual is None else positive_number("residual", residual),
        whole_number("max_steps", max_steps),
        None if steps is None else whole_number("steps", steps),
    )


def _preconditioner(name: str | None, shape: tuple[int, ...]) -> Preconditioner:
    if not (name is None or (isinstance(name, str) and name in ("multigrid", "fft"))):
        raise refused("preconditioner", 'be "multigrid", "fft" or None', f"is {name!r}")
    return JacobiFFT() if name == "fft" else Multigrid()
