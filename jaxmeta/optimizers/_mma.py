"""The method of moving asymptotes."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._numbers import require_numbers
from ._asymptotes import Asymptotes, MMAState
from ._protocol import Problem, Seen
from ._subproblem import solve


@dataclasses.dataclass(frozen=True)
class MMA(Asymptotes):
    r"""Method of moving asymptotes.

    Solves problems with many variables, bounds and a few smooth constraints g_j(x) ≤ 0, from values and gradients. The
    constraints need not hold at the start. An update costs a few dozen passes over the gradients and does not
    evaluate the functions. The modules state the problem
    and derive the method.

    The parameters y and z of the problem are chosen as usual: y lets every subproblem have a solution, at a price c
    that keeps it at zero when there is another; z is zero unless `a` is given. For a minimax problem, minimise zero
    subject to f_i(x) − z ≤ 0 with a = 1.

    Args:
        move: Largest change of a variable in one update, in upper − lower.
        start: Distance of the asymptotes in the first two updates, in upper − lower.
        shrink: Factor on the distance of a variable that oscillates.
        grow: Factor on the distance of a variable that keeps its direction.
        a0: Price of z.
        a: How much z relieves each constraint; one number, or one for each.
        c: Linear price of violating a constraint; one number, or one for each. It is relative: both the objective and
            the constraint are in units of what they can change by over the box.
        d: Quadratic price, likewise.
        tolerance: Largest barrier parameter of a solved subproblem, in the scaled problem; None: 1e-9 in float64,
            2e-6 in float32.
        max_iterations: Largest number of Newton steps for a subproblem.
        raa0: Convexity ρ added to every function, relative to its mean gradient.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from jaxmeta.optimizers import MMA, Outcome, Problem, Seen
        >>> weights = jnp.array([61.0, 37.0, 19.0, 7.0, 1.0])    # Svanberg's cantilever beam of five segments
        >>> mass = lambda x: 0.0624 * x.sum()
        >>> deflection = lambda x: (weights / x**3).sum() - 1    # must not be positive
        >>> mma, x, problem = MMA(), jnp.full(5, 5.0), Problem(lower=1.0, upper=10.0, m=1)
        >>> state = mma.init(x, problem)
        >>> @jax.jit
        ... def step(state, x):
        ...     value, gradient = jax.value_and_grad(mass)(x)
        ...     g, dg = jax.value_and_grad(deflection)(x)
        ...     return mma.update(state, x, Seen(value, gradient, g[None], dg[None]), problem)
        >>> for _ in range(20):
        ...     x, state = step(state, x)
        >>> print(f"{mass(x):.3f}", Outcome(int(state.result)).text)
        1.340 The step was found.

    References:
        Svanberg, K. (1987), "The method of moving asymptotes — a new method for structural optimization", Int. J.
        Numer. Methods Eng. 24, sections 3 and 4.
        Svanberg, K. (2007), "MMA and GCMMA — two methods for nonlinear optimization", KTH Stockholm, sections 3 and 5.
    """

    raa0: float | int = 1e-5

    def __post_init__(self):
        super().__post_init__()
        require_numbers(self, "raa0")
        if not self.raa0 > 0:
            raise ValueError(f"Argument `raa0` must be above 0, but is {self.raa0}.")

    def update(
        self, state: MMAState, x: Float[Array, "*shape"], seen: Seen, problem: Problem
    ) -> tuple[Float[Array, "*shape"], MMAState]:
        """Update a design once.

        Args:
            state: From `init` or the last update.
            x: Design, any shape.
            seen: Values and gradients at x. The objective is only looked at for being finite.
            problem: Bounds and number of constraints; its functions are not called.

        Returns:
            The new design, of the shape and dtype of x, and the new state.

        Raises:
            ValueError: If shapes do not agree.
        """
        scaled = self.prepare(state, x, seen, problem)
        rho = jnp.asarray(self.raa0, x.dtype)
        convex = scaled.subproblem._replace(objective_rho=rho, rho=jnp.full((problem.m,), rho))
        solution = solve(convex, self.accuracy(x.dtype), self.max_iterations)
        return self.finish(state, x, scaled, solution, jnp.ones((), jnp.int32), solution.result)
