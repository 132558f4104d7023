"""Writes the code of the CPU's kernels, which the package brings along: python -m jaxmeta.fem.cpu._build

Numba translates `compute` of `_forces.py`, `_energies.py`, `_inverses.py` and `_multigrid.py` for no processor in
particular, each with all that it calls, to LLVM's bitcode. `_code.py` makes machine code of it where it is to run. The
hash of the sources goes into a file of its own, by which a test sees that the code is theirs, and the versions of the
tools: the same ones make the same bits, which `--check` compares with those that are there.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any

import llvmlite.binding as llvm

from ._code import CALLED, CODE, ENTRY, GIVE_WAY, KERNELS, MADE, hash_of_sources

# Loops that are unrolled here would not be vectorised later.
_NEUTRAL = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_OPT": "0"}
# A function of Numba's writes its result to the first argument and, if it raises, its exception to the second one.
_ENTRIES = """
declare i32 @{task}(ptr, ptr, ptr)
declare i32 @{target}(ptr, ptr, ptr)

define i64 @{name}(i64 %job) {{
  %result = alloca ptr
  %exception = alloca ptr
  %place = inttoptr i64 %job to ptr
  %status = call i32 @{task}(ptr %result, ptr %exception, ptr %place)
  ret i64 0
}}

define i64 @{entry}(ptr %frame) {{
  %result = alloca i64
  %exception = alloca ptr
  store i64 0, ptr %result
  %status = call i32 @{target}(ptr %result, ptr %exception, ptr %frame)
  %value = load i64, ptr %result
  ret i64 %value
}}
"""


def bitcode(kernel: str, dtype: str) -> bytes:
    """The custom call of a kernel under the name `ENTRY`."""
    import numba

    from . import _call, _memory

    name = f"jaxmeta_{kernel}_{dtype}"
    one = {"float32": _memory.FLOAT32, "float64": _memory.FLOAT64}[dtype]
    task, target = _call.task_and_target(import_module(f"{__package__}._{kernel}").compute, name, one)
    somewhere = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p).value
    for symbol in (name, GIVE_WAY):  # Numba links what it compiles; here it never runs
        llvm.add_symbol(symbol, somewhere)
    compiled: list[Any] = [
        numba.cfunc(_call.TASK, error_model="numpy")(task),
        numba.cfunc(_call.TARGET, error_model="numpy")(target),
    ]
    names = [function._wrapper_name.removeprefix("cfunc.") for function in compiled]
    module = llvm.parse_assembly(_ENTRIES.format(name=name, entry=ENTRY, task=names[0], target=names[1]))
    for function in compiled:
        module.link_in(llvm.parse_assembly(function._library.get_llvm_str()))
    for function in module.functions:
        if any(re.search(rf"\d{loop}B", function.name) for loop in _memory.ALONE):
            function.add_function_attribute("noinline")
    for number, part in enumerate([*module.functions, *module.global_variables]):
        if not part.is_declaration and part.name != ENTRY:
            part.linkage = "internal"
            part.name = f"part_{number}"  # Numba's names differ from run to run
    machine = llvm.Target.from_triple(module.triple).create_target_machine(cpu="generic", opt=2)
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    options.loop_unrolling = options.loop_interleaving = options.loop_vectorization = options.slp_vectorization = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    unknown = {f.name for f in module.functions if f.is_declaration} - set(CALLED)
    if wrong := {called for called in unknown if not called.startswith("llvm.")}:
        raise RuntimeError(f"The code of {name} calls {sorted(wrong)}.")
    return module.as_bitcode()


def made_with() -> str:
    """The programs on which the bits of the code depend."""
    return (
        f"Python {sys.version_info[0]}.{sys.version_info[1]}, numba {version('numba')}, llvmlite {version('llvmlite')}"
    )


def main() -> int:
    os.environ.update(_NEUTRAL)  # before Numba is imported
    made = {f"{kernel}_{dtype}.bc": bitcode(kernel, dtype) for kernel in KERNELS for dtype in ("float32", "float64")}
    if sys.argv[1:] != ["--check"]:
        for name, code in made.items():
            (CODE / name).write_bytes(code)
        (CODE / MADE).write_text(f"{hash_of_sources()}\n{made_with()}\n")
        return 0
    _, tools = (CODE / MADE).read_text().splitlines()
    if tools != made_with():
        print(f"Not compared: the code was made with {tools}; here is {made_with()}.")
        return 0
    other = [name for name, code in made.items() if (CODE / name).read_bytes() != code]
    print(
        f"Not what the sources make: {', '.join(other)}." if other else f"The code is that of its sources, by {tools}."
    )
    return bool(other)


if __name__ == "__main__":
    sys.exit(main())
