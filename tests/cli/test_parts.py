"""Small parts: compilation cache, progress, interrupts, durations."""

import signal
from types import SimpleNamespace

import pytest

from jaxmeta.cli._interrupt import Stopped, stoppable
from jaxmeta.cli._optimize import Optimize
from jaxmeta.cli._options import flat
from jaxmeta.cli._progress import Progress
from jaxmeta.cli._tables import duration, percent


@pytest.mark.parametrize("given", [{}, {"JAX_COMPILATION_CACHE_DIR": "mine"}])
def test_cache_is_set_for_commands_only(shell, environment, tmp_path, given):
    import subprocess
    import sys

    program = (
        "import jaxmeta, os, sys\n"
        "from jaxmeta.cli._session import session\n"
        "assert 'JAX_COMPILATION_CACHE_DIR' not in os.environ or {given!r}\n"
        "with session('float64'):\n"
        "    import jax, jax.numpy as jnp\n"
        "    print(jax.config.jax_compilation_cache_dir, jnp.zeros(1).dtype)\n"
        "print(jnp.zeros(1).dtype)"
    ).replace("{given!r}", repr(bool(given)))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment | given, timeout=100
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.endswith(" float64")
    assert second == "float32"
    place = first.split()[0]
    assert place == "mine" if given else place.startswith(environment["XDG_CACHE_HOME"])


@pytest.fixture
def _interrupts():
    """Python's own handler, which is not there in a process that was started to go on after a Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interrupts")
def test_stop_waits_for_the_step():
    before = signal.getsignal(signal.SIGINT)
    with stoppable() as check:
        check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Stopped) as caught:
            check()
        assert caught.value.code == 130
        with pytest.raises(KeyboardInterrupt):  # the second one acts at once
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_end_of_a_batch_job():
    with stoppable() as check:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped) as caught:
            check()
    assert caught.value.code == 143


def test_progress_lines(capsys):
    info = SimpleNamespace(objective=-0.5, volume_fraction=0.3, greyness=0.25, beta=4.0)
    with Progress("bulk modulus", -1, 100) as progress:
        for step in range(1, 31):
            progress.update(step, info)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 5
    assert lines[1] == "step 1 of 100: bulk modulus 0.5, volume 0.300, grey 25 %, sharpness 4"
    assert lines[-1].startswith("step 30 of 100: ")
    assert lines[-1].endswith(" left")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (12.2, "12 s"), (59.7, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_percent():
    assert [percent(value) for value in (None, 0.5, 0.0123, 1e-9)] == ["", "50.0 %", "1.2 %", "1e-07 %"]


def test_settings_are_flat():
    settings = flat(Optimize())
    assert settings["volume_fraction"] == 0.3
    assert settings["young"] == 1.0
    assert settings["start"] == "trigonometric"
    assert "min_c11" not in settings
    assert "folder" not in settings
