"""What was asked and what the binary cell has, component by component."""

from types import SimpleNamespace

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.cli._answers import answer, asked
from jaxmeta.cli._goals import Limits, Target, make_goal


def rows(target, got, volume_fraction=0.3):
    goal = make_goal("match", None, target, Limits(), jm.Isotropic(1.0, 0.3), volume_fraction)
    report = {"constraints_binary": [-0.1], "volume_fraction": 0.27}
    return asked(goal, SimpleNamespace(stiffness=got, cell=np.ones((2, 2, 2)), report=report))


def test_components_of_a_target():
    got = np.asarray(jm.Isotropic(0.11, 0.2).stiffness)
    found = rows(Target(target_c11=0.12, target_c12=0.03, target_c44=0.04), got)
    assert [row["name"] for row in found] == ["C11", "C12", "C44", "volume fraction at most"]
    for row, wanted, value in zip(found, (0.12, 0.03, 0.04, 0.3), (got[0, 0], got[0, 1], got[3, 3], 0.27), strict=True):
        assert (row["asked"], row["got"]) == (pytest.approx(wanted), pytest.approx(value))
        assert row["difference"] == pytest.approx(value - wanted)
    assert answer(found[0]) == "C11: asked 0.12, got 0.12222, difference +0.0022."


def test_components_without_symmetry(tmp_path):
    """Every entry that the target or the cell has, once."""
    wanted = np.diag([0.1, 0.1, 0.1, 0.03, 0.03, 0.03])
    got = wanted.copy()
    got[0, 3] = got[3, 0] = 0.01
    np.save(tmp_path / "c.npy", wanted)
    found = rows(Target(target=tmp_path / "c.npy"), got)[:-1]
    assert [row["name"] for row in found] == ["C11", "C14", "C22", "C33", "C44", "C55", "C66"]
    assert (found[1]["asked"], found[1]["got"]) == (0.0, 0.01)
