"""A block of voxels under loads and prescribed displacements, held at some nodes, mirrored or periodic at its faces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jaxtyping import ArrayLike, Bool, Float, Real

from .._arguments import positive_number, real_array, require_finite, three_lengths, truth_values
from .._numbers import refused, whole_number
from ..elasticity import Isotropic
from ..solvers import PCG, Result, SolverError, Stats
from ._boundary import Block, Kind, Kinds
from ._equilibrium import Body, Data, equilibrium
from ._fields import MaterialField
from ._interpolation import Interpolation
from ._medium import Medium, Mixture, checked_medium, per_voxel

Face = Literal["free", "mirror", "periodic"]
Faces = Sequence[Face | tuple[Face, Face]]


class BlockSolution(NamedTuple):
    """Equilibrium of a block. Nodal fields have one node less along a periodic axis.

    Attributes:
        displacement: (nx+1, ny+1, nz+1, 3), in units of length.
        compliance: work of the loads fᵀu, in units of energy.
        energy: potential energy ½ uᵀK u − fᵀu, in units of energy; −½ of the compliance where nothing is prescribed.
        reactions: forces of the supports and mirrors on the block, K u − f, (nx+1, ny+1, nz+1, 3), in units of stress ×
            length²; zero at free components.
        result: the worst `Result`, as an integer array; 0 is converged.
        stats: how it was found; with prescribed displacements (2,) each, of the loads' part and of theirs.
    """

    displacement: Float[Array, "x y z 3"]
    compliance: Float[Array, ""]
    energy: Float[Array, ""]
    reactions: Float[Array, "x y z 3"]
    result: Array
    stats: Stats


@jax.transfer_guard("allow")  # the numbers among the arguments go to the device on purpose
def solve(
    field: Real[ArrayLike, "nx ny nz"] | Bool[ArrayLike, "nx ny nz"] | Real[ArrayLike, "nx ny nz 6 6"] | MaterialField,
    supports: Real[ArrayLike, "x y z 3"] | Bool[ArrayLike, "x y z 3"],
    loads: Real[ArrayLike, "x y z 3"],
    *,
    solid: Isotropic | None = None,
    interpolation: Interpolation | None = None,
    spacing: tuple[float, float, float] | Float[Array, "3"] = (1.0, 1.0, 1.0),
    faces: Faces = ("free", "free", "free"),
    prescribed: Real[ArrayLike, "x y z 3"] | None = None,
    tolerance: Real[ArrayLike, ""] = 1e-8,
    residual: Real[ArrayLike, ""] | None = None,
    max_steps: int = 2000,
    throw: bool = True,
) -> BlockSolution:
    """Displacement of a block of voxels, held at some nodes and loaded at others, with its energies and reactions.

    The displacement u makes the potential energy Π = ½ uᵀK u − fᵀu least among those that take the prescribed values
    where they are held. So Π is stationary: its first derivative by the field, the loads or anything else is the
    explicit one, and its error is of second order in that of u. Without prescribed values the compliance c = fᵀu is
    −2 Π. With them u = v + w, where v answers to the loads with all supports at rest, and w to the moved supports
    without loads. The two do not couple, vᵀK w = 0, so

        c = fᵀv + fᵀw,        Π = ½ wᵀK w − ½ fᵀv − fᵀw        (for loads on free components),

    and c is computed in a form that is stationary in v and w, so that its gradient needs no adjoint solve either. As a
    least value of a sum that grows with K, Π grows with the stiffness whatever the loads are: to make a block stiff,
    maximise Π. Less compliance is the same only where nothing is prescribed; of loads that work against prescribed
    displacements c may have either sign.

    Args:
        field: density (nx, ny, nz) in [0, 1] of `solid`; or the moduli, in units of stress: a stiffness tensor in every
            voxel (nx, ny, nz, 6, 6), Voigt with engineering shear, or any object that fulfils `MaterialField`.
        supports: components that are held, (nx+1, ny+1, nz+1, 3); along a periodic axis nx instead of nx+1, here and
            in all nodal fields.
        loads: nodal forces f, (nx+1, ny+1, nz+1, 3), in units of stress × length². On held components they go into the
            support. On a node of a mirror it is the half that belongs to this side.
        solid: the solid where the density is 1; for a density only.
        interpolation: from density to modulus; for a density only; SIMP(3.0, 1e-9) if omitted.
        spacing: edges of a voxel, in units of length.
        faces: for each axis what its two faces are: "free", "mirror" or "periodic"; or a pair of the first two, for the
            low and the high face. A mirror lets its nodes slide and holds their normal components; the block is then
            one half of a structure, under loads that are mirrored, too. "periodic" makes the block one period.
        prescribed: displacements of the held components, (nx+1, ny+1, nz+1, 3), in units of length; zero at the others
            and across a mirror. Zero everywhere if omitted.
        tolerance: relative error of compliance and energy at which the solve stops; of each part by itself.
        residual: instead, the relative norm of the residual.
        max_steps: steps after which the solve gives up.
        throw: raise `SolverError` when called eagerly and not converged.

    Returns:
        A `BlockSolution`. All but its result and stats can be differentiated any number of times with respect to the
        field, the solid, the spacing, the loads and the prescribed displacements.

    Raises:
        ValueError: an argument is not as described.
        SolverError: not converged, called eagerly with `throw`.

    Example:
        A bar under a load at its end; and one period of a wide plate, stretched by one percent between two grips.

        >>> import jax.numpy as jnp, jaxmeta as jm
        >>> held = jnp.zeros((5, 3, 3, 3), bool).at[0].set(True)
        >>> pull = jnp.zeros((5, 3, 3, 3)).at[-1, :, :, 0].set(1 / 9)
        >>> bar = jm.fem.solve(jnp.ones((4, 2, 2)), held, pull, solid=jm.Isotropic(1.0, 0.0))
        >>> print(f"{bar.compliance:.3f}")
        1.075
        >>> grips = jnp.zeros((5, 2, 3, 3), bool).at[0].set(True).at[-1].set(True)
        >>> stretch = jnp.zeros((5, 2, 3, 3)).at[-1, :, :, 0].set(0.04)
        >>> plate = jm.fem.solve(jnp.ones((4, 2, 2)), grips, 0 * stretch, solid=jm.Isotropic(1.0, 0.0),
        ...                      faces=("free", "periodic", "free"), prescribed=stretch)
        >>> print(f"{plate.energy:.5f} {plate.reactions[-1, :, :, 0].sum():.4f}")
        0.00080 0.0400
    """
    medium = checked_medium("field", field, solid, interpolation)
    first = per_voxel(medium)[0]
    kinds, mirrors = _checked_faces(faces)
    nodal = (*Block(kinds).nodes(first.shape), 3)
    held = truth_values("supports", supports)
    if held.shape != nodal:
        raise refused("supports", f"have shape {nodal}", f"has shape {held.shape}")
    force, given = _checked_nodal("loads", loads, nodal), None
    slides = _sliding(nodal, mirrors)
    if prescribed is not None:
        given = _checked_nodal("prescribed", prescribed, nodal)
        here = not isinstance(given, Tracer) and not isinstance(held, Tracer)
        if here and np.asarray(given).astype(first.dtype)[~(np.asarray(held) & slides)].any():
            raise refused("prescribed", "be zero where nothing is held and across mirrors", "is not")
    method = PCG(
        positive_number("tolerance", tolerance),
        None if residual is None else positive_number("residual", residual),
        whole_number("max_steps", max_steps),
    )
    lengths = three_lengths("spacing", spacing, first.dtype)
    found = _solved(kinds, method, medium, lengths, held, slides, force, given)
    result, stats = found.result, found.stats
    if throw and not isinstance(result, Tracer) and int(result) != 0:
        raise SolverError(f"{Result(int(result)).text} Steps {stats.steps.tolist()}, error {stats.error.tolist()}.")
    return found


@partial(jax.jit, static_argnums=0)
def _solved(
    kinds: Kinds,
    method: PCG,
    medium: Medium,
    spacing: Array,
    held: Array,
    slides: Array,
    force: Array,
    prescribed: Array | None,
) -> BlockSolution:
    """All that is computed, as one program."""
    held, slides, force = (jnp.moveaxis(nodes, -1, 0) for nodes in (held, slides, force.astype(spacing.dtype)))
    even = tuple(jnp.arange(3) != axis if kind == "mirror" else None for axis, kind in enumerate(kinds))
    moved = None
    if prescribed is not None:
        moved = jnp.where(held & slides, jnp.moveaxis(prescribed.astype(spacing.dtype), -1, 0), 0)
    body = Body(medium.moduli() if isinstance(medium, Mixture) else medium, spacing)
    data = Data(body, force, moved, Block(kinds, even, slides & ~held), method)
    displacement, values, reactions, stats = equilibrium(data)
    displacement, reactions = (jnp.moveaxis(nodes, 0, -1) for nodes in (displacement, reactions))
    return BlockSolution(displacement, values.compliance, values.energy, reactions, stats.result.max(), stats)


def _checked_nodal(name: str, field: ArrayLike, nodal: tuple[int, ...]) -> Array:
    array = real_array(name, field)
    if array.shape != nodal:
        raise refused(name, f"have shape {nodal}", f"has shape {array.shape}")
    require_finite(name, array)
    return array


def _checked_faces(faces: Any) -> tuple[tuple[Kind, Kind, Kind], list[tuple[int, int]]]:
    """The kind of every axis, and the faces (axis, end) that are mirrors."""
    if not (isinstance(faces, (tuple, list)) and len(faces) == 3):
        raise refused("faces", "say what the faces of three axes are", f"is {faces!r}")
    kinds: list[Kind] = []
    mirrors: list[tuple[int, int]] = []
    for axis, face in enumerate(faces):
        ends = face if isinstance(face, (tuple, list)) else (face, face)
        named = len(ends) == 2 and all(isinstance(end, str) and end in ("free", "mirror") for end in ends)
        if not (named or tuple(ends) == ("periodic", "periodic")):
            raise refused("faces", 'be "free", "mirror" or "periodic", or a pair of the first two', f"holds {face!r}")
        kinds.append(ends[0] if ends[0] == ends[1] else "free")
        mirrors += [(axis, place) for place, end in zip((0, -1), ends, strict=True) if end == "mirror"]
    return (kinds[0], kinds[1], kinds[2]), mirrors


def _sliding(nodal: tuple[int, ...], mirrors: list[tuple[int, int]]) -> np.ndarray:
    """Components (x, y, z, 3) that mirrors leave free."""
    free = np.ones(nodal, bool)
    for axis, end in mirrors:
        np.moveaxis(free, axis, 0)[end, ..., axis] = False
    return free
