"""What a command prints for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_VOIGT = ("11", "22", "33", "23", "13", "12")


def print_result(
    heading: str, facts: dict[str, Any], table: Sequence[dict[str, Any]], lines: Sequence[str], notes: Sequence[str]
) -> None:
    """Prints the stiffness matrix, the table of properties and what else there is to say.

    Args:
        heading: First line.
        facts: From `describe`.
        table: From `rows`.
        lines: Sentences below the tables.
        notes: Sentences of warning, last.
    """
    console = Console(highlight=False)
    # In a file or a pipe a sentence stays on one line.
    whole = not console.is_terminal
    console.print(heading, style="bold", markup=False, soft_wrap=whole)
    print_table(console, stiffness_table(facts["stiffness"], facts["unit"]))
    print_table(console, properties_table(table))
    for line in lines:
        console.print(line, markup=False, soft_wrap=whole)
    for note in notes:
        console.print(f"Note: {note}", style="yellow", markup=False, soft_wrap=whole)


def print_cells(facts: dict[str, Any], lines: Sequence[str], notes: Sequence[str]) -> None:
    """Prints what was wanted of cells, and what each of them has.

    Args:
        facts: `wanted` by name, and `cells`.
        lines: Sentences below the table.
        notes: Sentences of warning, last.
    """
    console = Console(highlight=False)
    whole = not console.is_terminal
    columns = ("Volume", "E", "ν", "Zener", "Thinnest", "Closed pores", "Start", "Error", "Solves")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("Cell", header_style="dim", no_wrap=True)
    for name in ("C11", "C12", "C44", *columns):
        table.add_column(name, justify="right", header_style="dim", no_wrap=True)
    wanted = facts["wanted"]
    asked = [number(wanted.get(name)) for name in ("C11", "C12", "C44", "volume fraction")]
    table.add_row("wanted", *asked, *[""] * (len(columns) - 1), style="dim", end_section=True)
    for cell in facts["cells"]:
        got = [number(row["got"]) for row in cell["asked"][:3]]
        table.add_row(
            cell["folder"], *got, number(cell["volume_fraction"]), number(cell["young"]),
            number(cell["poisson"]), number(cell["moduli"]["zener"]), str(cell["thinnest_member"]),
            str(cell["closed_pores"]), percent(cell["provenance"]["start_error"]),
            f"{100 * cell['error']:.2g} %", str(cell["solves"]),
        )  # fmt: skip
    print_table(console, table)
    for line in lines:
        console.print(line, markup=False, soft_wrap=whole)
    for note in notes:
        console.print(f"Note: {note}", style="yellow", markup=False, soft_wrap=whole)


def print_rows(rows: Sequence[dict[str, str]]) -> None:
    """Prints a table of texts.

    Args:
        rows: Lines with the same names in the same order; the first two columns are flush left.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for column, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if column < 2 else "right", header_style="dim", no_wrap=True)
    for row in rows:
        table.add_row(*row.values())
    print_table(Console(highlight=False), table)


def print_table(console: Console, table: Table) -> None:
    """Prints a table in its full width: on a narrow terminal its lines wrap, and no number is cut short."""
    width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    Console(highlight=False, width=max(width, console.width)).print(table)


def stiffness_table(stiffness: Sequence[Sequence[float]], unit: str) -> Table:
    """The stiffness matrix; entries below a millionth of the largest are shown as 0."""
    largest = max(abs(value) for line in stiffness for value in line)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column(f"C ({unit})" if unit else "C", header_style="dim", style="dim")
    for name in _VOIGT:
        table.add_column(name, justify="right", header_style="dim", no_wrap=True)
    for name, line in zip(_VOIGT, stiffness, strict=True):
        table.add_row(name, *("[dim]0[/]" if abs(value) <= 1e-6 * largest else f"{value:.5g}" for value in line))
    return table


def properties_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The properties against the solid and the bounds; columns without any entry are left out."""
    columns = {
        "Value": lambda row: number(row["value"]),
        "Unit": lambda row: row["unit"],
        "Of solid": lambda row: percent(row["relative"]),
        "HS bound": lambda row: number(row["bound"]),
        "Of bound": lambda row: percent(row["share"]),
    }
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("Property", header_style="dim", no_wrap=True)
    shown = {name: show for name, show in columns.items() if any(show(row) for row in rows)}
    for name in shown:
        justify = "left" if name == "Unit" else "right"
        table.add_column(name, justify=justify, header_style="dim", no_wrap=True)
    for row in rows:
        cells = ((show(row) or ("" if name == "Unit" else "[dim]–[/]")) for name, show in shown.items())
        table.add_row(row["name"], *cells)
    return table


def number(value: float | None) -> str:
    """Five digits, or nothing."""
    return "" if value is None else f"{value:.5g}"


def percent(value: float | None) -> str:
    """Per cent, or nothing."""
    return "" if value is None else f"{100 * value:.1f} %" if abs(value) >= 1e-3 else f"{100 * value:.1g} %"
