"""From a density field to the effective stiffness of the periodic cell."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.sharding import AxisType, Mesh
from jaxtyping import ArrayLike, Bool, Float, Real

from ..elasticity import Isotropic
from ..fem import SIMP, Interpolation, IsotropicField, JacobiFFT, MaterialField, Multigrid, Shared
from ..solvers import PCG, Result, SolverError, Stats
from ._fluctuation import Preconditioner, Problem
from ._in_turn import TOGETHER
from ._stiffness import LOADS, Plan, Symmetry, effective_stiffness, load_boundary

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


def homogenize(
    density: Real[ArrayLike, "nx ny nz"] | Bool[ArrayLike, "nx ny nz"],
    solid: Isotropic,
    *,
    interpolation: Interpolation = SIMP(3.0, 1e-9),
    spacing: tuple[float, float, float] | Float[Array, "3"] = (1.0, 1.0, 1.0),
    symmetry: Symmetry = "none",
    tolerance: float = 1e-5,
    residual: float | None = None,
    background: Isotropic | None = None,
    start: Float[Array, "loads x y z 3"] | None = None,
    steps: int | None = None,
    max_steps: int = 500,
    preconditioner: Literal["multigrid", "fft"] | None = None,
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
        density: volume fraction of solid in every voxel, (nx, ny, nz), in [0, 1], no unit. Its dtype is that of the
            computation. With symmetry "mirror" or "cubic" it is the first octant of the cell.
        solid: isotropic solid, where the density is 1.
        interpolation: `SIMP` or `RAMP`, from density to modulus.
        spacing: edges of a voxel, in any unit of length; only their ratios matter for the stiffness.
        symmetry: "none": six loads on the periodic cell. "mirror": the cell is symmetric under the mirrors of the three
            axes; six loads on its octant. "cubic": the octant is symmetric under permutations of the axes as well; two
            loads. The octant is averaged over the six permutations inside.
        tolerance: relative error of C at which the solve stops, by an estimate of the energy of the error. A first
            derivative errs like its square root at worst.
        residual: instead, the relative norm of the residual at which the solve stops.
        background: a second solid where the density is 0, in place of void; the interpolation's void is not used then.
        start: fluctuations to start from, such as `displacement` of an earlier result.
        steps: take exactly so many solver steps for every load, whatever the error; nothing is raised then.
        max_steps: steps after which the solve gives up.
        preconditioner: "multigrid" or "fft"; by default multigrid where the grid can be halved down to a few voxels.
        mesh: devices that share the cell in equal blocks, of one process or of several (`jax.distributed`). The axes of
            the mesh cut the first axes of the grid, in order, each into blocks of an even number of voxels. Needs
            symmetry "none". The gradient is shared like the density; C is on every device.
        throw: raise `SolverError` when called eagerly and not converged. Inside a trace nothing raises; see `result`.

    Returns:
        A `Homogenization`.

    Raises:
        ValueError: an argument has a wrong shape or value; concrete values only, beyond rounding.
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
    density = _checked_density(density, symmetry)
    dtype = density.dtype
    shape = density.shape
    chosen = _preconditioner(preconditioner, shape, symmetry)
    method = _method(tolerance, residual, max_steps, steps)
    if mesh is not None:
        mesh = _checked_mesh(mesh, symmetry)
    lengths = _checked_spacing(spacing, dtype, symmetry)
    loads = len(LOADS[_symmetry(symmetry)])
    boundary = load_boundary(symmetry, shape, mesh)
    nodes = boundary.nodes(shape)
    first = None
    if start is not None:
        if start.shape != (loads, *nodes, 3):
            raise ValueError(f"Argument `start` must have shape {(loads, *nodes, 3)}, but has shape {start.shape}.")
        first = jnp.moveaxis(start.astype(dtype), -1, 1)
    cast = partial(jax.tree.map, lambda leaf: jnp.asarray(leaf, dtype))
    batched = shape[0] * shape[1] * shape[2] <= TOGETHER
    if mesh is not None and not isinstance(density, Tracer):
        density = jax.device_put(density, Shared.of(mesh, shape).sharding())
    plan = Plan(method, chosen, symmetry, batched, mesh)
    c, fluctuations, stats = _solve(plan, density, cast(solid), cast(interpolation), lengths, cast(background), first)
    result = stats.result.max()
    if throw and steps is None and not isinstance(result, Tracer) and int(result) != 0:
        raise SolverError(f"{Result(int(result)).text} Steps {stats.steps.tolist()}, error {stats.error.tolist()}.")
    return Homogenization(c, result, stats, jnp.moveaxis(jax.lax.stop_gradient(fluctuations), 1, -1))


@partial(jax.jit, static_argnums=0)
def _solve(
    plan: Plan,
    density: Array,
    solid: Isotropic,
    interpolation: Interpolation,
    spacing: Array,
    background: Isotropic | None,
    start: Array | None,
) -> tuple[Array, Array, Stats]:
    if plan.symmetry == "cubic":
        density = _permutation_mean(density)
    if plan.mesh is not None:
        density = jax.lax.with_sharding_constraint(density, Shared.of(plan.mesh, density.shape).sharding())
    material = material_field(density, solid, interpolation, background)
    # Only ratios matter, so both scales are taken out: single precision then holds for any unit.
    stiffest = jax.lax.stop_gradient(sum(material.diagonal[i].max() for i in (0, 3)))
    unit = jnp.where(stiffest > 0, stiffest, 1)
    edge = jax.lax.stop_gradient(spacing.max())
    first = None if start is None else start / edge
    scaled = Problem(material.map(lambda field: field / unit), spacing / edge)
    c, fluctuations, stats = effective_stiffness(plan, scaled, first)
    return c * unit, fluctuations * edge, stats


def material_field(
    density: Array, solid: Isotropic, interpolation: Interpolation, background: Isotropic | None
) -> MaterialField:
    """Moduli in every voxel of a density."""
    lmbda, mu = solid.lame
    if background is None:
        modulus = interpolation(density)
        return IsotropicField(lmbda * modulus, mu * modulus)
    weight = interpolation.weight(density)
    lmbda0, mu0 = background.lame
    return IsotropicField(lmbda0 + (lmbda - lmbda0) * weight, mu0 + (mu - mu0) * weight)


def _permutation_mean(octant: Array) -> Array:
    cyclic = (octant + octant.transpose(1, 2, 0) + octant.transpose(2, 0, 1)) / 3
    return 0.5 * (cyclic + cyclic.transpose(1, 0, 2))


def _symmetry(symmetry: str) -> Symmetry:
    if symmetry not in LOADS:
        raise ValueError(f'Argument `symmetry` must be "none", "mirror" or "cubic", but is {symmetry!r}.')
    return symmetry  # pyright: ignore[reportReturnType]


def _checked_density(density: ArrayLike, symmetry: Symmetry) -> Array:
    symmetry = _symmetry(symmetry)
    density = jnp.asarray(density)
    if density.ndim != 3 or 0 in density.shape:
        raise ValueError(f"Argument `density` must have shape (nx, ny, nz), but has shape {density.shape}.")
    if jnp.issubdtype(density.dtype, jnp.integer) or density.dtype == jnp.bool_:
        density = density.astype(jnp.result_type(float))
    if density.dtype not in (jnp.float32, jnp.float64):
        raise ValueError(f"Argument `density` must be float32 or float64, but is {density.dtype}.")
    if symmetry == "cubic" and len(set(density.shape)) != 1:
        raise ValueError(f"Argument `density` must be a cube for cubic symmetry, but has shape {density.shape}.")
    if isinstance(density, Tracer):
        return density
    if not density.is_fully_addressable:  # shared with other processes
        low, high = float(density.min()), float(density.max())
        if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
            raise ValueError(f"Argument `density` must lie in [0, 1], but ranges from {low} to {high}.")
        return jnp.clip(density, 0, 1)
    values = np.asarray(density)
    if not np.isfinite(values).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise ValueError(f"Argument `density` must be finite, but is {values[place]} at voxel {place}.")
    if values.min() < -_ROUNDING or values.max() > 1 + _ROUNDING:
        raise ValueError(f"Argument `density` must lie in [0, 1], but ranges from {values.min()} to {values.max()}.")
    if symmetry == "cubic":
        off = max(float(np.abs(values - values.transpose(p)).max()) for p in [(1, 0, 2), (0, 2, 1)])
        if off > _ROUNDING:
            raise ValueError(
                "Argument `density` must be the same under the six permutations of its axes for cubic symmetry, but is "
                f"off by {off:.3g}."
            )
    return jnp.clip(density, 0, 1)


def _checked_spacing(spacing: tuple[float, float, float] | Array, dtype: jnp.dtype, symmetry: Symmetry) -> Array:
    if not isinstance(spacing, (tuple, list)) and jnp.ndim(spacing) == 0:
        raise ValueError("Argument `spacing` must be three voxel edges, but has shape ().")
    lengths = jnp.stack([jnp.asarray(edge, dtype) for edge in spacing])
    if lengths.shape != (3,):
        raise ValueError(f"Argument `spacing` must be three voxel edges, but has shape {lengths.shape}.")
    if isinstance(lengths, Tracer):
        return lengths
    values = np.asarray(lengths)
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise ValueError(f"Argument `spacing` must be three positive lengths, but is {tuple(values.tolist())}.")
    if symmetry == "cubic" and not np.allclose(values, values[0], rtol=_ROUNDING):
        raise ValueError(
            f"Argument `spacing` must be three equal lengths for cubic symmetry, but is {tuple(values.tolist())}."
        )
    return lengths


def _checked_mesh(mesh: Mesh, symmetry: Symmetry) -> Mesh:
    if symmetry != "none":
        raise ValueError(f'Argument `mesh` needs symmetry "none", but symmetry is {symmetry!r}.')
    # The compiler places what is between the blocks, whatever the mesh was made for.
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * mesh.devices.ndim)


def _method(tolerance: float, residual: float | None, max_steps: int, steps: int | None) -> PCG:
    if not tolerance > 0:
        raise ValueError(f"Argument `tolerance` must be positive, but is {tolerance}.")
    if residual is not None and not residual > 0:
        raise ValueError(f"Argument `residual` must be positive, but is {residual}.")
    if max_steps < 0:
        raise ValueError(f"Argument `max_steps` must not be negative, but is {max_steps}.")
    if steps is not None and steps < 0:
        raise ValueError(f"Argument `steps` must not be negative, but is {steps}.")
    return PCG(tolerance, residual, max_steps, steps)


def _preconditioner(name: str | None, shape: tuple[int, ...], symmetry: Symmetry) -> Preconditioner:
    if name not in (None, "multigrid", "fft"):
        raise ValueError(f'Argument `preconditioner` must be "multigrid", "fft" or None, but is {name!r}.')
    multigrid = Multigrid()
    if name == "multigrid" or (name is None and multigrid.suits(shape)):
        return multigrid
    return JacobiFFT()
