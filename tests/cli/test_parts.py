"""Small parts: compilation cache, progress, durations, merged rows."""

from types import SimpleNamespace

import pytest
from rich.console import Console

import jaxmeta as jm
from jaxmeta._texts import duration
from jaxmeta.cli import _homogenize, _optimize
from jaxmeta.cli._optimize import Optimize
from jaxmeta.cli._options import flat
from jaxmeta.cli._tables import percent, print_table, properties_table
from jaxmeta.runs import Progress, _progress


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
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment | given,
        cwd=tmp_path,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.endswith(" float64")
    assert second == "float32"
    place = first.split()[0]
    assert place == "mine" if given else place.startswith(environment["XDG_CACHE_HOME"])


def test_progress_lines(capsys, monkeypatch):
    """The first and every tenth step, with what the run reports, and the time that is left of the steps."""
    now = [100.0]
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with Progress() as progress:
        for step in range(1, 31):
            progress.update("step", step, 100, **{"bulk modulus": 0.5, "volume": 0.30004, "grey": 0.25})
            now[0] += 2.0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "step 1 of 100: bulk modulus 0.5, volume 0.3, grey 0.25",
        "step 10 of 100: bulk modulus 0.5, volume 0.3, grey 0.25, at most 3 min 0 s left",
        "step 20 of 100: bulk modulus 0.5, volume 0.3, grey 0.25, at most 2 min 40 s left",
        "step 30 of 100: bulk modulus 0.5, volume 0.3, grey 0.25, at most 2 min 20 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (12.2, "12 s"), (59.7, "1 min 0 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 5 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_percent():
    assert [percent(value) for value in (None, 0.5, 0.0123, 1e-9)] == ["", "50.0 %", "1.2 %", "1e-07 %"]


def test_settings_are_flat():
    settings = flat(Optimize())
    assert "volume_fraction" not in settings  # none was asked for
    assert settings["young"] == 1.0
    assert settings["start"] == "trigonometric"
    assert "min_c11" not in settings
    assert "folder" not in settings


@pytest.mark.parametrize("mixture", [_homogenize.Mixture(), _optimize.Mixture()])
def test_the_default_mixture_is_that_of_the_library(mixture):
    """SIMP is a pytree, which needs JAX, so that its numbers stand here once more."""
    simp = jm.SIMP()
    assert mixture.penalty == simp.penalty
    assert (1e-9 if mixture.void is None else mixture.void) == simp.void


def test_no_number_is_cut_short_on_a_narrow_terminal(monkeypatch, capsys):
    row = {"name": "Universal anisotropy", "value": 0.0063642, "unit": "GPa", "relative": 0.1, "bound": 1, "share": 0.5}
    monkeypatch.setenv("COLUMNS", "30")
    print_table(Console(), properties_table([row]))
    out = capsys.readouterr().out
    assert "…" not in out and "0.0063642" in out
