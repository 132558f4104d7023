"""The driver on the host. Checkpoints, histories, callbacks and interrupts hang on it from outside, turn by turn."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from .._numbers import whole_number
from ._loop import Info, Loop, State, select
from ._problem import Problem
from ._result import DesignResult

Tree = TypeVar("Tree")


class Turn(NamedTuple):
    """One step of a design, or of several at once, with a leading axis then.

    Attributes:
        state: after the step.
        info: what the step saw.
        going: which designs took it; the others had ended and are as they were.
        seconds: it took.
    """

    state: State
    info: Info
    going: Bool[np.ndarray, "..."]
    seconds: float


def run(loop: Loop, problem: Problem, state: State, max_steps: int) -> Iterator[Turn]:
    """Step until every design has ended, or has taken all its steps.

    Several designs are stepped together: `problem` and `state` have a leading axis then, as `stack` and
    ``jax.vmap(loop.init)`` make it.

    Args:
        loop: the loop.
        problem: what is designed.
        state: from `init`, or of a run that goes on.
        max_steps: most steps of a design, those taken before included.

    Yields:
        A `Turn` after each step.
    """
    max_steps = whole_number("max_steps", max_steps)
    while True:
        going = np.asarray((state.result == DesignResult.max_steps_reached) & (state.step < max_steps))
        if not going.any():
            return
        began = time.perf_counter()
        stepped = _step(loop, problem, state) if going.ndim == 0 else _steps(loop, problem, state, going)
        state, info = jax.block_until_ready(stepped)
        yield Turn(state, info, going, time.perf_counter() - began)


def compile_step(loop: Loop, problem: Problem, state: State) -> None:
    """Compile the step of one design, which `run` would else do at its first one."""
    _step.lower(loop, problem, state).compile()


def stack(trees: Sequence[Tree]) -> Tree:
    """Pytrees of one structure as one with a leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def lane(tree: Tree, number: int) -> Tree:
    """One of several with a leading axis."""
    return jax.tree.map(lambda leaf: leaf[number], tree)


def append(history: dict[str, list], row: Mapping[str, Any]) -> None:
    """Add a row to a history, which has a list for each quantity, of numbers and lists of numbers."""
    for name, value in row.items():
        history.setdefault(name, []).append(np.asarray(value).tolist())


@jax.jit
def _step(loop: Loop, problem: Problem, state: State) -> tuple[State, Info]:
    return loop.step(problem, state)


@jax.jit
def _steps(loop: Loop, problems: Problem, states: State, going: Array) -> tuple[State, Info]:
    def step(problem: Problem, state: State, goes: Array) -> tuple[State, Info]:
        new, info = loop.step(problem, state)
        return select(goes, new, state), info

    return jax.vmap(step)(problems, states, going)
