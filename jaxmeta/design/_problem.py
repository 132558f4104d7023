"""What the design loop needs of a problem."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Bool, Float

from ..optimizers import Seen
from ._continuation import Level


class Evaluation(NamedTuple):
    """A design, evaluated.

    Attributes:
        seen: values and gradients, as the optimiser sees them.
        record: a NamedTuple of arrays, for the history and whoever looks on.
        memory: pytree of arrays from which the next evaluation starts, such as the fields of a solve.
        sound: whether the solves can be relied on.
    """

    seen: Seen
    record: Any
    memory: Any
    sound: Bool[Array, ""]


@runtime_checkable
class Problem(Protocol):
    """A design problem: min f(x) subject to g(x) ≤ 0 within bounds, for each level of a continuation.

    It is a pytree. Its numbers are leaves, so that problems which differ in nothing else share a compiled step, and
    problems can be stacked. All methods are pure.
    """

    @property
    def noise(self) -> float | Float[Array, ""]:
        """Relative error of the values."""
        ...

    def bounds(self, variables: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
        """Lower and upper bounds of the variables; equal ones hold a variable."""
        ...

    def evaluate(self, variables: Float[Array, "*shape"], level: Level, memory: Any) -> Evaluation:
        """Values and gradients of a design.

        Args:
            variables: the design.
            level: sharpness of the continuation.
            memory: of the last evaluation, zeros in its place before the first one, or None when only shapes are asked.
        """
        ...

    def values(
        self, variables: Float[Array, "*shape"], level: Level, memory: Any
    ) -> tuple[Float[Array, ""], Float[Array, " m"]]:
        """Objective and constraints alone, as in `evaluate`, for optimisers that try designs."""
        ...

    def cheap(self, variables: Float[Array, "*shape"], level: Level) -> Float[Array, ""]:
        """The last constraint alone, which costs next to nothing."""
        ...
