r"""The mechanical cloak: stiffnesses around a hole for which nobody outside can tell that it is there.

The stiffness of every cell of the cloak has three coordinates in [0, 1] in the space of what cells can be
(`PropertySpace`), which it cannot leave. They minimise

.. math:: D^2 + \alpha \sum_{\text{neighbours}} |u_a - u_b|^2 ,

D being the distortion of the displacement outside. The second term, small, makes neighbours alike: such cells have
faces that fit each other, and a structure whose stiffness varies slowly behaves as homogenization says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from .._arguments import positive_number
from .._numbers import plain_number, refused, whole_number
from ..design import Continuation, DesignResult, Evaluation, Level, Loop, append, run
from ..fem import CubicField
from ..optimizers import LBFGS, Seen
from ..runs import Checkpoint, digest
from ._section import Section
from ._space import PropertySpace
from ._structure import Structure, distortion

_TOLERANCE = 1e-10  # of the solves: displacements to 1e-5
_RESTS = 1e-4  # relative change of the objective over ten steps
_BEYOND = 0.1  # how far a reference may lie outside of the space, in shares of its ranges


class Record(NamedTuple):
    """What a step tells.

    Attributes:
        distortion: D.
        roughness: Σ |u_a − u_b|².
    """

    distortion: Array
    roughness: Array


class CloakProblem(NamedTuple):
    """The design problem of a cloak; see `design.Problem`. Its variables are coordinates (n, 3) in [0, 1].

    Attributes:
        structure: the block.
        background: constants of all cells outside of the cloak, zero in the hole, (3, nx, ny).
        places: numbers (i, j) of the cloak's cells, (2, k).
        classes: which of the n distinct cells stands at each place, (k,).
        space: what a cell can be.
        reference: displacement without hole.
        outside: weights of the nodes that count.
        pairs: neighbours among the distinct cells, (2, p); number n is the reference.
        beside: coordinates of the reference.
        smoothness: α.
        held: whether a cell keeps the coordinates that it has, (n,).
        ceiling: largest first coordinate of the others.
    """

    structure: Structure
    background: Float[Array, "3 nx ny"]
    places: Int[Array, "2 k"]
    classes: Int[Array, " k"]
    space: PropertySpace
    reference: Float[Array, "x y z 3"]
    outside: Float[Array, "x y z"]
    pairs: Int[Array, "2 p"]
    beside: Float[Array, "3"]
    smoothness: Float[Array, ""]
    held: Array
    ceiling: Float[Array, ""]

    noise = 1e-6

    def field(self, constants: Float[Array, "n 3"]) -> CubicField:
        """Stiffness of every cell of the block."""
        i, j = self.places
        sections = (
            all_.at[i, j].set(own) for all_, own in zip(self.background, constants[self.classes].T, strict=True)
        )
        depth = self.structure.cells[2]
        return CubicField(*(jnp.repeat(section[..., None], depth, axis=2) for section in sections))

    @jax.jit
    def distortion(self, constants: Float[Array, "n 3"]) -> Float[Array, ""]:
        """D of constants C11, C12, C44 of the distinct cells."""
        found = self.structure.solve(self.field(constants), tolerance=_TOLERANCE, throw=False)
        return distortion(found.displacement[0], self.reference, self.outside)

    def bounds(self, variables: Float[Array, "n 3"]) -> tuple[Float[Array, "n 3"], Float[Array, "n 3"]]:
        """0 and 1, below a ceiling of the first coordinate, or what a held cell has."""
        held = self.held[:, None]
        upper = jnp.ones_like(variables).at[:, 0].set(self.ceiling)
        return jnp.where(held, variables, 0.0), jnp.where(held, variables, upper)

    def evaluate(self, variables: Float[Array, "n 3"], level: Level, memory: Any) -> Evaluation:
        """Objective with its gradient: one solve and one adjoint solve."""
        (value, record), gradient = jax.value_and_grad(self._objective, has_aux=True)(variables)
        none = jnp.zeros((0, *variables.shape), variables.dtype)
        return Evaluation(Seen(value, gradient, none[:, 0, 0], none), record, memory, jnp.isfinite(value))

    def values(self, variables: Float[Array, "n 3"], level: Level, memory: Any) -> tuple[Array, Array]:
        """The objective alone."""
        return self._objective(variables)[0], jnp.zeros(0, variables.dtype)

    def cheap(self, variables: Float[Array, "n 3"], level: Level) -> Array:
        """There is no constraint."""
        return jnp.zeros((), variables.dtype)

    def _objective(self, variables: Float[Array, "n 3"]) -> tuple[Array, Record]:
        found = self.distortion(self.space.constants(variables))
        either, other = jnp.concatenate([variables, self.beside[None]])[self.pairs]
        roughness = jnp.sum((either - other) ** 2)
        return found**2 + self.smoothness * roughness, Record(found, roughness)


class CloakDesign(NamedTuple):
    """A designed cloak.

    Attributes:
        problem: what was designed; `problem.field(constants)` is the stiffness of every cell.
        places: (i, j) of the cloak's cells, (k, 2).
        classes: which of the n distinct cells stands at each place, (k,).
        constants: C11, C12, C44 of the distinct cells, (n, 3).
        pairs: neighbours among them, (2, p); number n is the reference.
        distortion_without: of the hole alone.
        distortion: with the cloak, of these constants.
        share_outside: share of the cells outside of the property space.
        history: distortion, roughness, seconds of every step.
        result: how the design ended.
    """

    problem: CloakProblem
    places: Int[np.ndarray, "k 2"]
    classes: Int[np.ndarray, " k"]
    constants: Float[np.ndarray, "n 3"]
    pairs: Int[np.ndarray, "2 p"]
    distortion_without: float
    distortion: float
    share_outside: float
    history: dict[str, list]
    result: DesignResult


def cloak_problem(
    section: Section,
    reference: Float[ArrayLike, "3"] | tuple[float, ...],
    space: PropertySpace,
    smoothness: float = 1e-6,
    mirrored: bool = False,
) -> CloakProblem:
    """The problem of a section whose cells have constants C11, C12, C44 as a reference.

    Args:
        section: hole, cloak, supports and loads.
        reference: of the undisturbed structure, in the unit of the space.
        space: what a cell of the cloak can be.
        smoothness: α.
        mirrored: whether cells at −x and x are the same, which halves their number where the supports differ.

    Raises:
        ValueError: the reference lies outside of the space.
    """
    given = np.asarray(reference, float)
    if given.shape != (3,) or not (given[[0, 2]] > 0).all() or not -given[0] / 2 < given[1] < given[0]:
        raise refused("reference", "be C11, C12, C44 of a stable solid", f"is {given.tolist()}")
    plain_number("smoothness", smoothness, "not be negative", lambda value: value >= 0)
    beside = np.asarray(space.coordinates(jnp.asarray(given)))
    if (beside < -_BEYOND).any() or (beside > 1 + _BEYOND).any():
        raise refused("reference", "lie in the space of what cells can be", f"has coordinates {beside.round(3)}")
    structure = section.structure()
    everywhere = np.broadcast_to(given[:, None, None], (3, *section.shape[:2]))
    undisturbed = [np.repeat(values[..., None], section.depth, axis=2) for values in everywhere]
    moved = structure.solve(CubicField(*map(jnp.asarray, undisturbed)), tolerance=_TOLERANCE).displacement[0]
    background = jnp.asarray(np.where(section.in_hole, 0.0, everywhere))
    places = np.argwhere(section.in_cloak)
    distinct = places.copy()
    if mirrored and section.pull == "rollers":
        distinct[:, 0] = np.minimum(places[:, 0], section.cells - 1 - places[:, 0])
    kinds, classes = np.unique(distinct, axis=0, return_inverse=True)
    pairs = _neighbours(section, classes.ravel(), len(kinds))
    return CloakProblem(
        structure, background, jnp.asarray(places.T), jnp.asarray(classes.ravel()), space, moved,
        jnp.asarray(section.outside()), jnp.asarray(pairs), jnp.asarray(np.clip(beside, 0, 1)),
        jnp.asarray(float(smoothness)), jnp.zeros(len(kinds), bool), jnp.ones(()),
    )  # fmt: skip


def _neighbours(section: Section, classes: np.ndarray, count: int) -> Int[np.ndarray, "2 p"]:
    """Pairs of cells with a common face, at least one in the cloak, by class; the reference has the number `count`."""
    number = np.where(section.in_hole, -1, count)
    number[section.in_cloak] = classes
    pairs = [
        np.stack([number[:-1].ravel(), number[1:].ravel()]),
        np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()]),
    ]
    both = np.concatenate(pairs, axis=1)
    return both[:, (both >= 0).all(axis=0) & (both < count).any(axis=0)]


def _same(problem: CloakProblem) -> str:
    """Digest of what was given; what was computed differs by rounding with the number of threads."""
    space = [np.round(np.asarray(leaf), 4) for leaf in jax.tree.leaves(problem.space)]
    given = problem._replace(space=None, reference=None, beside=None)
    return digest([*space, *map(np.asarray, jax.tree.leaves(given))])


def design_cloak(
    problem: CloakProblem,
    *,
    gap: tuple[float, float] | None = None,
    cells: Float[np.ndarray, "m 3"] | None = None,
    max_steps: int = 200,
    checkpoint: str | Path | None = None,
    callback: Callable[[int, dict[str, float]], None] | None = None,
) -> CloakDesign:
    """Design the stiffnesses of a cloak.

    Args:
        problem: from `cloak_problem`.
        gap: ends of a range of C11 in which no cell is to be, up to the stiffest. Cells that come to lie in it go to
            the nearer end, are held there, and the others are designed on.
        cells: C11, C12, C44 of cells that there are. What goes to the lower end becomes the nearest of those below it:
            so near to the densest there are, few flips are left to fit others.
        max_steps: evaluations, those after the rounding included at most half as many again.
        checkpoint: folder from which an interrupted design goes on.
        callback: called as callback(step, numbers) after every step.

    Returns:
        A `CloakDesign`.

    Raises:
        ValueError: an argument is not as described.
        SolverError: a solve did not converge.
    """
    steps = whole_number("max_steps", max_steps, 1)
    i, j = problem.places[:, jnp.unique(problem.classes, return_index=True)[1]]
    without = float(problem.distortion(problem.background[:, i, j].T))
    loop = Loop(LBFGS(), Continuation(1.0, 1.0, 1, 1.0), _RESTS)
    start = jnp.tile(problem.beside, (len(problem.held), 1))
    settings = {"what": "cloak", "problem": _same(problem), "gap": None if gap is None else list(gap), "steps": steps,
                "cells": None if cells is None else digest(np.asarray(cells))}  # fmt: skip
    history: dict[str, list] = {}
    stages = [("design", steps)] if gap is None else [("design", steps), ("rounded", steps // 2)]
    result, variables = DesignResult.max_steps_reached, start
    for name, most in stages:
        if name == "rounded":
            assert gap is not None
            problem, variables = _rounded(problem, variables, gap, cells)
        folder = None if checkpoint is None else Checkpoint(Path(checkpoint) / name, settings)
        try:
            state, rows = loop.init(problem, variables), {}
            if folder is not None and (found := folder.restore(state)) is not None:
                state, rows = found
            for turn in run(loop, problem, state, most):
                state = turn.state
                numbers = {"distortion": float(turn.info.record.distortion),
                           "roughness": float(turn.info.record.roughness), "seconds": turn.seconds}  # fmt: skip
                append(rows, numbers)
                if folder is not None:
                    folder.save(state, rows)
                if callback is not None:
                    try:
                        callback(len(history.get("distortion", ())) + int(state.step), numbers)
                    except KeyboardInterrupt:
                        if folder is not None:
                            folder.save(state, rows, force=True)
                        raise
            if folder is not None:
                folder.save(state, rows, force=True)
        finally:
            if folder is not None:
                folder.close()
        for key, values in rows.items():
            history.setdefault(key, []).extend(values)
        variables, result = state.kept.variables, DesignResult(int(state.result))
    constants = np.asarray(problem.space.constants(variables))
    outside = np.asarray(problem.space.membership(constants)) < -1e-3
    return CloakDesign(
        problem=problem,
        places=np.asarray(problem.places).T,
        classes=np.asarray(problem.classes),
        constants=constants,
        pairs=np.asarray(problem.pairs),
        distortion_without=without,
        distortion=float(problem.distortion(jnp.asarray(constants))),
        share_outside=float(outside.mean()),
        history=history,
        result=result,
    )


def _rounded(
    problem: CloakProblem, variables: Array, gap: tuple[float, float], cells: Float[np.ndarray, "m 3"] | None
) -> tuple[CloakProblem, Float[Array, "n 3"]]:
    """No cell in the gap, nor on the way to it."""
    low, high = (positive_number("gap", end) for end in gap)
    if not low < high:
        raise refused("gap", "have its ends in order", f"is {gap}")
    space = problem.space
    first = (jnp.log(jnp.array([low, high])) - space.ends[0]) / (space.ends[1] - space.ends[0])
    inside = (variables[:, 0] > first[0]) & (variables[:, 0] <= first[1])
    up = inside & (variables[:, 0] > first.mean())
    rounded = variables.at[:, 0].set(jnp.where(inside, first[0], variables[:, 0]))
    if cells is not None:
        there = np.asarray(cells)[(np.asarray(cells)[:, 0] <= low) & (np.asarray(space.membership(cells)) >= 0)]
        apart = np.linalg.norm(np.asarray(space.constants(rounded))[:, None] - there, axis=2)
        rounded = jnp.where(inside[:, None], space.coordinates(jnp.asarray(there[apart.argmin(axis=1)])), rounded)
    solid = variables.at[:, 0].set(jnp.minimum(first[1], 1.0))
    return problem._replace(held=inside, ceiling=jnp.minimum(first[0], 1.0)), jnp.where(up[:, None], solid, rounded)
