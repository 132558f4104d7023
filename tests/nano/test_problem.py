"""Problems: which sites are grips and how they move; files of them; what is refused."""

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.io import FileError
from tests.arguments import refuses

A0 = 4.05
BEAM = """
cells = [6, 3, 2]
periodic = [false, false, true]
[[held]]
low = [0, 0, 0]
high = [1, 3, 2]
[[moved]]
low = [5, 0, 0]
high = [6, 3, 2]
direction = [0, 1, 0]
"""


def test_cantilever():
    beam = jm.nano.cantilever((24, 12, 2), A0)
    x = beam.lattice.positions[:, 0] / A0
    np.testing.assert_array_equal(beam.held, (x < 1) | (x >= 23))
    np.testing.assert_array_equal(beam.direction, np.outer(x >= 23, [0.0, 1.0, 0.0]))
    assert beam.pbc == (False, False, True) and beam.sites_of(0.46) == 1059 and beam.sites_of(1064 / 2304) == 1064
    assert jm.nano.cantilever((6, 3, 2), A0, periodic=False).pbc == (False, False, False)
    with pytest.raises(ValueError, match=r"^Argument `volume_fraction` must leave atoms .* is 0\.08\.$"):
        beam.sites_of(0.08)


def test_pillar():
    square, round_ = (jm.nano.pillar((6, 5, 5), A0, envelope=kind) for kind in ("square", "round"))
    assert square.domain.all() and abs(round_.domain.mean() - np.pi / 4) < 0.06
    middle = (round_.lattice.positions[:, 1:] - round_.lattice.positions[:, 1:].mean(0)) / A0
    assert (np.hypot(*middle[round_.domain].T) <= 2.5 + 1e-6).all()
    assert (round_.held <= round_.domain).all()
    assert set(map(tuple, square.direction)) == {(0, 0, 0), (1, 0, 0)}
    assert set(map(tuple, jm.nano.pillar((6, 5, 5), A0, load="bending").direction)) == {(0, 0, 0), (0, 1, 0)}


def test_file(tmp_path):
    (tmp_path / "beam.toml").write_text(BEAM)
    read, beam = jm.nano.read_problem(tmp_path / "beam.toml", A0), jm.nano.cantilever((6, 3, 2), A0)
    assert read.pbc == beam.pbc
    for name in ("held", "direction", "domain"):
        np.testing.assert_array_equal(getattr(read, name), getattr(beam, name))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("cells = [6, 3, 2]", "", "key 'cells'"),
        ("cells = [6, 3, 2]", "cells = [6, 3, 0]", "cells"),
        ("cells = [6, 3, 2]", "cells = 6", "problem"),
        ("[[held]]", "[held]", "held"),
        ("low = [5, 0, 0]", "low = [0, 0, 0]", "another grip"),
        ("low = [5, 0, 0]", "low = [9, 0, 0]", "some sites"),
        ("direction = [0, 1, 0]", "direction = [0, nan, 0]", "finite"),
        ("direction = [0, 1, 0]", "direction = [0, 0, 0]", "move"),
        ("direction = [0, 1, 0]", "", "keys"),
        ("direction = [0, 1, 0]", "direction = [0, 1, 0]\n[solid]", "key 'solid'"),
        ("direction = [0, 1, 0]", "direction = [0, 1", "TOML"),
        ("periodic = [false, false, true]", "periodic = [false, true]", "pbc"),
    ],
)
def test_files_that_are_refused(tmp_path, old, new, told):
    (tmp_path / "beam.toml").write_text(BEAM.replace(old, new))
    with pytest.raises(FileError, match=rf"^File .*{told}.*\.$") as error:
        jm.nano.read_problem(tmp_path / "beam.toml", A0)
    assert "\n" not in str(error.value)


def test_refusals():
    lattice = jm.nano.Lattice((4, 2, 2), A0)
    none, some = np.zeros(len(lattice), bool), lattice.positions[:, 0] < A0
    refuses("held", jm.nano.Problem, lattice, none, np.outer(some, [1.0, 0, 0]))
    refuses("held", jm.nano.Problem, lattice, ~none, np.outer(some, [1.0, 0, 0]))
    refuses("held", jm.nano.Problem, lattice, none[1:], np.outer(some, [1.0, 0, 0]))
    refuses("direction", jm.nano.Problem, lattice, some, np.zeros((len(lattice), 3)))
    refuses("cells", jm.nano.cantilever, (2, 2, 2), A0)
    for name in ("load", "envelope"):
        with pytest.raises(ValueError, match=rf"^Argument `{name}` must"):
            jm.nano.pillar((6, 2, 2), A0, **{name: "other"})
