"""Binary cells that can be made, from densities of closed foams; nothing is solved."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.cells import Facts
from jaxmeta.topology._held import Held
from jaxmeta.topology._printable import Making, printable


def density(side: int = 8) -> jnp.ndarray:
    """Octant of a foam: the nearer to the faces and the middle of the cell, the denser."""
    x = np.abs(np.sin(np.pi * (np.arange(side) + 0.5) / side))
    near = 1 - np.minimum(np.minimum(x[:, None, None], x[:, None]), x)
    spread = x[:, None, None] + x[:, None] + x  # so that only images tie
    return jnp.asarray(0.8 * near + 0.05 * (3 - spread))


def cell(found) -> np.ndarray:
    return np.asarray(jm.symmetry.unfold(found.binary.density))


@pytest.mark.parametrize("member", [1, 2, 3])
@pytest.mark.parametrize("symmetry", ["mirror", "cubic"])
def test_what_is_asked_for_holds(member, symmetry):
    found = printable(density(), 0.6, symmetry, None, Making(member, True))
    facts = Facts(cell(found))
    assert Facts(cell(printable(density(), 0.6, symmetry, None, Making(1, False)))).closed_pores > 0
    assert facts.connected and facts.closed_pores == facts.sealed_cavities() == 0
    assert facts.thinnest >= member
    assert member > 2 or found.drilled > 0
    assert 0.5 < found.binary.density.mean() < 0.9  # the level of the cut is chosen by who knows the objective
    assert jm.symmetry.detect(cell(found)) in (symmetry, "cubic")


def test_held_voxels_stay():
    void, solid = np.zeros((2, 8, 8, 8), bool)
    solid[0, 4, 4] = void[0, 0, 0] = True  # one in the middle of a wall, one in its edge
    held = Held(jnp.asarray(void), jnp.asarray(solid))
    kept = printable(density(), 0.6, "mirror", held, Making(2, True)).binary.density
    assert kept[solid].all() and not kept[void].any()
