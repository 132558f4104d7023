"""Fixtures shared by the tests of the geometry package."""

import jaxtyping
import pytest


@pytest.fixture
def unchecked():
    """Switches run-time type checks off, so that the library's own errors are seen."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
