"""Atoms as balls that can be turned, and their report."""

import re

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.render import ball_mesh, write_atoms_report
from jaxmeta.render._colors import color_range

PLACES = np.array([[0.0, 0, 0], [3.0, 0, 0], [0, 4.0, 0]])


def test_balls_are_where_the_atoms_are():
    mesh, size = ball_mesh(PLACES, np.array([1.0, 2.0, 3.0]), radius=1.0)
    assert size == pytest.approx([5 / 6, 1, 2 / 6])
    corners = mesh.vertices.reshape(3, -1, 3) * 6 - 1
    np.testing.assert_allclose(corners.mean(1), PLACES, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(corners - PLACES[:, None], axis=2), 1, atol=1e-6)
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    outward = np.einsum("fi,fi->f", np.cross(b - a, c - a), mesh.normals[mesh.faces[:, 0]])
    assert (outward > 0).all() and (mesh.values.reshape(3, -1) == [[1], [2], [3]]).all()


@pytest.mark.parametrize("value", [0.0, -3.36, 2.0])
def test_a_scale_of_equal_values_has_width(value):
    low, high = color_range(np.full(4, value))
    assert low < value < high


def test_report(tmp_path):
    values = {"energy": (np.array([-3.0, -2.0, -1.0]), "eV"), "strain": (np.zeros(3), "for 1 Å")}
    known = {"title": "Three <atoms>", "sentences": ["k is small."], "positions": PLACES, "values": values}
    history = {"objective": [0.1, 0.2], "atoms": [3, 3]}
    path = tmp_path / "report.html"
    write_atoms_report(path, **known, seen=np.array([True, True, False]), numbers={"k": 0.25}, history=history)
    page = path.read_text("utf-8")
    assert "Three &lt;atoms&gt;" in page and "k is small." in page and ">0.25<" in page
    assert page.count('class="viewer"') == 2 and "Colour: strain." in page and "-2 eV" in page and "-1 eV" not in page
    assert page.count("data:image/png") == 1 and not re.search(r"(src|href)=.?https?:", page)
    with pytest.raises(jm.io.FileError, match="exists"):
        write_atoms_report(path, **known, numbers={})
