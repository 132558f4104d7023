"""The course of an optimisation."""

import io
from collections.abc import Mapping, Sequence

import numpy as np

from jaxmeta.io import Path, write_bytes

History = Mapping[str, Sequence[float] | np.ndarray]
_COLORS = ("#2f6690", "#c8553d", "#588157", "#8e6c8a", "#b08900", "#5b7b7a")


def history_plot(
    history: History,
    path: Path,
    *,
    bounds: Mapping[str, float] | None = None,
    objective: str = "objective",
    overwrite: bool = False,
) -> None:
    """Draws the objective, and below it all other quantities, over the steps.

    Args:
        history: Name to values, one per step, all of one length; `objective` is drawn above the others, `step` gives
            the steps' numbers, and where `sharpness` changes an upright line is drawn.
        path: The picture, `.png`.
        bounds: Name of a quantity to its bound, drawn as a dashed line of the same colour.
        objective: What stands at the objective's axis: its name, and its unit.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
        ValueError: If there is no `objective`, the lengths differ, or a bound belongs to nothing.

    Example:
        >>> from jaxmeta.render import history_plot
        >>> history = {"objective": [3.0, 2.0, 1.5], "volume fraction": [0.5, 0.35, 0.3]}
        >>> history_plot(history, "history.png", bounds={"volume fraction": 0.3})
    """
    write_bytes(path, draw_history(history, bounds, objective), overwrite)


def draw_history(history: History, bounds: Mapping[str, float] | None = None, objective: str = "objective") -> bytes:
    """Draws as `history_plot` and returns the PNG file's bytes."""
    from matplotlib.figure import Figure

    columns, steps = _columns(history)
    sharpness = columns.pop("sharpness", np.zeros(len(steps)))
    stages = steps[1:][np.diff(sharpness) != 0]
    limits = dict(bounds or {})
    for name in limits:
        if name not in columns:
            raise ValueError(f"Argument `bounds` must name quantities of the history, but `{name}` is none.")
    others = [name for name in columns if name != "objective"]
    rows = 2 if others else 1
    figure = Figure(figsize=(6.4, 2.4 + 2.1 * (rows - 1)), dpi=160, facecolor="white", layout="constrained")
    panels = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for row, names in enumerate((["objective"], others)[:rows]):
        axes = panels[row]
        for position, name in enumerate(names):
            color = _COLORS[(position + row) % len(_COLORS)]
            marker = "." if len(steps) < 30 else ""
            axes.plot(steps, columns[name], color=color, linewidth=1.6, marker=marker, label=name.replace("_", " "))
            if name in limits:
                axes.axhline(limits[name], color=color, linewidth=1, linestyle=(0, (5, 4)), alpha=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(color="#999999", labelcolor="#333333")
        if row:
            axes.set_ylabel("no unit")
            axes.legend(frameon=False, fontsize=9, ncols=min(3, len(names)))
        else:
            axes.set_ylabel(objective)
        for stage in stages:
            axes.axvline(stage, color="#999999", linewidth=0.8, alpha=0.6, zorder=0)
    panels[-1].set_xlabel("step")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _columns(history: History) -> tuple[dict[str, np.ndarray], np.ndarray]:
    columns = {name: np.asarray(values, dtype=float) for name, values in history.items()}
    if "objective" not in columns:
        raise ValueError("Argument `history` must hold the values of `objective`, but has none.")
    length = len(columns["objective"])
    for name, values in columns.items():
        if values.shape != (length,):
            raise ValueError(
                f"Argument `history` must have {length} values for `{name}`, but has shape {values.shape}."
            )
    steps = columns.pop("step", np.arange(length, dtype=float))
    return columns, steps
