"""Write the documentation's page of figures, and its plots, from the committed results.

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
process of its own, median of five runs after the first, or of fifteen of less than a second, with and without the
gradient in turn. "Set-up" is tracing, compilation and the first solve, or assembly and set-up of the
preconditioner. "Error" is max |ΔC_ij| / √(C_ii C_jj) against a solve in float64 to 1e-9; all were asked for 1e-5.
"Memory" is the largest of the whole process, Python, JAX and compilation included; "bytes" are those that the compiled
program holds at once for each voxel of what it is given (the octant of a cubic cell), arguments and results included.
"""

PEERS_HEAD = """
## Beside CPU solvers

Six loads on the whole cell, the same trilinear hexahedra, float64; the median of three solves where they are short.
Each stops at the loosest relative residual, out of a list, at which its C is right to 1e-5. FANS runs on as many MPI
ranks as there are cores, and its seconds are those that it states for its solves; the rest of its run stands under
"set-up". muGrid's wheel uses one core. JAX-FEM ran with JAX 0.4.38, as its petsc4py was built for NumPy 1. A case of
more than ten minutes, set-up and looser residuals included, has no result. Those, and peers that take more than
forty-five seconds, ran days before the rest of this page, in slower hours: "faster by" is then by our seconds of that
time, which the results hold as `beside_s`. FANS is measured where its executable is on the PATH; muGrid, SfePy,
JAX-FEM and feax where they are installed beside jaxmeta or in a Python (with NumPy and
SciPy) that an environment variable names:

```bash
export JAXMETA_BENCH_MUGRID=/path/to/python  # JAXMETA_BENCH_SFEPY, JAXMETA_BENCH_JAXFEM, JAXMETA_BENCH_FEAX
python benchmarks/run.py
```
"""

SHELL_HEAD = """
## From the shell

The whole run, in seconds of the clock and of processors: `jaxmeta homogenize` as a later call, whose programs an
earlier one has compiled, and FANS, in turn; six loads on the binary gyroid, float64 both. Measured by
`python benchmarks/shell.py`, which writes `benchmarks/results/shell.json`; the load is that of the machine in the
minute before a run, on its two cores.
"""

CALLS_HEAD = """
Single calls, the whole of each from the shell as a later one, float64; of the block only its first solve, in a
process of its own with no compiled program or kernel on disk. Measured by `python benchmarks/calls.py`, which writes
`benchmarks/results/calls.json`, on a machine more than twice as fast as that of the rows above.
"""

PLOTS = """
![Seconds of one effective stiffness over the voxels of the cell](images/benchmark-voxels.png)

![Seconds of one effective stiffness, by solver](images/benchmark-peers.png)
"""

SERIES = {
    "gyroid, six loads": ["gyroid_32", "gyroid_64", "gyroid_128"],
    "P-surface, cubic": ["p_surface_32_cubic", "p_surface_64_cubic", "p_surface_128_cubic"],
    "cross, cubic": ["cross_32_cubic", "cross_64_cubic", "cross_128_cubic"],
    "spherical pore, cubic": ["sphere_32_cubic", "sphere_64_cubic", "sphere_128_cubic"],
}

LIBRARY_HEAD = """
## A library

Cells tried in a second by `jaxmeta dataset generate`, `perturb`, and `refine` (from the shipped library: of 50 cells
the last 40), in two processes on two cores: optimisation, clean-up, and C to 1e-5. What ran while programs were
compiled is not counted. Measured by `python benchmarks/library.py`, which writes `benchmarks/results/library_cpu.json`.
"""

GENERATOR_HEAD = """
## A generator

Samples of the network that ships, a fit, a step of training, and four cells of a Young's modulus of 0.1 and a
Poisson's ratio of 0.2 from the shell, with pictures and reports, as a second call. "First" has the compilation, and
from the shell it is when the first cell is in its folder. Samples are counted one by one, of batches of 16 in 16
steps; guidance takes 40 solver steps of a pair of loads. Memory is the most that the process held. Measured by
`python benchmarks/generator.py`, which writes `benchmarks/results/generator.json`.
"""

TAIL = """
**Where we lose.** Set-up: the first call compiles for some seconds, which only a design run or many cells of one shape
win back; the very first after installation makes machine code of the CPU's kernels, too, for some two seconds more.
FANS compiles nothing, but has a set-up of its own, of 0.4 s at 32³ and of four at 128³. On binary cells of six
loads it is less than ten times slower, in float64; it is on grey fields, and on cells whose symmetry it does not use,
that it takes tens to hundreds of times longer. One cell of 32³ alone, from the shell, is its ground: loading
Python, JAX and the program from disk takes us more than a second. Random cells take our multigrid some sixty
steps. A batch by `vmap` gains next to nothing over its cells one by one. Peers work in float64 and with an assembled
matrix, or with FFTs; they stop at the loosest residual, out of a list, at which their C is right, which a user would
not know.

GPU: not measured.
"""


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def ours(rows: list[dict]) -> str:
    lines = ["| cell | method | C | with gradient | steps | error | set-up | bytes | memory |", "|---" * 9 + "|"]
    for row in rows:
        if row.get("method", "").startswith("jaxmeta"):
            if "failed" in row:
                lines.append(f"| {row['problem']} | {row['method']} | no result | | | | | | |")
                continue
            gradient = row["backward_s"]
            ratio = "" if gradient is None else f"{gradient:.2f} s, {gradient / row['forward_s']:.2f} times C"
            held = ", ".join(f"{b:.0f}" for b in row["bytes_per_voxel"])
            lines.append(
                f"| {row['problem']} | {row['notes']} | {_seconds(row['forward_s'])} | {ratio} | {row['steps']} "
                f"| {row['error']:.1e} | {row['setup_s']:.1f} s | {held} | {row['peak_mb'] / 1000:.2f} GB |"
            )
    return "\n".join(lines)


def own(rows: list[dict]) -> dict[str, dict]:
    """Our float32 row of every problem."""
    return {
        row["problem"]: row
        for row in rows
        if row.get("method") in ("jaxmeta", "jaxmeta_gradient") and "failed" not in row
    }


def reason(failed: str) -> str:
    """The last line of what a failed case wrote, fit for a table."""
    last = failed.splitlines()[-1] if failed else "no message"
    return last.removeprefix("RuntimeError: ").replace("|", "/")[:100]


def _known(rows: list[dict]) -> set[tuple[str, str | None]]:
    return {(row["problem"], row.get("method")) for row in rows}


def beside(row: dict, mine: dict[str, dict]) -> float | None:
    """How many times as long a peer took as ours on the same cell and machine."""
    same = row.get("beside_s") or mine.get(row["problem"], {}).get("forward_s")
    return row["forward_s"] / same if same else None


def peers(rows: list[dict], absent: list[dict]) -> str:
    mine = own(rows)
    lines = ["| cell | solver | six loads | steps | error | set-up | jaxmeta is faster by |", "|---" * 7 + "|"]
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
            times = beside(row, mine)
            ratio = f"{times:.0f} times" if times else ""
            lines.append(
                f"{start}| {_seconds(row['forward_s'])} | {row['steps'] or ''} | {row['error']:.1e} "
                f"| {row['setup_s']:.1f} s | {ratio} |"
            )
    return "\n".join(lines)


def targets(rows: list[dict]) -> str:
    """What was aimed at, beside what was measured."""
    mine = own(rows)
    row = {(r["problem"], r.get("method")): r for r in rows}
    lines = ["| figure | aim | measured | |", "|---" * 4 + "|"]

    def add(figure: str, bound: str, limit: float, unit: str, value: float | None) -> None:
        if value is None:
            lines.append(f"| {figure} | {bound} {limit:g} {unit} | not measured | |")
        else:
            held = value <= limit if bound == "at most" else value >= limit
            lines.append(f"| {figure} | {bound} {limit:g} {unit} | {value:.3g} {unit} | {'✓' if held else '✗'} |")

    def faster(problem: str, methods: tuple[str, ...]) -> float | None:
        """Than the fastest of these that has a result."""
        found = [
            beside(r, mine) for r in rows if r["problem"] == problem and r.get("method") in methods and "error" in r
        ]
        return min((times for times in found if times), default=None)

    ffts = ("fans", "mugrid_green", "mugrid_green_jacobi")
    jax_codes = ("jaxfem_jacobi", "jaxfem_gamg", "feax", "feax_amg")
    small, large, batch = mine["gyroid_32"], mine["gyroid_128"], row["batch_64_cubic", None]
    gradients = [r["backward_s"] / r["forward_s"] for r in mine.values() if r["backward_s"]]
    add("C of the cubic 128³ P-surface, binary", "at most", 1, "s", mine["p_surface_128_cubic"]["forward_s"])
    add("the same, grey", "at most", 2, "s", mine["p_surface_128_cubic_grey"]["forward_s"])
    add("C of the 64³ gyroid, six loads", "at most", 1.5, "s", mine["gyroid_64"]["forward_s"])
    add("a hundred steps of a cubic 64³ design", "at most", 60, "s", row["design_64_cubic_100_steps", None]["seconds"])
    add("longest compilation of C", "at most", 10, "s", max(r["compile_s"] for r in mine.values()))
    add("first call after installation, 64³", "at most", 10, "s", row["first_call_gyroid_64", None]["seconds"])
    add("C with its gradient to C alone, largest", "at most", 1.2, "times", max(gradients))
    add("seconds per voxel, 128³ to 32³", "at most", 1.3, "times", large["forward_s"] / small["forward_s"] / 64)
    add("steps, 128³ to 32³", "at most", 1.3, "times", large["steps"] / small["steps"])
    add("cells a second, in a batch to one by one", "at least", 1, "times", batch["vmap"] / batch["one_by_one"])
    add("memory of a cubic 128³ gradient", "at most", 1.5, "GB", mine["p_surface_128_cubic"]["peak_mb"] / 1000)
    add("memory of a general 128³ gradient", "at most", 4, "GB", large["peak_mb"] / 1000)
    add("memory of a general 256³ cell", "at most", 12, "GB", mine["p_surface_256"]["peak_mb"] / 1000)
    add("faster than FANS, 64³ gyroid", "at least", 3, "times", faster("gyroid_64", ("fans",)))
    add("the same, 100³", "at least", 3, "times", faster("gyroid_100", ("fans",)))
    add("faster than FANS, 128³ P-surface", "at least", 40, "times", faster("p_surface_128_cubic", ("fans",)))
    add("faster than the best FFT peer, 64³ grey", "at least", 15, "times", faster("gyroid_64_grey", ffts))
    add("the same, filtered", "at least", 15, "times", faster("gyroid_64_filtered", ffts))
    add("faster than the best other JAX code, 32³", "at least", 50, "times", faster("gyroid_32", jax_codes))
    add("the same, grey", "at least", 50, "times", faster("gyroid_32_grey", jax_codes))
    return "\n".join(lines)


def machine(hardware: dict) -> str:
    return f"{hardware['cores']} cores of {hardware['processor'] or 'an x86-64 machine'}"


def library(results: dict) -> str:
    """Cells made in a second, and the hours of 10,000 optimised and 60,000 deformed cells."""
    lines = ["| cells | optimised | deformed | made finer | 10,000 optimised and 60,000 deformed |", "|---" * 5 + "|"]
    for name, size in (("64^3", "64³"), ("128^3", "128³")):
        rates = {what: rate["per_second"] for what, rate in results[name].items()}
        hours = (10_000 / rates["optimised"] + 60_000 / rates["deformed"]) / 3600
        optimised, deformed, refined = (
            f"{rates[what]:.2f} a second" if what in rates else "" for what in ("optimised", "deformed", "refined")
        )
        lines.append(f"| {size} | {optimised} | {deformed} | {refined} | {hours:.0f} hours |")
    return "\n".join(lines)


def from_shell(results: dict | None) -> str:
    """Whole runs, ours and theirs."""
    lines = ["| cell | program | whole run | of processors | its solves | error | load |", "|---" * 7 + "|"]
    rows = [] if results is None else results["rows"]
    for row in rows:
        name = "jaxmeta" if row["program"] == "jaxmeta" else f"FANS, {row['ranks']} ranks"
        lines.append(
            f"| {row['problem']} | {name} | {row['seconds']:.1f} s | {row['processor_seconds']:.1f} s "
            f"| {row['solve']:.1f} s | {row['error']:.1e} | {row['load']:.1f} |"
        )
    return "\n".join(lines) if rows else "Not measured."


def calls(results: dict | None) -> str:
    """Single calls from the shell."""
    lines = ["| call | seconds | load |", "|---" * 3 + "|"]
    rows = [] if results is None else results["rows"]
    lines += [f"| {row['call']} | {row['seconds']:.2f} s | {row['load']:.1f} |" for row in rows]
    return "\n".join(lines) if rows else "Not measured."


def generator(results: dict | None) -> str:
    """Samples, fits, training, and cells from the shell."""
    lines = ["| what | first | seconds | memory | load |", "|---" * 5 + "|"]
    for name, row in ({} if results is None else results["rows"]).items():
        held = f"{row['gigabytes']:.2f} GB" if "gigabytes" in row else ""
        lines.append(f"| {name} | {row['first']:.1f} s | {row['seconds']:.3g} s | {held} | {row['load']:.1f} |")
    return "Not measured." if results is None else "\n".join(lines)


def page(
    results: dict, of_library: dict, of_shell: dict | None, of_calls: dict | None, of_generator: dict | None
) -> str:
    rows, hardware = results["rows"], results["hardware"]
    missing = [case for case in PEER_CASES if case not in _known(rows)]
    absent = [{"problem": problem, "method": method} for problem, method in missing]
    versions = ", ".join(f"{name} {hardware[name]}" for name in ("python", "jax", "numpy", "scipy", "pyamg"))
    row = {r["problem"]: r for r in rows if "method" not in r}
    batch, operator = row["batch_64_cubic"], row["operator_128"]
    parts = [
        HEAD,
        f"Measured on {machine(hardware)}; {versions}.\n",
        "## Aims\n",
        targets(rows),
        "\n## Effective stiffness\n",
        ours(rows),
        PLOTS,
        PEERS_HEAD,
        peers(rows, absent),
        SHELL_HEAD,
        from_shell(of_shell),
        CALLS_HEAD,
        calls(of_calls),
        "\n## A design, a batch, the operator\n",
        "A hundred steps of a cubic 64³ bulk-modulus design with the defaults of `jm.optimize`, compilation and the "
        f"score of the binary cell in float64 included: {row['design_64_cubic_100_steps']['seconds']:.0f} s.\n",
        f"{batch['cells']} cubic 64³ cells of random waves, cut at volume fractions of 0.3 to 0.6, of which the "
        f"slowest load of each took {min(batch['steps'])} to {max(batch['steps'])} steps: {batch['one_by_one']:.1f} "
        f"cells a second one by one, {batch['vmap']:.1f} in one call by `vmap`.\n",
        f"One application of the operator at 128³, float32: {1e3 * operator['seconds']:.1f} ms. It must move at least "
        f"{operator['bytes_per_voxel']} bytes for each voxel; a copy of so many takes {operator['share']:.0%} of this "
        f"time (copy bandwidth {operator['copy_bandwidth'] / 1e9:.1f} GB/s).",
        LIBRARY_HEAD,
        library(of_library),
        GENERATOR_HEAD,
        generator(of_generator),
        TAIL,
    ]
    return "\n".join(parts)


def plot(results: dict, folder: Path) -> None:
    """Seconds over voxels of ours, and times of every solver beside ours."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = results["rows"]
    mine = own(rows)
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for label, names in SERIES.items():
        points = [(name, mine[name]) for name in names if name in mine]
        sides = [int(next(part for part in name.split("_") if part.isdigit())) for name, _ in points]
        axes.loglog([n**3 for n in sides], [row["forward_s"] for _, row in points], "o-", label=label)
    axes.set(xlabel="voxels of the cell", ylabel="seconds of C")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(folder / "benchmark-voxels.png", dpi=120)

    longer: dict[str, list[tuple[float, str]]] = {}
    for row in rows:
        if row.get("method") in PEERS and row.get("forward_s") is not None and (times := beside(row, mine)):
            shown = f"{PEERS[row['method']]}, {float(format(row['forward_s'], '.2g')):g} s"
            shown += f" beside {row['beside_s']:.2g} s" if "beside_s" in row else ""
            longer.setdefault(row["problem"], []).append((times, shown))
    heights = [len(longer[cell]) + 1 for cell in longer]
    figure, grid = plt.subplots(
        len(longer), 1, figsize=(8, 0.32 * sum(heights) + 1), height_ratios=heights, sharex=True, layout="constrained"
    )
    for axes, cell in zip(grid, longer, strict=True):
        ours = 1.0, f"jaxmeta, {mine[cell]['forward_s']:.2g} s"
        for place, (times, shown) in enumerate(sorted([ours, *longer[cell]])[::-1]):
            axes.plot([times], [place], "o", color="#d95f02" if times == 1 else "#7570b3")
            axes.annotate(shown, (times, place), (7, -3), textcoords="offset points", fontsize=8)
        axes.set(yticks=[], xscale="log", xlim=(0.7, 1e6), ylim=(-0.7, len(longer[cell]) + 0.7))
        axes.set_ylabel(cell, rotation=0, ha="right", va="center", fontsize=8)
        axes.grid(axis="x", alpha=0.3)
    grid[-1].set_xlabel("times as long as jaxmeta")
    figure.savefig(folder / "benchmark-peers.png", dpi=120)


def measured(name: str) -> dict | None:
    """What a script beside this one measured, if it did."""
    path = HERE / "results" / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def main() -> None:
    names = ("cpu", "library_cpu")
    results, of_library = (json.loads((HERE / "results" / f"{name}.json").read_text("utf-8")) for name in names)
    others = map(measured, ("shell", "calls", "generator"))
    (DOCS / "benchmarks.md").write_text(page(results, of_library, *others), "utf-8")
    plot(results, DOCS / "images")


if __name__ == "__main__":
    main()
