"""The process around a command: precision, compilation cache, versions. Set for the command line, never the library."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Literal

from .._cache import cache_folder
from ..runs import compile_seconds

Dtype = Literal["float32", "float64"]


@contextmanager
def session(dtype: Dtype) -> Iterator[None]:
    """Loads JAX with a compilation cache that outlives the process, and works in the precision asked for.

    Args:
        dtype: Precision of the computation.
    """
    prepare()
    import jax

    compile_seconds()  # from here on
    with jax.enable_x64(dtype == "float64"):
        yield


def prepare() -> None:
    """Sets what JAX reads when it is imported, if it is not yet; what the user has set stays."""
    if "jax" in sys.modules:
        return
    # One folder for each kind of processor: programs do not run on another.
    folder = cache_folder(f"xla-{hashlib.sha256(processor().encode()).hexdigest()[:12]}")
    if folder is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    # XLA reports each program it loads from a cache on a CPU, and each compilation that takes long, as an error.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The library that writes checkpoints warns of every save that takes a second.
    logging.getLogger("absl").setLevel(logging.ERROR)


def processor() -> str:
    """What kind of processor this is, as far as programs depend on it."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            lines = [line for line in file if line.startswith(("flags", "Features", "model name"))]
    except OSError:
        lines = []
    return "".join(sorted(set(lines))) or f"{platform.machine()} {platform.processor()}"


def versions() -> dict[str, str]:
    """Versions of all that a number depends on, and the device it was computed on."""
    import jax

    device = jax.devices()[0]
    found = {name: version(name) for name in ("jaxmeta", "jax", "jaxlib", "numpy")}
    return found | {"python": platform.python_version(), "device": device.device_kind}
