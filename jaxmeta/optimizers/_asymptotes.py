"""What MMA and GCMMA have in common: their numbers and state, the moving asymptotes, and the scaled subproblem."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._numbers import require_numbers
from ._approximation import Subproblem
from ._protocol import Outcome, Problem, Seen
from ._subproblem import Solution

_CLOSEST, _FARTHEST = 0.01, 10.0  # limits of the asymptotes' distance, in upper − lower
_TO_ASYMPTOTE = 0.9  # how much of the distance to an asymptote a step may go
_SIGNS = {"a": "not be negative", "c": "be above 0", "d": "be above 0"}


class MMAState(NamedTuple):
    """What an update leaves behind. No array in it depends on the number of constraints.

    Attributes:
        step: Number of updates done.
        previous: Design before the last update, of the shape of x.
        before_previous: Design before the update before that.
        distance: Distance σ of both asymptotes from `previous`, in upper − lower, of the shape of x.
        optimality: Sum over the variables of |∂L/∂x| times the distance to the bound it points away from, L being the
            Lagrangian at `previous` with the multipliers of the last subproblem; in what the objective can change by
            over the box to first order. Zero at a stationary point; measured, like `violation`, before the update.
        violation: Largest max(0, fᵢ − aᵢ z) at `previous`, in the units of the constraints.
        relaxation: Largest yᵢ of the last subproblem, in the units of the constraints. Above rounding the constraints
            cannot be met within the move limit.
        residual: Largest violation, complementarity product or error of one left in the last subproblem, scaled.
        iterations: Newton steps spent on it.
        subproblems: Number of subproblems solved in the last update.
        result: An `Outcome`.
    """

    step: Int[Array, ""]
    previous: Float[Array, "*shape"]
    before_previous: Float[Array, "*shape"]
    distance: Float[Array, "*shape"]
    optimality: Float[Array, ""]
    violation: Float[Array, ""]
    relaxation: Float[Array, ""]
    residual: Float[Array, ""]
    iterations: Int[Array, ""]
    subproblems: Int[Array, ""]
    result: Int[Array, ""]


class Scaled(NamedTuple):
    """A subproblem without its ρ, the units it is scaled by, and the point it is for, flat."""

    subproblem: Subproblem
    flat: Float[Array, " n"]
    lower: Float[Array, " n"]
    upper: Float[Array, " n"]
    box: Float[Array, " n"]
    objective_unit: Float[Array, ""]
    units: Float[Array, " m"]
    finite: Bool[Array, ""]

    def place(self, tau: Float[Array, " n"]) -> Float[Array, " n"]:
        """The design at τ."""
        return jnp.clip(self.flat + self.box * self.subproblem.sigma * tau, self.lower, self.upper)


@dataclasses.dataclass(frozen=True)
class Asymptotes:
    """The numbers of MMA and GCMMA, which describe them."""

    move: float | int = 0.2
    start: float | int = 0.5
    shrink: float | int = 0.7
    grow: float | int = 1.2
    a0: float | int = 1.0
    a: float | int | tuple[float, ...] = 0.0
    c: float | int | tuple[float, ...] = 1000.0
    d: float | int | tuple[float, ...] = 1.0
    tolerance: float | int | None = None
    max_iterations: int = 200

    def __post_init__(self):
        require_numbers(self, "move", "start", "shrink", "grow", "a0")
        if not self.move > 0:
            raise ValueError(f"Argument `move` must be above 0, but is {self.move}.")
        if not _CLOSEST <= self.start <= _FARTHEST:
            raise ValueError(f"Argument `start` must be in [{_CLOSEST}, {_FARTHEST}], but is {self.start}.")
        if not 0 < self.shrink <= 1:
            raise ValueError(f"Argument `shrink` must be in (0, 1], but is {self.shrink}.")
        if not self.grow >= 1:
            raise ValueError(f"Argument `grow` must be at least 1, but is {self.grow}.")
        if not self.a0 > 0:
            raise ValueError(f"Argument `a0` must be above 0, but is {self.a0}.")
        for name in "acd":
            value = getattr(self, name)
            numbers = value if isinstance(value, tuple) else (value,)
            if not all(number >= 0 if name == "a" else number > 0 for number in numbers):
                raise ValueError(f"Argument `{name}` must {_SIGNS[name]}, but is {value}.")
        if self.tolerance is not None and not self.tolerance > 0:
            raise ValueError(f"Argument `tolerance` must be above 0, but is {self.tolerance}.")
        if not self.max_iterations >= 1:
            raise ValueError(f"Argument `max_iterations` must be at least 1, but is {self.max_iterations}.")

    def init(self, x: Float[Array, "*shape"], problem: Problem) -> MMAState:
        """State before the first update.

        Args:
            x: Design, any shape.
            problem: With finite bounds.

        Returns:
            The state.

        Raises:
            ValueError: If x is not of a floating-point dtype, or a coefficient is not one for each constraint.
        """
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise ValueError(f"Argument `x` must have a floating-point dtype, but has dtype {x.dtype}.")
        for name in "acd":
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != problem.m:
                raise ValueError(
                    f"Argument `{name}` must have one number for each of {problem.m} constraints, but is {value}."
                )
        x = jnp.clip(x, jnp.asarray(problem.lower, x.dtype), jnp.asarray(problem.upper, x.dtype))
        zero, none = jnp.zeros((), x.dtype), jnp.zeros((), jnp.int32)
        distance = jnp.full_like(x, self.start)
        return MMAState(none, x, x, distance, zero, zero, zero, zero, none, none, none)

    def accuracy(self, dtype) -> float:
        """Largest barrier parameter of a solved subproblem."""
        return max(1e-9, 16 * float(jnp.finfo(dtype).eps)) if self.tolerance is None else float(self.tolerance)

    def prepare(self, state: MMAState, x: Array, seen: Seen, problem: Problem) -> Scaled:
        """Checks, scaling and asymptotes."""
        dtype, count = x.dtype, problem.m
        shapes = {"gradient": x.shape, "constraints": (count,), "constraint_gradients": (count, *x.shape)}
        for name, shape in shapes.items():
            if getattr(seen, name).shape != shape:
                raise ValueError(
                    f"Argument `seen` must have {name} of shape {shape}, but they have shape "
                    f"{getattr(seen, name).shape}."
                )
        lower = jnp.broadcast_to(jnp.asarray(problem.lower, dtype), x.shape).reshape(-1)
        upper = jnp.broadcast_to(jnp.asarray(problem.upper, dtype), x.shape).reshape(-1)
        flat = jnp.clip(x.reshape(-1), lower, upper)
        extent = upper - lower
        box = jnp.where(extent > 0, extent, 1)  # a variable with equal bounds does not move

        # Asymptotes: closer where a variable oscillates, farther where it goes on in one direction.
        last, before = state.previous.reshape(-1), state.before_previous.reshape(-1)
        turn = (flat - last) * (last - before)
        factor = jnp.where(turn > 0, self.grow, jnp.where(turn < 0, self.shrink, 1.0)).astype(dtype)
        sigma = jnp.clip(state.distance.reshape(-1) * factor, _CLOSEST, _FARTHEST)
        sigma = jnp.where(state.step < 2, jnp.full_like(sigma, self.start), sigma)
        reach = jnp.minimum(_TO_ASYMPTOTE, self.move / sigma)

        objective_gradient = seen.gradient.reshape(-1) * extent
        gradients = seen.constraint_gradients.reshape(count, flat.size) * extent[None]
        objective_change = jnp.sum(jnp.abs(objective_gradient))
        changes = jnp.sum(jnp.abs(gradients), 1)
        values = seen.constraints.astype(dtype)
        total = jnp.sum(seen.objective).astype(dtype) + objective_change + jnp.sum(changes) + jnp.sum(jnp.abs(values))
        tiny = jnp.finfo(dtype).tiny ** 0.75
        units = jnp.maximum(changes, jnp.abs(values))
        units = jnp.where(units > tiny, units, 1)
        # z may be a whole objective, as in a minimax problem: it is measured in the constraints that it relieves.
        a, c, d = (jnp.broadcast_to(jnp.asarray(getattr(self, name), dtype), (count,)) for name in "acd")
        z_unit = jnp.max(jnp.where(a > 0, units / jnp.where(a > 0, a, 1), 0), initial=0)
        z_unit = jnp.where(z_unit > 0, z_unit, 1)
        unit = jnp.where(jnp.any(a > 0), jnp.maximum(objective_change, self.a0 * z_unit), objective_change)
        unit = jnp.where(unit > tiny, unit, 1)
        subproblem = Subproblem(
            sigma=sigma,
            low=jnp.maximum((lower - flat) / (box * sigma), -reach),
            high=jnp.minimum((upper - flat) / (box * sigma), reach),
            objective_gradient=objective_gradient * (flat.size / unit),
            gradients=gradients * (flat.size / units)[:, None],
            values=values / units,
            objective_rho=jnp.zeros((), dtype),
            rho=jnp.zeros((count,), dtype),
            a0=jnp.where(jnp.any(a > 0), self.a0 * z_unit / unit, 1).astype(dtype),
            a=a * z_unit / units,
            c=c,
            d=d,
        )
        return Scaled(subproblem, flat, lower, upper, box, unit, units, jnp.isfinite(total))

    def finish(
        self, state: MMAState, x: Array, scaled: Scaled, solution: Solution, subproblems: Array, result: Array
    ) -> tuple[Array, MMAState]:
        """The new design and the new state."""
        flat, problem, units = scaled.flat, scaled.subproblem, scaled.units
        # g_L (x − lower) where g_L > 0 and −g_L (upper − x) elsewhere: the first-order gain over the box.
        gradient = problem.objective_gradient + jnp.sum(solution.lam[:, None] * problem.gradients, 0)
        room = jnp.where(gradient > 0, flat - scaled.lower, scaled.upper - flat) / scaled.box
        violations = problem.values - problem.a * solution.z
        new = jnp.where(scaled.finite, scaled.place(solution.tau), flat)
        return new.reshape(x.shape), MMAState(
            step=state.step + 1,
            previous=flat.reshape(x.shape),
            before_previous=state.previous,
            distance=problem.sigma.reshape(x.shape),
            optimality=jnp.mean(jnp.abs(gradient) * room),
            violation=jnp.max(jnp.maximum(violations, 0) * units, initial=0),
            relaxation=jnp.max(solution.y * units, initial=0),
            residual=solution.residual,
            iterations=solution.iterations,
            subproblems=subproblems,
            result=jnp.where(scaled.finite, result, Outcome.not_finite).astype(jnp.int32),
        )
