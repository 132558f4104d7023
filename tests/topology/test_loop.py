"""The design loop takes the state of its own optimiser only."""

import jax
import jax.numpy as jnp
import pytest

from jaxmeta import MMA, OC, SIMP, Isotropic, objectives
from jaxmeta.topology._design import Design
from jaxmeta.topology._filter import DensityFilter
from jaxmeta.topology._loop import Bounds, Loop
from jaxmeta.topology._projection import Continuation

METHODS = {"OC": OC(), "MMA": MMA()}


def _loop(method: str) -> Loop:
    design = Design(
        objectives.maximize_bulk(),
        (),
        "none",
        Isotropic(1.0, 0.3),
        SIMP(3.0, 1e-9),
        DensityFilter(1.5),
        (1.0, 1.0, 1.0),
        1e-6,
    )
    return Loop(design, METHODS[method], Continuation(), 1e-3)


@pytest.mark.parametrize(("method", "other"), [("OC", "MMA"), ("MMA", "OC")])
def test_the_state_of_another_optimiser_is_refused(method, other):
    x = jnp.full((2, 2, 2), 0.5)
    bounds = Bounds(jnp.zeros_like(x), jnp.ones_like(x), jnp.asarray(0.5))
    state = _loop(other).init(x, bounds)
    with pytest.raises(ValueError, match=f"`state` must come from `init` with {method}, but holds {other}State"):
        jax.eval_shape(_loop(method).step, state, bounds)
