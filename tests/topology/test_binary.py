"""The cut at the volume fraction."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.topology._binary import cut


@pytest.mark.parametrize("volume_fraction", [0.2, 0.35, 0.5])
def test_rounding_does_not_break_the_symmetry(volume_fraction):
    """A density that is symmetric up to the last bit makes a cell that is symmetric."""
    x = np.abs(np.linspace(-1, 0, 12))
    octant = (x[:, None, None] * x[:, None] * x) ** 0.5
    octant = octant * (1 + 1e-7 * np.random.default_rng(0).normal(size=octant.shape))
    cell = cut(jnp.asarray(octant, jnp.float32), volume_fraction, "cubic")
    assert jm.symmetry.detect(np.asarray(jm.symmetry.unfold(cell))) == "cubic"
    assert abs(cell.mean() - volume_fraction) < 0.02
