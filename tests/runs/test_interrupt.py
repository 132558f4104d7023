"""A signal is a wish to stop after the step."""

import signal

import pytest

from jaxmeta.runs import Stopped, stoppable


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
