"""All calls of this run are checked against their annotations of shapes and dtypes: here, that the check works."""

import jax.numpy as jnp
import pytest
from jaxtyping import TypeCheckError

import jaxmeta as jm


def test_a_wrong_shape_is_seen():
    with pytest.raises(TypeCheckError):
        jm.topology.DensityFilter(2.0)(jnp.ones((2, 2)))


def test_the_library_s_own_error_can_be_reached(unchecked):
    with pytest.raises(ValueError, match="Argument `density` must have shape"):
        jm.topology.DensityFilter(2.0)(jnp.ones((2, 2)))
