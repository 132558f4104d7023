"""The pictures of a library: every cell is a point in its place, and a sheet shows every cell."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from jaxmeta import Isotropic
from jaxmeta.io import FileError
from jaxmeta.render import PictureError, contact_sheet, property_space
from jaxmeta.render import _library as module

SOLID = Isotropic(1.0, 0.3)


def records(count=200, seed=0):
    """Cells below the bounds, every fourth of them isotropic, some auxetic."""
    random = np.random.default_rng(seed)
    fraction = random.uniform(0.2, 0.9, count)
    limit = module._limits(fraction, SOLID)[0]
    bulk, poisson = limit * random.uniform(0.05, 1, count), random.uniform(-0.6, 0.4, count)
    c12 = 3 * bulk * poisson / (1 + poisson)
    c11 = 3 * bulk - 2 * c12
    zener = np.where(np.arange(count) % 4 == 0, 1 + random.uniform(-0.04, 0.04, count), 2.0)
    return np.column_stack((c11, c12, zener * (c11 - c12) / 2)), fraction, random.uniform(size=count) < 0.3


def points(axes):
    """Points of a panel, those in space with their depth, in the order of drawing."""
    drawn = [found for found in axes.collections if found.get_gid() == "cells"]
    if axes.name == "3d":
        return np.concatenate([np.column_stack(found._offsets3d) for found in drawn])
    return np.concatenate([found.get_offsets() for found in drawn])


def opened(file):
    return np.asarray(Image.open(io.BytesIO(file.read_bytes())).convert("RGB")).astype(int)


def sorted_rows(array):
    return array[np.lexsort(array.T)]


def test_every_cell_is_a_point_in_its_place():
    constants, fraction, optimised = records()
    figure = module.property_figure(constants, fraction, optimised)
    space, isotropic, share, poisson = figure.axes
    c11, c12, c44 = constants.T
    bulk = (c11 + 2 * c12) / 3
    np.testing.assert_allclose(sorted_rows(points(space)), sorted_rows(constants))
    expected = np.column_stack((fraction, bulk / np.asarray(module.hashin_shtrikman(fraction, SOLID).bulk)))
    np.testing.assert_allclose(sorted_rows(points(share)), sorted_rows(expected))
    np.testing.assert_allclose(
        sorted_rows(points(poisson)), sorted_rows(np.column_stack((c12 / (c11 + c12), fraction)))
    )
    assert len(points(isotropic)) == 50
    expected = np.column_stack((bulk, (c11 - c12 + 3 * c44) / 5))[::4]
    np.testing.assert_allclose(sorted_rows(points(isotropic)), sorted_rows(expected))


def test_no_point_is_outside_and_optimised_cells_lie_above():
    constants, fraction, optimised = records()
    figure = module.property_figure(constants, fraction, optimised)
    for axes in figure.axes:
        drawn = points(axes)
        limits = [axes.get_xlim(), axes.get_ylim(), *([axes.get_zlim()] if axes.name == "3d" else [])]
        low, high = np.transpose(limits)
        assert len(drawn) and (low <= drawn.min(axis=0)).all() and (drawn.max(axis=0) <= high).all()
    # Drawn last, hence above.
    last = points(figure.axes[2])[-optimised.sum() :, 0]
    np.testing.assert_allclose(np.sort(last), np.sort(fraction[optimised]))
    assert {f"optimised ({optimised.sum()})", f"perturbed ({(~optimised).sum()})"} < {
        text.get_text() for text in figure.legends[0].get_texts()
    }


def test_the_plane_is_between_what_lies_behind_it_and_before_it():
    constants, fraction, optimised = records()
    axes = module.property_figure(constants, fraction, optimised).axes[0]
    axes.figure.canvas.draw()
    projection = axes.get_proj()
    for found in axes.collections:
        if found.get_gid() != "cells" or not len(found.get_offsets()):
            continue
        c11, c12, c44 = (np.asarray(values) for values in found._offsets3d)
        before = _depth(projection, c11, c12, c44) < _depth_of_plane_below(projection, c11, c12, c44)
        off = np.abs(c44 - (c11 - c12) / 2) > 1e-6
        assert (before[off] == (found.get_zorder() > 1)).all()


def _depth(projection, x, y, z):
    """Distance from the eye."""
    return (projection @ np.stack((x, y, z, np.ones_like(x))))[2]


def _depth_of_plane_below(projection, x, y, z):
    """The plane's distance from the eye where it is seen at the same place as the points."""
    moved = np.linalg.solve(
        np.stack((projection[0, :3], projection[1, :3], [-0.5, 0.5, 1.0])),
        np.stack((projection[0, :3] @ (x, y, z), projection[1, :3] @ (x, y, z), np.zeros_like(x))),
    )
    return _depth(projection, *moved)


def test_corners_of_the_plane():
    low, high = np.array([0.0, -0.2, 0.0]), np.array([1.2, 0.4, 0.4])
    corners = module._plane_corners(low, high)
    np.testing.assert_allclose(corners[:, 2], (corners[:, 0] - corners[:, 1]) / 2, atol=1e-12)
    steps = np.roll(corners, -1, axis=0) - corners
    turns = np.cross(steps, np.roll(steps, -1, axis=0)) @ [-0.5, 0.5, 1.0]
    assert len(corners) >= 4 and ((turns > -1e-12).all() or (turns < 1e-12).all())  # convex, so in order


@pytest.mark.parametrize("count", [1, 200])
def test_picture(tmp_path, count):
    constants, fraction, optimised = records(count)
    property_space(tmp_path / "a.png", constants, fraction, optimised=optimised)
    picture = opened(tmp_path / "a.png")
    assert min(picture.shape[:2]) > 1000
    assert 0.02 < (picture.min(axis=2) < 240).mean() < 0.4
    with pytest.raises(FileError, match="exists already"):
        property_space(tmp_path / "a.png", constants, fraction, optimised=optimised)
    property_space(tmp_path / "a.png", constants, fraction, optimised=optimised, overwrite=True)


def test_the_unit_does_not_matter():
    constants, fraction, optimised = records(40)
    one = module.property_figure(constants, fraction, optimised, Isotropic(1.0, 0.3))
    other = module.property_figure(70.0 * constants, fraction, optimised, Isotropic(70.0, 0.3))
    for first, second in zip(one.axes, other.axes, strict=True):
        np.testing.assert_allclose(points(first), points(second), rtol=1e-9)


def test_nothing_of_matplotlib_stays(tmp_path):
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams), mpl.get_backend()
    constants, fraction, optimised = records(20)
    property_space(tmp_path / "a.png", constants, fraction, optimised=optimised)
    assert plt.get_fignums() == [] and (dict(mpl.rcParams), mpl.get_backend()) == before


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"constants": np.ones((5, 2))}, r"`constants` must have shape \(n, 3\) with n > 0, but has shape \(5, 2\)"),
        ({"constants": np.ones((0, 3))}, r"`constants` must .*, but has shape \(0, 3\)"),
        ({"volume_fraction": np.ones(4)}, r"`volume_fraction` must have shape \(5,\), but has shape \(4,\)"),
        ({"optimised": np.ones((5, 1), bool)}, r"`optimised` must have shape \(5,\), but has shape \(5, 1\)"),
        ({"optimised": np.ones(5)}, "`optimised` must be boolean, but is of type float64"),
        ({"volume_fraction": np.array([0.5, 0.5, 0.0, 0.5, 0.5])}, "`volume_fraction` must .*, but row 2 is 0.0"),
        ({"constants": np.tile([1.0, 1.5, 0.1], (5, 1))}, "`constants` must be positive definite, but row 0"),
        ({"constants": np.full((5, 3), np.nan)}, "`constants` must be positive definite, but row 0"),
        ({"solid": Isotropic(np.ones(5), 0.3)}, "`solid` must be one material"),
    ],
)
def test_arguments(tmp_path, unchecked, change, text):
    constants, fraction, optimised = records(5)
    given = {"constants": constants, "volume_fraction": fraction, "optimised": optimised} | change
    with pytest.raises(ValueError, match=text):
        property_space(tmp_path / "a.png", **given)
    assert not list(tmp_path.iterdir())


def bars(count):
    cells = np.zeros((count, 8, 8, 8), bool)
    cells[:, 3:5, 3:5, :] = True
    return cells


def sheet(path, *arguments, **options):
    pytest.importorskip("pyvista")
    try:
        contact_sheet(path, *arguments, **options)
    except PictureError as error:
        pytest.skip(str(error))
    return opened(path)


def test_sheet(tmp_path):
    picture = sheet(tmp_path / "a.png", bars(5), columns=3)
    assert picture.shape == (2 * 240, 3 * 240, 3)
    drawn = [(picture[y : y + 240, x : x + 240] < 240).any() for y in (0, 240) for x in (0, 240, 480)]
    assert drawn == [True] * 5 + [False]
    labelled = sheet(tmp_path / "b.png", list(bars(2)), labels=["short", "two\nlines"])
    assert labelled.shape[0] > 240 and labelled.shape[1] == 480
    assert (labelled[240:].min(axis=(0, 2)) < 200).reshape(2, 240).any(axis=1).all()
    np.testing.assert_array_equal(labelled[:240], picture[:240, :480])  # pixel for pixel


def test_a_long_label_stays_with_its_cell(tmp_path):
    picture = sheet(tmp_path / "a.png", bars(3), labels=["", "a label that is far too long for the cell it names", ""])
    assert (picture[240:, :240] == 255).all() and (picture[240:, 480:] == 255).all()


def test_a_file_in_the_way_is_found_before_drawing(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "draw_cells", lambda *_, **__: pytest.fail("drawn"))
    (tmp_path / "a.png").write_bytes(b"mine")
    with pytest.raises(FileError, match="exists already"):
        contact_sheet(tmp_path / "a.png", bars(1))
    assert (tmp_path / "a.png").read_bytes() == b"mine"


def test_closed_cells_are_cut_open():
    box = np.ones((16, 16, 16), bool)
    box[2:14, 2:14, 2:14] = False
    seen = module._opened(box)
    assert seen.shape == (20, 20, 20)
    assert not seen[10:, :10, 10:].any()  # the corner to the right, in front and above
    kept = box.copy()
    kept[8:, :8, 8:] = False
    np.testing.assert_array_equal(seen[2:-2, 2:-2, 2:-2], kept)
    # Walls in the middle: a cut there would show nothing but walls.
    chambers = np.tile(np.pad(np.zeros((6, 6, 6), bool), 1, constant_values=True), (2, 2, 2))
    seen = module._opened(chambers)[2:-2, 2:-2, 2:-2]
    assert not seen[10:, :6, 10:].any() and (seen[9] == chambers[9]).all()
    assert module._opened(bars(1)[0]).shape == (8, 8, 8)
    assert module._opened(np.ones((2, 2, 2), bool)).all()


@pytest.mark.parametrize(
    ("cells", "options", "text"),
    [
        (np.zeros((0, 4, 4, 4)), {}, "`cells` must hold at least one cell"),
        (np.ones((4, 4, 4)), {}, r"`cells` must hold arrays \(nx, ny, nz\), but cell 0 is of shape \(4, 4\)"),
        ([np.ones((4, 4, 4)), np.zeros((4, 4, 4))], {}, "solid somewhere in every cell, but cell 1 is empty"),
        (bars(2), {"labels": ["one"]}, "`labels` must have one text for each cell, but has 1 for 2"),
        (bars(2), {"columns": 0}, "`columns` must be at least 1, but is 0"),
    ],
)
def test_arguments_of_a_sheet(tmp_path, unchecked, cells, options, text):
    with pytest.raises(ValueError, match=text):
        contact_sheet(tmp_path / "a.png", cells, **options)
    assert not list(tmp_path.iterdir())


def test_without_pyvista(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvista", None)
    with pytest.raises(PictureError, match=r"need PyVista"):
        contact_sheet(tmp_path / "a.png", bars(1))
    assert not list(tmp_path.iterdir())
