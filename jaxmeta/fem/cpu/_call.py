"""Functions that Numba translates, as custom calls of XLA's CPU backend, on the threads of XLA.

XLA hands a custom call a *frame* (`XLA_FFI_CallFrame`, see `xla/ffi/api/c_api.h` in `jax.ffi.include_dir()`): a struct
of a stable binary interface from which `execute` reads the addresses of the operands and the result, of the
interface's own functions, and what it needs for threads. The first operand, six int32, says what is to be computed, of
how many cells, how many planes there are to each, of how many voxels a plane is, in a bit for each, which axes are
periodic, and how many operands follow. The units of work are planes. Threads take shares of them until none is left;
the caller works, too, and waits only for shares that somebody has begun, so that a pool whose threads are all busy
cannot hold it up for ever.

An extension of the frame may ask for the version of the interface instead; one of another type is passed over. Where
there is no room, or the pool of threads refuses, the call returns an error of XLA's, which JAX raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.ir
from numba import types

from ._memory import (
    HALF,
    WORD,
    WORDS,
    add_atomically,
    address_of,
    allocate,
    call,
    compiled,
    data,
    free,
    generated,
    give_way,
    linked_function,
    missing,
    pointer,
    shifted,
    text,
    words,
)

_FEW = 40000
"""Voxels up to which one thread does all: to wake another, and to wait for it on a busy machine, gains nothing."""
_SHARES = 2
"""Shares of the work for each thread: one that is held up then leaves work to the others."""

TASK = types.void(WORDS)
TARGET = types.int64(WORDS)

# Words of the frame, its arrays of operands and results, and the interface (XLA_FFI_API_MAJOR 0, MINOR 3).
_EXTENSION, _API, _CONTEXT, _COUNT, _OPERANDS, _RESULTS = 1, 2, 3, 7, 9, 14
_ERROR, _SCHEDULE, _THREADS = 6, 17, 18
_VERSION = (0, 3)
_METADATA = 1
"""XLA_FFI_Extension_Metadata"""
_RESOURCE_EXHAUSTED = 8
"""XLA_FFI_Error_Code_RESOURCE_EXHAUSTED"""
_no_room = text("There is no memory left for the kernels of jaxmeta.")

# Words of a job, which the threads share; the addresses of its buffers follow.
_NEXT, _SHARE_COUNT, _DONE, _FAILED, _HOLDERS, _UNITS, _BUFFERS = range(7)


def worker(function: Callable) -> Callable:
    """The function of compiled code that works at a job, of which `function` does a share, if there is room."""

    @compiled(inline="always")
    def work(job, one):
        while True:
            share = add_atomically(job, 1)
            count, units = job[_SHARE_COUNT], job[_UNITS]
            if share >= count:
                break
            if not function(shifted(job, _BUFFERS), share * units // count, (share + 1) * units // count, one):
                add_atomically(shifted(job, _FAILED), 1)
            add_atomically(shifted(job, _DONE), 1)
        _leave(job, 1)

    return work


@compiled()
def _leave(job, holders):
    """So many of those who hold a job leave it; whoever leaves last frees it."""
    if add_atomically(shifted(job, _HOLDERS), -holders) == holders:
        free(job)


@compiled()
def _asked_for_version(extension):
    """Where XLA wants to be told the version of the interface; 0 if no extension of the frame asks for it."""
    while extension != 0:
        if pointer(extension + 8, HALF)[0] == _METADATA:
            return pointer(extension, WORD)[3]
        extension = pointer(extension, WORD)[2]
    return 0


@compiled()
def _out_of_memory(interface):
    """An error of XLA's."""
    request = words()
    request[0], request[1], request[2], request[3] = 32, 0, _no_room(), _RESOURCE_EXHAUSTED
    return call(interface[_ERROR], address_of(request))


@compiled()
def execute(frame, task):
    """A custom call: its work is done by the function at the address `task`, of a job, on this thread and others.

    It returns the address of an error, or 0.
    """
    metadata = _asked_for_version(frame[_EXTENSION])
    if metadata != 0:
        version = pointer(metadata + 24, HALF)
        version[0], version[1] = _VERSION
        version[2] = 0  # no traits
        return 0
    interface = pointer(frame[_API], WORD)
    request = words()
    request[0], request[1], request[2], request[3] = 32, 0, frame[_CONTEXT], address_of(request) + 40
    error = call(interface[_THREADS], address_of(request))
    if error != 0:
        return error
    threads = max(request[5], 1)
    count = frame[_COUNT]
    job = allocate(_BUFFERS + count + 1, WORD)
    if missing(job):
        return _out_of_memory(interface)
    buffers = shifted(job, _BUFFERS)
    for k in range(count):
        buffers[k] = pointer(frame[_OPERANDS], WORD)[k]
    buffers[count] = pointer(frame[_RESULTS], WORD)[0]
    asked = data(buffers, 0, HALF)
    units = types.int64(asked[1]) * asked[2]
    shares = min(units, _SHARES * threads) if units * asked[3] > _FEW and threads > 1 else 1
    helpers = min(threads, shares) - 1
    job[_NEXT], job[_SHARE_COUNT], job[_DONE], job[_FAILED] = 0, shares, 0, 0
    job[_HOLDERS], job[_UNITS] = helpers + 2, units

    request[0], request[3], request[4] = 40, task, address_of(job)
    for k in range(helpers):
        error = call(interface[_SCHEDULE], address_of(request))
        if error != 0:
            _leave(job, helpers - k)  # those who will not come
            break
    call(task, address_of(job))
    while add_atomically(shifted(job, _DONE), 0) < shares:
        give_way()
    failed = add_atomically(shifted(job, _FAILED), 0)
    _leave(job, 1)
    if error == 0 and failed > 0:
        error = _out_of_memory(interface)
    return error


def task_and_target(compute: Callable, name: str, one: Any) -> tuple[Callable, Callable]:
    """A task of that name, which works at a job by `compute`, and the custom call that hands it out.

    Args:
        compute: does a range of units for the buffers, with the type of number of `one`; false if there was no room.
        name: by which the custom call finds the address of the task.
        one: number one.
    """
    work = worker(compute)

    @generated
    def address(_):
        def generate(context, builder, signature, arguments):
            return builder.ptrtoint(linked_function(builder, name), llvmlite.ir.IntType(64))

        return types.int64(), generate

    def task(job):
        work(job, one)

    def target(frame):
        return execute(frame, address())

    return task, target
