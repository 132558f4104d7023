"""The tables of the README, each between a mark with its name and the mark of an end."""

from __future__ import annotations

from pathlib import Path

README = Path(__file__).with_name("README.md")


def put(**tables: str) -> None:
    """Put tables in the place of those of the same name."""
    text = README.read_text("utf-8")
    for name, table in tables.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->\n")
        if not end:
            raise ValueError(f"README.md: expected the marks of `{name}` and of its end, but they are missing.")
        text = f"{before}{begin}{table}{end}{after}"
    README.write_text(text, "utf-8")
