"""What compiled code needs beside arithmetic: memory at an address, atomic words, calls by address, and room.

A pointer is that of Numba, to numbers of one type; an address is an int64. XLA's structs are read as words of 8 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.ir
import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._code import GIVE_WAY

FLOAT32, FLOAT64 = np.float32(1), np.float64(1)
"""The number one, by which a function is told the type of number that it computes with."""
WORD, HALF = np.int64(1), np.int32(1)
WORDS = types.CPointer(types.int64)

_DATA, _DIMENSIONS = 3, 5
"""Words of a buffer."""

ALONE: set[str] = set()
"""Names of the loops over a row: LLVM is not to merge them with their callers, where it does not vectorise them."""


def compiled(**options: Any) -> Callable[[Callable], Any]:
    """Decorator of what compiled code calls; `inline="never"` for a loop over a row."""
    options |= {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

    def decorated(function: Callable) -> Any:
        if options.get("inline") == "never":
            ALONE.add(function.__name__)
        return numba.njit(**options)(function)

    return decorated


def generated(function: Callable) -> Callable[..., Any]:
    """A function of compiled code whose machine code is generated here; its first argument is Numba's own."""
    return intrinsic(function)


@generated
def pointer(_, address, one):
    """The address as a pointer to numbers of the type of `one`."""
    kind = types.CPointer(one)

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(kind))

    return kind(types.int64, one), generate


@generated
def address_of(_, place):
    """The address that a pointer holds."""

    def generate(context, builder, signature, arguments):
        return builder.ptrtoint(arguments[0], llvmlite.ir.IntType(64))

    return types.int64(place), generate


@generated
def shifted(_, place, count):
    """The pointer `count` numbers on."""

    def generate(context, builder, signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return place(place, types.int64), generate


def _word(builder, place, k):
    """The word k from a place on."""
    word = llvmlite.ir.IntType(64)
    return builder.load(builder.gep(builder.bitcast(place, word.as_pointer()), [word(k) if isinstance(k, int) else k]))


def _member(builder, buffers, k, which, kind):
    """What a word of buffer k points to, as a pointer of a kind."""
    words = llvmlite.ir.IntType(64).as_pointer()
    buffer = builder.inttoptr(_word(builder, buffers, k), words)
    return builder.inttoptr(_word(builder, buffer, which), kind)


@generated
def shape(_, buffers, k):
    """Dimensions of operand or result k."""

    def generate(context, builder, signature, arguments):
        buffers, k = arguments
        return _member(builder, buffers, k, _DIMENSIONS, context.get_value_type(WORDS))

    return WORDS(WORDS, types.int64), generate


@generated
def data(_, buffers, k, one):
    """Numbers of operand or result k."""
    kind = types.CPointer(one)

    def generate(context, builder, signature, arguments):
        buffers, k, _ = arguments
        return _member(builder, buffers, k, _DATA, context.get_value_type(kind))

    return kind(WORDS, types.int64, one), generate


@generated
def part(_, buffers, k, size, cell, one):
    """The `size` numbers of a cell, of an operand or result (cells, …), or (1, …) where all cells share them."""
    kind = types.CPointer(one)

    def generate(context, builder, signature, arguments):
        buffers, k, size, cell, _ = arguments
        cells = _word(builder, _member(builder, buffers, k, _DIMENSIONS, context.get_value_type(WORDS)), 0)
        many = builder.icmp_signed(">", cells, cells.type(1))
        begin = builder.select(many, builder.mul(size, cell), cells.type(0))
        return builder.gep(_member(builder, buffers, k, _DATA, context.get_value_type(kind)), [begin])

    return kind(WORDS, types.int64, types.int64, types.int64, one), generate


def linked_function(builder: Any, name: str) -> Any:
    """A function of one word, which returns one, by the name under which compiled code is linked to it."""
    word = llvmlite.ir.IntType(64)
    return cgutils.get_or_insert_function(builder.module, llvmlite.ir.FunctionType(word, [word]), name)


@generated
def allocate(_, count, one):
    """Room for so many numbers of the type of `one`."""
    kind = types.CPointer(one)

    def generate(context, builder, signature, arguments):
        size = context.get_abi_sizeof(context.get_value_type(one))
        place = builder.call(linked_function(builder, "malloc"), [builder.mul(arguments[0], arguments[0].type(size))])
        return builder.inttoptr(place, context.get_value_type(kind))

    return kind(types.int64, one), generate


@compiled()
def missing(place):
    """There was no room for it."""
    return address_of(place) == 0


@generated
def words(_):
    """Six words on the stack, until the function returns."""

    def generate(context, builder, signature, arguments):
        word = llvmlite.ir.IntType(64)
        return builder.bitcast(cgutils.alloca_once(builder, llvmlite.ir.ArrayType(word, 6)), word.as_pointer())

    return WORDS(), generate


def text(said: str) -> Any:
    """A function of compiled code that returns the address of a text, which ends with a zero."""

    @generated
    def address(_):
        def generate(context, builder, signature, arguments):
            place = context.insert_const_string(builder.module, said)
            return builder.ptrtoint(place, llvmlite.ir.IntType(64))

        return types.int64(), generate

    return address


@generated
def free(_, place):
    """Give room back."""

    def generate(context, builder, signature, arguments):
        builder.call(linked_function(builder, "free"), [builder.ptrtoint(arguments[0], llvmlite.ir.IntType(64))])
        return context.get_dummy_value()

    return types.void(place), generate


@generated
def give_way(_):
    """Let another thread have the core: the one that is waited for may be in want of it."""

    def generate(context, builder, signature, arguments):
        kind = llvmlite.ir.FunctionType(llvmlite.ir.IntType(32), [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, GIVE_WAY), [])

    return types.int32(), generate


@generated
def add_atomically(_, place, value):
    """Add to the word that a pointer points to, and return what it held before."""

    def generate(context, builder, signature, arguments):
        return builder.atomic_rmw("add", *arguments, "seq_cst")

    return types.int64(WORDS, types.int64), generate


@generated
def call(_, function, argument):
    """Call the function at an address, of one pointer, which returns a pointer."""

    def generate(context, builder, signature, arguments):
        word = llvmlite.ir.IntType(64)
        kind = llvmlite.ir.FunctionType(word, [word]).as_pointer()
        return builder.call(builder.inttoptr(arguments[0], kind), [arguments[1]])

    return types.int64(types.int64, types.int64), generate
