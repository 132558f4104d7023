"""What an optimisation answers: objective, what was asked and what the binary cell has, and the course of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._goals import Goal

if TYPE_CHECKING:
    from jaxmeta import Optimization


def outcome(goal: Goal, found: Optimization) -> dict[str, Any]:
    """How the run went, with the objective's sign for the eye."""
    report = dict(found.report)
    report.pop("seconds")  # those of the whole command are told
    grey, binary = (goal.sign * report.pop(f"objective_{kind}") for kind in ("grey", "binary"))
    loss = report.pop("loss_from_binarising")
    for name in ("volume_fraction", "connected", "percolates"):  # said of the cell already
        report.pop(name, None)
    told = {
        "objective": goal.name,
        "sense": "maximized" if goal.sign < 0 else "minimized",
        "optimised": grey,
        "binary": binary,
        "loss_from_binarising": loss,
        "relative_loss": loss / abs(grey) if grey else None,
        "result": found.result.name,
        "text": found.result.text,
        "constraints": asked(goal, found),
    }
    return told | report


def asked(goal: Goal, found: Optimization) -> list[dict[str, Any]]:
    """Every constraint and target: what was asked, and what the binary cell has; components of a target first."""
    import jax.numpy as jnp

    rows = [] if goal.target is None else components(goal.target, found.stiffness)
    for function, excess in zip(goal.constraints, found.report["constraints_binary"], strict=False):
        quantity, bound = getattr(function, "quantity", None), getattr(function, "bound", None)
        got = None if quantity is None else float(quantity(jnp.asarray(found.stiffness), jnp.asarray(found.cell)))
        row = {"name": getattr(function, "name", "constraint"), "excess": excess}
        if got is not None and bound is not None:
            bound = 1.0 if row["name"].startswith("isotropic") else float(bound)
            row |= {"asked": bound, "got": got, "difference": got - bound}
        rows.append(row)
    if goal.most < 1:
        got = found.report["volume_fraction"]
        row = {"name": "volume fraction at most", "excess": found.report["constraints_binary"][-1]}
        rows.append(row | {"asked": goal.most, "got": got, "difference": got - goal.most})
    return rows


def components(target: Any, stiffness: Any) -> list[dict[str, Any]]:
    """Of a whole stiffness that was asked for: three numbers where both are cubic, else every one that is not zero."""
    import numpy as np

    wanted, got = np.asarray(target, float), np.asarray(stiffness, float)
    size = np.abs(wanted).max()
    places = [(i, j) for i in range(6) for j in range(i, 6) if max(abs(wanted[i, j]), abs(got[i, j])) > 1e-6 * size]
    if all(_is_cubic(matrix) for matrix in (wanted, got)):
        places = [(0, 0), (0, 1), (3, 3)]
    return [
        {"name": f"C{i + 1}{j + 1}", "asked": wanted[i, j], "got": got[i, j], "difference": got[i, j] - wanted[i, j]}
        for i, j in places
    ]


def _is_cubic(matrix: Any) -> bool:
    import numpy as np

    cubic = np.zeros((6, 6))
    cubic[:3, :3] = matrix[0, 1]
    cubic[range(6), range(6)] = [matrix[0, 0]] * 3 + [matrix[3, 3]] * 3
    return bool(np.abs(matrix - cubic).max() <= 1e-6 * np.abs(matrix).max())


def sentence(outcome: dict[str, Any]) -> str:
    """The objective, as optimised and as a binary cell."""
    name = f"{outcome['objective'][0].upper()}{outcome['objective'][1:]}"
    text = f"{name}: {outcome['optimised']:.5g} as optimised, {outcome['binary']:.5g} as a binary cell"
    relative = outcome["relative_loss"]
    if relative is None:
        return f"{text}."
    return f"{text}, {100 * abs(relative):.2g} % {'worse' if relative > 0 else 'better'}."


def answer(row: dict[str, Any]) -> str:
    """One of them as a sentence."""
    if "got" not in row:
        return f"{row['name']}: {'held' if row['excess'] <= 1e-3 else 'not held'}."
    return f"{row['name']}: asked {row['asked']:.5g}, got {row['got']:.5g}, difference {row['difference']:+.2g}."


def signed(goal: Goal, history: dict[str, list]) -> dict[str, Any]:
    """The history for a file, with the objective's sign for the eye."""
    return {
        **history,
        "objective": [goal.sign * value for value in history["objective"]],
        "objective_name": goal.name,
        "constraint_names": [*(getattr(g, "name", "constraint") for g in goal.constraints), "volume fraction"],
    }


def curves(goal: Goal, found: Optimization) -> dict[str, list[float]]:
    """What the report draws over the steps."""
    history = found.history
    lines = {
        "objective": [goal.sign * value for value in history["objective"]],
        "volume fraction": history["volume_fraction"],
        "greyness": history["greyness"],
        "sharpness": history["beta"],
        "step": list(range(1, len(history["objective"]) + 1)),
    }
    for position, function in enumerate(goal.constraints):
        lines[f"excess: {function.name}"] = [values[position] for values in history["constraints"]]
    return lines
