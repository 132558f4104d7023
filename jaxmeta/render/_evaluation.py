"""Pictures of a comparison of generators: what was asked and what came, how far off, and how new."""

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

_COLORS = ("#2f6690", "#c8553d", "#588157", "#8e6c8a", "#b08900", "#5b7b7a")
_NAMES = ("$C_{11}$", "$C_{12}$", "$C_{44}$")
_LINEAR = 0.01  # C12 up to which its axis is linear, for it may be negative
_LEAST = 1e-5  # error below which all are drawn as alike


class Compared(NamedTuple):
    """The k cells that one way made for each of n targets.

    Attributes:
        asked: C11, C12, C44 relative to the solid, (n, 3).
        got: those of the cells, nan where there are none, (n, k, 3).
        error: |C − C*| / |C*|, (n, k).
        similarity: to the most similar training cell, (n, k).
    """

    asked: Float[np.ndarray, "n 3"]
    got: Float[np.ndarray, "n k 3"]
    error: Float[np.ndarray, "n k"]
    similarity: Float[np.ndarray, "n k"]


def draw_asked_and_got(ways: Mapping[str, Compared]) -> bytes:
    """Draws C11, C12 and C44 of cells over those that were asked for, a row of panels for each way.

    What is off by more than a decade beyond the outermost that was asked for lies on the edge of its panel.

    Args:
        ways: Name of a way to what it made.

    Returns:
        A PNG file.
    """
    figure = _figure(9.0, 2.9 * len(ways))
    axes = figure.subplots(len(ways), 3, squeeze=False)
    for row, (name, way) in zip(axes, ways.items(), strict=True):
        for column, (panel, constant) in enumerate(zip(row, _NAMES, strict=True)):
            asked = np.broadcast_to(way.asked[:, None, column], way.error.shape)
            reach = [np.nanmin(way.asked[:, column]), np.nanmax(way.asked[:, column])]
            panel.plot(reach, reach, color="#333333", linewidth=0.8)
            limits = _limits(reach, column == 1)
            panel.scatter(asked, np.clip(way.got[..., column], *limits), s=9, color=_COLORS[0], alpha=0.6, linewidths=0)
            scale: dict[str, Any] = {"value": "symlog", "linthresh": _LINEAR} if column == 1 else {"value": "log"}
            panel.set_xscale(**scale)
            panel.set_yscale(**scale)
            panel.set_ylim(*limits)
            panel.set_title(f"{name}: {constant}", fontsize=9)
            panel.tick_params(labelsize=7)
        row[0].set_ylabel("got", fontsize=8)
    for panel in axes[-1]:
        panel.set_xlabel("asked, relative to the solid's Young's modulus", fontsize=8)
    return _png(figure)


def _limits(reach: list[float], signed: bool) -> tuple[float, float]:
    """What is shown: a decade more than was asked."""
    low, high = reach
    return (min(10 * low, -_LINEAR) if signed else low / 10, 10 * max(high, _LINEAR) if signed else 10 * high)


def draw_errors(ways: Mapping[str, Compared], tolerance: float) -> bytes:
    """Draws the share of cells below an error, and the error over the similarity to the most similar training cell.

    Args:
        ways: Name of a way to what it made.
        tolerance: Error of a fitted cell, an upright line.

    Returns:
        A PNG file.
    """
    figure = _figure(10.0, 4.0)
    left, right = figure.subplots(1, 2)
    for color, (name, way) in zip(_COLORS, ways.items(), strict=False):
        known = np.isfinite(way.error)
        errors = np.sort(np.maximum(way.error[known], _LEAST))
        shares = np.arange(1, len(errors) + 1) / way.error.size
        left.step(100 * errors, 100 * shares, where="post", color=color, label=f"{name}, every cell")
        best = np.sort(np.maximum(np.where(known, way.error, np.inf).min(axis=1), _LEAST))
        if way.error.shape[1] > 1:
            left.step(
                100 * best, 100 * np.arange(1, len(best) + 1) / len(best), where="post", color=color,
                linestyle="--", label=f"{name}, best of {way.error.shape[1]}",
            )  # fmt: skip
        right.scatter(
            way.similarity[known], 100 * np.maximum(way.error[known], _LEAST), s=10, color=color, alpha=0.6,
            linewidths=0, label=name,
        )  # fmt: skip
    left.axvline(100 * tolerance, color="#999999", linewidth=0.8, linestyle=":")
    left.set(xscale="log", xlabel="error |C − C*| / |C*|, %", ylabel="cells below it, %", ylim=(0, 101))
    right.set(yscale="log", xlabel="similarity to the most similar training cell", ylabel="error |C − C*| / |C*|, %")
    for panel in (left, right):
        panel.legend(fontsize=7, frameon=False)
        panel.tick_params(labelsize=8)
    return _png(figure)


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
