"""The pages of the documentation run, in float32 as a reader runs them, and what they refer to exists."""

import importlib
import re

import jax
import pytest

import jaxmeta
from tests.doc_cells import ROOT, blocks, cells

PAGES = sorted(
    str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md") if "_build" not in str(path)
)
# The guided update has tests of its own.
NOTEBOOKS = [page for page in PAGES if cells(page) and page != "guided.md"]


def _run(code: str, name: str) -> None:
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(compile(code, name, "exec"), {"__name__": "page"})


@pytest.fixture(autouse=True)
def _pictures_without_a_screen():
    import matplotlib

    matplotlib.use("Agg")
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 6


QUICK = "conventions.md", "theory/kernel.md", "sharp-bits.md"


@pytest.mark.parametrize(
    "page", [page if page in QUICK else pytest.param(page, marks=pytest.mark.slow) for page in NOTEBOOKS]
)
def test_notebook(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _run("\n".join(cell.code for cell in cells(page)), page)


def test_first_page():
    (code,) = blocks("docs/index.md", "python")
    _run(code.replace("(32, 32, 32)", "(8, 8, 8)"), "index.md")


def _resolves(target: str) -> bool:
    parts = target.split(".")
    value = importlib.import_module(parts[0])
    for part in parts[1:]:
        if not hasattr(value, part):
            return False
        value = getattr(value, part)
    return True


@pytest.mark.parametrize("page", PAGES)
def test_references_resolve(page):
    text = (ROOT / "docs" / page).read_text("utf-8")
    roles = re.findall(r"\{py:\w+\}`(?:[^`<]*<)?([\w.]+)>?`", text)
    assert len(roles) == text.count("{py:")
    assert [role for role in roles if not _resolves(role)] == []


def test_reference_lists_all_public_names():
    text = (ROOT / "docs" / "api" / "index.md").read_text("utf-8")
    listed = set(re.findall(r"\{py:\w+\}`(\w+) <", text))
    assert listed == set(jaxmeta.__all__)
