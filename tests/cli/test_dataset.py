"""`jaxmeta dataset`: a library made and read through the command line."""

import json

import h5py
import numpy as np
import pytest
from PIL import Image

import jaxmeta as jm
from jaxmeta.cli import _dataset_tables
from jaxmeta.dataset import _file, _library
from jaxmeta.io import read_density, read_stiffness, surface
from tests.dataset.libraries import ATTRIBUTES, columns, octant

COUNT = 40
COMMANDS = ("generate", "perturb", "select", "refine", "info", "export", "nearest")


@pytest.fixture
def given():
    """Columns with positive definite constants; the last quarter are children."""
    given = columns(COUNT)
    c11, ratio, c44 = np.random.default_rng(3).uniform((0.05, -0.4, 0.02), (0.5, 0.8, 0.2), (COUNT, 3)).T
    given["constants"] = np.column_stack([c11, ratio * c11, c44])
    given["round"][30:] = 1
    return given


@pytest.fixture
def here(given, tmp_path, monkeypatch):
    """A folder with a library, and with libraries in several kinds of trouble."""
    monkeypatch.chdir(tmp_path)
    for name in ("library", "newer"):
        _file.write(tmp_path / f"{name}.h5", given, ATTRIBUTES, overwrite=False)
    with h5py.File("newer.h5", "r+") as file:
        file.attrs["schema"] = 2
    content = (tmp_path / "library.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[:-50])
    with h5py.File("library.h5") as file:
        place = file["constants"].id.get_offset() + 24 * 7
    flipped = bytearray(content)
    flipped[place] ^= 1
    (tmp_path / "flipped.h5").write_bytes(flipped)
    (tmp_path / "text.h5").write_text("no library")
    return tmp_path


WANTED = "--c11 0.3 --c12 0.1 --c44 0.1"
CASES = [
    ("", "Expected one of {generate, perturb, select, refine, info, export, nearest}. See `jaxmeta dataset --help`."),
    ("bogus", "bogus. See `jaxmeta dataset --help`."),
    *((f"{name} --bogus", f"See `jaxmeta dataset {name} --help`.") for name in COMMANDS),
    ("generate", "OUTPUT"),
    ("generate library.h5", "library.h5`, writing: expected a new file name"),
    ("perturb library.h5 new.h5", "--count"),
    ("perturb missing.h5 new.h5 --count 1", "missing.h5`, opening"),
    ("perturb flipped.h5 new.h5 --count 1", "flipped.h5`, record 7"),
    ("perturb library.h5 new.h5 --count 1 --rounds 0", "`--rounds`"),
    ("perturb library.h5 new.h5 --count 1 --amplitude 3 1", "`--amplitude`"),
    ("refine cut.h5 new.h5", "cut.h5`, contents"),
    ("refine library.h5 new.h5 --steps 0", "`--steps`"),
    ("select library.h5 new.h5 --overlap 2", "`--overlap`"),
    ("select library.h5 new.h5 --count 0", "`--count`"),
    ("select library.h5 cut.h5", "cut.h5`, writing: expected a new file name"),
    ("info missing.h5", "missing.h5`, opening: expected a dataset file, but there is no such file."),
    ("info .", "`.`, opening: expected a dataset file, but it is a folder."),
    ("info text.h5", "text.h5`, contents"),
    ("info newer.h5", "newer.h5`, attribute `schema`: expected at most 1, but it is 2: update jaxmeta."),
    ("info cut.h5", "`--damaged` reads the records that are whole."),
    ("info flipped.h5", "flipped.h5`, record 7"),
    ("info library.h5 --even 41", "`--even` must be from 1 to 40, but is 41."),
    ("info library.h5 --output library.h5", "`--output` must be a folder"),
    ("export library.h5 --output new", "`--record` must be given"),
    ("export library.h5 --record 1", "--output"),
    ("export library.h5 --output new --record 40", "`--record` must be from 0 to 39, but is 40."),
    ("export library.h5 --output new --record -1", "`--record` must be from 0 to 39, but is -1."),
    ("export flipped.h5 --output new --record 7", "flipped.h5`, record 7"),
    ("export flipped.h5 --output new --record 7 --damaged", "`--record` must be a whole record, but 7 is damaged."),
    ("export newer.h5 --output new --record 7", "update jaxmeta"),
    ("nearest library.h5 --c11 1 --c12 0.1", "--c44"),
    ("nearest library.h5 --c11 nan --c12 0.1 --c44 1", "`--c11` must be a finite number"),
    ("nearest library.h5 --c11 1 --c12 2 --c44 1", "`--c11`, `--c12` and `--c44` must make a positive definite"),
    ("nearest library.h5 --c11 200 --c12 50 --c44 60", "in units of the solid's Young's modulus, but are stiffer"),
    ("nearest library.h5 --c11 0.9 --c12 0.1 --c44 0.1", "the solid, which has 1.35, 0.577 and 0.385."),
    (f"nearest library.h5 {WANTED} --count 41", "`--count` must be from 1 to 40, but is 41."),
    (f"nearest library.h5 {WANTED} --volume-fraction 1.5", "`--volume-fraction`"),
    (f"nearest flipped.h5 {WANTED}", "flipped.h5`, record 7"),
    (f"nearest cut.h5 {WANTED}", "`--damaged`"),
]


@pytest.mark.parametrize(("line", "part"), CASES, ids=[line for line, _ in CASES])
def test_one_sentence(here, run, line, part):
    before = sorted(here.iterdir())
    answer = run("dataset", *line.split())
    assert answer.code == 2 and answer.out == ""
    assert answer.err.startswith("Error: ") and answer.err.count("\n") == 1 and part in answer.err
    left = [path for path in here.iterdir() if path not in before and path.name != "new.h5.run"]
    assert left == []


def test_info(here, run):
    data = run("dataset", "info", "library.h5", "--even", 10, "--json").data
    assert data["command"] == "dataset info" and data["records"] == COUNT and data["even"] == 10
    text = run("dataset", "info", "library.h5", "--even", 10).out
    assert text.startswith("library.h5: 40 records\nOptimised: 30 (10 bulk, 10 shear, 10 low poisson), 15 of them")
    assert "Children: 10 (10 round 1)." in text
    assert "Families, of a cell and its children: 14. Splits: 14 training, 13 validation, 13 test." in text
    assert "Octants of 6³ voxels, cells of 12³; solid with E = 1 and ν = 0.3, void with 1e-09 E." in text
    assert "Made by jaxmeta 0; licence CC BY 4.0.\nSettings: seed 1\n" in text
    lines = text.splitlines()
    row = next(line.split() for line in lines if line.startswith("  C44 / E"))
    assert row[-3:] == [f"{data['ranges']['c44'][place]:.4g}" for place in ("lowest", "median", "highest")]
    # Both tables: the rows are those of the data, and so are the sums.
    for title, name, count in (("All 40 records,", "coverage", 40), ("The first 10,", "even_coverage", 10)):
        first = next(number for number, line in enumerate(lines) if line.startswith(title))
        last = next(number for number in range(first, len(lines)) if lines[number].startswith(" Sum "))
        shown = {line.split()[0]: line.split()[1:] for line in lines[first + 2 : last] if line.strip(" ─")}
        kept = [sum(column) for column in zip(*data[name]["bulk"], strict=True)]
        used = [place for place, number in enumerate(kept) if number]
        for edge, numbers in zip(data["edges"]["volume_fraction"], data[name]["bulk"], strict=False):
            if sum(numbers):
                line = [str(number or "·") for number in numbers[used[0] : used[-1] + 1]]
                assert shown[f"{edge:.2f}"] == [*line, str(sum(numbers))]
        assert lines[last].split()[1:] == [*map(str, kept[used[0] : used[-1] + 1]), str(count)]
    for low, number, other in zip(
        data["edges"]["poisson"], data["coverage"]["poisson"], data["even_coverage"]["poisson"], strict=False
    ):
        if number:
            (row,) = (line.split() for line in lines if line.startswith(f"  {low:.1f} to "))
            assert row[3:] == [str(number), str(other or "·")]


def test_tables_fit_into_a_terminal(here, run, monkeypatch, capsys):
    """All eleven columns of K/K_HS, with counts of four digits and sums of five, in 80 characters."""
    monkeypatch.setenv("COLUMNS", "80")
    data = run("dataset", "info", "library.h5", "--json").data
    data["coverage"]["bulk"] = [[1234] * 11] * 20
    _dataset_tables.print_info(data)
    tables = [line for line in capsys.readouterr().out.splitlines() if line.startswith(" ")]
    assert sum(line.split() == ["0.35", *["1234"] * 11, "13574"] for line in tables) == 1
    assert "…" not in "".join(tables) and max(map(len, tables)) <= 80


def test_info_of_the_library_that_comes_with_it(here, run, monkeypatch):
    monkeypatch.setattr(_library, "SHIPPED", here / "library.h5")
    data = run("dataset", "info", "--json").data
    assert data["records"] == COUNT and data["library"] == str(here / "library.h5")


def test_info_of_what_is_whole(here, run):
    answer = run("dataset", "info", "flipped.h5", "--damaged")
    assert answer.code == 0
    assert answer.out.startswith("flipped.h5: 39 records\n") and "Damaged: 1 record, left out here." in answer.out
    data = run("dataset", "info", "cut.h5", "--damaged", "--json").data
    # The checksums, four bytes each, stand at the end.
    assert data["lost"] == 13 and data["records"] == 27


def test_info_as_files(here, run, monkeypatch):
    from jaxmeta import render

    seen = {}

    def sheet(path, cells, *, labels, overwrite):
        seen.update(cells=np.asarray(cells), labels=labels)
        Image.new("RGB", (4, 4)).save(path)

    monkeypatch.setattr(render, "contact_sheet", sheet)
    answer = run("dataset", "info", "library.h5", "--output", "out", "--json")
    names = ["contact-sheet.png", "info.json", "property-space.png"]
    assert sorted(path.name for path in (here / "out").iterdir()) == names
    assert json.loads((here / "out" / "info.json").read_text()) == answer.data
    with Image.open(here / "out" / "property-space.png") as picture:
        assert min(picture.size) > 500
    assert seen["cells"].shape == (COUNT, 12, 12, 12)
    np.testing.assert_array_equal(seen["cells"][5], jm.symmetry.unfold(octant(5).astype(float)))
    library = jm.dataset.load("library.h5")
    c11, c12, _ = library.constants[5]
    assert seen["labels"][5] == f"5:  f {library.volume_fraction[5]:.3f}   ν {c12 / (c11 + c12):.3f}"
    again = run("dataset", "info", "library.h5", "--output", "out")
    assert again.code == 2 and "holds info.json: add `--overwrite` to replace it." in again.err

    def none(*_, **__):
        raise render.PictureError("Pictures of cells need PyVista.")

    monkeypatch.setattr(render, "contact_sheet", none)
    answer = run("dataset", "info", "library.h5", "--output", "out", "--overwrite")
    assert answer.code == 0
    assert "Note: There is no contact sheet: Pictures of cells need PyVista." in answer.out
    assert "contact-sheet.png" not in json.loads((here / "out" / "info.json").read_text())["files"]


def test_export(here, run, given):
    (here / "out").mkdir()
    (here / "out" / "mine.txt").write_text("mine")
    words = ("dataset", "export", "library.h5", "--record", 31, "--record", 4, "--output", "out")
    answer = run(*words)
    names = [f"record-{record:06d}.{kind}" for record in (4, 31) for kind in ("npz", "vti", "stl")]
    assert answer.code == 0 and answer.out == f"Wrote {', '.join(names)} to out.\n"
    assert sorted(path.name for path in (here / "out").iterdir()) == sorted([*names, "mine.txt"])
    for record in (4, 31):
        stem = here / "out" / f"record-{record:06d}"
        cell = np.asarray(jm.symmetry.unfold(octant(record).astype(float)))
        np.testing.assert_array_equal(read_density(stem.with_suffix(".npz")).density, cell)
        np.testing.assert_array_equal(read_density(stem.with_suffix(".vti")).density, cell)
        assert stem.with_suffix(".stl").stat().st_size == 84 + 50 * len(surface(cell)[1])
        c11, c12, c44 = given["constants"][record]
        np.testing.assert_array_equal(
            read_stiffness(stem.with_suffix(".npz")), jm.elasticity.cubic_stiffness(c11, c12, c44)
        )
        with np.load(stem.with_suffix(".npz")) as file:
            settings, versions = json.loads(str(file["settings"])), json.loads(str(file["versions"]))
        assert settings["record"] == record and settings["library"] == "library.h5" and versions == {"jaxmeta": "0"}
        made = settings["provenance"]
        assert made["identity"] == record and made["objective"] == "shear" and made["round"] == record // 30
        assert settings["licence"] == "CC BY 4.0" and settings["solid"]["poisson"] == 0.3
    before = (here / "out" / "record-000004.stl").stat().st_mtime_ns
    refused = run("dataset", "export", "library.h5", "--record", 5, "--record", 4, "--output", "out")
    assert refused.code == 2 and "holds record-000004.npz: add `--overwrite`" in refused.err
    assert not (here / "out" / "record-000005.npz").exists()
    data = run(*words, "--overwrite", "--json").data
    assert data["records"] == [4, 31] and len(data["files"]) == 6
    assert (here / "out" / "record-000004.stl").stat().st_mtime_ns > before


def test_numbers_are_those_of_the_file(here, run):
    """Also where damaged records are left out."""
    assert run("dataset", "export", "flipped.h5", "--damaged", "--record", 8, "--output", "out").code == 0
    density = read_density(here / "out" / "record-000008.npz").density
    np.testing.assert_array_equal(density, jm.symmetry.unfold(octant(8).astype(float)))
    c11, c12, c44 = jm.dataset.load("library.h5").constants[8]
    words = ("--c11", c11, "--c12", c12, "--c44", c44, "--count", 1, "--json")
    (found,) = run("dataset", "nearest", "flipped.h5", "--damaged", *words).data["records"]
    assert found["record"] == 8 and found["error"] == 0


@pytest.mark.parametrize("fraction", [None, 0.4])
def test_nearest(here, run, given, fraction):
    wanted = np.array([0.3, 0.1, 0.1])
    ranges = np.array([1.3307684, 0.6673554, 0.3833573])
    off = np.abs(given["constants"] - wanted) / ranges
    volume = np.abs(given["volume_fraction"] - 0.4)
    relative = np.linalg.norm(given["constants"] - wanted, axis=1) / np.linalg.norm(wanted)
    order = np.argsort(relative if fraction is None else relative + volume)[:3]
    words = ("dataset", "nearest", "library.h5", *WANTED.split(), "--count", 3)
    words += () if fraction is None else ("--volume-fraction", fraction)
    data = run(*words, "--json").data
    assert data["wanted"] == {"c11": 0.3, "c12": 0.1, "c44": 0.1, "volume_fraction": fraction}
    assert [record["record"] for record in data["records"]] == order.tolist()
    for record, row in zip(data["records"], order, strict=True):
        assert [record["c11"], record["c12"], record["c44"]] == given["constants"][row].tolist()
        assert record["volume_fraction"] == given["volume_fraction"][row]
        assert record["error"] == pytest.approx(off[row].mean(), rel=1e-12)
        assert record["volume_error"] == (None if fraction is None else pytest.approx(volume[row]))
    lines = run(*words).out.splitlines()
    first = next(line.split() for line in lines if line.startswith(f"  {order[0]} "))
    best = data["records"][0]
    numbers = [f"{best[name]:.5g}" for name in ("c11", "c12", "c44", "volume_fraction")]
    assert first[1:] == [*numbers, f"{100 * best['relative_error']:.3g}", "%", f"{100 * best['error']:.3g}", "%"]
    assert lines[-1].endswith("difference of the volume fraction.") == (fraction is not None)


def test_nearest_as_files(here, run):
    answer = run("dataset", "nearest", "library.h5", *WANTED.split(), "--count", 2, "--output", "out", "--json")
    numbers = [record["record"] for record in answer.data["records"]]
    names = [f"record-{record:06d}.{kind}" for record in numbers for kind in ("npz", "vti", "stl")]
    assert sorted(path.name for path in (here / "out").iterdir()) == sorted(names)
    assert len(answer.data["files"]) == 6


def test_select(here, run):
    answer = run("dataset", "select", "library.h5", "new.h5", "--count", 9, "--overlap", 1.0, "--seed", 2)
    assert answer.code == 0 and answer.out.startswith("Wrote 9 records to new.h5 in ")
    new = jm.dataset.load("new.h5")
    assert len(new) == 9 and new.settings["select"] == {"overlap": 1.0, "seed": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dataset")


@pytest.mark.slow
def test_a_library_from_start_to_end(folder, run):
    """Made and deformed on octants of 8³, with pictures and progress; a finished file is left alone."""
    output = folder / "designs.h5"
    words = ("dataset", "generate", output, "--count", 1, "--side", 8, "--isotropic", 0.0)
    answer = run(*words)
    assert answer.code == 0
    assert answer.out.startswith(f"Wrote 1 record to {output} in ")
    assert f"{output}.run/coverage.png shows the properties reached" in answer.out
    assert answer.err.startswith("0 % of 1 optimised cells done.\n100 % of 1 optimised cells done: ")
    with Image.open(f"{output}.run/coverage.png") as picture:
        assert min(picture.size) > 500
    assert len(jm.dataset.load(output)) == 1
    children = run("dataset", "perturb", output, folder / "children.h5", "--count", 4, "--seed", 5, "--json").data
    assert children["records"] == len(jm.dataset.load(folder / "children.h5")) > 1
    assert children["notes"] == [] and children["picture"] == f"{folder}/children.h5.run/coverage.png"
    before = output.read_bytes()
    again = run(*words)
    assert again.code == 2 and "designs.h5`, writing: expected a new file name" in again.err
    assert output.read_bytes() == before
