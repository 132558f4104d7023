"""The committed results of the oracle are its results."""

import numpy as np
import pytest

from tests.homogenization.problems import COMMITTED, derived, exact


def _compare(settings):
    for setting in settings:
        np.testing.assert_allclose(exact(*setting), derived(*setting), rtol=1e-9, atol=1e-14, err_msg=str(setting))


def test_some_committed_results_are_those_of_the_oracle():
    """Every ninth: each cell, void and spacing comes in turn."""
    _compare([setting for setting in COMMITTED if setting[1] == 8][::9])


@pytest.mark.slow
def test_committed_results_are_those_of_the_oracle():
    _compare(COMMITTED)
