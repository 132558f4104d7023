"""Two functions have one digest if and only if they compute the same, in whichever process."""

import dataclasses
import functools
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.runs import digest, function_digest

X = jax.ShapeDtypeStruct((3,), jnp.float32)
ROOT = Path(__file__).parents[2]


def of(function, *arguments):
    return function_digest(function, *(arguments or (X,)))


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def method(self, x):
        return self.factor * x

    def __call__(self, x):
        return self.factor * x


def closed_over(value):
    return lambda x: x * value


def with_default(value):
    return lambda x, factor=value: x * factor


def weighted(value):
    weights = np.full(3, value, np.float32)
    return lambda x: weights @ x


def deep(value):
    """A captured array in a program within programs."""
    weights = jnp.full((3,), value, jnp.float32)

    @jax.jit
    def inner(x):
        return jax.lax.scan(
            lambda c, _: (jax.lax.cond(c.sum() > 0, lambda y: y * weights, jnp.sin, c), None), x, None, 3
        )

    return lambda x: inner(x)[0]


def sampled(value):
    key = jax.random.key(value)
    return lambda x: x + jax.random.uniform(key, (3,), jnp.float32)


def solved(value):
    def solve(x):
        return jax.lax.custom_linear_solve(lambda y: value * y, x, lambda _, b: b / 2.0, symmetric=True)

    return solve


def with_rule(value):
    """The same values, and `value` times the slope."""

    @jax.custom_vjp
    def own(x):
        return jnp.sum(x)

    own.defvjp(lambda x: (jnp.sum(x), None), lambda _, slope: (jnp.full((3,), value * slope, jnp.float32),))
    return jax.value_and_grad(own)


# More digits than are printed, and values that are only printed alike.
FAMILIES = {
    "closure": (closed_over, 2.0, 3.0),
    "digits": (closed_over, 2.0, np.nextafter(np.float32(2), 3)),
    "default": (with_default, 2.0, 3.0),
    "partial": (lambda value: functools.partial(lambda f, x: f * x, value), 2.0, 3.0),
    "method": (lambda value: Scaled(value).method, 2.0, 3.0),
    "callable": (Scaled, 2.0, 3.0),
    "array": (weighted, 1.0, np.nextafter(np.float32(1), 2)),
    "nested": (deep, 1.0, np.nextafter(np.float32(1), 2)),
    "key": (sampled, 1, 2),
    "solve": (solved, 2.0, 2.5),
    "derivative": (with_rule, 1.0, 2.0),
    "branch": (lambda value: lambda x: jnp.sin(x) if value else jnp.cos(x), True, False),
    "axis": (lambda value: lambda x: jnp.ones((3, 3), x.dtype).sum(value), 0, 1),
    "dtype": (lambda value: lambda x: x.astype(value), jnp.float16, jnp.bfloat16),
    "power": (lambda value: lambda x: x**value, 2, 3),
    "print": (lambda value: lambda x: (jax.debug.print("{}", x), x * value)[1], 2.0, 3.0),
}
CODE = """
from tests.runs.test_digest import FAMILIES, of
for name, (family, first, second) in FAMILIES.items():
    print(name, of(family(first)), of(family(second)))
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_tells_functions_from_each_other(family):
    make, first, second = FAMILIES[family]
    assert of(make(first)) == of(make(first)) != of(make(second))


def test_the_same_in_another_process():
    """With other addresses and another order of sets, and the functions met in one process after the other."""
    command = [sys.executable, "-c", "import jax; jax.config.update('jax_enable_x64', True)\n" + CODE]
    env = {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    said = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
    here = [f"{name} {of(make(a))} {of(make(b))}" for name, (make, a, b) in FAMILIES.items()]
    assert said.splitlines() == here


def test_names_and_places_do_not_count():
    spaces = [{}, {}]
    for space, code in zip(spaces, ("def f(x): return x * 2", "def f(x):\n\n  y = 2 * x\n  return x * 2"), strict=True):
        exec(code, space)
    assert of(spaces[0]["f"]) == of(lambda z: z * 2) != of(spaces[1]["f"])


def test_an_object_that_has_changed_is_another_function():
    thing = Scaled(2.0)
    method = thing.method
    before = of(method)
    thing.factor = 3.0
    assert of(method) != before
    thing.factor = 2.0
    assert of(method) == before


def test_shapes_and_dtypes_count():
    digests = {of(jnp.sum, jax.ShapeDtypeStruct(shape, dtype)) for shape in ((3,), (4,)) for dtype in ("f4", "f8")}
    assert len(digests) == 4
    assert of(jnp.sum, np.ones(3, "f4")) == of(jnp.sum, X)


def called_back(x):
    return jax.pure_callback(np.sin, X, x)


def in_order(x):
    return jax.experimental.io_callback(lambda y: y, X, x, ordered=True)


@pytest.mark.parametrize("function", [called_back, in_order, jax.jit(called_back)])
def test_python_called_back_is_refused(function):
    with pytest.raises(ValueError, match=r"must be JAX's from end to end, .*but here is <.*>\.$"):
        of(function)


@dataclasses.dataclass(frozen=True)
class Settings:
    radius: float = 2.0
    shape: tuple[int, ...] = (2, 3)
    weights: object = None


def test_values():
    values = [
        1, 1.0, True, "1", b"1", None, (1,), [1], {"a": 1}, {"a": 2}, {"b": 1}, {1}, np.float32(1), np.float64(1),
        np.ones(2), np.ones((2, 1)), np.ones(2, ">f8"), np.nextafter(np.ones(2), 2), Settings(), Settings(3.0),
        Settings(weights=np.ones(2000)), Settings(weights=np.arange(2000)), Scaled(1), Scaled(2), np.dtype("f4"), float,
        jax.random.key(0), jax.random.key(1),
    ]  # fmt: skip
    digests = [digest(value) for value in values]
    same = [(i, j) for i in range(len(values)) for j in range(i) if digests[i] == digests[j]]
    assert same == []
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(np.float32(1)) == digest(jnp.float32(1))
    assert digest(np.ones(2)) == digest(np.ones(2)) == digest(np.ones(4)[::2])


@pytest.mark.parametrize("value", [lambda x: x, functools.partial(max, 1), Scaled(1).method, Settings(weights=len)])
def test_functions_are_no_values(value):
    with pytest.raises(ValueError, match=r"but here is <.*>"):
        digest(value)
