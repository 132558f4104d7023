"""The CPU's kernels as custom calls of XLA: machine code made of the code that the package brings along.

`code/*.bc` is LLVM's bitcode, for no processor in particular, of `compute` in `_forces.py`, `_energies.py`,
`_inverses.py` and `_multigrid.py` (see `_build.py`). LLVM optimises it for the processor at hand; that takes about a
second for each file, and its result is kept in the user's cache folder if that can be written.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

from ..._cache import cache_folder

CODE = Path(__file__).with_name("code")
KERNELS = ("forces", "energies", "inverses", "multigrid")
PARTS = ("general", "modes", "moduli", "ends", "rows", "memory", "call", "build")
"""What they are made from beside their own modules, and what by."""
MADE = "made.txt"
"""File of the hash of what the code was made from, and of what with."""
ENTRY = "custom_call"
"""Name of the custom call in every file of code."""
GIVE_WAY = "jaxmeta_give_way"
"""Name by which the code calls what lets another thread have the core."""
CALLED = ("malloc", "free", "memset", GIVE_WAY)
"""All that the code calls; memset is LLVM's addition."""

_engines: list[llvm.ExecutionEngine] = []
"""Machine code that is in use stays in memory as long as the process."""


def hash_of_sources() -> str:
    """Of the files that the code is made from."""
    files = [Path(__file__).with_name(f"_{name}.py") for name in KERNELS + PARTS]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def custom_call(kernel: str, dtype: str) -> int:
    """The address of the custom call of a kernel for a type of number."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    if sys.platform == "win32":
        library, give_way = ctypes.CDLL("msvcrt"), ctypes.WinDLL("kernel32").SwitchToThread
    else:
        library = ctypes.CDLL(None)
        give_way = library.sched_yield
    called = {name: getattr(library, name) for name in CALLED if name != GIVE_WAY} | {GIVE_WAY: give_way}
    for name, function in called.items():  # LLVM would end the process for one that it cannot find
        llvm.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)
    machine = _machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(_object((CODE / f"{kernel}_{dtype}.bc").read_bytes(), machine)))
    engine.finalize_object()
    _engines.append(engine)
    address = engine.get_function_address(ENTRY)
    if not address:
        raise OSError(f"The machine code of {kernel}_{dtype} has no {ENTRY}.")
    return address


def _machine() -> llvm.TargetMachine:
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True)


def _object(code: bytes, machine: llvm.TargetMachine) -> bytes:
    """Machine code of bitcode: what is kept of it, or made now and kept."""
    file = _kept(code)
    if file is not None:
        digest, _, found = _read(file).partition(b"\n")
        if hashlib.sha256(found).hexdigest().encode() == digest:
            return found
    module = llvm.parse_bitcode(code)
    module.verify()
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    made = machine.emit_object(module)
    if file is not None:
        _keep(file, hashlib.sha256(made).hexdigest().encode() + b"\n" + made)
    return made


def _kept(code: bytes) -> Path | None:
    """The file of the machine code of some bitcode on this processor; None if there is no folder for it."""
    folder = cache_folder("kernels")
    maker = f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()} {llvmlite.__version__}".encode()
    return folder and folder / hashlib.sha256(maker + Path(__file__).read_bytes() + code).hexdigest()[:32]


def _read(file: Path) -> bytes:
    """What is in a file; nothing if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _keep(file: Path, content: bytes) -> None:
    """Write a file whole or, where there is no room for it, not at all."""
    part = file.with_suffix(f".{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(file)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
