"""What a traced function does, without compiling it."""

from collections.abc import Callable

import jax


def loops(function: Callable, *arguments) -> int:
    """Number of `while` loops with a traced end, in all that the function calls."""
    return _of(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of(jaxpr) -> int:
    count = 0
    for equation in jaxpr.eqns:
        count += equation.primitive.name == "while"
        for parameter in equation.params.values():
            inner = parameter if isinstance(parameter, (tuple, list)) else [parameter]
            count += sum(_of(getattr(p, "jaxpr", p)) for p in inner if hasattr(getattr(p, "jaxpr", p), "eqns"))
    return count
