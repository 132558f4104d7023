"""The code of the documentation, as it stands in its pages, for the tests that run it."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
_CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Cell(NamedTuple):
    """A code cell of a MyST notebook."""

    tags: tuple[str, ...]
    code: str


def cells(page: str) -> list[Cell]:
    """Code cells of a page, given relative to the folder of the documentation."""
    found = []
    for match in _CELL.finditer((ROOT / "docs" / page).read_text("utf-8")):
        lines = match["body"].splitlines()
        options = [line for line in lines if line.startswith(":")]
        tags = tuple(tag for line in options if line.startswith(":tags:") for tag in re.findall(r"[\w-]+", line[6:]))
        found.append(Cell(tags, "\n".join(lines[len(options) :])))
    return found


def blocks(path: str, language: str) -> list[str]:
    """Fenced blocks of one language in a Markdown file, given relative to the repository."""
    text = (ROOT / path).read_text("utf-8")
    return [match["body"] for match in _BLOCK.finditer(text) if match["language"] == language]
