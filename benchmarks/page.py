"""Write the documentation's page of figures, and its plot, from the committed results.

python benchmarks/page.py
"""

from __future__ import annotations

import json
from pathlib import Path

from run import PEER_CASES

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
PEERS = {
    "scipy_jacobi": "SciPy CG, Jacobi",
    "pyamg": "PyAMG, smoothed aggregation",
    "fans": "FANS, FFT",
    "mugrid_green": "muGrid, FFT",
    "mugrid_green_jacobi": "muGrid, Jacobi-scaled FFT",
    "sfepy": "SfePy, CG, Jacobi",
    "jaxfem_jacobi": "JAX-FEM, PETSc CG, Jacobi",
    "jaxfem_gamg": "JAX-FEM, PETSc CG, algebraic multigrid",
    "feax": "feax, matrix-free CG",
    "feax_amg": "feax, algebraic multigrid",
}

HEAD = """# Benchmarks

*Written by `benchmarks/page.py` from `benchmarks/results/cpu.json`, which `python benchmarks/run.py` measured.*

E = 1, ν = 0.3, periodic cell of trilinear hexahedra, SIMP 3, void 1e-9 unless it says otherwise; every case in a
process of its own, median of five runs after the first. "Set-up" is compilation with the first solve in it, or assembly
and set-up of the preconditioner. "Error" is max |ΔC_ij| / √(C_ii C_jj) against a solve in float64 to a tolerance of
1e-9; all were asked for 1e-5. "Memory" is the largest of the whole process, Python, JAX and compilation included.
"""

PEERS_HEAD = """
## Beside CPU solvers

Six loads on the whole cell, the same trilinear hexahedra, float64; the median of three solves where they are short.
Each stops at the loosest relative residual, out of a list, at which its C is right to 1e-5. FANS runs on as many MPI
ranks as there are cores, and its seconds are those that it states for its solves; the rest of its run stands under
"set-up". muGrid's wheel uses one core. A case of more than ten minutes, set-up and looser residuals included, has no
result. FANS is measured where its executable is on the PATH; muGrid, SfePy, JAX-FEM and feax where they are installed
beside jaxmeta or in a Python (with NumPy and SciPy) that an environment variable names:

```bash
export JAXMETA_BENCH_MUGRID=/path/to/python  # JAXMETA_BENCH_SFEPY, JAXMETA_BENCH_JAXFEM, JAXMETA_BENCH_FEAX
python benchmarks/run.py
```
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


def reason(failed: str) -> str:
    """The last line of what a failed case wrote, fit for a table."""
    last = failed.splitlines()[-1] if failed else "no message"
    return last.removeprefix("RuntimeError: ").replace("|", "/")[:100]


def peers(rows: list[dict]) -> str:
    own = {row["problem"]: row for row in rows if row.get("method") == "jaxmeta" and "failed" not in row}
    lines = ["| cell | solver | six loads | steps | error | set-up | jaxmeta is faster by |", "|---" * 7 + "|"]
    known = {(row["problem"], row.get("method")) for row in rows}
    absent = [{"problem": case[0], "method": case[1]} for case in PEER_CASES if case not in known]
    for row in rows + absent:
        name = PEERS.get(row.get("method", ""))
        if name is None:
            continue
        start = f"| {row['problem']} | {name} "
        if "failed" in row:
            lines.append(f"{start}| no result: {reason(row['failed'])} | | | | |")
        elif "forward_s" not in row:
            lines.append(f"{start}| not measured | | | | |")
        else:
            ours = own.get(row["problem"])
            ratio = f"{row['forward_s'] / ours['forward_s']:.0f} times" if ours else ""
            lines.append(
                f"{start}| {_seconds(row['forward_s'])} | {row['steps'] or ''} | {row['error']:.1e} "
                f"| {row['setup_s']:.1f} s | {ratio} |"
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
        PEERS_HEAD,
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
