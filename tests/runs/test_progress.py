"""Phases of a run: what is said of them, and what their seconds are."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from jaxmeta.runs import Progress, _progress, compile_seconds
from jaxmeta.runs._compiling import _Watch


@pytest.fixture
def clock(monkeypatch):
    """The time, and the seconds of compilation."""
    now = SimpleNamespace(time=100.0, compiled=0.0)
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=lambda: now.time))
    monkeypatch.setattr(_progress, "compile_seconds", lambda: now.compiled)
    return now


def test_every_phase_has_its_lines_and_its_seconds(clock, capsys):
    with Progress() as progress:
        for what, of, seconds, compiled in (
            ("Compiling", "the step", 7.0, 6.5),  # all of it, also what the compiler does not tell
            ("Solving", "8 voxels", 5.0, 3.0),
            ("Solving", "the same", 1.0, 0.0),
            ("Writing", "", 0.5, 0.0),
        ):
            progress.phase(what, of)
            clock.time += seconds
            clock.compiled += compiled
        progress.phase("")
    assert capsys.readouterr().err.splitlines() == [
        "Compiling the step.",
        "Compiling: 7.0 s.",
        "Solving 8 voxels.",
        "Solving: 3.0 s; Compiling: 3.0 s.",
        "Writing.",
        "Writing: 0.5 s.",
    ]
    assert progress.seconds == {"compiling": 10.0, "solving": 3.0, "writing": 0.5}


def test_a_wish_to_stop_is_met_whenever_something_is_told():
    asked = []

    def check():
        asked.append(True)
        if len(asked) == 4:
            raise KeyboardInterrupt

    progress = Progress(check=check)
    progress.phase("Solving")
    progress.update("step", 1, 2)
    progress.phase("Solving")
    with pytest.raises(KeyboardInterrupt):
        progress.update("step", 2, 2)


def test_times_within_each_other_count_once(monkeypatch):
    """A function that is traced within another one, and compiled after it."""
    now = [0.0]
    monkeypatch.setattr("jaxmeta.runs._compiling.time", SimpleNamespace(monotonic=lambda: now[0]))
    watch = _Watch()
    jax.monitoring.unregister_event_duration_listener(watch._hear)
    for end, seconds in ((2.0, 1.0), (3.0, 0.5), (5.0, 5.0), (9.0, 3.0)):
        now[0] = end
        watch._hear("/jax/core/compile/jaxpr_trace_duration", seconds)
    watch._hear("/jax/something/else_duration", 100.0)
    assert watch.seconds == pytest.approx(8.0)


def test_compilation_is_heard_once():
    function = jax.jit(lambda x: 3 * x + 1)
    before = compile_seconds()
    function(jnp.ones(3)).block_until_ready()
    after = compile_seconds()
    assert after > before
    function(jnp.ones(3)).block_until_ready()
    assert compile_seconds() == after
