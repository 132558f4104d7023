"""The plot of an optimisation's course."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxmeta.render import history_plot

HISTORY = {"objective": np.linspace(2, 1, 40), "volume_fraction": np.linspace(0.5, 0.3, 40)}


@pytest.mark.parametrize(
    "history",
    [
        HISTORY,
        {"objective": [3.0, 1.0]},
        HISTORY | {"step": np.arange(5, 45)},
        HISTORY | {"sharpness": np.repeat([1, 2], 20)},
    ],
)
def test_picture(tmp_path, history):
    history_plot(history, tmp_path / "a.png")
    picture = np.asarray(Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).convert("RGB"))
    assert (picture != 255).any(axis=2).mean() > 0.005


def test_nothing_of_matplotlib_stays(tmp_path):
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams), mpl.get_backend()
    history_plot(HISTORY, tmp_path / "a.png", bounds={"volume_fraction": 0.3})
    assert plt.get_fignums() == [] and (dict(mpl.rcParams), mpl.get_backend()) == before


@pytest.mark.parametrize(
    ("history", "bounds", "text"),
    [
        ({"volume": [1.0]}, None, "`objective`"),
        ({"objective": [1.0, 2.0], "volume": [1.0]}, None, "2 values for `volume`"),
        ({"objective": [1.0]}, {"volume": 0.3}, "`volume` is none"),
    ],
)
def test_arguments(tmp_path, history, bounds, text):
    with pytest.raises(ValueError, match=text):
        history_plot(history, tmp_path / "a.png", bounds=bounds)
