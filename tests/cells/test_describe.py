"""Numbers, table and sentence of a cell, and its files."""

import json
from pathlib import Path

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.cells import Cell, connection, describe, export, members, pores, properties, write
from jaxmeta.cells._describe import _merged
from jaxmeta.io import FileError, read_density, read_stiffness

SOLID = jm.Isotropic(2.0, 0.25)


@pytest.fixture(scope="module")
def cell() -> Cell:
    """Three plates across the cell with a made-up stiffness that has no symmetry."""
    octant = np.zeros((3, 4, 5), np.float32)
    octant[0] = octant[:, 0] = octant[:, :, 0] = 1.0
    root = np.random.default_rng(0).normal(size=(6, 6))
    stiffness = 0.01 * (root @ root.T + 6 * np.eye(6))
    return Cell(octant, "mirror", stiffness, SOLID, spacing=(1.0, 2.0, 0.5), unit="GPa", provenance={"seed": 3})


def test_numbers(cell):
    facts = describe(cell)
    c, s = cell.stiffness, np.linalg.inv(cell.stiffness)
    assert facts["shape"] == [6, 8, 10] and facts["unit"] == "GPa" and facts["spacing"] == [1.0, 2.0, 0.5]
    np.testing.assert_array_equal(facts["stiffness"], c)
    moduli = facts["moduli"]
    assert moduli["bulk"] == pytest.approx(c[:3, :3].sum() / 9, rel=1e-13)
    np.testing.assert_allclose(moduli["young"], 1 / np.diag(s)[:3], rtol=1e-12)
    np.testing.assert_allclose(moduli["axial_shear"], 1 / np.diag(s)[3:], rtol=1e-12)
    assert moduli["poisson"]["13"] == pytest.approx(-s[0, 2] / s[0, 0], rel=1e-12)
    assert facts["relative"]["bulk"] == pytest.approx(moduli["bulk"] / float(SOLID.bulk), rel=1e-13)
    assert facts["share"]["shear"] == pytest.approx(moduli["shear"] / facts["bounds"]["shear"], rel=1e-13)
    assert (facts["connected"], facts["parts"], facts["percolates"]) == (True, 1, [True] * 3)
    json.dumps(facts)
    assert connection(facts) == "The solid is one connected part and percolates along x, y, z."
    assert (facts["void_parts"], facts["closed_pores"], facts["sealed_cavities"]) == (1, 1, 1)
    assert pores(facts) == "The void is one connected part, and a closed pore: powder or resin cannot leave."
    assert (facts["thinnest_member"], facts["thinnest_length"], facts["thin_share"]) == (2, None, 0.0)
    assert members(facts) == "The thinnest member is 2 voxels wide."
    sized = describe(cell.sized(20.0))  # edges 6, 16 and 5 before
    assert sized["spacing"] == [1.25, 2.5, 0.625] and sized["thinnest_length"] == 1.25
    assert sized["stiffness"] == facts["stiffness"]
    assert members(sized) == "The thinnest member is 2 voxels (1.25 mm) wide."
    table = {row["name"]: row for row in properties(facts)}
    assert table["Bulk modulus K"]["unit"] == "GPa"
    assert table["Bulk modulus K"]["share"] == facts["share"]["bulk"]
    assert table["Zener's ratio"]["value"] == moduli["zener"]


def test_what_does_not_exist_is_none():
    """Of an empty cell nothing is divided by zero."""
    facts = describe(Cell(np.zeros((2, 2, 2)), "none", np.zeros((6, 6)), SOLID))
    assert facts["moduli"]["young"] is facts["moduli"]["zener"] is None
    assert facts["share"] == {"bulk": None, "shear": None}
    assert connection(facts) == "No voxel is solid."


def test_equal_values_share_a_row():
    assert _merged(zip("xyz", (1.0, 2.0, 1.0), strict=True)) == [("xz", 1.0), ("y", 2.0)]


def test_files_hold_the_whole_cell(cell, tmp_path):
    made = export(
        cell,
        tmp_path,
        title="Plates",
        facts={"command": "none"},
        notes=["A note."],
        optimised=0.5 * cell.cell,
        extra={"history.json": {"steps": [1]}},
        pictures=False,
    )
    assert sorted(made.names) == sorted(path.name for path in tmp_path.iterdir())
    for name in ("result.npz", "result.h5", "cell.vti"):
        file = read_density(tmp_path / name)
        np.testing.assert_array_equal(file.density, cell.cell)
        assert file.spacing == (1.0, 2.0, 0.5)
    for name in ("result.npz", "result.h5"):
        np.testing.assert_array_equal(read_stiffness(tmp_path / name), cell.stiffness)
    solid = read_density(tmp_path / "cell.stl", resolution=(6, 8, 10)).density
    np.testing.assert_array_equal(solid > 0.5, cell.cell > 0.5)
    np.testing.assert_array_equal(read_density(tmp_path / "cell.vti", name="optimised").density, 0.5 * cell.cell)
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["command"] == "none" and told["notes"] == made.notes
    sealed = "1 sealed cavity: powder or resin cannot leave it"
    assert made.notes == ["A note.", f"The surface in cell.stl has {sealed}."]
    assert made.files["cell.stl"] == f"closed surface, 6 × 16 × 5 in the unit of the voxel edges; {sealed}"
    assert told["closed_pores"] == told["sealed_cavities"] == 1 and told["thinnest_member"] == 2
    text = (tmp_path / "report.html").read_text("utf-8")
    assert all(f'<a href="{name}">' in text for name in made.names if name != "report.html")
    assert pores(told) in text and '<th scope="col" class="number">Of solid</th>' in text
    assert told["moduli"] == describe(cell)["moduli"]
    assert "Plates" in (tmp_path / "report.html").read_text("utf-8")
    with pytest.raises(FileError, match="exists already"):
        write(cell, tmp_path / "cell.stl")
    with pytest.raises(ValueError, match=r"must end in \.npz, \.h5, \.vti or \.stl, but is cell\.obj"):
        write(cell, Path("cell.obj"))
