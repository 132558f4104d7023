"""Tables of a report, as HTML with all text escaped."""

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_VOIGT = ("11", "22", "33", "23", "13", "12")
_ZERO = 1e-6
_HELD = 1e-3
"""Excess of a constraint that counts as none."""


def number(value: Any, digits: int = 5) -> str:
    """Returns a number as short text, with a dash for None and for what is not finite; other values as escaped text."""
    if value is None:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        value = float(value)
        # A true minus sign in front; the exponent's stays plain, so that a setting can be copied.
        return re.sub("^-", "−", f"{value:.{digits}g}") if math.isfinite(value) else "–"
    if isinstance(value, Mapping | Sequence | np.ndarray) and not isinstance(value, str):
        value = json.dumps(value, default=lambda item: item.tolist() if hasattr(item, "tolist") else str(item))
    return html.escape(str(value))


_COLUMNS = {
    "value": "Value",
    "unit": "Unit",
    "relative": "Of solid",
    "bound": "Bound",
    "share": "Of bound",
}


def properties_table(properties: Sequence[Mapping[str, Any]]) -> str:
    """Returns the table of properties against the solid and their bounds; columns without any entry are left out.

    Args:
        properties: Rows with `name` and `value`, and where they exist `unit`, `relative`, the value as a part of the
            solid's, `bound` and `share`, the value as a part of the bound, 1 on the bound.

    Returns:
        HTML.

    Raises:
        ValueError: If a row has other keys or lacks its name or value.
    """
    for row in properties:
        if not {"name", "value"} <= set(row) <= {"name", *_COLUMNS}:
            raise ValueError(
                "Argument `properties` must have rows of `name`, `value`, `unit`, `relative`, `bound` and `share`, the "
                f"last four optional, but one has {sorted(row)}."
            )
    shown = [key for key in _COLUMNS if any(row.get(key) not in (None, "") for row in properties)]
    head = "".join(f'<th scope="col"{_kind(key)}>{_COLUMNS[key]}</th>' for key in shown)
    rows = [
        f'<tr><th scope="row">{html.escape(str(row["name"]))}</th>'
        + "".join(f"<td{_kind(key)}>{_entry(key, row.get(key))}</td>" for key in shown)
        + "</tr>"
        for row in properties
    ]
    head = f'<thead><tr><th scope="col">Property</th>{head}</tr></thead>'
    return f'<div class="wide"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _kind(key: str) -> str:
    return {"unit": "", "share": ' class="share number"'}.get(key, ' class="number"')


def _entry(key: str, value: Any) -> str:
    if key == "unit":
        return html.escape(str(value or ""))
    if key == "relative":
        return "–" if value is None or not math.isfinite(value) else f"{_percent(value)} %"
    return _share(value) if key == "share" else number(value)


def _percent(share: float) -> str:
    digits = f"{100 * share:.1f}" if abs(share) >= 1e-3 or share == 0 else f"{100 * share:.1g}"
    return re.sub("^-", "−", digits)


def _share(share: Any) -> str:
    if share is None or not math.isfinite(share):
        return "–"
    filled = 100 * min(max(float(share), 0.0), 1.0)
    return f'{_percent(share)} %<span class="bar" aria-hidden="true"><i style="width: {filled:.1f}%"></i></span>'


def answers_table(answers: Sequence[Mapping[str, Any]]) -> str:
    """Returns the table of what was asked of a cell, and what it has.

    Args:
        answers: Rows of `name` and, where they exist, `asked`, `got`, `difference` and `excess`, which is not positive
            where a constraint holds.

    Returns:
        HTML.
    """
    columns = ("asked", "got", "difference")
    head = "".join(f'<th scope="col" class="number">{name.capitalize()}</th>' for name in columns)
    rows = [
        f'<tr><th scope="row">{html.escape(str(row["name"]))}</th>'
        + "".join(
            f'<td class="number">{number(row.get(name), 2 if name == "difference" else 5)}</td>' for name in columns
        )
        + f"<td>{_held(row.get('excess'))}</td></tr>"
        for row in answers
    ]
    head = f'<thead><tr><th scope="col">Quantity</th>{head}<th scope="col">Held</th></tr></thead>'
    return f'<div class="wide"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _held(excess: float | None) -> str:
    return "–" if excess is None else "yes" if excess <= _HELD else "no"


def stiffness_table(stiffness: np.ndarray) -> str:
    """Returns the stiffness matrix, rows and columns named; the darker, the larger.

    Args:
        stiffness: Shape (6, 6), Voigt order 11 22 33 23 13 12, any unit of stress.

    Returns:
        HTML.
    """
    largest = float(np.abs(stiffness).max())
    head = "".join(f'<th scope="col">{name}</th>' for name in _VOIGT)
    rows = []
    for name, line in zip(_VOIGT, stiffness.tolist(), strict=True):
        cells = "".join(_matrix_cell(value, largest) for value in line)
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    return f'<div class="wide"><table class="matrix"><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'


def _matrix_cell(value: float, largest: float) -> str:
    if abs(value) <= _ZERO * largest:
        return '<td class="zero">0</td>'
    part = 4 + 34 * math.sqrt(abs(value) / largest)
    return f'<td style="background: color-mix(in srgb, var(--accent) {part:.0f}%, transparent)">{number(value)}</td>'


def facts_table(facts: Mapping[str, Any]) -> str:
    """Returns a table of names and values.

    Args:
        facts: Name to value of any kind.

    Returns:
        HTML.
    """
    rows = "".join(
        f'<tr><th scope="row">{html.escape(str(name).replace("_", " "))}</th><td>{number(value, 8)}</td></tr>'
        for name, value in facts.items()
    )
    return f'<table class="facts"><tbody>{rows}</tbody></table>'
