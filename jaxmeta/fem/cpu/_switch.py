"""Whether the CPU's kernels serve, or XLA's own compilation of the plain expressions.

The kernels serve where they have been tried: on Linux with x86-64. The environment variable `JAXMETA_CPU_KERNELS` is 1
to use them on another system, too, and 0 not to use them at all. Where their machine code cannot be made, the plain
expressions serve. The first time that they do so unasked there is a warning.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import warnings
from functools import cache

import jax

VARIABLE = "JAXMETA_CPU_KERNELS"
TRIED = {("linux", "x86_64")}

_ONE_BY_ONE = threading.Lock()


def target(kernel: str, dtype: str) -> str | None:
    """The name by which XLA knows the custom call of a kernel.

    Args:
        kernel: its name.
        dtype: its type of numbers.

    Returns:
        The name; None if the plain expression is to serve.

    Raises:
        ValueError: the environment variable is neither 0 nor 1.
    """
    with _ONE_BY_ONE:  # two threads may trace at the same time
        return _registered(kernel, dtype) if _wanted() else None


@cache
def _wanted() -> bool:
    """What the environment says, or else the system; read once, so that all kernels of a process agree."""
    said = os.environ.get(VARIABLE, "")
    if said not in ("", "0", "1"):
        raise ValueError(f"Environment variable `{VARIABLE}` must be 0 or 1, but is {said!r}.")
    here = (sys.platform, platform.machine())
    if not said and here not in TRIED:
        _warn_once(f"have not been tried on {here[0]} with {here[1]}; {VARIABLE}=1 tries them")
        return False
    return said != "0"


@cache
def _registered(kernel: str, dtype: str) -> str | None:
    """Make machine code of the custom call, or read it from disk, and give XLA its name."""
    name = f"jaxmeta_{kernel}_{dtype}"
    try:
        from ._code import custom_call  # LLVM is loaded where it is needed only

        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(custom_call(kernel, dtype)), platform="cpu")
    except Exception as error:  # whatever llvmlite, the linker or XLA has to say
        _warn_once(f"cannot be used: {type(error).__name__}: {error}")
        return None
    return name


_said: list[str] = []


def _warn_once(reason: str) -> None:
    """Of whatever reason comes first."""
    if not _said:
        _said.append(reason)
        warnings.warn(
            f"XLA's own compilation takes the place of jaxmeta's kernels for CPUs, which is about three times slower. "
            f"They {reason}. ({VARIABLE}=0 chooses this, without a warning.)",
            RuntimeWarning,
            stacklevel=2,
        )
