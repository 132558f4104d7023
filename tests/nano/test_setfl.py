"""Files of potentials: their two forms, several elements, and damage of every kind."""

from pathlib import Path

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.io import FileError
from tests.arguments import refuses

NAMES = ["Al", "Cu"]
POINTS = 12


def tables(seed):
    return np.random.default_rng(seed).normal(size=POINTS).round(6)


def content(form, per_line=5):
    """A file of two elements with numbers that differ everywhere, in the order that LAMMPS documents."""
    out = ["one", "two", "three", "2 Al Cu", f"{POINTS} 0.1 {POINTS} 0.5 5.5"]

    def add(values):
        out.extend(" ".join(map(str, values[k : k + per_line])) for k in range(0, POINTS, per_line))

    for e in range(len(NAMES)):
        out.append(f"{13 + e} {26.5 + e} {4.0 + e} fcc")
        add(tables(10 + e))
        for other in range(2 if form == "fs" else 1):
            add(tables(20 + 2 * e + other))
    for k in range(3):
        add(tables(30 + k))
    return out


def written(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(("form", "density"), [("alloy", [20, 22]), ("fs", [20, 23])])
@pytest.mark.parametrize("element", [0, 1])
def test_one_of_two_elements(tmp_path, form, density, element):
    potential = jm.nano.EAM.read(written(tmp_path / f"x.eam.{form}", content(form)), NAMES[element])
    assert (potential.element, potential.mass, potential.lattice_constant) == (
        NAMES[element],
        26.5 + element,
        4.0 + element,
    )
    assert potential.cutoff == 5.5
    points = np.arange(1, POINTS)
    np.testing.assert_allclose(potential.embedding(0.1 * points), tables(10 + element)[1:], atol=1e-12)
    np.testing.assert_allclose(potential.density(0.5 * points), tables(density[element])[1:], atol=1e-12)
    pair = tables(30 if element == 0 else 32)[1:] / (0.5 * points)
    np.testing.assert_allclose(potential.pair(0.5 * points), pair, atol=1e-12)


def test_behind_the_last_point_functions_are_straight(tmp_path):
    potential = jm.nano.EAM.read(written(tmp_path / "x.eam.alloy", content("alloy")), "Al")
    values = np.asarray(potential.embedding(np.array([1.1, 1.2, 1.3])))
    assert values[1] - values[0] == pytest.approx(values[2] - values[1]) == tables(10)[-1] - tables(10)[-2]


def test_a_spline_is_of_fourth_order():
    errors = []
    for points in (40, 80):
        x = np.linspace(0, 3, points + 1)
        spline = jm.nano.Spline.of(np.sin(x), x[1])
        at = np.linspace(0.5, 2.5, 999)
        errors.append(abs(np.asarray(spline(at)) - np.sin(at)).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.1)


def changed(line, text):
    def change(lines):
        return [*lines[:line], text, *lines[line + 1 :]]

    return change


DAMAGE = {
    "empty": lambda lines: [],
    "header only": lambda lines: lines[:3],
    "no elements": changed(3, ""),
    "a wrong number of elements": changed(3, "3 Al Cu"),
    "no number of elements": changed(3, "Al Cu"),
    "sizes that are none": changed(4, "12 0.1 x 0.5 5.5"),
    "too few sizes": changed(4, "12 0.1 12 0.5"),
    "a negative step": changed(4, "12 -0.1 12 0.5 5.5"),
    "no cutoff": changed(4, "12 0.1 12 0.5 nan"),
    "a cutoff behind the tables": changed(4, "12 0.1 12 0.5 9.0"),
    "too few points": changed(4, "3 0.1 12 0.5 5.5"),
    "an endless table": changed(4, "999999999999 0.1 12 0.5 5.5"),
    "no element": changed(5, "13"),
    "a mass of zero": changed(5, "13 0.0 4.05 fcc"),
    "a word among numbers": changed(6, "0.1 0.2 O.3 0.4 0.5"),
    "a nan": changed(6, "0.1 0.2 nan 0.4 0.5"),
    "a number too many": changed(8, "0.1 0.2 0.3"),
    "a number too few": changed(8, "0.1"),
    "cut off": lambda lines: lines[:-4],
    "cut in a line": lambda lines: [*lines[:-1], lines[-1][:9]],
    "more than is asked for": lambda lines: [*lines, "1.0 2.0"],
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage(tmp_path, kind):
    path = written(tmp_path / "x.eam.alloy", DAMAGE[kind](content("alloy")))
    with pytest.raises(FileError, match=r"^File `.*x\.eam\.alloy`, lines? \d.*: expected .*, but .*\.$") as error:
        jm.nano.EAM.read(path, "Al")
    assert "\n" not in str(error.value)


def test_no_text(tmp_path):
    (tmp_path / "x.eam.alloy").write_bytes(bytes(range(256)))
    with pytest.raises(FileError, match="byte"):
        jm.nano.EAM.read(tmp_path / "x.eam.alloy")
    with pytest.raises(FileError, match="opening"):
        jm.nano.EAM.read(tmp_path / "missing.eam.alloy")


def test_elements_that_are_not_there(tmp_path):
    path = written(tmp_path / "x.eam.alloy", content("alloy"))
    refuses("element", jm.nano.EAM.read, path)
    refuses("element", jm.nano.EAM.read, path, "Ni")
    refuses("element", jm.nano.EAM.read, Path(jm.nano.__file__).with_name("Al99.eam.alloy"), "Cu")
