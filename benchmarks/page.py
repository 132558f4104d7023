"""Write the documentation's page of figures, and its plot, from the committed results.

python benchmarks/page.py
"""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
PEERS = {"scipy_jacobi": "SciPy CG, Jacobi", "pyamg": "PyAMG, smoothed aggregation"}

HEAD = """# Benchmarks

*Written by `benchmarks/page.py` from `benchmarks/results/cpu.json`, which `python benchmarks/run.py` measured.*

E = 1, ν = 0.3, periodic cell of trilinear hexahedra, SIMP 3, void 1e-9 unless it says otherwise; every case in a
process of its own, median of five runs after the first. "Set-up" is compilation with the first solve in it, or assembly
and set-up of the preconditioner. "Error" is max |ΔC_ij| / √(C_ii C_jj) against a solve in float64 to a tolerance of
1e-9; all were asked for 1e-5. "Memory" is the largest of the whole process, Python, JAX and compilation included.
"""

TAIL = """
**Where we lose.** Set-up: the first call compiles for some seconds, which only a design run or many cells of one shape
win back. Peers work in float64 and with an assembled matrix; they stop at the loosest residual, out of a list, at which
their C is right, which a user would not know.

GPU: not measured.
"""


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def ours(rows: list[dict]) -> str:
    lines = ["| cell | method | C | with gradient | steps | error | set-up | memory |", "|---" * 8 + "|"]
    for row in rows:
        if row.get("method", "").startswith("jaxmeta"):
            if "failed" in row:
                lines.append(f"| {row['problem']} | {row['method']} | no result | | | | | |")
                continue
            gradient = row["backward_s"]
            ratio = "" if gradient is None else f"{gradient:.2f} s, {gradient / row['forward_s']:.2f} times C"
            lines.append(
                f"| {row['problem']} | {row['notes']} | {_seconds(row['forward_s'])} | {ratio} | {row['steps']} "
                f"| {row['error']:.1e} | {row['setup_s']:.1f} s | {row['peak_mb'] / 1000:.2f} GB |"
            )
    return "\n".join(lines)


def peers(rows: list[dict]) -> str:
    own = {row["problem"]: row for row in rows if row.get("method") == "jaxmeta" and "failed" not in row}
    lines = ["| cell | solver | six loads | steps | error | set-up | jaxmeta is faster by |", "|---" * 7 + "|"]
    for row in rows:
        name = PEERS.get(row.get("method", ""))
        if name is None:
            continue
        if "failed" in row:
            lines.append(f"| {row['problem']} | {name} | no result | | | | |")
            continue
        ratio = row["forward_s"] / own[row["problem"]]["forward_s"]
        lines.append(
            f"| {row['problem']} | {name} | {_seconds(row['forward_s'])} | {row['steps']} | {row['error']:.1e} "
            f"| {row['setup_s']:.1f} s | {ratio:.0f} times |"
        )
    return "\n".join(lines)


def page(results: dict) -> str:
    rows, hardware = results["rows"], results["hardware"]
    versions = ", ".join(f"{name} {hardware[name]}" for name in ("python", "jax", "numpy", "scipy", "pyamg"))
    design = next(row for row in rows if row["problem"].startswith("design"))
    parts = [
        HEAD,
        f"Measured on {hardware['cores']} cores of {hardware['processor'] or 'an x86-64 machine'}; {versions}.\n",
        "## Effective stiffness\n",
        ours(rows),
        "\n## Beside CPU solvers\n\nSix loads, the same matrix.\n",
        peers(rows),
        "\n## A design\n",
        "A hundred steps of a cubic 64³ bulk-modulus design with the defaults of `jm.optimize`, compilation and the "
        f"score of the binary cell in float64 included: {design['seconds']:.0f} s.",
        TAIL,
    ]
    return "\n".join(parts)


def main() -> None:
    results = json.loads((HERE / "results" / "cpu.json").read_text("utf-8"))
    (DOCS / "benchmarks.md").write_text(page(results), "utf-8")


if __name__ == "__main__":
    main()
