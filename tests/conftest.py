"""Float64, strict dtype promotion and no implicit rank promotion for the whole test run; programs that compile soon;
a way past the type checks.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import jaxtyping
import pytest

# XLA optimises less than for users, which makes compilations shorter. `XLA_FLAGS= pytest` is the default of users, in
# which .ci/run repeats some tests.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

_MAPS = Path("/proc/self/maps")
_CACHE = "JAX_COMPILATION_CACHE_DIR"
_LEAST = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"


def pytest_configure(config: pytest.Config) -> None:
    """One folder of compiled programs for the test processes, and for the commands that tests start."""
    if not hasattr(config, "workerinput") and _CACHE not in os.environ:
        folder = tempfile.mkdtemp(prefix="jaxmeta-tests-")
        os.environ[_CACHE] = folder
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # loading from it is chatty
        jax.config.update("jax_compilation_cache_dir", folder)
        os.environ.setdefault(_LEAST, "0.2")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(scope="module", autouse=True)
def _compiled_programs_are_let_go() -> Iterator[None]:
    """Every compiled program holds memory maps, of which Linux allows a process 65530: beyond, it is killed."""
    yield
    if _MAPS.exists() and _MAPS.read_bytes().count(b"\n") > 20000:
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
