"""Operations on the grids of many cells at once, with a kernel of their own on a CPU.

Every operand has a leading axis of cells, or of length one if all cells share it, so that a batch (`vmap`) is one call
of more cells. A CPU runs a custom call where there is one (`cpu/`), any other device the plain expression of one cell,
which defines what the operation means; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from .cpu import target

Expression = Callable[..., Array]
Shaped = Array | jax.ShapeDtypeStruct | ShapedArray
"""What is asked for nothing but its shape."""


class CPUKernel(NamedTuple):
    """A custom call.

    Attributes:
        name: of the module in `cpu` that it is made from.
        code: what it is asked for.
        planes: the number of planes of voxels or nodes to each cell, and of numbers in a plane, from the operands. They
            are shared among threads.
        by_planes: it returns a sum for each plane, (cells, planes, …), of which the operation is the sum.
    """

    name: str
    code: int
    planes: Callable[..., tuple[int, int]]
    by_planes: bool = False


def cell_count(*operands: Any) -> int:
    """Length of the axis of cells."""
    return max(operand.shape[0] for operand in operands)


def of_cells(plain: Expression) -> Expression:
    """The expression of one cell for operands of many."""

    def function(*operands: Array, **said: Any) -> Array:
        one = partial(plain, **said)
        if cell_count(*operands) == 1:
            return one(*(operand[0] for operand in operands))[None]
        axes = tuple(0 if operand.shape[0] > 1 else None for operand in operands)
        return jax.vmap(one, axes)(*(o if a == 0 else o[0] for o, a in zip(operands, axes, strict=True)))

    return function


def operation(
    name: str,
    plain: Expression,
    result: Callable[..., tuple[int, ...]],
    kernel: CPUKernel,
    jvp: Callable | None = None,
    transpose: Callable | None = None,
) -> Primitive:
    """A new operation.

    Args:
        name: shown in traces.
        plain: the expression of one cell. Its keywords are what is said beside the operands: they are static.
        result: shape of the result of one cell, from the operands of one cell, and what is said.
        kernel: what a CPU runs.
        jvp: rule of its derivative; one without is not to be differentiated.
        transpose: rule of its transpose.
    """

    def shape(*operands: Any, **said: Any) -> tuple[int, ...]:
        ones = (jax.ShapeDtypeStruct(operand.shape[1:], operand.dtype) for operand in operands)
        return (cell_count(*operands), *result(*ones, **said))

    def on_cpu(*operands: Array, **said: Any) -> Array:
        dtype, (cells, *rest) = operands[0].dtype, shape(*operands, **said)
        called = target(kernel.name, str(dtype)) if dtype in (jnp.float32, jnp.float64) else None
        if called is None:
            return of_cells(plain)(*operands, **said)
        planes, size = kernel.planes(*operands, **said)
        out = (cells, planes, *rest) if kernel.by_planes else (cells, *rest)
        ends = sum(around << axis for axis, around in enumerate(said.get("periodic", ())))
        asked = np.array([kernel.code, cells, planes, size, ends, len(operands)], np.int32)
        call = jax.ffi.ffi_call(called, jax.ShapeDtypeStruct(out, dtype))
        value = call(asked, *operands)
        return value.sum(1) if kernel.by_planes else value

    def abstract(*operands: ShapedArray, **said: Any) -> ShapedArray:
        return ShapedArray(shape(*operands, **said), operands[0].dtype)

    made = Primitive(name)
    keywords = [p.name for p in signature(plain).parameters.values() if p.kind is p.KEYWORD_ONLY]
    compiled = jax.jit(made.bind, static_argnames=keywords)

    def eager(*operands: Array, **said: Any) -> Array:
        with jax.disable_jit(False):  # there is no other way to run it, as for JAX's own operations
            return compiled(*operands, **said)

    made.def_impl(eager)
    made.def_abstract_eval(abstract)
    batching.primitive_batchers[made] = _batched(made)
    mlir.register_lowering(made, mlir.lower_fun(of_cells(plain), multiple_results=False))
    mlir.register_lowering(made, mlir.lower_fun(on_cpu, multiple_results=False), platform="cpu")
    if jvp is not None:
        ad.primitive_jvps[made] = jvp
    if transpose is not None:
        ad.primitive_transposes[made] = transpose
    return made


def of_one(made: Primitive, *operands: Array, **said: Any) -> Array:
    """The operation on a single cell."""
    dtype = jnp.result_type(*operands)
    return made.bind(*(jnp.asarray(operand, dtype)[None] for operand in operands), **said)[0]


def _batched(made: Primitive) -> Callable:
    def rule(operands, axes, **said):
        size = next(o.shape[a] for o, a in zip(operands, axes, strict=True) if a is not None)
        moved = [o if a is None else jnp.moveaxis(o, a, 0) for o, a in zip(operands, axes, strict=True)]
        cells = max(o.shape[0 if a is None else 1] for o, a in zip(moved, axes, strict=True))
        merged = []
        for operand, axis in zip(moved, axes, strict=True):
            if axis is None and operand.shape[0] == 1:
                merged.append(operand)
                continue
            own = operand.shape[1:] if axis is None else operand.shape[2:]
            wide = jnp.broadcast_to(operand, (size, cells, *own))
            merged.append(wide.reshape(size * cells, *own))
        out = made.bind(*merged, **said)
        return out.reshape(size, cells, *out.shape[1:]), 0

    return rule
