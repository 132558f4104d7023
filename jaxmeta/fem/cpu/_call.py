"""Functions that Numba translates, as custom calls of XLA's CPU backend, on the threads of XLA.

XLA hands a custom call a *frame* (`XLA_FFI_CallFrame`, see `xla/ffi/api/c_api.h` in `jax.ffi.include_dir()`): a struct
of a stable binary interface from which `execute` reads the addresses of the operands and the result, of the
interface's own functions, and what it needs for threads. The first operand, four int32, says what is to be computed, of
how many cells, how many planes there are to each, and of how many voxels a plane is. The units of work are planes.
Threads take shares of them until none is left; the caller works, too, and waits only for shares that somebody has
begun, so that a pool whose threads are all busy cannot hold it up for ever.

Structs are read as arrays of 8-byte words.
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
_FEW = 40000
"""Voxels up to which one thread does all: to wake another, and to wait for it on a busy machine, gains nothing."""
_SHARES = 2
"""Shares of the work for each thread: one that is held up then leaves work to the others."""

WORDS = types.CPointer(types.int64)
TASK = types.void(WORDS)
TARGET = types.int64(WORDS)

# Words of the frame, its arrays of operands and results, a buffer, and the interface (XLA_FFI_API_MAJOR 0, MINOR 3).
_EXTENSION, _API, _CONTEXT, _COUNT, _OPERANDS, _RESULTS = 1, 2, 3, 7, 9, 14
_DATA, _DIMENSIONS = 3, 5
_SCHEDULE, _THREADS = 17, 18
_VERSION = (0, 3)

# Words of a job, which the threads share.
_NEXT, _SHARE_COUNT, _DONE, _HOLDERS, _BUFFERS, _UNITS = range(6)


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


def _generated(function: Callable) -> Callable[..., Any]:
    """A function of compiled code whose machine code is generated here; its first argument is Numba's own."""
    return intrinsic(function)


@_generated
def pointer(_, address, one):
    """The address as a pointer to numbers of the type of `one`."""
    kind = types.CPointer(one)

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(kind))

    return kind(types.int64, one), generate


@_generated
def address_of(_, place):
    """The address that a pointer holds."""

    def generate(context, builder, signature, arguments):
        return builder.ptrtoint(arguments[0], llvmlite.ir.IntType(64))

    return types.int64(place), generate


@_generated
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


@_generated
def shape(_, buffers, k):
    """Dimensions of operand or result k."""

    def generate(context, builder, signature, arguments):
        buffers, k = arguments
        return _member(builder, buffers, k, _DIMENSIONS, context.get_value_type(WORDS))

    return WORDS(WORDS, types.int64), generate


@_generated
def data(_, buffers, k, one):
    """Numbers of operand or result k."""
    kind = types.CPointer(one)

    def generate(context, builder, signature, arguments):
        buffers, k, _ = arguments
        return _member(builder, buffers, k, _DATA, context.get_value_type(kind))

    return kind(WORDS, types.int64, one), generate


@_generated
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


def _function(builder, name):
    """A function of one word, which returns one, by the name under which compiled code is linked to it."""
    word = llvmlite.ir.IntType(64)
    return cgutils.get_or_insert_function(builder.module, llvmlite.ir.FunctionType(word, [word]), name)


@_generated
def allocate(_, count, one):
    """Room for so many numbers of the type of `one`."""
    kind = types.CPointer(one)

    def generate(context, builder, signature, arguments):
        size = context.get_abi_sizeof(context.get_value_type(one))
        place = builder.call(_function(builder, "malloc"), [builder.mul(arguments[0], arguments[0].type(size))])
        return builder.inttoptr(place, context.get_value_type(kind))

    return kind(types.int64, one), generate


@_generated
def free(_, place):
    """Give room back."""

    def generate(context, builder, signature, arguments):
        builder.call(_function(builder, "free"), [builder.ptrtoint(arguments[0], llvmlite.ir.IntType(64))])
        return context.get_dummy_value()

    return types.void(place), generate


@_generated
def _give_way(_):
    """Let another thread have the core: the one that is waited for may be in want of it."""

    def generate(context, builder, signature, arguments):
        kind = llvmlite.ir.FunctionType(llvmlite.ir.IntType(32), [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, GIVE_WAY), [])

    return types.int32(), generate


@_generated
def _add_atomically(_, place, value):
    """Add to the word that a pointer points to, and return what it held before."""

    def generate(context, builder, signature, arguments):
        return builder.atomic_rmw("add", *arguments, "seq_cst")

    return types.int64(WORDS, types.int64), generate


@_generated
def _call(_, function, argument):
    """Call the function at an address, of one pointer, which returns a pointer."""

    def generate(context, builder, signature, arguments):
        word = llvmlite.ir.IntType(64)
        kind = llvmlite.ir.FunctionType(word, [word]).as_pointer()
        return builder.call(builder.inttoptr(arguments[0], kind), [arguments[1]])

    return types.int64(types.int64, types.int64), generate


def worker(function: Callable) -> Callable:
    """The function of compiled code that works at a job, of which `function` does a share."""

    @compiled(inline="always")
    def work(job, one):
        while True:
            share = _add_atomically(job, 1)
            count, units = job[_SHARE_COUNT], job[_UNITS]
            if share >= count:
                break
            function(pointer(job[_BUFFERS], WORD), share * units // count, (share + 1) * units // count, one)
            _add_atomically(shifted(job, _DONE), 1)
        if _add_atomically(shifted(job, _HOLDERS), -1) == 1:  # whoever leaves last frees it
            free(job)

    return work


@compiled()
def execute(frame, task):
    """A custom call: its work is done by the function at the address `task`, of a job, on this thread and others."""
    if frame[_EXTENSION] != 0:  # the call only asks for the version of the interface
        metadata = pointer(frame[_EXTENSION], WORD)[3]
        version = pointer(metadata + 24, HALF)
        version[0], version[1] = _VERSION
        version[2] = 0  # no traits
        return 0
    count = frame[_COUNT]
    buffers = allocate(count + 1, WORD)
    for k in range(count):
        buffers[k] = pointer(frame[_OPERANDS], WORD)[k]
    buffers[count] = pointer(frame[_RESULTS], WORD)[0]

    interface = pointer(frame[_API], WORD)
    request = allocate(6, WORD)
    request[0], request[1], request[2], request[3] = 32, 0, frame[_CONTEXT], address_of(request) + 40
    request[5] = 1
    _call(interface[_THREADS], address_of(request))
    threads = max(request[5], 1)
    asked = data(buffers, 0, HALF)
    units = types.int64(asked[1]) * asked[2]
    shares = min(units, _SHARES * threads) if units * asked[3] > _FEW and threads > 1 else 1
    helpers = min(threads, shares) - 1

    job = allocate(6, WORD)
    job[_NEXT], job[_SHARE_COUNT], job[_DONE], job[_HOLDERS] = 0, shares, 0, helpers + 2
    job[_BUFFERS], job[_UNITS] = address_of(buffers), units
    request[0], request[3], request[4] = 40, task, address_of(job)
    for _ in range(helpers):
        _call(interface[_SCHEDULE], address_of(request))
    _call(task, address_of(job))
    while _add_atomically(shifted(job, _DONE), 0) < shares:
        _give_way()
    if _add_atomically(shifted(job, _HOLDERS), -1) == 1:
        free(job)
    free(request)
    free(buffers)
    return 0


def task_and_target(compute: Callable, name: str, one: Any) -> tuple[Callable, Callable]:
    """A task of that name, which works at a job by `compute`, and the custom call that hands it out.

    Args:
        compute: does a range of units for the buffers, with the type of number of `one`.
        name: by which the custom call finds the address of the task.
        one: number one.
    """
    work = worker(compute)

    @_generated
    def address(_):
        def generate(context, builder, signature, arguments):
            return builder.ptrtoint(_function(builder, name), llvmlite.ir.IntType(64))

        return types.int64(), generate

    def task(job):
        work(job, one)

    def target(frame):
        return execute(frame, address())

    return task, target
