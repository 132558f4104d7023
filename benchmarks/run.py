"""Run cases, each in a process of its own, and write one file of results.

python benchmarks/run.py                            # the table of cases, those that the results do not hold yet
python benchmarks/run.py --again                    # all of them
python benchmarks/run.py --case gyroid_64 jaxmeta   # one case, printed as JSON
python benchmarks/run.py --beside operator_128      # one measurement of `beside.py`
python benchmarks/run.py --ours --output gpu.json   # without peers, on an accelerator for example

A peer that needs other versions of JAX or NumPy runs in a Python of its own, which NumPy and SciPy must be in, too:
JAXMETA_BENCH_MUGRID=/path/to/python, and so JAXMETA_BENCH_SFEPY, _JAXFEM and _FEAX. A peer that is not there is
"not measured", and tried again by the next run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from accuracy import error_of
from beside import BESIDE
from outcome import NotInstalledError
from problems import PROBLEMS

HERE = Path(__file__).parent
TOLERANCE = 1e-5
LIMIT = 600

CASES = [
    ("p_surface_128_cubic", "jaxmeta_gradient"),
    ("p_surface_128_cubic_grey", "jaxmeta_gradient"),
    ("gyroid_64", "jaxmeta_gradient"),
    ("gyroid_64", "jaxmeta_float64"),
    ("gyroid_64", "jaxmeta_fft"),
    ("gyroid_64_grey", "jaxmeta"),
    ("gyroid_64_filtered", "jaxmeta"),
    ("gyroid_64_true_void", "jaxmeta"),
    ("random_64", "jaxmeta"),
    ("gyroid_64_void_1e-6", "jaxmeta"),
    ("gyroid_32", "jaxmeta_gradient"),
    ("gyroid_32_grey", "jaxmeta"),
    ("gyroid_128", "jaxmeta_gradient"),
    ("p_surface_256", "jaxmeta"),
    *((f"{cell}_{n}_cubic", "jaxmeta_gradient") for cell in ("cross", "sphere") for n in (32, 64, 128)),
    ("p_surface_32_cubic", "jaxmeta"),
    ("p_surface_64_cubic", "jaxmeta"),
]
PEER_CASES = [
    ("p_surface_128_cubic", "fans"),
    ("gyroid_64", "fans"),
    ("gyroid_64", "mugrid_green"),
    ("gyroid_64", "mugrid_green_jacobi"),
    ("gyroid_64_grey", "mugrid_green_jacobi"),
    ("gyroid_64_filtered", "mugrid_green_jacobi"),
    ("gyroid_100", "jaxmeta"),  # in the same run as the next one
    ("gyroid_100", "fans"),
    ("gyroid_128", "fans"),
    ("gyroid_32", "scipy_jacobi"),
    ("gyroid_32", "pyamg"),
    ("gyroid_32", "fans"),
    ("gyroid_32", "mugrid_green"),
    ("gyroid_32", "sfepy"),
    ("gyroid_32", "jaxfem_jacobi"),
    ("gyroid_32", "jaxfem_gamg"),
    ("gyroid_32", "feax"),
    ("gyroid_32", "feax_amg"),
    ("gyroid_32_grey", "scipy_jacobi"),
    ("gyroid_32_grey", "pyamg"),
    ("gyroid_32_grey", "fans"),
    ("gyroid_32_grey", "mugrid_green_jacobi"),
    ("gyroid_32_grey", "sfepy"),
    ("gyroid_32_grey", "jaxfem_jacobi"),
    ("gyroid_32_grey", "jaxfem_gamg"),
    ("gyroid_32_grey", "feax"),
    ("gyroid_32_grey", "feax_amg"),
    ("random_64", "fans"),
    ("random_64", "mugrid_green"),
    ("random_64", "mugrid_green_jacobi"),
    ("gyroid_64_grey", "fans"),
    ("gyroid_64_filtered", "fans"),
]


def reference(problem_name: str) -> np.ndarray:
    """C in float64 to a tight tolerance, kept between runs beside the results."""
    problem_name = PROBLEMS[problem_name].same_as or problem_name
    folder = HERE / "results" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{problem_name}.json"
    if not path.exists():
        code = (
            "import json, sys; sys.path.insert(0, sys.argv[2]); from methods import METHODS; "
            "from problems import PROBLEMS; outcome = METHODS['jaxmeta_float64'](PROBLEMS[sys.argv[1]], 1e-9, None); "
            "print(json.dumps(outcome.stiffness.tolist()))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, problem_name, str(HERE)], capture_output=True, text=True, check=True
        )
        path.write_text(done.stdout)
    return np.array(json.loads(path.read_text()))


def one_case(problem_name: str, method_name: str) -> dict:
    """Measure one case in this process."""
    from methods import METHODS

    try:
        outcome = METHODS[method_name](PROBLEMS[problem_name], TOLERANCE, reference(problem_name))
    except NotInstalledError as missing:
        return {"problem": problem_name, "method": method_name, "not_measured": str(missing)}
    return {
        "problem": problem_name,
        "method": method_name,
        "notes": outcome.notes,
        "setup_s": outcome.setup,
        "compile_s": outcome.compile,
        "forward_s": outcome.forward,
        "backward_s": outcome.backward,
        "steps": outcome.steps,
        "bytes_per_voxel": outcome.bytes_per_voxel,
        "peak_mb": outcome.peak_mb or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stiffness": outcome.stiffness.tolist(),
    }


def hardware() -> dict:
    """What the figures were measured on, and with which versions."""
    from importlib.metadata import version

    # In a process of its own: this one is not to take memory of an accelerator.
    asked = [sys.executable, "-c", "import jax; print(jax.devices()[0].device_kind)"]
    device = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    packages = ("jax", "jaxlib", "numpy", "scipy", "pyamg")
    return {
        "processor": model or platform.processor(),
        "device": device,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs=2, metavar=("PROBLEM", "METHOD"))
    parser.add_argument("--beside", choices=BESIDE)
    parser.add_argument("--ours", action="store_true", help="leave the peers out")
    parser.add_argument("--again", action="store_true", help="measure the cases that the output holds, too")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds after which a case has no result")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "cpu.json")
    options = parser.parse_args()
    if options.case:
        print(json.dumps(one_case(*options.case)))
        return
    if options.beside:
        print(json.dumps({"problem": options.beside, **BESIDE[options.beside]()}))
        return
    options.output.parent.mkdir(parents=True, exist_ok=True)
    rows = json.loads(options.output.read_text())["rows"] if options.output.exists() and not options.again else []
    known = {(row["problem"], row.get("method")) for row in rows}
    cases = CASES + ([] if options.ours else PEER_CASES)
    missing = [["--case", *case] for case in cases if case not in known]
    for arguments in [["--beside", name] for name in BESIDE if (name, None) not in known] + missing:
        row = measured(arguments, options.limit)
        if "not_measured" in row:
            print(f"{row['problem']} {row['method']} not measured: {row['not_measured']}", flush=True)
            continue
        rows.append(row)
        shown = {k: (round(v, 9) if isinstance(v, float) else v) for k, v in row.items() if k != "stiffness"}
        print(json.dumps(shown), flush=True)
        text = json.dumps({"hardware": hardware(), "tolerance": TOLERANCE, "rows": rows}, indent=1)
        options.output.write_text(text + "\n")


def interpreter(method_name: str) -> str:
    """The Python that a method runs in: this one, unless JAXMETA_BENCH_<peer> names another."""
    return os.environ.get(f"JAXMETA_BENCH_{method_name.split('_')[0].upper()}", sys.executable)


def finished(command: list[str], limit: float) -> tuple[int, str, str]:
    """Return code, output and errors of a command, which is ended with all that it started after `limit` seconds."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate()
            return 1, "", f"not finished after {limit:g} s"
    if process.returncode < 0:
        errors += f"\nended by {signal.Signals(-process.returncode).name}"
    return process.returncode, output, errors


def measured(arguments: list[str], limit: float = LIMIT) -> dict:
    """One row of the results, from a process of its own."""
    name = dict(zip(("problem", "method"), arguments[1:], strict=False))
    python = sys.executable
    if "--case" in arguments:
        reference(arguments[1])
        python = interpreter(arguments[2])
    load = os.getloadavg()[0]
    code, output, errors = finished([python, __file__, *arguments], limit)
    if code:
        return {**name, "failed": errors.strip()[-300:]}
    row = json.loads(output.splitlines()[-1]) | {"load": load}
    if "stiffness" in row:
        row["error"] = error_of(np.array(row["stiffness"]), reference(row["problem"]))
    return row


if __name__ == "__main__":
    main()
