"""A linear solve that can be differentiated any number of times, in either direction."""

from __future__ import annotations

from jax import Array, lax
from jaxtyping import Float

from ._pcg import PCG, Linear
from ._result import Solution


def solve(operator: Linear, rhs: Float[Array, "..."], method: PCG, preconditioner: Linear) -> Solution:
    """Solve operator(x) = rhs for a symmetric positive semidefinite operator.

    The derivative is the implicit one, dx = K⁻¹(db − dK x), by a further solve of the same kind; it holds for whatever
    the operator closes over, and composes under jit, vmap, grad and jvp in any nesting.

    Args:
        operator: symmetric linear map on arrays shaped like `rhs`.
        rhs: right-hand side.
        method: when to stop.
        preconditioner: symmetric positive definite linear map near the inverse; it is not differentiated.

    Returns:
        The solution and its statistics; inside a trace nothing raises.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxmeta.solvers import PCG, solve
        >>> f = lambda k: solve(lambda x: k * x, jnp.ones(3), PCG(residual=1e-6), lambda r: r).value.sum()
        >>> print(f"{f(2.0):.3f} {jax.grad(f)(2.0):.3f}")
        1.500 -0.750
    """

    def run(matvec: Linear, b: Array):
        solution = method(matvec, b, preconditioner)
        return solution.value, solution.stats

    value, stats = lax.custom_linear_solve(operator, rhs, run, symmetric=True, has_aux=True)
    return Solution(value, stats)
