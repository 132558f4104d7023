"""Programs that outlive the process: the next call neither traces nor compiles."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .._cache import cache_folder
from ..io import write_bytes
from ..runs import surroundings

T = TypeVar("T")
_CALLED = re.compile(r'custom_call_target="([^"]+)"')
_KERNEL = re.compile(r"jaxmeta_([a-z]+)_(float\d\d)")
_ROOT = Path(__file__).resolve().parents[1]


def kept(function: Callable[..., T], *arguments: Any, said: Any) -> T:
    """Compute function(*arguments) by the program that this process or an earlier one made of it.

    JAX's own cache spares the compilation and not the tracing, which takes longer than it takes to solve a small cell.
    A program is known by the sources of this package, the versions and flags of JAX, the arguments' shapes and dtypes,
    and what is said. One that cannot be read, or whose kernels are missing, is made anew.

    Args:
        function: a pure function of arrays; two of one qualified name must differ in what is said.
        arguments: pytrees.
        said: all else that the program depends on, with a `repr` that tells it.
    """
    import jax

    folder = cache_folder("programs")
    if folder is None or len(jax.devices()) > 1 or jax.default_backend() != "cpu":
        return jax.jit(function)(*arguments)
    file = folder / _name(function, arguments, said)
    if (program := _read(file)) is not None:
        try:
            return jax.block_until_ready(program(*arguments))
        except jax.errors.JaxRuntimeError:
            pass

    def named(*given: Any) -> T:
        return function(*given)

    # jaxlib 0.10 writes but a part of a program that JAX has read from its own cache, where none has this name.
    named.__name__ = f"kept_{time.time_ns()}"
    made = jax.jit(named).lower(*arguments).compile()
    _write(file, made)
    return made(*arguments)


def _name(function: Callable, arguments: tuple, said: Any) -> str:
    import jax

    from ._session import processor

    leaves, structure = jax.tree.flatten(arguments)
    shapes = [(jax.numpy.shape(leaf), str(getattr(leaf, "dtype", type(leaf)))) for leaf in leaves]
    flags = {name: value for name, value in os.environ.items() if name.startswith(("JAX_", "JAXMETA_", "XLA_"))}
    known = (function.__qualname__, said, shapes, structure, sorted(flags.items()), surroundings(), processor())
    digest = hashlib.sha256(repr(known).encode())
    for path in sorted(_ROOT.rglob("*")):
        if path.suffix in (".py", ".bc"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _read(file: Path) -> Callable | None:
    from jax.experimental.serialize_executable import deserialize_and_load

    from ..fem.cpu import target

    try:
        digest, _, content = file.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != digest:
            return None
        names, *program = pickle.loads(content)
        if not all(target(*name) for name in names):
            return None
        return deserialize_and_load(*program)
    except Exception:  # of whatever is wrong with a file that need not be there
        return None


def _write(file: Path, program: Any) -> None:
    from jax.experimental.serialize_executable import serialize

    called = [_KERNEL.fullmatch(name) for name in sorted(set(_CALLED.findall(program.as_text())))]
    if not all(called):
        return  # what others' code it calls may not be there when it is read
    try:
        content = pickle.dumps(([found.groups() for found in called if found], *serialize(program)))
        write_bytes(file, hashlib.sha256(content).hexdigest().encode() + b"\n" + content, overwrite=True)
    except (OSError, ValueError, NotImplementedError, pickle.PicklingError):
        return  # the next process makes it anew
