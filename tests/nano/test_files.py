"""Files of atoms: there and back, text of others, and what is refused."""

import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.io import FileError

NAMES = ("atoms.xyz", "atoms.lmp", "atoms.vtp")


def atoms(pbc=(True, False, True)):
    rng = np.random.default_rng(0)
    cell = np.array([[10.0, 0, 0], [0, 30.0, 0], [0.5, 1.0, 12.0]])
    held = np.arange(7) < 3
    return jm.nano.Atoms(
        rng.uniform(0, 9, (7, 3)), cell, pbc, "Al", held, np.outer(held, [0.0, 1.0, 0.0]),
        {"energy": rng.normal(size=7), "coordination": rng.integers(0, 13, 7), "displacement": rng.normal(size=(7, 3))},
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(tmp_path, name):
    given = atoms()
    jm.nano.write_atoms(tmp_path / name, given)
    read = jm.nano.read_atoms(tmp_path / name)
    np.testing.assert_array_equal(read.positions, given.positions)
    assert read.pbc == given.pbc and read.element == "Al" and read.cell is not None
    periodic = list(given.pbc)
    np.testing.assert_allclose(read.cell[periodic], given.cell[periodic], atol=1e-12)
    if name != "atoms.lmp":
        assert set(read.columns()) == set(given.columns())
        for key, values in given.columns().items():
            np.testing.assert_array_equal(read.columns()[key], values)
            assert read.columns()[key].dtype.kind == values.dtype.kind


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation_is_refused(tmp_path, name):
    jm.nano.write_atoms(tmp_path / name, atoms())
    whole = (tmp_path / name).read_bytes()
    for end in range(0, len(whole), 13):
        (tmp_path / name).write_bytes(whole[:end])
        with pytest.raises(FileError, match=r"^File [^\n]*\.$"):
            jm.nano.read_atoms(tmp_path / name)
    (tmp_path / name).write_bytes(whole[:-1])
    with pytest.raises(FileError):
        jm.nano.read_atoms(tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", ["nan", "inf", "1e999", "x", "1,5"])
def test_numbers_that_are_none(tmp_path, name, bad):
    jm.nano.write_atoms(tmp_path / name, atoms())
    number = repr(float(atoms().positions[3, 1]))
    text = (tmp_path / name).read_text()
    assert number in text
    (tmp_path / name).write_text(text.replace(number, bad))
    with pytest.raises(FileError, match=r"^File [^\n]*\.$"):
        jm.nano.read_atoms(tmp_path / name)


def test_files_of_others(tmp_path):
    """As OVITO and ASE write extended XYZ, and LAMMPS its data."""
    path = tmp_path / "a.xyz"
    path.write_text(
        '2\nLattice="4 0 0 0 4 0 0 0 4" Properties=id:I:1:species:S:1:pos:R:3 Time=1\n1 Al 0 0 0\n2 Al 2 2 0\n'
    )
    read = jm.nano.read_atoms(path)
    assert read.pbc == (True, True, True) and read.positions.tolist() == [[0, 0, 0], [2, 2, 0]]
    path.write_text("2\n\nAl 0 0 0\nAl 2 2 0\n")
    assert jm.nano.read_atoms(path).cell is None
    data = "title\n\n2 atoms\n1 atom types\n-1 3 xlo xhi\n0 4 ylo yhi\n0 4 zlo zhi\n\nMasses\n\n1 26.98 # Al\n\n"
    data += "Atoms # atomic\n\n2 1 2.0 2.0 0.0 0 0 0\n1 1 0.0 0.0 0.0 0 0 0\n\nVelocities\n\n1 0 0 0\n2 0 0 0\n"
    path = tmp_path / "a.data"
    path.write_text(data)
    read = jm.nano.read_atoms(path)
    assert read.positions.tolist() == [[0, 0, 0], [2, 2, 0]] and read.pbc == (True, True, True)
    np.testing.assert_array_equal(read.cell, 4 * np.eye(3))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xyz", "2\n\nAl 0 0 0\nCu 2 2 0\n"),
        ("a.xyz", "1\n\nAl 0 0 0\n1\n\nAl 0 0 0\n"),
        ("a.xyz", "-1\n\n"),
        ("a.xyz", "1\nProperties=species:S:1:pos:R:2\nAl 0 0\n"),
        ("a.xyz", '1\nLattice="1 2 3"\nAl 0 0 0\n'),
        ("a.xyz", '1\npbc="T T"\nAl 0 0 0\n'),
        ("a.lmp", "t\n\n1 atoms\n0 1 xlo xhi\n0 1 ylo yhi\n\nAtoms\n\n1 1 0 0 0\n"),
        ("a.lmp", "t\n\n1 atoms\n0 1 xlo xhi\n0 1 ylo yhi\n0 1 zlo zhi\n\nAtoms # full\n\n1 1 0 0 0\n"),
        ("a.lmp", "t\n\n2 atoms\n0 1 xlo xhi\n0 1 ylo yhi\n0 1 zlo zhi\n\nAtoms\n\n1 1 0 0 0\n1 1 2 0 0\n"),
        ("a.vtp", '<!DOCTYPE a [<!ENTITY b "c">]><VTKFile type="PolyData"/>\n'),
        ("a.vtp", '<VTKFile type="ImageData"><PolyData><Piece/></PolyData></VTKFile>\n'),
        ("a.cif", "data_\n"),
        ("a.xyz", ""),
    ],
)
def test_refusals(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(FileError, match=r"^File [^\n]*\.$"):
        jm.nano.read_atoms(tmp_path / name)


def test_no_file_is_replaced_unasked(tmp_path):
    jm.nano.write_atoms(tmp_path / "a.xyz", atoms())
    with pytest.raises(FileError):
        jm.nano.write_atoms(tmp_path / "a.xyz", atoms())
    jm.nano.write_atoms(tmp_path / "a.xyz", atoms(), overwrite=True)
    with pytest.raises(FileError, match="name"):
        jm.nano.write_atoms(tmp_path / "a.pdb", atoms())
