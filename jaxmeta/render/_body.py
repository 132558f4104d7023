"""A report of a body of atoms: views that can be turned, pictures, numbers and the course of its design."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from jaxmeta.io import Path, write_bytes

from ._embed import picture_html, viewer_html
from ._history import History, draw_history
from ._mesh import Mesh
from ._report import _HINT, composed

_CORNERS = 600_000
"""Most corners of all balls of a view; where there are more atoms their balls are rougher."""


def ball_mesh(
    positions: Float[np.ndarray, "n 3"], values: Shaped[np.ndarray, "n"] | None = None, radius: float = 1.43
) -> tuple[Mesh, list[float]]:
    """Balls at positions, coloured by a number of every atom.

    Args:
        positions: in Å.
        values: a number of every atom, or None.
        radius: of a ball, in Å.

    Returns:
        The mesh and the edges of the box that it lies in, of which the longest is 1.
    """
    corners, faces = _ball(fine=42 * len(positions) <= _CORNERS)
    low = positions.min(0) - radius
    size = np.ptp(positions, axis=0) + 2 * radius
    scale = float(size.max())
    vertices = ((positions - low)[:, None] + radius * corners[None]).reshape(-1, 3) / scale
    numbers = np.arange(len(positions))[:, None, None] * len(corners) + faces[None]
    shown = None if values is None else np.repeat(np.asarray(values, np.float32), len(corners))
    mesh = Mesh(
        vertices.astype(np.float32), np.tile(corners, (len(positions), 1)).astype(np.float32),
        numbers.reshape(-1, 3).astype(np.int32), shown,
    )  # fmt: skip
    return mesh, (size / scale).tolist()


def _ball(fine: bool) -> tuple[np.ndarray, np.ndarray]:
    """Corners of length one and faces of an icosahedron, or of one whose triangles are four each."""
    from trimesh.creation import icosphere

    made = icosphere(subdivisions=int(fine))
    return np.asarray(made.vertices), np.asarray(made.faces)


def write_atoms_report(
    path: Path,
    *,
    title: str,
    sentences: Sequence[str],
    positions: Float[np.ndarray, "n 3"],
    values: Mapping[str, tuple[Shaped[np.ndarray, "n"], str]],
    seen: Bool[np.ndarray, "n"] | None = None,
    pictures: Mapping[str, bytes] | None = None,
    numbers: Mapping[str, Any],
    history: History | None = None,
    objective: str = "objective",
    settings: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Writes the report of a body of atoms in one file that needs no other.

    Args:
        path: The file, `.html`.
        title: Heading.
        sentences: What is said of the body.
        positions: in Å.
        values: Name to a number of every atom and its unit; for each there is a view that can be turned.
        seen: Atoms that are drawn, such as those at surfaces; all if omitted.
        pictures: Caption to PNG file.
        numbers: A table of names and values.
        history: Quantities over the steps of the design.
        objective: What stands at the axis of its objective.
        settings: What it was made with.
        versions: Package to version.
        files: Name of a file beside the report to what is in it.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
    """
    drawn = np.ones(len(positions), bool) if seen is None else seen
    viewers = []
    for name, (numbers_of, unit) in values.items():
        mesh, size = ball_mesh(positions[drawn], numbers_of[drawn])
        viewers.append(viewer_html(mesh, f"Colour: {name}. {_HINT}", f"Atoms by {name}", size=size, unit=unit))
    shown = "".join(picture_html(png, caption, caption) for caption, png in (pictures or {}).items())
    course = "" if history is None else picture_html(
        draw_history(history, None, objective), "Steps of the design", "Course of the design", "course"
    )  # fmt: skip
    tables = {"Numbers": numbers, "Settings": settings or {}, "Versions": versions or {}}
    page = composed(title, sentences, viewers, {"Pictures": shown, "History": course}, tables, files or {})
    write_bytes(path, page.encode(), overwrite)
