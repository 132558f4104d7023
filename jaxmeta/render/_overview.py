"""A report of a run that compares many cells: sentences, a table, pictures, settings, in one file."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from jaxmeta.io import Path, write_bytes

from ._embed import picture_html
from ._report import composed
from ._tables import number


def write_overview(
    path: Path,
    *,
    title: str,
    sentences: Sequence[str],
    table: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, bytes],
    settings: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Writes a report in one file that needs no other.

    Args:
        path: The file, `.html`.
        title: Heading.
        sentences: What is said of the run.
        table: Rows of one table, each with the same names in the same order; texts, or numbers.
        pictures: Caption to PNG file.
        settings: What it was made with.
        versions: Package to version.
        files: Name of a file beside the report to what is in it.
        notes: Sentences to be seen first.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.

    Example:
        >>> from jaxmeta.render import write_overview
        >>> rows = [{"way": "raw", "error": 0.1}, {"way": "fitted", "error": 4e-4}]
        >>> write_overview("report.html", title="Two ways", sentences=["Of one target."], table=rows, pictures={})
    """
    shown = "".join(picture_html(png, caption, caption) for caption, png in pictures.items())
    tables = {"Settings": settings or {}, "Versions": versions or {}}
    page = composed(title, sentences, (), {"Numbers": _table(table), "Pictures": shown}, tables, files or {}, notes)
    write_bytes(path, page.encode(), overwrite)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    kinds = {name: "" if isinstance(value, str) else ' class="number"' for name, value in rows[0].items()}
    head = "".join(f'<th scope="col"{kind}>{html.escape(name)}</th>' for name, kind in kinds.items())
    body = "".join(
        f"<tr>{''.join(f'<td{kinds[name]}>{number(value, 4)}</td>' for name, value in row.items())}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
