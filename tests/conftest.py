"""Float64, strict dtype promotion and no implicit rank promotion for the whole test run; programs that compile soon;
a way past the type checks.
"""

import gc
import hashlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import jax
import jaxlib
import jaxtyping
import platformdirs
import pytest

# LLVM optimises nothing, in one thread for each test process, which takes a quarter of the time; what XLA makes of a
# program before LLVM sees it is the same. `XLA_FLAGS= pytest` is the default of users; .ci/run repeats some tests so.
_QUICK = "backend_optimization_level=0", "cpu_parallel_codegen_split_count=1", "cpu_use_fusion_emitters=false"
os.environ.setdefault("XLA_FLAGS", " ".join(f"--xla_{flag}" for flag in _QUICK))
# NumPy and SciPy look for it when they are loaded: threads that wait for each other took a twentieth of the time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Collecting tests makes many syntax trees, traces many objects, and both few cycles.
gc.disable()
gc.set_threshold(100_000, 20, 20)
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# Programs do not say where in the sources their operations are from, which takes a twenty-fifth of the time.
jax.config.update("jax_traceback_in_locations_limit", 0)

_MAPS = Path("/proc/self/maps")
_CACHE = "JAX_COMPILATION_CACHE_DIR"
_ROOT = Path(__file__).resolve().parents[1]


def _cache_folder() -> str:
    """Programs that earlier runs of the tests compiled, of this jaxlib, this processor and these kernels.

    JAX tells programs apart by what they compute; it does not see the kernels of a CPU that they call.
    """
    kernels = sorted((_ROOT / "jaxmeta" / "fem" / "cpu").rglob("*.*"))
    parts = [jaxlib.__version__, platform.machine(), platform.processor(), platform.node()]
    digest = hashlib.sha256("\n".join(parts).encode())
    for path in kernels:
        if path.suffix in (".py", ".bc"):
            digest.update(path.read_bytes())
    return str(platformdirs.user_cache_path("jaxmeta") / "tests" / f"{jaxlib.__version__}-{digest.hexdigest()[:12]}")


def pytest_configure(config: pytest.Config) -> None:
    """One folder of compiled programs for the test processes, the commands that tests start, and the next run."""
    if not hasattr(config, "workerinput") and _CACHE not in os.environ:
        os.environ[_CACHE] = _cache_folder()
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # loading from it is chatty
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        for name in (
            "jax_compilation_cache_dir",
            "jax_persistent_cache_min_compile_time_secs",
            "jax_persistent_cache_min_entry_size_bytes",
        ):
            value = os.environ[name.upper()]
            jax.config.update(
                name, value if name.endswith("dir") else float(value) if name.endswith("secs") else int(value)
            )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Modules and tests stay to the end: the search for cycles need not look at them."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def _compiled_programs_are_let_go() -> Iterator[None]:
    """Every compiled program holds memory maps, of which Linux allows a process 65530: beyond, it is killed."""
    yield
    if _MAPS.exists() and _MAPS.read_bytes().count(b"\n") > 8000:
        jax.clear_caches()


@pytest.fixture
def compilations() -> Iterator[list[str]]:
    """Grows with every program that is compiled, or loaded in its place."""
    seen: list[str] = []

    def note(event: str, duration: float, **_) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    yield seen
    jax.monitoring.unregister_event_duration_listener(note)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """What a user sees: jaxtyping's own checks off, so that the library's errors are reached."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
