"""The report: one file, everything in it, all text escaped, nothing loaded from elsewhere."""

import base64
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from jaxmeta.io import FileError
from jaxmeta.render import Mesh, cell_mesh, write_report
from jaxmeta.render._embed import pack
from jaxmeta.render._tables import number, properties_table

EVIL = "<script>alert('&\"')</script>"


def bar():
    cell = np.zeros((8, 8, 8))
    cell[2:6, 2:6, :] = 1
    return cell


def write(path, **options):
    given = {
        "title": "A bar",
        "cell": bar(),
        "stiffness": np.diag([1.0, 2.0, 3.0, 1.0, 1.0, 1.0]),
        "properties": [{"name": "Bulk modulus", "value": 0.5, "unit": "GPa", "bound": 1.0, "share": 0.5}],
        "pictures": False,
    }
    return write_report(path, **(given | options))


class Page(HTMLParser):
    """Collects tags with their attributes, visible text, and checks that tags are closed in order."""

    VOID = ("meta", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)


def test_one_file_that_loads_nothing(tmp_path):
    history = {"objective": [2.0, 1.0]}
    assert write(tmp_path / "a.html", history=history, settings={"steps": 2}, versions={"numpy": "2"}) == []
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    page = Page(text)
    assert len(text) < 6e6
    assert "http://" not in text and "https://" not in text and "//cdn" not in text
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form", "audio", "video")
        assert attributes.get("src", "data:").startswith("data:") and "href" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|WebSocket|import\(", text)
    policy = next(attributes for tag, attributes in page.tags if "http-equiv" in attributes)["content"]
    assert "default-src 'none'" in policy
    words = " ".join(page.words)
    for expected in ("A bar", "8 × 8 × 8 voxels, volume fraction 0.25", "Bulk modulus", "50.0 %", "steps", "numpy"):
        assert expected in words
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 2 and all(attributes["alt"] for attributes in pictures)
    for attributes in pictures:
        assert base64.b64decode(attributes["src"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_all_text_is_escaped(tmp_path):
    write(
        tmp_path / "a.html",
        title=EVIL,
        unit=EVIL,
        notes=[EVIL],
        properties=[{"name": EVIL, "value": EVIL, "unit": EVIL, "bound": EVIL}],
        settings={EVIL: EVIL, "list": [EVIL], "map": {"a": EVIL}, "array": np.eye(2)},
        versions={EVIL: EVIL},
    )
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    page = Page(text)
    assert sum(tag == "script" for tag, _ in page.tags) == 3  # two meshes and the viewer
    assert "".join(page.words).count("alert('") >= 10


def test_what_cannot_be_drawn_is_noted(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvista", None)
    notes = write(tmp_path / "a.html", pictures=True, stiffness=np.zeros((6, 6)), notes=["First."])
    assert notes[0] == "First." and len(notes) == 3
    assert 'pip install "jaxmeta[viz]"' in " ".join(notes) and "positive definite" in " ".join(notes)
    words = " ".join(Page((tmp_path / "a.html").read_text(encoding="utf-8")).words)
    assert all(note in words for note in notes)
    notes = write(tmp_path / "b.html", cell=np.zeros((4, 4, 4)))
    assert notes == ["Argument `cell` must be solid somewhere, but no density is above 1/2."]


def test_existing_report_stays(tmp_path):
    write(tmp_path / "a.html")
    with pytest.raises(FileError, match="exists already"):
        write(tmp_path / "a.html")
    write(tmp_path / "a.html", overwrite=True)


def test_packed_mesh():
    mesh = cell_mesh(bar(), spacing=(1.0, 1.0, 2.0))
    packed = json.loads(json.dumps(pack(mesh, "#010203", (0.5, 0.5, 1.0))))
    records = np.frombuffer(base64.b64decode(packed["vertices"]), np.uint8).reshape(-1, 16)
    positions = records[:, :6].copy().view("<u2") / 65535 * packed["scale"]
    np.testing.assert_allclose(positions, mesh.vertices, atol=2e-5)
    np.testing.assert_allclose(records[:, 8:11].view(np.int8) / 127, mesh.normals, atol=0.005)
    assert (records[:, 12:15] == [1, 2, 3]).all()
    assert packed["width"] == 2
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(packed["faces"]), "<u2"), mesh.faces.ravel())


def test_wide_indices():
    count = 70_000
    zeros = np.zeros((count, 3), np.float32)
    packed = pack(Mesh(zeros, zeros, np.array([[0, 1, count - 1]], np.int32)), "#000000")
    assert packed["width"] == 4
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(str(packed["faces"])), "<u4"), [0, 1, count - 1])


def test_largest_report_stays_small(tmp_path):
    x, y, z = np.meshgrid(*[8 * np.pi * np.arange(64) / 64] * 3, indexing="ij")
    write(tmp_path / "a.html", cell=np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x) > 0)
    assert 5e5 < (tmp_path / "a.html").stat().st_size < 6e6


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.25, "−0.25"), (float("nan"), "–"), (None, "–"), (True, "yes"), (3, "3"), (1e-9, "1e-09"), ("<", "&lt;")],
)
def test_numbers(value, text):
    assert number(value) == text


def test_what_was_asked_and_what_is_there(tmp_path):
    answers = [
        {"name": "C11", "asked": 0.2, "got": 0.19873, "difference": -0.00127},
        {"name": "Zener <1>", "asked": 1.0, "got": 1.05, "difference": 0.05, "excess": 0.2},
        {"name": "smallest feature", "excess": 5e-4},
    ]
    write(tmp_path / "a.html", answers=answers)
    text = (tmp_path / "a.html").read_text("utf-8")
    table = text.split("<h2>Asked and got</h2>")[1].split("</section>")[0]
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)<", row) for row in table.split("<tr>")[1:]]
    assert rows == [
        ["Quantity", "Asked", "Got", "Difference", "Held"],
        ["C11", "0.2", "0.19873", "−0.0013", "–"],
        ["Zener &lt;1&gt;", "1", "1.05", "0.05", "no"],
        ["smallest feature", "–", "–", "–", "yes"],
    ]
    write(tmp_path / "b.html")
    assert "Asked and got" not in (tmp_path / "b.html").read_text("utf-8")


def test_property_rows_are_checked():
    with pytest.raises(ValueError, match="'valeu'"):
        properties_table([{"name": "a", "value": 1.0, "valeu": 2.0}])
    assert "120.0 %" in properties_table([{"name": "a", "value": 1.0, "share": 1.2}])


def test_import_is_light():
    heavy = ("pyvista", "vtk", "matplotlib", "skimage", "h5py")
    code = f"import sys, jaxmeta.render; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
