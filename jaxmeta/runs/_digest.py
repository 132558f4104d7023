"""Whether two runs are the same one: digests of values and of functions that do not change between processes.

A function is told by its program: the jaxpr that JAX traces from it. Two functions with one program are the same,
whatever their names; a function with other captured arrays, default arguments or branches taken has another program.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

_SILENT = {"name", "debug_info", "policy"}
"""Parameters that do not change what comes out."""
_PRINTS = {"debug_callback", "debug_print"}
"""They hand nothing back."""
_RULES = {"jvp_jaxpr_fun", "fwd_jaxpr_thunk", "bwd", "out_trees"}
"""Rules of derivative that this program does not use; where it does, they are part of it."""
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def digest(value: Any) -> str:
    """Digest of a value by its content, the same in every process.

    Args:
        value: numbers, text, arrays, dataclasses, objects with attributes, and containers of them.

    Raises:
        ValueError: there is a function in it; `function_digest` takes those.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.runs import digest
        >>> digest({"a": np.ones(3)}) == digest({"a": np.ones(3)}), digest(np.ones(3)) == digest(np.ones(3, "f4"))
        (True, False)
    """
    return _hash(_Forms().form(value))


def function_digest(function: Callable[..., Any], *arguments: Any) -> str:
    """Digest of the program that JAX traces from a function, the same in every process.

    Constants count by their bytes, derivatives where the function takes them: give `jax.value_and_grad(function)` where
    its gradient is used.

    Args:
        function: any function of JAX arrays.
        arguments: arrays, or `jax.ShapeDtypeStruct`; only shapes and dtypes count.

    Raises:
        ValueError: the program calls back to Python, which cannot be told from another one.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxmeta.runs import function_digest
        >>> def power(n):
        ...     return lambda x: x**n
        >>> two, again, three = (function_digest(power(n), jnp.ones(3)) for n in (2, 2, 3))
        >>> two == again, two == three
        (True, False)
    """
    # A function of its own, for JAX keeps programs, and `function` may be a method of an object that has changed.
    program = jax.make_jaxpr(lambda *given: function(*given))(*arguments)
    return _hash(_Forms().form(program))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _name(of: Any) -> str:
    return f"{of.__module__}.{of.__qualname__}"


def _of_jax(of: Any) -> bool:
    return str(of.__module__).partition(".")[0] in ("jax", "jaxlib")


def _array(value: Any) -> str:
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return f"{value.dtype} {_array(jax.random.key_data(value))}"
    held = np.asarray(value)
    if held.dtype.hasobject:
        raise ValueError("An array of a resumable run must hold numbers, but one holds Python objects.")
    return f"{held.dtype.str} {held.dtype.name} {held.shape} {hashlib.sha256(held.tobytes()).hexdigest()}"


def _aval(aval: Any) -> str:
    return f"{aval.str_short()}{'w' * getattr(aval, 'weak_type', False)}"


def _reduced(value: Any) -> tuple[Any, ...]:
    """What an object is made from, as for a copy of it."""
    try:
        reduced = value.__reduce_ex__(4)
    except TypeError:
        raise _refused(value) from None
    return reduced[1:] if isinstance(reduced, tuple) else (reduced,)


def _refused(value: Any) -> ValueError:
    return ValueError(
        "A function of a run that can be resumed must be JAX's from end to end, for a program can be compared after a "
        f"restart and Python code cannot, but here is {_ADDRESS.sub('', repr(value))}."
    )


class _Forms:
    """Texts that tell values from each other."""

    def __init__(self):
        self._programs: dict[int, tuple[core.Jaxpr, str]] = {}

    def form(self, value: Any) -> str:
        """The text of a value."""
        kind = _name(type(value))
        if isinstance(value, core.ClosedJaxpr):
            return f"{self._program(value.jaxpr)}{self._all(value.consts)}"
        if isinstance(value, core.Jaxpr):
            return self._program(value)
        if isinstance(value, np.ndarray | np.generic | jax.Array):
            return _array(value)
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | enum.Enum | np.dtype):
            return f"{kind} {value!r}"
        if isinstance(value, Mapping):
            return f"{kind}{sorted((self.form(key), self.form(held)) for key, held in value.items())}"
        if isinstance(value, set | frozenset):
            return f"{kind}{sorted(map(self.form, value))}"
        if isinstance(value, tuple | list):
            return f"{kind}{self._all(value)}"
        if isinstance(value, type):
            return _name(value)
        if isinstance(value, _FUNCTIONS):
            if _of_jax(value) and "<" not in value.__qualname__:
                return _name(value)
            raise _refused(value)
        if dataclasses.is_dataclass(value):
            return f"{kind}{self._all(getattr(value, field.name) for field in dataclasses.fields(value))}"
        if _of_jax(type(value)):
            if hasattr(value, "call_wrapped"):  # a function in JAX's wrapping
                raise _refused(value)
            return f"{kind} {_ADDRESS.sub('', repr(value))}"
        return f"{kind}{self._all(_reduced(value))}"

    def _all(self, values: Iterable[Any]) -> str:
        return f"({', '.join(map(self.form, values))})"

    def _program(self, jaxpr: core.Jaxpr) -> str:
        """Digest of a program, its variables numbered in the order in which they come."""
        known = self._programs.get(id(jaxpr))
        if known is not None:
            return known[1]
        numbers: dict[Any, int] = {}

        def variable(atom: Any) -> str:
            if isinstance(atom, core.Literal):
                return f"{self.form(atom.val)} {_aval(atom.aval)}"
            return f"{numbers.setdefault(atom, len(numbers))} {_aval(atom.aval)}"

        lines = [*map(variable, (*jaxpr.constvars, *jaxpr.invars))]
        for equation in jaxpr.eqns:
            name = equation.primitive.name
            if name in _PRINTS:
                continue
            parts = [name, *map(variable, equation.invars), *map(variable, equation.outvars)]
            for key, value in sorted(equation.params.items()):
                if key not in _SILENT | _RULES:
                    parts.append(f"{key} {self.form(value)}")
            lines.append("; ".join(parts))
        text = _hash("\n".join([*lines, *map(variable, jaxpr.outvars)]))
        self._programs[id(jaxpr)] = jaxpr, text  # kept, so that no other one takes its place in memory
        return text
