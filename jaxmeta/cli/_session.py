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
from pathlib import Path
from typing import Literal

Dtype = Literal["float32", "float64"]


@contextmanager
def session(dtype: Dtype) -> Iterator[None]:
    """Loads JAX with a compilation cache that outlives the process, and works in the precision asked for.

    Args:
        dtype: Precision of the computation.
    """
    if "jax" not in sys.modules:
        _prepare_environment()
    import jax

    with jax.enable_x64(dtype == "float64"):
        yield


def _prepare_environment() -> None:
    """Sets what JAX reads when it is imported; what the user has set stays."""
    folder = cache_folder()
    if folder is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
    # XLA reports each program it loads from a cache on a CPU, and each compilation that takes long, as an error.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The library that writes checkpoints warns of every save that takes a second.
    logging.getLogger("absl").setLevel(logging.ERROR)


def cache_folder() -> Path | None:
    """Where compiled programs are kept: one folder for each kind of processor, since they do not run on another.

    Returns:
        The folder, which exists then; or None where the user's cache folder cannot be written.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if os.path.isabs(base) else Path(os.path.expanduser("~")) / ".cache"
    folder = root / "jaxmeta" / f"xla-{hashlib.sha256(_processor().encode()).hexdigest()[:12]}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _processor() -> str:
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
