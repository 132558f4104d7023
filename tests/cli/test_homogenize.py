"""`jaxmeta homogenize`: numbers against the library, files, and what is printed."""

import json

import h5py
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.io import read_density, read_stiffness, surface, write_npz, write_stl
from tests.cli.conftest import phases

SOLID = jm.Isotropic(1.0, 0.3)


@pytest.fixture(scope="module")
def expected(frame) -> np.ndarray:
    """The whole cell under six loads, by the library."""
    return np.asarray(jm.homogenize(frame.astype(float), SOLID).stiffness)


@pytest.mark.parametrize(
    ("options", "symmetry", "rtol"),
    [
        ([], "cubic", 2e-5),
        (["--symmetry", "none"], "none", 1e-12),
        (["--symmetry", "mirror", "--preconditioner", "fft"], "mirror", 2e-5),
        (["--dtype", "float32", "--tolerance", "1e-4"], "cubic", 2e-4),
    ],
)
def test_stiffness(run, cell_file, expected, options, symmetry, rtol):
    answer = run("homogenize", cell_file, "--json", *options)
    assert answer.code == 0
    assert phases(answer.err) == ["Reading", "Solving", "Describing"]
    assert answer.data["symmetry"] == symmetry
    np.testing.assert_allclose(answer.data["stiffness"], expected, rtol=rtol, atol=rtol * expected[0, 0])


def test_description(run, cell_file, frame):
    data = run("homogenize", cell_file, "--json").data
    c = np.array(data["stiffness"])
    bulk = c[:3, :3].sum() / 9
    assert data["moduli"]["bulk"] == pytest.approx(bulk, rel=1e-12)
    assert data["moduli"]["young"] == pytest.approx(1 / np.diag(np.linalg.inv(c))[:3], rel=1e-12)
    assert data["moduli"]["poisson"]["12"] == pytest.approx(c[0, 1] / (c[0, 0] + c[0, 1]), rel=1e-12)
    assert data["moduli"]["axial_shear"] == pytest.approx([c[3, 3]] * 3, rel=1e-12)
    assert data["moduli"]["zener"] == pytest.approx(2 * c[3, 3] / (c[0, 0] - c[0, 1]), rel=1e-12)
    assert data["relative"]["bulk"] == pytest.approx(bulk * 1.2, rel=1e-12)
    limit = jm.bounds.hashin_shtrikman(float(frame.mean()), SOLID)
    assert data["share"]["bulk"] == pytest.approx(bulk / float(limit.bulk), rel=1e-12)
    assert 0 < data["share"]["shear"] < 1
    assert data["volume_fraction"] == pytest.approx(frame.mean())
    assert data["connected"] is True
    assert data["percolates"] == [True, True, True]


def test_units_scale(run, cell_file):
    one = run("homogenize", cell_file, "--json").data
    many = run("homogenize", cell_file, "--json", "--young", 210, "--unit", "GPa").data
    np.testing.assert_allclose(many["stiffness"], 210 * np.array(one["stiffness"]), rtol=1e-9, atol=1e-15)
    assert many["relative"]["bulk"] == pytest.approx(one["relative"]["bulk"], rel=1e-9)
    assert many["share"]["bulk"] == pytest.approx(one["share"]["bulk"], rel=1e-9)
    assert many["unit"] == "GPa"


def test_octant(run, cell_file, frame, tmp_path):
    np.save(tmp_path / "octant.npy", frame[:4, :4, :4])
    whole = run("homogenize", cell_file, "--json").data
    part = run("homogenize", tmp_path / "octant.npy", "--octant", "--json").data
    assert part["shape"] == [8, 8, 8]
    np.testing.assert_array_equal(part["stiffness"], whole["stiffness"])


def test_background_and_spacing(run, cell_file, frame):
    """The same solid on both sides is that solid, whatever the voxels' shape."""
    data = run(
        "homogenize", cell_file, "--json", "--background-young", 1, "--spacing", 1, 1, 2, "--symmetry", "none"
    ).data
    np.testing.assert_allclose(data["stiffness"], SOLID.stiffness, rtol=1e-9, atol=1e-12)
    assert data["share"]["bulk"] == pytest.approx(1.0)
    assert "void" not in data["settings"]
    found = run("homogenize", cell_file, "--json", "--spacing", 1, 1, 2, "--preconditioner", "fft").data
    assert found["symmetry"] == "mirror"


def test_grey_cells_have_no_bounds(run, tmp_path):
    np.save(tmp_path / "grey.npy", np.full((8, 8, 8), 0.5))
    for penalty, factor in ((3, 0.125), (1, 0.5)):
        data = run("homogenize", tmp_path / "grey.npy", "--json", "--penalty", penalty, "--void", 0).data
        np.testing.assert_allclose(data["stiffness"], factor * np.asarray(SOLID.stiffness), rtol=1e-9, atol=1e-12)
        assert data["bounds"] is None
        assert "grey" in data["notes"][0]


def test_formats(run, cell_file, frame, tmp_path):
    """Every kind of file gives the same cell."""
    write_npz(tmp_path / "a.npz", frame)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["other"], file["cell"] = 1 - frame, frame
    (frame * 200).astype(np.uint8).tofile(tmp_path / "c.raw")
    # Two voxels away from its faces, so that marching cubes takes no corner off at the block's edge.
    write_stl(tmp_path / "d.stl", *surface(np.kron(frame, np.ones((8, 8, 8)))))
    raw = ["c.raw", "--shape", 8, 8, 8, "--raw-type", "uint8", "--scale", 0.005]
    for words in (["a.npz"], ["b.h5", "--name", "cell"], raw, ["d.stl", "--resolution", 8]):
        data = run("homogenize", tmp_path / str(words[0]), *words[1:], "--json").data
        assert data["volume_fraction"] == pytest.approx(frame.mean(), abs=1e-6)
        assert data["symmetry"] == "cubic"


def test_files(run, cell_file, frame, tmp_path):
    out = tmp_path / "deep" / "out"
    answer = run("homogenize", cell_file, "--output", out, "--json", "--no-pictures", "--unit", "GPa")
    assert answer.code == 0
    names = ["cell.stl", "cell.vti", "report.html", "report.json", "result.h5", "result.npz"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert sorted(answer.data["files"]) == [str(out / name) for name in names]
    for name in ("result.npz", "result.h5", "cell.vti"):
        np.testing.assert_array_equal(read_density(out / name).density, frame)
    for name in ("result.npz", "result.h5"):
        np.testing.assert_array_equal(read_stiffness(out / name), answer.data["stiffness"])
    with h5py.File(out / "result.h5") as file:
        assert file["units"].attrs["stiffness"] == "GPa"
        assert file["settings"].attrs["symmetry"] == "cubic"
        assert file["versions"].attrs["jaxmeta"] == answer.data["versions"]["jaxmeta"]
    report = json.loads((out / "report.json").read_text())
    assert report["stiffness"] == answer.data["stiffness"]
    html = (out / "report.html").read_text()
    assert "frame.npy" in html
    assert "Bulk modulus" in html


def test_sealed_cavities_size_and_tiles(run, tmp_path):
    """A closed box: what is said of its void, wherever its surface is named; in millimetres, and in two copies."""
    box = np.ones((8, 8, 8))
    box[2:6, 2:6, 2:6] = 0
    np.save(tmp_path / "box.npy", box)
    words = ("homogenize", tmp_path / "box.npy", "--output", tmp_path / "out", "--no-pictures", "--size", 10)
    answer = run(*words, "--tile", 2)
    assert answer.code == 0
    assert "The void is one connected part, and a closed pore: powder or resin cannot leave." in answer.out
    assert "The thinnest member is 4 voxels (5 mm) wide." in answer.out
    surface = "closed surface of 2 × 2 × 2 cells, 20 × 20 × 20 mm; 8 sealed cavities: powder or resin cannot leave them"
    assert f"cell.stl     {surface}" in answer.out
    assert "Note: The surface in cell.stl has 8 sealed cavities" in answer.out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["closed_pores"], report["thinnest_length"], report["length_unit"]) == (1, 5.0, "mm")
    assert read_density(tmp_path / "out" / "cell.vti").spacing == (1.25,) * 3
    tiled = read_density(tmp_path / "out" / "cell.stl", resolution=16)
    np.testing.assert_array_equal(tiled.density, np.tile(box, (2, 2, 2)))
    np.testing.assert_allclose(tiled.spacing, 1.25)


def test_nothing_is_overwritten_unasked(run, cell_file, tmp_path):
    out = tmp_path / "out"
    words = ("homogenize", cell_file, "--output", out, "--no-pictures", "--json")
    assert run(*words).code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run(*words, "--young", 2).code == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert run(*words, "--young", 2, "--overwrite").code == 0
    assert (out / "result.npz").read_bytes() != before["result.npz"]


def test_a_failed_run_leaves_no_folder(run, cell_file, tmp_path):
    answer = run("homogenize", cell_file, "--output", tmp_path / "out", "--max-steps", 1)
    assert answer.code == 2
    assert "`--max-steps`" in answer.err
    assert not (tmp_path / "out").exists()


def test_printed_tables(run, cell_file, expected):
    answer = run("homogenize", cell_file, "--unit", "GPa")
    assert answer.code == 0
    assert phases(answer.err) == ["Reading", "Solving", "Describing"]
    lines = answer.out.splitlines()
    assert "8 × 8 × 8 voxels, cubic symmetry" in lines[0]
    (row,) = (line.split() for line in lines if line.split()[:1] == ["11"])
    np.testing.assert_allclose([float(word) for word in row[1:]], expected[0], rtol=1e-4, atol=1e-6)
    assert any("Bulk modulus K" in line and "GPa" in line and line.count("%") == 2 for line in lines)
    assert "The solid is one connected part and percolates along x, y, z." in answer.out


def test_an_empty_cell(run, tmp_path):
    """True void has no stiffness at all: the numbers that do not exist are null, and the files are written."""
    np.save(tmp_path / "empty.npy", np.zeros((8, 8, 8)))
    answer = run("homogenize", tmp_path / "empty.npy", "--json", "--output", tmp_path / "out", "--no-pictures")
    assert answer.code == 0
    assert answer.data["connected"] is False
    assert answer.data["share"] == {"bulk": None, "shear": None}
    assert not (tmp_path / "out" / "cell.stl").exists()
    assert any("surface" in note for note in answer.data["notes"])


def test_several_parts(run, tmp_path):
    """Plates that do not touch: no axis across them."""
    cell = np.zeros((8, 8, 8))
    cell[:, :, [0, 3, 4, 7]] = 1
    np.save(tmp_path / "plates.npy", cell)
    answer = run("homogenize", tmp_path / "plates.npy")
    assert "The solid has 2 parts and percolates along x, y." in answer.out
    assert "Young's modulus E along x, y" in answer.out
    assert "Young's modulus E along z" in answer.out
