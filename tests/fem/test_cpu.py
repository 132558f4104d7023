"""How XLA calls the kernels of a CPU, what they do when something fails, and the way out where they cannot be had."""

import ctypes
import subprocess
import sys
import warnings
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.fem.cpu import _code, _switch, target
from jaxmeta.fem.cpu._multigrid import BLOCKS
from tests.doc_cells import ROOT
from tests.fem.one_cell import slope_and_stiffness

FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.POINTER(ctypes.c_int64))
ERROR, REFUSED = 0x1234, 0x5678
"""Addresses of errors: what the interface makes, and what the pool of threads answers."""


def words(*numbers):
    return (ctypes.c_int64 * len(numbers))(*numbers)


class Frame:
    """XLA_FFI_CallFrame of a product of blocks and a field, with an interface that is written here."""

    def __init__(self, planes=64, operands=3, refuse=None):
        rng = np.random.default_rng(0)
        blocks, field = rng.uniform(-1, 1, (1, 6, planes, 32, 32)), rng.uniform(-1, 1, (1, 3, planes, 32, 32))
        xx, yy, zz, yz, xz, xy = blocks[0]
        x, y, z = field[0]
        self.expected = np.stack([xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z])[None]
        self.result = np.zeros_like(field)
        self.refuse, self.tasks, self.errors = refuse, 0, []
        asked = np.array([BLOCKS, 1, planes, 32 * 32, 0], np.int32)
        self._kept = [asked, blocks, field, self.result]
        buffers = [self._buffer(array) for array in self._kept]
        arguments, results = words(*map(ctypes.addressof, buffers[:3])), words(ctypes.addressof(buffers[3]))
        functions = {6: self._make_error, 17: self._schedule, 18: self._count_threads}
        compiled = {k: FUNCTION(function) for k, function in functions.items()}
        addresses = (ctypes.cast(compiled[k], ctypes.c_void_p).value if k in compiled else 0 for k in range(24))
        interface = words(*addresses)
        self._kept += [buffers, arguments, results, compiled, interface]
        interface, arguments, results = map(ctypes.addressof, (interface, arguments, results))
        self.words = words(168, 0, interface, 0, 3, 48, 0, operands, 0, arguments, 48, 0, 1, 0, results, *[0] * 6)

    @staticmethod
    def _buffer(array):
        shape = words(*array.shape)
        buffer = words(48, 0, 0, array.ctypes.data, array.ndim, ctypes.addressof(shape))
        buffer.shape = shape
        return buffer

    def _make_error(self, request):
        self.errors.append((ctypes.string_at(request[2]).decode(), request[3]))
        return ERROR

    def _count_threads(self, request):
        ctypes.cast(request[3], ctypes.POINTER(ctypes.c_int64))[0] = 4
        return REFUSED if self.refuse == 0 else 0

    def _schedule(self, request):
        self.tasks += 1
        if self.tasks == self.refuse:
            return REFUSED
        FUNCTION(request[3])(ctypes.cast(request[4], ctypes.POINTER(ctypes.c_int64)))
        return 0

    def call(self):
        return FUNCTION(_code.custom_call("multigrid", "float64"))(self.words)


def extension(kind, following=0):
    """An extension of a frame that asks for the version, if it is of type 1, and what it wants to be told."""
    metadata = words(48, 24, 0, 0, -1, 0)
    asked = words(32, kind, following, ctypes.addressof(metadata))
    asked.metadata = metadata
    return asked


def test_a_call_shares_its_work_among_threads():
    frame = Frame()
    assert frame.call() == 0
    assert frame.tasks == 3
    np.testing.assert_allclose(frame.result, frame.expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("others", [0, 2])
def test_the_version_is_told_to_the_extension_that_asks(others):
    """The one of its type, wherever it stands among others."""
    asks = extension(1)
    chain = [asks]
    for k in range(others):
        chain.append(extension(7 + k, ctypes.addressof(chain[-1])))
    frame = Frame()
    frame.words[1] = ctypes.addressof(chain[-1])
    assert frame.call() == 0
    assert asks.metadata[3] == 3 << 32  # 0.3, as two int32
    assert asks.metadata[4] & 0xFFFFFFFF == 0
    assert all(list(other.metadata) == list(extension(7).metadata) for other in chain[1:])
    assert not frame.result.any()


def test_an_extension_of_another_type_does_not_stop_the_call():
    other = extension(2)
    before = list(other.metadata)
    frame = Frame()
    frame.words[1] = ctypes.addressof(other)
    assert frame.call() == 0
    assert list(other.metadata) == before
    np.testing.assert_allclose(frame.result, frame.expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("refuse", range(4))
def test_what_the_pool_of_threads_refuses_is_returned(refuse):
    """At the question for its size, or at one of the tasks; no memory is given back twice or never."""
    frame = Frame(refuse=refuse)
    assert frame.call() == REFUSED
    assert frame.tasks == refuse
    assert frame.errors == []


def test_no_room_for_the_job_is_an_error():
    frame = Frame(operands=2**56)
    assert frame.call() == ERROR
    assert frame.errors == [("There is no memory left for the kernels of jaxmeta.", 8)]
    assert frame.tasks == 0


EMPTY = {  # operands of no size, of which one row would take more than there is; the result
    "energies": [(1, 2**40, 3, 0, 1, 1), (1, 1, 0, 0), (1, 1, 0, 0), (1, 3), (1, 0, 6)],
    "multigrid": [(1, 3, 0, 1, 2**56)],
}


@pytest.mark.parametrize(("kernel", "code"), [("energies", 0), ("energies", 1), ("multigrid", 1)])
@pytest.mark.parametrize("planes", [1, 2**16])
def test_no_room_for_a_row_is_raised(kernel, code, planes):
    """From one thread and from several, by XLA itself."""
    name = target(kernel, "float64")
    assert name is not None
    operands = [jnp.zeros(shape) for shape in EMPTY[kernel]]
    if code == 1 and kernel == "energies":
        operands.append(jnp.zeros((1, 0, 0)))
    asked = np.array([code, 1, planes, 1, 0], np.int32)
    call = jax.ffi.ffi_call(name, jax.ShapeDtypeStruct((1, 1), jnp.float64))
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED: There is no memory left"):
        jax.block_until_ready(jax.jit(lambda *operands: call(asked, *operands))(*operands))


@pytest.fixture
def fresh(monkeypatch):
    """As in a process that has not needed a kernel yet."""
    for name in ("_wanted", "_registered"):
        monkeypatch.setattr(_switch, name, cache(getattr(_switch, name).__wrapped__))
    monkeypatch.setattr(_switch, "_said", [])
    monkeypatch.delenv(_switch.VARIABLE, raising=False)


def breaks(monkeypatch, how):
    def fail(*_, **__):
        raise {"load": ImportError, "compile": RuntimeError, "link": OSError, "register": RuntimeError}[how](how)

    if how == "load":
        monkeypatch.setitem(sys.modules, "jaxmeta.fem.cpu._code", None)
    elif how == "compile":
        monkeypatch.setattr(_code, "_object", fail)
    elif how == "link":
        monkeypatch.setattr(_code.ctypes, "CDLL", fail)
    elif how == "register":
        monkeypatch.setattr(jax.ffi, "register_ffi_target", fail)
    else:
        monkeypatch.setattr(_code, "CODE", how)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("how", ["load", "compile", "link", "register", "no file", "bad file"])
def test_without_machine_code_there_is_one_warning(how, monkeypatch, tmp_path):
    if how.endswith("file"):
        for name in ("forces_float64", "multigrid_float32"):
            if how == "bad file":
                (tmp_path / f"{name}.bc").write_bytes(b"BC\xc0\xde of another kind")
        how = tmp_path
    breaks(monkeypatch, how)
    with pytest.warns(RuntimeWarning, match=r"XLA's own compilation .* They cannot be used: \w+Error") as caught:
        assert target("forces", "float64") is None
        assert target("multigrid", "float32") is None
        assert target("forces", "float64") is None
    assert len(caught) == 1


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("system", [("win32", "AMD64"), ("darwin", "arm64"), ("linux", "aarch64")])
def test_where_they_were_not_tried_they_do_not_serve_unasked(system, monkeypatch):
    monkeypatch.setattr(_switch.sys, "platform", system[0])
    monkeypatch.setattr(_switch.platform, "machine", lambda: system[1])
    with pytest.warns(RuntimeWarning, match=f"have not been tried on {system[0]} with {system[1]}") as caught:
        assert target("forces", "float64") is None
        assert target("multigrid", "float32") is None
    assert len(caught) == 1
    monkeypatch.setenv(_switch.VARIABLE, "1")
    _switch._wanted.cache_clear()
    asked = []
    monkeypatch.setattr(_switch, "_registered", lambda *which: asked.append(which) or "name")
    assert target("forces", "float64") == "name"
    assert asked == [("forces", "float64")]


@pytest.mark.usefixtures("fresh")
def test_who_chooses_the_plain_expressions_is_not_warned(monkeypatch):
    monkeypatch.setenv(_switch.VARIABLE, "0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert target("forces", "float64") is None


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("value", ["no", "2", "true", " "])
def test_another_value_is_refused(value, monkeypatch):
    monkeypatch.setenv(_switch.VARIABLE, value)
    with pytest.raises(ValueError, match=rf"`JAXMETA_CPU_KERNELS` must be 0 or 1, but is '{value}'\."):
        target("forces", "float64")


@pytest.mark.slow
def test_a_process_of_its_own_gives_the_same_numbers(tmp_path, monkeypatch):
    """With the kernels or without them, as here with them."""
    for how in ("kernels", "no llvmlite"):
        (tmp_path / how).mkdir()
        _a_process_of_its_own_gives_the_same_numbers(how, tmp_path / how, monkeypatch)


def _a_process_of_its_own_gives_the_same_numbers(how, tmp_path, monkeypatch):
    density = np.random.default_rng(0).uniform(0.2, 1, (4, 4, 4))
    np.save(tmp_path / "density.npy", density)
    missing = "sys.modules['llvmlite'] = None; " if how == "no llvmlite" else ""
    program = f"import runpy, sys; {missing}runpy.run_module('tests.fem.one_cell', run_name='__main__')"
    monkeypatch.setenv(_switch.VARIABLE, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    arguments = [sys.executable, "-c", program, str(tmp_path / "density.npy"), str(tmp_path / "result.npz")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = "RuntimeWarning: XLA's own compilation takes the place of jaxmeta's kernels"
    assert done.stderr.count(said) == (how == "no llvmlite")
    assert bool(list(tmp_path.glob("jaxmeta/kernels/*"))) == (how == "kernels")
    with np.load(tmp_path / "result.npz") as found:
        llvm, *numbers = found.values()
        assert llvm == (how == "kernels")
        for actual, expected in zip(numbers, slope_and_stiffness(density), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-11)
