"""Numbers that design runs are given: taken in any form, refused by name."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.optimizers import GCMMA
from jaxmeta.topology import DensityFilter, Heaviside
from tests.arguments import ARRAYS, NO_NUMBERS, refuses

START = np.full((2, 2, 2), 0.5)
pytestmark = pytest.mark.usefixtures("unchecked")


def optimize(**change):
    options = {"solid": jm.Isotropic(1.0, 0.3), "volume_fraction": 0.5, "max_steps": 1, **change}
    return jm.optimize(jm.objectives.maximize_bulk(), options.pop("start", START), **options)


PARAMETERS = {
    **{
        f"optimize {name}": lambda x, name=name: optimize(**{name: x})
        for name in ("volume_fraction", "filter_radius", "erosion", "tolerance", "stop", "max_steps")
    },
    "optimize spacing": lambda x: optimize(spacing=(1.0, x, 1.0)),
    "DensityFilter radius": DensityFilter,
    "DensityFilter spacing": lambda x: DensityFilter(2.0, spacing=(1.0, 1.0, x)),
    "Heaviside beta": Heaviside,
    "Heaviside eta": lambda x: Heaviside(1.0, x),
    **{
        f"Continuation {name}": lambda x, name=name: jm.Continuation(**{name: x})
        for name in ("start", "factor", "every", "final")
    },
    **{
        f"OC {name}": lambda x, name=name: jm.OC(**{name: x})
        for name in ("move", "damping", "floor", "tolerance", "max_evaluations")
    },
    **{
        f"MMA {name}": lambda x, name=name: jm.MMA(**{name: x})
        for name in ("move", "start", "shrink", "grow", "a0", "raa0")
    },
    "GCMMA max_trials": lambda x: GCMMA(max_trials=x),
    "Scorer spacing": lambda x: jm.cells.Scorer(jm.Isotropic(1.0, 0.3), spacing=(x, 1.0, 1.0)),
    "Scorer void": lambda x: jm.cells.Scorer(jm.Isotropic(1.0, 0.3), x),
}


@pytest.mark.parametrize("what", [*NO_NUMBERS, *ARRAYS, "none"])
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_no_number(parameter, what):
    refuses(parameter.split()[1], PARAMETERS[parameter], {**NO_NUMBERS, **ARRAYS, "none": None}[what])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("solid", {"solid": jm.Isotropic(np.array([1.0]), 0.3)}),
        ("solid", {"solid": jm.Isotropic(np.full(2, 1.0), 0.3)}),
        ("solid", {"solid": (1.0, 0.3)}),
        ("interpolation", {"interpolation": jm.SIMP(np.full(2, 3.0), 1e-9)}),
        ("interpolation", {"interpolation": jm.RAMP(3.0, [1e-9])}),
        ("interpolation", {"interpolation": 3.0}),
        ("projection", {"projection": 32.0}),
        ("start", {"start": START.astype(object)}),
        ("start", {"start": START.astype(np.float16)}),
        ("start", {"start": START + 0j}),
        ("start", {"start": None}),
        ("symmetry", {"symmetry": ["cubic"]}),
        ("spacing", {"spacing": 1.0}),
        ("spacing", {"spacing": np.ones((3, 3))}),
        ("passive", {"passive": START > 1}),
        ("passive", {"passive": (START, START)}),
    ],
)
def test_arguments_of_another_kind(name, change):
    refuses(name, lambda: optimize(**change))


def test_numbers_in_any_form():
    """A design from NumPy's and JAX's numbers is that from Python's."""
    given = {
        "start": np.full((2, 2, 2), 0.5, ">f8"),
        "solid": jm.Isotropic(np.float32(1), np.array(0.3, ">f8")),
        "volume_fraction": np.float32(0.5),
        "filter_radius": np.int64(1),
        "spacing": np.array([1, 1, 1]),
        "tolerance": jnp.asarray(1e-4),
        "max_steps": np.uint8(1),
    }
    found, expected = optimize(**given), optimize(filter_radius=1.0)
    np.testing.assert_allclose(found.density, expected.density, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.stiffness, expected.stiffness, rtol=1e-6)
