"""What `jaxmeta dataset info` and `nearest` print for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ._tables import print_table

_RANGES = {
    "volume_fraction": "Volume fraction",
    "c11": "C11 / E",
    "c12": "C12 / E",
    "c44": "C44 / E",
    "poisson": "Poisson's ratio C12/(C11 + C12)",
    "zener": "Zener's ratio 2 C44/(C11 − C12)",
    "bulk": "Bulk modulus / bound, K/K_HS",
    "shear": "Shear modulus (Voigt) / bound",
}


def print_info(facts: Mapping[str, Any]) -> None:
    """Prints counts, ranges and coverage.

    Args:
        facts: From `jaxmeta.dataset.info`, with `library` and `notes`.
    """
    console = Console(highlight=False)
    whole = not console.is_terminal
    even, records = facts["even"], facts["records"]
    console.print(f"{facts['library']}: {_plural(records, 'record')}", style="bold", markup=False, soft_wrap=whole)
    for line in _lines(facts):
        console.print(line, markup=False, soft_wrap=whole)
    print_table(console, _ranges(facts["ranges"]))
    parts = [(f"All {records} records", facts["coverage"])]
    if even < records:
        parts.append((f"The first {even}", facts["even_coverage"]))
    for name, coverage in parts:
        console.print(f"{name}, by volume fraction from (rows) and K/K_HS from (columns):", markup=False)
        print_table(console, _both(facts["edges"], coverage["bulk"]))
    console.print("By Poisson's ratio:", markup=False)
    print_table(console, _poisson(facts["edges"]["poisson"], parts))
    if facts.get("files"):
        console.print(f"Wrote {', '.join(facts['files'])}.", markup=False, soft_wrap=whole)
    for note in facts["notes"]:
        console.print(f"Note: {note}", style="yellow", markup=False, soft_wrap=whole)


def _lines(facts: Mapping[str, Any]) -> list[str]:
    optimised, children = facts["optimised"], facts["children"]
    solid, side = facts["solid"], facts["side"]
    lines = [
        f"Optimised: {sum(optimised.values())} ({_listed(optimised)}), {facts['isotropic']} of them constrained to "
        "isotropy."
    ]
    if children:
        rounds = {f"round {number}": count for number, count in children.items()}
        lines.append(f"Children: {sum(children.values())} ({_listed(rounds)}).")
    lines.append(f"Families, of a cell and its children: {facts['families']}. Splits: {_listed(facts['splits'])}.")
    if facts["flagged"]:
        lines.append(f"Flagged: {facts['flagged']}, above a bound by less than is allowed for voxel contacts.")
    if "lost" in facts:
        lines.append(f"Damaged: {_plural(facts['lost'], 'record')}, left out here.")
    lines.append(
        f"Octants of {side}³ voxels, cells of {2 * side}³; solid with E = {solid['young']:g} and "
        f"ν = {solid['poisson']:g}, void with {solid['void']:g} E."
    )
    lines.append(f"Made by jaxmeta {facts['version']}; licence {facts['licence']}.")
    for command, settings in facts["settings"].items():
        lines.append(f"Settings: {command} {_shown(settings)}")
    return lines


def _shown(settings: Any) -> str:
    if not isinstance(settings, Mapping):
        return str(settings)
    return ", ".join(f"{name} {value}" for name, value in settings.items() if name not in ("command", "round"))


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _plural(count: int, name: str) -> str:
    return f"{count} {name}{'s' * (count != 1)}"


def _ranges(ranges: Mapping[str, Mapping[str, float]]) -> Table:
    table = _table("Property", "Lowest", "Median", "Highest")
    for key, name in _RANGES.items():
        table.add_row(name, *(f"{ranges[key][place]:.4g}" for place in ("lowest", "median", "highest")))
    return table


def _both(edges: Mapping[str, Sequence[float]], counts: Sequence[Sequence[int]]) -> Table:
    """Counts by volume fraction and K/K_HS, between the first and the last row and column that have any."""
    sums = [sum(column) for column in zip(*counts, strict=True)]
    columns = _span(sums)
    beyond = len(sums) - 1  # what is above the bound
    heads = ["≥ 1" if c == beyond else f"{edges['bulk'][c]:.1f}" for c in columns]
    table = _table("", *heads, "Sum", padding=0)  # so it fits into 80 characters
    for row in _span([sum(line) for line in counts]):
        line = [_count(counts[row][c]) for c in columns]
        table.add_row(f"{edges['volume_fraction'][row]:.2f}", *line, str(sum(counts[row])))
    table.add_section()
    table.add_row("Sum", *(str(sums[c]) for c in columns), str(sum(sums)))
    return table


def _poisson(edges: Sequence[float], parts: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    table = _table("", *(name for name, _ in parts))
    for row in _span(parts[0][1]["poisson"]):
        counts = (_count(coverage["poisson"][row]) for _, coverage in parts)
        table.add_row(f"{edges[row]:.1f} to {edges[row + 1]:.1f}", *counts)
    return table


def _span(counts: Sequence[int]) -> range:
    """Places from the first to the last that is not zero."""
    places = [place for place, count in enumerate(counts) if count]
    return range(places[0], places[-1] + 1)


def _count(count: int) -> str:
    return str(count) if count else "[dim]·[/]"


def _table(first: str, *others: str, padding: tuple[int, int] | int = (0, 1)) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=padding)
    table.add_column(first, header_style="dim", no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", header_style="dim", no_wrap=True, min_width=4)
    return table


def print_nearest(facts: Mapping[str, Any]) -> None:
    """Prints the nearest records.

    Args:
        facts: `wanted` and `records`.
    """
    wanted = facts["wanted"]
    names = ["c11", "c12", "c44", "volume_fraction"]
    table = _table("Record", "C11", "C12", "C44", "Volume", "Relative error", "Error")
    cells = ("" if wanted[name] is None else f"{wanted[name]:.5g}" for name in names)
    table.add_row("wanted", *cells, "", "", style="dim", end_section=True)
    for record in facts["records"]:
        cells = (f"{record[name]:.5g}" for name in names)
        shares = (f"{100 * record[name]:.3g} %" for name in ("relative_error", "error"))
        table.add_row(str(record["record"]), *cells, *shares)
    console = Console(highlight=False)
    print_table(console, table)
    text = (
        "Relative error: norm of the difference of C11, C12 and C44 over that of the wanted ones. Error: their mean "
        "difference, each relative to its range in the data of Yang and others (their Eq. 3)."
    )
    if wanted["volume_fraction"] is not None:
        text += " In order of the sum of the relative error and the difference of the volume fraction."
    console.print(text, markup=False, soft_wrap=not console.is_terminal)
