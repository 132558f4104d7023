"""A report in one HTML file that needs no network, no server and no other file."""

import html
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Real, Shaped

from jaxmeta.io import Path, write_bytes

from ._embed import picture_html, viewer_html
from ._errors import PictureError
from ._history import History, draw_history
from ._mesh import cell_mesh
from ._modulus import modulus_mesh
from ._modulus_picture import draw_modulus
from ._picture import COLOR, draw_cells
from ._tables import answers_table, facts_table, properties_table, stiffness_table

# The browser itself refuses whatever is not in the file.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'"
_HINT = "Drag or use the arrow keys to turn; + and − or pinch to zoom (the wheel too, once clicked); 0 starts over."


def write_report(
    path: Path,
    *,
    title: str,
    cell: Shaped[np.ndarray, "nx ny nz"],
    stiffness: Real[np.ndarray, "6 6"],
    properties: Sequence[Mapping[str, Any]],
    sentences: Sequence[str] = (),
    history: History | None = None,
    bounds: Mapping[str, float] | None = None,
    objective: str = "objective",
    settings: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    unit: str = "",
    answers: Sequence[Mapping[str, Any]] = (),
    stills: Mapping[int, bytes] | None = None,
    pictures: bool = True,
    overwrite: bool = False,
) -> list[str]:
    """Writes a report: the cell to be turned and in pictures, its moduli over all directions, tables of all numbers.

    What cannot be drawn is left out, and a note in the report says why.

    Args:
        path: The file, `.html`.
        title: Heading.
        cell: Density, shape (nx, ny, nz), no unit; solid above 1/2.
        stiffness: Shape (6, 6), Voigt order 11 22 33 23 13 12, in `unit`.
        properties: Rows of a table: `name`, `value` and where they exist `unit`, `relative` (1 as the solid), `bound`,
            `share` (1 on the bound).
        sentences: What is said of the cell, below the heading.
        history: Quantities over the steps of an optimisation, as in `history_plot`.
        bounds: Bounds of those quantities, as in `history_plot`.
        objective: Name of the objective, with its unit, as in `history_plot`.
        settings: What the result was computed with.
        versions: Package to version.
        files: Name of a file beside the report to what is in it; each is linked.
        notes: Sentences to be seen first, such as a solver's warning.
        spacing: Voxel edges, three lengths.
        unit: Name of the stiffness's unit.
        answers: What was asked of the cell and what it has: rows of `name` and, where they exist, `asked`, `got`,
            `difference` and `excess`, which is not positive where a constraint holds.
        stills: PNG files of the cell by its copies along each axis, 1 and 2, where there are some already.
        pictures: Whether to draw still pictures of the cell, which takes some seconds.
        overwrite: Whether an existing file may be replaced.

    Returns:
        All notes in the report, the given ones first.

    Raises:
        FileError: If the file exists or cannot be written.
        ValueError: If an argument has the wrong shape or keys.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.render import write_report
        >>> write_report(
        ...     "report.html",
        ...     title="A full block",
        ...     cell=np.ones((8, 8, 8)),
        ...     stiffness=np.eye(6),
        ...     properties=[{"name": "Volume fraction", "value": 1.0}],
        ...     pictures=False,
        ... )
        []
    """
    density, matrix = np.asarray(cell), np.asarray(stiffness, dtype=float)
    if density.ndim != 3 or 0 in density.shape:
        raise ValueError(f"Argument `cell` must have shape (nx, ny, nz), but has shape {density.shape}.")
    if matrix.shape != (6, 6):
        raise ValueError(f"Argument `stiffness` must have shape (6, 6), but has shape {matrix.shape}.")
    remarks = [str(note) for note in notes]
    viewers = [
        _attempt(remarks, lambda: _cell_viewer(density, spacing)),
        _attempt(remarks, lambda: _modulus_viewer(matrix, unit)),
    ]
    drawn = [
        _attempt(remarks, draw) for draw in _still_pictures(density, spacing, matrix, unit, stills or {}, pictures)
    ]
    course = "" if history is None else _course(history, bounds, objective)
    lead = f"{' × '.join(map(str, density.shape))} voxels, volume fraction {float(np.mean(density)):.4g}"
    parts = [
        f"<h1>{html.escape(title)}</h1><p class='lead'>{lead}</p>",
        "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences),
        _notes(remarks),
        f"<div class='row viewers'>{''.join(viewers)}</div>",
        _section("Properties", properties_table(properties)) if properties else "",
        _section("Asked and got", answers_table(answers) if answers else ""),
        _section("Pictures", f"<div class='row three'>{''.join(drawn)}</div>" if any(drawn) else ""),
        _section("History", course),
        _section(f"Stiffness{f' in {unit}' if unit else ''}", _stiffness(matrix)),
        _section("Files", _files(files or {})),
        _section("Settings and versions", _facts(settings or {}, versions or {})),
    ]
    write_bytes(path, _page(title, "\n".join(part for part in parts if part)).encode(), overwrite)
    return remarks


def _attempt(remarks: list[str], draw: Callable[[], str]) -> str:
    try:
        return draw()
    except (PictureError, ValueError) as error:
        if str(error) not in remarks:
            remarks.append(str(error))
        return ""


def _cell_viewer(cell: np.ndarray, spacing: tuple[float, float, float]) -> str:
    mesh = cell_mesh(cell, spacing=spacing, limit=90_000)
    edges = np.asarray(cell.shape) * np.asarray(spacing)
    shown = (
        "the surface that is written to files"
        if mesh.coarse == 1
        else f"drawn from blocks of {mesh.coarse} × {mesh.coarse} × {mesh.coarse} voxels"
    )
    caption = f"One cell, {shown}. {_HINT}"
    size = (edges / edges.max()).tolist()
    return viewer_html(mesh, caption, "One cell, a surface that can be turned", color=COLOR, size=size)


def _modulus_viewer(stiffness: np.ndarray, unit: str) -> str:
    caption = "Young's modulus in every direction: the distance from the centre and the colour."
    return viewer_html(modulus_mesh(stiffness), caption, "Young's modulus in every direction", unit=unit)


def _still_pictures(
    cell: np.ndarray,
    spacing: tuple[float, float, float],
    stiffness: np.ndarray,
    unit: str,
    stills: Mapping[int, bytes],
    pictures: bool,
) -> list[Callable[[], str]]:
    def of_cell(tile: int, caption: str) -> Callable[[], str]:
        def draw() -> str:
            png = stills[tile] if tile in stills else draw_cells(cell, (tile,), spacing)[tile]
            return picture_html(png, caption, caption, "square")

        return draw

    caption = "Young's modulus over all directions"
    modulus = [lambda: picture_html(draw_modulus(stiffness, unit), caption, caption, "square")]
    return [of_cell(1, "The cell"), of_cell(2, "Two by two by two cells"), *modulus] if pictures else modulus


def _course(history: History, bounds: Mapping[str, float] | None, objective: str) -> str:
    caption = "Dashed: bounds. " if bounds else ""
    if "sharpness" in history:
        caption += (
            "Upright lines: a new stage begins with a sharper projection of the density to void and solid, where the "
            "curves jump, and goes on until the objective rests."
        )
    return picture_html(
        draw_history(history, bounds, objective), caption.strip(), "Course of the optimisation", "course"
    )


def _files(files: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><a href="{html.escape(name)}">{html.escape(name)}</a></th>'
        f"<td>{html.escape(content)}</td></tr>"
        for name, content in files.items()
        if name != "report.html"
    )
    return f'<table class="facts"><tbody>{rows}</tbody></table>' if rows else ""


def _section(heading: str, content: str) -> str:
    return f"<section><h2>{html.escape(heading)}</h2>{content}</section>" if content else ""


def _notes(remarks: Sequence[str]) -> str:
    lines = "".join(f"<p>{html.escape(remark)}</p>" for remark in remarks)
    return f"<div class='notes' role='note'>{lines}</div>" if lines else ""


def _stiffness(matrix: np.ndarray) -> str:
    caption = "Voigt order 11 22 33 23 13 12 with engineering shear strain; below a millionth of the largest entry: 0."
    return f"<figure>{stiffness_table(matrix)}<figcaption>{caption}</figcaption></figure>"


def _facts(settings: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    columns = [
        f"<div><h3>{heading}</h3>{facts_table(facts)}</div>"
        for heading, facts in (("Settings", settings), ("Versions", versions))
        if facts
    ]
    return f"<div class='row'>{''.join(columns)}</div>" if columns else ""


def composed(
    title: str,
    sentences: Sequence[str],
    viewers: Sequence[str],
    shown: Mapping[str, str],
    tables: Mapping[str, Mapping[str, Any]],
    beside: Mapping[str, str],
    notes: Sequence[str] = (),
) -> str:
    """The page of a report.

    Args:
        title: Heading.
        sentences: What is said first.
        viewers: Meshes that can be turned, side by side.
        shown: Heading to what is shown below it; empty ones are left out.
        tables: Heading to a table of names and values; empty ones are left out.
        beside: Name of a file beside the report to what is in it.
        notes: Sentences to be seen first.

    Returns:
        HTML.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences),
        _notes(notes),
        f"<div class='row viewers'>{''.join(viewers)}</div>" if viewers else "",
        *(_section(heading, content) for heading, content in shown.items()),
        *(_section(heading, facts_table(facts)) for heading, facts in tables.items() if facts),
        _section("Files", _files(beside)),
    ]
    return _page(title, "\n".join(part for part in parts if part))


def _page(title: str, body: str) -> str:
    assets = files("jaxmeta.render") / "assets"
    style = (assets / "report.css").read_text(encoding="utf-8")
    script = (assets / "viewer.js").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n"
        f"<footer>Made by jaxmeta.</footer>\n</main>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )
