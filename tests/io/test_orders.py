"""Component orders of other programs, on tensors without any symmetry."""

import jaxtyping
import numpy as np
import pytest

from jaxmeta.io import from_abaqus, from_vtk, to_abaqus, to_vtk

HERE = ["11", "22", "33", "23", "13", "12"]
ABAQUS = ["11", "22", "33", "12", "13", "23"]
VTK = ["11", "22", "33", "12", "23", "13"]


@pytest.mark.parametrize(("forth", "back", "names"), [(to_abaqus, from_abaqus, ABAQUS), (to_vtk, from_vtk, VTK)])
def test_every_component_by_name(forth, back, names):
    """Each of the 36 entries carries the name of its row and column."""
    here = np.array([[f"{row}-{column}" for column in HERE] for row in HERE])
    there = np.array([[f"{row}-{column}" for column in names] for row in names])
    np.testing.assert_array_equal(forth(here), there)
    np.testing.assert_array_equal(back(there), here)


@pytest.mark.parametrize(("forth", "back"), [(to_abaqus, from_abaqus), (to_vtk, from_vtk)])
def test_round_trip_of_a_batch(forth, back):
    stiffness = np.random.default_rng(0).random((4, 6, 6))
    np.testing.assert_array_equal(back(forth(stiffness)), stiffness)
    np.testing.assert_array_equal(forth(back(stiffness)), stiffness)
    assert not np.array_equal(forth(stiffness), stiffness)


@pytest.mark.parametrize("convert", [to_abaqus, from_abaqus, to_vtk, from_vtk])
def test_shape(convert):
    # With type checks on, jaxtyping is the first to object.
    with pytest.raises((ValueError, jaxtyping.TypeCheckError), match="stiffness"):
        convert(np.zeros((6, 5)))
