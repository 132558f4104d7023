"""A structure of cells seen along z: how it moves, what its cells are, and a report of both."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxmeta.io import Path, write_bytes

from ._embed import picture_html, viewer_html
from ._history import History, draw_history
from ._mesh import Mesh
from ._report import _HINT, composed


class Moved(NamedTuple):
    """A section that moves.

    Attributes:
        title: What it is.
        displacement: Of the cells' corners in the section's plane, shape (x + 1, y + 1, 2), in edges of a cell.
        there: Cells that are there, shape (x, y).
    """

    title: str
    displacement: Float[np.ndarray, "x1 y1 2"]
    there: Bool[np.ndarray, "x y"]


def draw_sections(
    sections: Sequence[Moved], undisturbed: Float[np.ndarray, "x1 y1 2"], stiffness: Float[np.ndarray, "x y"]
) -> bytes:
    """Draws moved sections side by side, below each how it differs from the undisturbed one, and a map of C11.

    Args:
        sections: What is compared.
        undisturbed: Displacement without hole, like that of the sections.
        stiffness: C11 of every cell of the last section, relative to the solid; not shown where no cell is.

    Returns:
        A PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(sections)
    figure = Figure(figsize=(4.6 * (count + 1), 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, count + 1)
    x, y = (np.arange(side, dtype=float) for side in undisturbed.shape[:2])
    largest = float(np.linalg.norm(undisturbed, axis=-1).max())
    scale = 0.12 * len(x) / largest
    apart = max(float(np.abs(_gaps(one, undisturbed)).max()) for one in sections[:1])
    for column, one in enumerate(sections):
        top, below = axes[0, column], axes[1, column]
        moved = np.stack(np.broadcast_arrays(x[:, None], y[None]), -1) + scale * one.displacement
        sizes = np.ma.array(_centres(np.linalg.norm(one.displacement, axis=-1)), mask=~one.there)
        shown = top.pcolormesh(moved[..., 0], moved[..., 1], sizes, cmap="viridis", vmin=0, vmax=largest)
        top.set_title(one.title)
        gap = np.ma.array(_centres(_gaps(one, undisturbed)), mask=~one.there)
        lower = below.pcolormesh(x, y, gap.T, cmap="magma_r", vmin=0, vmax=apart)
        below.set_title("distance from the undisturbed one", fontsize=9)
        if column == count - 1:
            figure.colorbar(shown, ax=top, label="displacement")
            figure.colorbar(lower, ax=below, label="distance")
    there = sections[-1].there
    picture = axes[0, count].pcolormesh(
        x, y, np.ma.array(stiffness, mask=~there).T, cmap="cividis", norm=_logarithmic(stiffness[there])
    )
    axes[0, count].set_title("C11 of the cells")
    figure.colorbar(picture, ax=axes[0, count], label="of Young's modulus")
    axes[1, count].axis("off")
    for panel in axes.ravel():
        panel.set_aspect("equal")
        panel.set_xticks([])
        panel.set_yticks([])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _logarithmic(values: np.ndarray) -> Any:
    from matplotlib.colors import LogNorm

    return LogNorm(float(values.min()), float(values.max()) * (1 + 1e-9))


def _gaps(one: Moved, undisturbed: np.ndarray) -> np.ndarray:
    return np.linalg.norm(one.displacement - undisturbed, axis=-1)


def _centres(nodal: np.ndarray) -> np.ndarray:
    return (nodal[:-1, :-1] + nodal[1:, :-1] + nodal[:-1, 1:] + nodal[1:, 1:]) / 4


def draw_voxels(voxels: Bool[np.ndarray, "x y"], limit: int = 1600) -> bytes:
    """Draws a plane of voxels, x to the right and y upwards; grey where several share a pixel.

    Args:
        voxels: Solid or not.
        limit: Most pixels along an edge.

    Returns:
        A PNG file.
    """
    from matplotlib.image import imsave

    step = -(-max(voxels.shape) // limit)
    x, y = (side - side % step for side in voxels.shape)
    shares = voxels[:x, :y].reshape(x // step, step, y // step, step).mean(axis=(1, 3))
    buffer = io.BytesIO()
    imsave(buffer, 1 - 0.75 * shares.T, origin="lower", cmap="gray", vmin=0, vmax=1, format="png")
    return buffer.getvalue()


def section_mesh(one: Moved, scale: float) -> Mesh:
    """A moved section as a plate that can be turned, coloured by the displacement.

    Args:
        one: The section.
        scale: Factor on the displacement.
    """
    x, y = np.meshgrid(*(np.arange(side, dtype=float) for side in one.displacement.shape[:2]), indexing="ij")
    nodes = np.stack([x, y], -1) + scale * one.displacement
    i, j = np.nonzero(one.there)
    width = one.displacement.shape[1]
    corners = np.stack([i * width + j, (i + 1) * width + j, (i + 1) * width + j + 1, i * width + j + 1], -1)
    triangles = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
    flat = nodes.reshape(-1, 2)
    flat = (flat - flat.min(axis=0)) / np.ptp(flat, axis=0).max()
    thick = 0.02
    count = len(flat)
    vertices = np.concatenate([np.c_[flat, np.full(count, thick)], np.c_[flat, np.zeros(count)]])
    normals = np.concatenate([np.tile([0.0, 0.0, 1.0], (count, 1)), np.tile([0.0, 0.0, -1.0], (count, 1))])
    faces = np.concatenate([triangles, triangles[:, ::-1] + count])
    values = np.tile(np.linalg.norm(one.displacement, axis=-1).ravel(), 2)
    return Mesh(
        vertices.astype(np.float32), normals.astype(np.float32), faces.astype(np.int32), values.astype(np.float32)
    )


def write_structure_report(
    path: Path,
    *,
    title: str,
    sentences: Sequence[str],
    sections: Sequence[Moved],
    pictures: Mapping[str, bytes],
    numbers: Mapping[str, Any],
    history: History | None = None,
    settings: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Writes the report of a structure in one file that needs no other.

    Args:
        path: The file, `.html`.
        title: Heading.
        sentences: What is said of the structure.
        sections: Those that can be turned, side by side.
        pictures: Caption to PNG file.
        numbers: A table of names and values.
        history: Quantities over the steps of the design.
        settings: What it was made with.
        versions: Package to version.
        files: Name of a file beside the report to what is in it.
        notes: Sentences to be seen first.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
    """
    largest = max(float(np.linalg.norm(one.displacement, axis=-1).max()) for one in sections)
    scale = 0.12 * sections[0].displacement.shape[0] / largest
    viewers = []
    for one in sections:
        mesh = section_mesh(one, scale)
        size = np.maximum(mesh.vertices.max(axis=0), 1e-3)
        caption = f"{one.title}; displacements {scale:.3g} times as large. {_HINT}"
        viewers.append(viewer_html(mesh, caption, one.title, size=(size / size.max()).tolist()))
    shown = "".join(picture_html(png, caption, caption) for caption, png in pictures.items())
    course = "" if history is None else picture_html(
        draw_history(history, None, "distortion"), "Steps of the design", "Course of the design", "course"
    )  # fmt: skip
    tables = {"Numbers": numbers, "Settings": settings or {}, "Versions": versions or {}}
    page = composed(title, sentences, viewers, {"Pictures": shown, "History": course}, tables, files or {}, notes)
    write_bytes(path, page.encode(), overwrite)
