"""Functionals that are stationary in a solution, and solutions that an equilibrium defines: two rules for derivatives.

Let x(m) be given by g(m, x) = 0, an equilibrium with data m: material, lengths, loads. How x was found does not matter
to its derivative,

    ∂g/∂x dx = −∂g/∂m dm,        one linear solve for each direction (`implicit`).

A functional F(m, x) whose slope ∂F/∂x vanishes at the solution needs not even that:

    dF = ∂F/∂m dm + ∂F/∂x dx = ∂F/∂m dm,        at the x that is there (`stationary`).

Differentiated once more, x does matter: d(∂F/∂m) holds ∂²F/∂m∂x dx. A rule that froze x would leave the gradient right
and make the Hessian wrong in silence; so `stationary` puts x as a function of m, made with `implicit`, into its rule.

Found to an accuracy e, x gives a stationary F to the order e², and both derivatives to the order e.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
from jax.custom_derivatives import SymbolicZero

Data = TypeVar("Data")
Unknown = TypeVar("Unknown")
Value = TypeVar("Value")


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def implicit(
    balance: Callable[[Data, Unknown], Any],
    inverse: Callable[[Data, Unknown], Callable[[Any], Any]],
    data: Data,
    found: Unknown,
) -> Unknown:
    """x as a differentiable function of the data, where balance(data, x) = 0 defines it and its value is known.

    Args:
        balance: g(data, x), a pytree of arrays like x. What it depends on smoothly is in `data`; like `inverse` it
            closes over no array.
        inverse: gives at data and x a linear function, itself differentiable, that applies the inverse of ∂g/∂x.
        data: pytree of arrays.
        found: x, however it was found; derivatives with respect to it count for nothing.

    Returns:
        `found`, whose derivatives of any order are those of x(data).

    Example:
        >>> import jax
        >>> from jaxmeta.solvers import implicit
        >>> slope = lambda m, x: lambda b: b / (2 * x)
        >>> root = lambda m: implicit(lambda m, x: x * x - m, slope, m, 3.0)
        >>> print(f"{jax.grad(root)(9.0):.4f} {jax.grad(jax.grad(root))(9.0):.6f}")
        0.1667 -0.009259
    """
    return found


def _implicit_jvp(balance, inverse, primals, tangents):
    data, found = primals
    x = implicit(balance, inverse, data, found)
    _, d_balance = _explicit(balance, data, tangents[0], x)
    return x, jax.tree.map(lambda d: -d, inverse(data, x)(d_balance))


implicit.defjvp(_implicit_jvp, symbolic_zeros=True)


def _explicit(function: Callable, data: Any, d_data: Any, x: Any) -> tuple[Any, Any]:
    """function(data, x) and its derivative by the data, x left alone."""
    # The derivative by what does not change, such as lengths, could cost as much as the rest.
    leaves, tree = jax.tree.flatten(data)
    d_leaves = tree.flatten_up_to(d_data)
    moving = [k for k, d in enumerate(d_leaves) if not isinstance(d, SymbolicZero)]

    def value(*moved: Any) -> Any:
        there = dict(zip(moving, moved, strict=True))
        return function(jax.tree.unflatten(tree, [there.get(k, leaf) for k, leaf in enumerate(leaves)]), x)

    return jax.jvp(value, tuple(leaves[k] for k in moving), tuple(d_leaves[k] for k in moving))


def stationary(
    functional: Callable[[Data, Unknown], Value], follow: Callable[[Data, Unknown], Unknown], data: Data, found: Unknown
) -> Value:
    """functional(data, x) at a solution x in which it is stationary: its first derivative takes no further solve.

    Args:
        functional: F(data, x), a pytree of arrays. Like `follow` it closes over no array.
        follow: gives x as a differentiable function of the data, for derivatives of second and higher order: `implicit`
            with its first two arguments, say.
        data: pytree of arrays.
        found: x; derivatives with respect to it count for nothing.

    Returns:
        The value, which can be differentiated any number of times with respect to the data.

    Example:
        The least value of m x²/2 − x is −1/(2m), at x = 1/m.

        >>> import jax
        >>> from functools import partial
        >>> from jaxmeta.solvers import implicit, stationary
        >>> x_of_m = partial(implicit, lambda m, x: m * x - 1, lambda m, x: lambda b: b / m)
        >>> least = lambda m: stationary(lambda m, x: m * x * x / 2 - x, x_of_m, m, 1 / m)
        >>> print(f"{least(2.0):.3f} {jax.grad(least)(2.0):.3f} {jax.grad(jax.grad(least))(2.0):.3f}")
        -0.250 0.125 -0.125
    """
    return _stationary(functional, follow, data, jax.lax.stop_gradient(found))


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _stationary(functional: Callable, follow: Callable, data: Any, found: Any) -> Any:
    return functional(data, found)


def _stationary_jvp(functional, follow, primals, tangents):
    data, found = primals
    return _explicit(functional, data, tangents[0], follow(data, found))


_stationary.defjvp(_stationary_jvp, symbolic_zeros=True)
