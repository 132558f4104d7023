"""The structure with all its voxels: whether the cloak keeps what the two scales promise."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float

from ..elasticity import Isotropic
from ..fem import SIMP, solve
from ..geometry import label
from ..solvers import Result, SolverError
from ._section import Section


class Resolved(NamedTuple):
    """Distortions of a structure with all its voxels, over the solid beyond the cloak's radius.

    Attributes:
        without: of the hole alone.
        with_cloak: with the cloak.
        steps: of the solver: undisturbed, with the hole, with the cloak.
        voxels: of the part that was solved.
    """

    without: float
    with_cloak: float
    steps: tuple[int, int, int]
    voxels: int


def section_voxels(section: Section, octants: Bool[np.ndarray, "n m k k k"]) -> Bool[np.ndarray, "X Y Z"]:
    """The voxels of the part of a section that is computed, half a cell deep: its middle is a mirror.

    Args:
        section: of which the cells are.
        octants: of every cell, the first plane along each axis on its face; zeros in the hole.
    """
    n, m, side = octants.shape[:3]
    if (n, m) != section.shape[:2]:
        raise ValueError(f"Argument `octants` must be of {section.shape[:2]} cells, but is of {(n, m)}.")
    voxels = np.empty((n, 2 * side, m, 2 * side, side), bool)
    voxels[:, :side, :, :side] = octants.transpose(0, 2, 1, 3, 4)
    voxels[:, side:] = voxels[:, :side][:, ::-1]
    voxels[:, :, :, side:] = voxels[:, :, :, :side][:, :, :, ::-1]
    return voxels.reshape(2 * side * n, 2 * side * m, side)


def resolve(
    section: Section,
    undisturbed: Bool[np.ndarray, "n m k k k"],
    with_hole: Bool[np.ndarray, "n m k k k"],
    with_cloak: Bool[np.ndarray, "n m k k k"],
    solid: Isotropic,
    *,
    void: float = 1e-9,
    tolerance: float = 1e-6,
) -> Resolved:
    """Solve the voxels of three structures in single precision, and compare them where all have the same cells.

    Nothing is homogenized or coarsened. The traction acts on the solid of the face, with the same total force.

    Args:
        section: hole, cloak, supports.
        undisturbed: octants of every cell of the structure without hole.
        with_hole: the same with the hole.
        with_cloak: the same with the hole and the cloak.
        solid: of which they are made.
        void: modulus of void relative to the solid.
        tolerance: relative error of the compliance.

    Raises:
        SolverError: a solve did not converge.
    """
    reference, _, first = _displacement(section, undisturbed, solid, void, tolerance)
    size, found, steps = None, [], [first]
    for octants in (with_hole, with_cloak):
        moved, weights, taken = _displacement(section, octants, solid, void, tolerance)
        size = float(np.einsum("xyz,xyzc->", weights, reference**2)) if size is None else size
        moved -= reference
        moved *= moved
        found.append(float(np.sqrt(np.einsum("xyz,xyzc->", weights, moved) / size)))
        steps.append(taken)
    voxels = 4 * undisturbed.shape[0] * undisturbed.shape[1] * undisturbed.shape[2] ** 3
    return Resolved(found[0], found[1], (steps[0], steps[1], steps[2]), voxels)


def _displacement(
    section: Section, octants: np.ndarray, solid: Isotropic, void: float, tolerance: float
) -> tuple[Float[np.ndarray, "x y z 3"], Float[np.ndarray, "x y z"], int]:
    """Displacement, weights of the solid nodes beyond the cloak, and the solver's steps."""
    voxels = section_voxels(section, octants)
    side = octants.shape[2]
    spacing = 1 / (2 * side)
    nodal = tuple(count + 1 for count in voxels.shape)
    supports = np.zeros((*nodal, 3), bool)
    if section.pull == "rollers":
        supports[0, ..., 0] = True
    areas = np.zeros(nodal[1:], np.float32)
    for a in (0, 1):
        for b in (0, 1):
            areas[a : nodal[1] - 1 + a, b : nodal[2] - 1 + b] += voxels[-1] / 4
    force = section.shape[1] / 2  # of a traction of 1 over the half of a cell's depth
    loads = np.zeros((*nodal, 3), np.float32)
    loads[-1, ..., 0] = areas * (force / areas.sum())
    with jax.enable_x64(False):
        found = solve(
            voxels.astype(np.float32), supports, loads, solid=solid, interpolation=SIMP(1.0, void), faces=section.faces,
            spacing=(spacing,) * 3, tolerance=tolerance, throw=False,
        )  # fmt: skip
    if int(found.result) != 0:
        raise SolverError(f"{Result(int(found.result)).text} {voxels.shape} voxels.")
    return np.array(found.displacement), _weights(section, voxels), int(found.stats.steps)


def _weights(section: Section, voxels: np.ndarray) -> Float[np.ndarray, "x y z"]:
    """One on every corner of solid beyond the cloak, and on each mirror half of it."""
    touches = np.zeros(tuple(count + 1 for count in voxels.shape), np.float32)
    x, y, z = voxels.shape
    for corner in np.ndindex(2, 2, 2):
        a, b, c = corner
        part = touches[a : x + a, b : y + b, c : z + c]
        np.maximum(part, voxels, out=part)
    start = -section.cells / 2 if section.pull == "rollers" else 0.0
    scale = section.shape[0] / voxels.shape[0]
    far = np.hypot((np.arange(x + 1) * scale + start)[:, None], np.arange(y + 1)[None] * scale) > section.outer
    touches *= far[..., None]
    touches[:, 0] /= 2
    touches[..., [0, -1]] /= 2
    if section.pull == "sides":
        touches[0] /= 2
    return touches


def is_one_piece(section: Section, octants: Bool[np.ndarray, "n m k k k"]) -> bool:
    """Whether the solid of the whole structure is one connected part.

    It is, where the part that is computed is one which meets all its mirrors.
    """
    voxels = section_voxels(section, octants)
    mirrors = [voxels[:, 0], voxels[..., 0], voxels[..., -1]] + ([voxels[0]] if section.pull == "sides" else [])
    return all(plane.any() for plane in mirrors) and label(voxels, periodic=False)[1] == 1
