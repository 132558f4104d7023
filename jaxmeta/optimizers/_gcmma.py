"""The globally convergent method of moving asymptotes."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._numbers import whole_number
from ._approximation import change
from ._asymptotes import Asymptotes, MMAState
from ._protocol import Outcome, Problem, Seen
from ._subproblem import Solution, solve


class _Trial(NamedTuple):
    """Where the inner loop is."""

    rho: Float[Array, " m+1"]
    solution: Solution
    conservative: Bool[Array, ""]
    trials: Int[Array, ""]


@dataclasses.dataclass(frozen=True)
class GCMMA(Asymptotes):
    """Globally convergent method of moving asymptotes.

    As `MMA`, but a step is taken only where the approximations turned out to lie above the functions; otherwise their
    convexity is raised and the subproblem solved again. From a feasible design, all designs stay feasible and the
    objective never rises, up to the tolerance of the subproblems and the noise of the values. The price is one
    evaluation of the functions for each trial.

    Args:
        move: Largest change of a variable in one update, in upper − lower.
        start: Distance of the asymptotes in the first two updates, in upper − lower.
        shrink: Factor on the distance of a variable that oscillates.
        grow: Factor on the distance of a variable that keeps its direction.
        a0: Price of z; as in `MMA`.
        a: How much z relieves each constraint; as in `MMA`.
        c: Linear price of violating a constraint; as in `MMA`.
        d: Quadratic price; as in `MMA`.
        tolerance: Largest barrier parameter of a solved subproblem; as in `MMA`.
        max_iterations: Largest number of Newton steps for a subproblem.
        max_trials: Largest number of subproblems in one update.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from jaxmeta.optimizers import GCMMA, Problem, Seen
        >>> objective = lambda x: jnp.sum((x - jnp.array([0.2, 0.9])) ** 2)
        >>> constraints = lambda x: jnp.array([x.sum() - 0.9])
        >>> problem = Problem(m=1, evaluate=lambda x: (objective(x), constraints(x)))
        >>> gcmma, x = GCMMA(), jnp.full(2, 0.3)
        >>> @jax.jit
        ... def step(state, x):
        ...     seen = Seen(*jax.value_and_grad(objective)(x), constraints(x), jax.jacrev(constraints)(x))
        ...     return gcmma.update(state, x, seen, problem)
        >>> state = gcmma.init(x, problem)
        >>> for _ in range(40):
        ...     x, state = step(state, x)
        >>> [f"{number:.2f}" for number in x]
        ['0.10', '0.80']

    References:
        Svanberg, K. (2002), "A class of globally convergent optimization methods based on conservative convex
        separable approximations", SIAM J. Optim. 12, sections 3 to 5.
        Svanberg, K. (2007), "MMA and GCMMA — two methods for nonlinear optimization", KTH Stockholm, section 4.
    """

    max_trials: int = 20

    def __post_init__(self):
        super().__post_init__()
        whole_number("max_trials", self.max_trials)
        if not self.max_trials >= 1:
            raise ValueError(f"Argument `max_trials` must be at least 1, but is {self.max_trials}.")

    def update(
        self, state: MMAState, x: Float[Array, "*shape"], seen: Seen, problem: Problem
    ) -> tuple[Float[Array, "*shape"], MMAState]:
        """Update a design once.

        Args:
            state: From `init` or the last update.
            x: Design, any shape.
            seen: Values and gradients at x.
            problem: With `evaluate`, which runs inside a `lax.while_loop`.

        Returns:
            The new design, of the shape and dtype of x, and the new state.

        Raises:
            ValueError: If shapes do not agree, or the problem has no `evaluate`.
        """
        evaluate = problem.evaluate
        if evaluate is None:
            raise ValueError("Argument `problem` must have the functions as `evaluate`, but has None.")
        dtype, scaled = x.dtype, self.prepare(state, x, seen, problem)
        unscaled = scaled.subproblem
        gradients = jnp.concatenate([unscaled.objective_gradient[None], unscaled.gradients])
        units = jnp.concatenate([scaled.objective_unit[None], scaled.units])
        start_values = jnp.concatenate([seen.objective.astype(dtype)[None], seen.constraints.astype(dtype)])
        # Rounding of a difference of two values, or their noise, is not a failure of the approximation.
        noise = jnp.asarray(problem.noise, dtype)
        allowed = 8 * jnp.finfo(dtype).eps + (8 * jnp.finfo(dtype).eps + noise) * jnp.abs(start_values) / units

        def attempt(at: _Trial) -> _Trial:
            rho = at.rho
            trial = unscaled._replace(objective_rho=rho[0], rho=rho[1:])
            solution = solve(trial, self.accuracy(dtype), self.max_iterations)
            objective, constraints = evaluate(scaled.place(solution.tau).reshape(x.shape))
            end_values = jnp.concatenate([objective.astype(dtype)[None], constraints.astype(dtype)])
            promised = change(trial.sigma[None], solution.tau[None], gradients, rho[:, None])
            excess = (end_values - start_values) / units - promised
            # What a unit of ρ would have added to the approximation at this point.
            effect = jnp.mean(2 * trial.sigma * solution.tau**2 / (1 - solution.tau**2))
            fine = excess <= allowed
            missing = jnp.where(fine, 0, excess) / jnp.where(effect > 0, effect, 1)
            # ρ grows tenfold at most, also where a value is not finite.
            raised = jnp.where(missing < 9 * rho, jnp.minimum(1.1 * (rho + missing), 10 * rho), 10 * rho)
            return _Trial(jnp.where(fine, rho, raised), solution, jnp.all(fine), at.trials + 1)

        none = jnp.zeros((), jnp.int32)
        zero, empty = jnp.zeros((), dtype), jnp.zeros((problem.m,), dtype)
        unsolved = Solution(jnp.zeros_like(scaled.flat), empty, empty, zero, zero, none, none)
        rho = jnp.maximum(0.1 * jnp.mean(jnp.abs(gradients), 1), 1e-6)
        last = jax.lax.while_loop(
            lambda at: scaled.finite & ~at.conservative & (at.trials < self.max_trials),
            attempt,
            _Trial(rho, unsolved, jnp.zeros((), bool), none),
        )
        result = jnp.where(last.conservative, last.solution.result, Outcome.not_conservative)
        return self.finish(state, x, scaled, last.solution, last.trials, result)
