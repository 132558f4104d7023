"""What an optimiser is: a pair `init` and `update`, which sees values and gradients and may ask a few things more.

The problem is min f(x) subject to g(x) ≤ 0 with m constraints and lower ≤ x ≤ upper, for x of any shape.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float


class Outcome(IntEnum):
    """How an update went; the states of the optimisers of this package hold one as `result`."""

    solved = 0
    out_of_reach = 1
    jumps = 2
    max_iterations = 3
    stalled = 4
    not_conservative = 5
    no_descent = 6
    not_finite = 7

    @property
    def text(self) -> str:
        """What happened, and what to try."""
        return _TEXTS[self]


_TEXTS = {
    Outcome.solved: "The step was found.",
    Outcome.out_of_reach: (
        "The constraint is out of reach of one step: the design went as far towards it as bounds and move limit allow."
    ),
    Outcome.jumps: (
        "The constraint was not met: it jumps as the multiplier varies. Lower the sharpness of the projection."
    ),
    Outcome.max_iterations: (
        "The subproblem was not solved to its tolerance within the allowed Newton steps. Raise `max_iterations`."
    ),
    Outcome.stalled: "The subproblem stalled before its tolerance. Use float64, or raise `tolerance`.",
    Outcome.not_conservative: (
        "No conservative approximation was found within the allowed trials. Are the gradients those of the functions?"
    ),
    Outcome.no_descent: (
        "The objective has no negative gradient: to raise a variable does not help anywhere, and the design was left "
        "as it was. Use MMA."
    ),
    Outcome.not_finite: "A value or gradient is not finite, and the design was left as it was.",
}


class Seen(NamedTuple):
    """Values and gradients at a design.

    Attributes:
        objective: f(x).
        gradient: ∂f/∂x, of the shape of x.
        constraints: g(x), (m,); m may be 0.
        constraint_gradients: ∂g/∂x, (m, *shape of x).
    """

    objective: Float[Array, ""]
    gradient: Float[Array, "*shape"]
    constraints: Float[Array, " m"]
    constraint_gradients: Float[Array, "m *shape"]


class Problem(NamedTuple):
    """What an optimiser may ask about the problem besides.

    Attributes:
        lower, upper: bounds, a number or an array of the shape of x; finite. Equal bounds hold a variable.
        m: number of constraints.
        evaluate: f and g of a trial design, x → (scalar, (m,)); as dear as an evaluation without gradients.
        cheap: the last constraint alone, x → scalar, where it costs next to nothing, like a volume.
        noise: relative error of the values.
    """

    lower: float | int | Float[Array, "..."] = 0.0
    upper: float | int | Float[Array, "..."] = 1.0
    m: int = 1
    evaluate: Callable[[Array], tuple[Array, Array]] | None = None
    cheap: Callable[[Array], Array] | None = None
    noise: float | int | Float[Array, ""] = 0.0


@runtime_checkable
class Optimizer(Protocol):
    """An optimiser: a frozen object of numbers, whose state is a pytree of arrays.

    Both methods are pure and run inside `jit` and `vmap`; `init` refuses a problem that the method is not for. Where
    the state has an attribute `result`, an `Outcome`, a design loop takes notice of it.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxmeta.optimizers import Optimizer, Problem, Seen
        >>> class Descent:                                       # for bounds alone
        ...     def init(self, x, problem):
        ...         return jnp.zeros((), jnp.int32)
        ...     def update(self, state, x, seen, problem):
        ...         return jnp.clip(x - 0.3 * seen.gradient, problem.lower, problem.upper), state + 1
        >>> method: Optimizer = Descent()
        >>> x, problem = jnp.array([0.5, 0.5]), Problem(m=0)
        >>> state = method.init(x, problem)
        >>> for _ in range(20):
        ...     f, slope = jax.value_and_grad(lambda x: jnp.sum((x - jnp.array([0.2, 3.0])) ** 2))(x)
        ...     x, state = method.update(state, x, Seen(f, slope, jnp.zeros(0), jnp.zeros((0, 2))), problem)
        >>> [f"{value:.3f}" for value in x]
        ['0.200', '1.000']
    """

    def init(self, x: Float[Array, "*shape"], problem: Problem) -> Any:
        """State before the first update.

        Args:
            x: Design, any shape.
            problem: Bounds and number of constraints; the functions are not called.

        Returns:
            A pytree of arrays.

        Raises:
            ValueError: If the method is not for such a problem.
        """
        ...

    def update(
        self, state: Any, x: Float[Array, "*shape"], seen: Seen, problem: Problem
    ) -> tuple[Float[Array, "*shape"], Any]:
        """Update a design once.

        Args:
            state: From `init` or the last update.
            x: Design.
            seen: Values and gradients at x.
            problem: What else may be asked.

        Returns:
            The new design, of the shape and dtype of x and within the bounds, and the new state.
        """
        ...
