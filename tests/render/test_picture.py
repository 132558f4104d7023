"""Pictures of cells off screen, and what is said where they cannot be drawn."""

import io
import os
import sys

import numpy as np
import pytest
from PIL import Image

from jaxmeta.io import FileError
from jaxmeta.render import PictureError, draw_cells, drawn_apart, picture_of_cell
from jaxmeta.render import _picture as module

VARIABLE = "VTK_DEFAULT_OPENGL_WINDOW"


def bar():
    """A bar along z in the middle of the cell: its picture is upright."""
    cell = np.zeros((8, 8, 8))
    cell[3:5, 3:5, :] = 1
    return cell


def test_picture(tmp_path):
    pytest.importorskip("pyvista")
    before = dict(os.environ)
    try:
        picture_of_cell(bar(), tmp_path / "a.png", size=160)
    except PictureError as error:
        pytest.skip(str(error))
    assert dict(os.environ) == before
    picture = np.asarray(Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).convert("RGB")).astype(int)
    assert picture.shape == (160, 160, 3)
    assert (picture[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()  # white corners
    rows, columns = np.nonzero(picture.min(axis=2) < 240)
    assert np.ptp(rows) > 80 and np.ptp(columns) < 60
    inside = picture[rows, columns]
    assert (inside[:, 2] >= inside[:, 0]).all() and inside.max() - inside.min() > 60  # blue, and shaded
    with pytest.raises(FileError, match="exists already"):
        picture_of_cell(bar(), tmp_path / "a.png", size=160)


def test_without_pyvista(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvista", None)
    with pytest.raises(PictureError, match=r'^Pictures of cells need PyVista: pip install "jaxmeta\[viz\]"\.$'):
        picture_of_cell(bar(), tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libraries are looked for on Linux only")
def test_by_another_process(tmp_path):
    """The same pictures; and none where they cannot be drawn."""
    try:
        here = draw_cells(bar(), (1,))
    except PictureError:
        here = {}
    with drawn_apart(bar(), (1,)) as drawn:
        apart = drawn()
    assert apart.keys() == here.keys()
    pictures = (Image.open(io.BytesIO(png)).convert("RGB") for png in (*here.values(), *apart.values()))
    pixels = [np.asarray(picture).astype(int) for picture in pictures]
    assert not pixels or np.abs(pixels[0] - pixels[1]).max() <= 2
    with drawn_apart(np.zeros((4, 4, 4)), (1,)) as drawn:
        assert drawn() == {}


def test_without_opengl(tmp_path, monkeypatch):
    pytest.importorskip("pyvista")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(module, "_has_library", lambda name: False)
    with pytest.raises(PictureError, match="libegl1"):
        picture_of_cell(bar(), tmp_path / "a.png")
    assert VARIABLE not in os.environ


def test_the_user_chooses_the_window(monkeypatch):
    monkeypatch.setenv(VARIABLE, "vtkOSOpenGLRenderWindow")
    with module.off_screen_window():
        assert os.environ[VARIABLE] == "vtkOSOpenGLRenderWindow"
    assert os.environ[VARIABLE] == "vtkOSOpenGLRenderWindow"
