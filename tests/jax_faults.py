"""Programs that some release of JAX computes wrongly, for each of which it has to be right: python tests/jax_faults.py

They run in a process of their own, compiled as for users, whatever flags the tests set. A line is printed for each: its
name, and what is wrong. Those that end the process in a faulty release come last.
"""

import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

Wrong = Iterator[str]


def product_and_sum_of_rows() -> Wrong:
    """jax-ml/jax#39103, 0.10.2: of a small matrix with every row of a long array; wrong in the last row."""
    for name, matrix in {"identity": np.eye(3), "full": np.array([[1, 2, -1], [2, -1, 1], [3, -2, 1]])}.items():
        for dtype, rows in [(jnp.float64, 2**14 + 1), (jnp.float64, 2**16 + 3), (jnp.float32, 2**15 + 1)]:
            column = np.arange(rows) % 499  # all numbers are integers that both dtypes hold exactly
            points = np.stack([column, 7 - column, column // 2], axis=1)
            expected = np.square(points @ matrix.T).sum(axis=1)
            held, given = jnp.asarray(matrix, dtype), jnp.asarray(points, dtype)

            def norms(matrix, points):
                return jax.vmap(lambda point: jnp.sum(jnp.square(matrix @ point)))(points)

            # The matrix as a constant of the program, as in the report, gives the compiler more to rewrite.
            for values in (jax.jit(norms)(held, given), jax.jit(lambda points, m=held: norms(m, points))(given)):
                if not np.array_equal(np.asarray(values), expected):
                    yield f"{name}, {dtype.__name__}, {rows} rows"


def batched_product_that_is_summed() -> Wrong:
    """As batched derivatives have it, 0.10.2 to 0.12.0.1: relative errors up to 1e242, or NaN."""
    functions: dict[str, Callable] = {
        "whole": lambda e, x, c: jnp.sum((e @ jnp.broadcast_to(c, e.shape)) * x, axis=(-2, -1)),
        "rows": lambda e, x, c: jnp.sum((e @ jnp.broadcast_to(c, e.shape)) * e, axis=-1),
        "einsum": lambda e, x, c: jnp.einsum("bij,bjk,bik->b", e, jnp.broadcast_to(c, e.shape), x),
    }
    rng = np.random.default_rng(0)
    for dtype, tolerance in ((jnp.float64, 1e-10), (jnp.float32, 1e-4)):
        for cells, n in ((5, 60), (64, 24)):
            a = rng.standard_normal((cells, n, n))
            e = jnp.asarray(a @ a.transpose(0, 2, 1), dtype)
            x, c = jnp.asarray(rng.standard_normal((cells, n, n)), dtype), jnp.asarray(1.7, dtype)
            for name, function in functions.items():
                with jax.disable_jit():
                    expected = np.asarray(function(e, x, c))
                error = np.abs(np.asarray(jax.jit(function)(e, x, c)) - expected).max() / np.abs(expected).max()
                if not error < tolerance:
                    yield f"{name}, {dtype.__name__}, ({cells}, {n}, {n}): {error:.0e}"


def one_operation_after_another() -> Wrong:
    """jax-ml/jax#40633, 0.11.0 and 0.11.1 on some GPUs: outside `jit` an operation saw what one before it had left."""
    for size in (512, 4, 16):
        if float(jnp.sqrt(jnp.asarray(float(size)))) != float(np.sqrt(size)):
            yield f"root of {size}"
        if not np.array_equal(np.asarray(jnp.ones(4) + 1), np.full(4, 2.0)):
            yield f"1 + 1 after {size}"
    draws = np.asarray(jax.random.uniform(jax.random.key(0), (8,)))
    if not ((draws >= 0) & (draws < 1)).all():
        yield "uniform numbers"


def small_writes_in_a_loop() -> Wrong:
    """jax-ml/jax#40101, 0.11.1: each writes the whole array, so that a loop of n takes n² operations."""

    def seconds(count: int) -> float:
        loop = jax.jit(lambda x: jax.lax.fori_loop(0, count, lambda k, x: x.at[k].set(2.0 * k), x))
        array = jnp.zeros(count, jnp.float32)
        loop(array).block_until_ready()
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            loop(array).block_until_ready()
            times.append(time.perf_counter() - begin)
        return min(times)

    short, long = seconds(2_000), seconds(64_000)
    if long > 300 * short:  # 32 times the work, 1024 times if every write is of the whole array
        yield f"{long / short:.0f} times as long for 32 times the writes"


def array_that_is_shifted_in_place() -> Wrong:
    """openxla/xla#49176, in 0.10.1 as well: rows written over themselves are read after they were written."""

    def shifted(x):
        base = x + 1
        return base.at[1:].set(base[:-1]).reshape((1, *base.shape))

    x = jnp.arange(128, dtype=jnp.int32).reshape(8, 16)
    expected = np.asarray(x) + 1
    expected[1:] = expected[:-1].copy()
    if not np.array_equal(np.asarray(jax.jit(shifted)(x))[0], expected):
        yield "rows shifted by one"


def sum_of_a_product_of_many_axes() -> Wrong:
    """jax-ml/jax#39257 and #40412, 0.10.2 and 0.11.0: ends the process, or hangs."""

    def logarithm(few, many):
        return jnp.log(jnp.maximum(jnp.sum(few[..., None, None, None, None, None] * many, axis=2), 1e-16))

    few, many = jnp.ones((10, 4, 6), jnp.float32), jnp.ones((10, 4, 6, 5, 5, 5, 5, 5), jnp.float32)
    if not np.allclose(np.asarray(jax.jit(logarithm)(few, many)), np.log(6), rtol=1e-6):
        yield "eight axes"
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((2, 3, 1, 2, 2, 8, 8, 8)).astype(np.float32)
    if not np.allclose(np.asarray(jax.jit(lambda a, b: jnp.sum(a * b, axis=3))(u, v)), (u * v).sum(3), atol=1e-6):
        yield "seven axes"


PROGRAMS = (
    product_and_sum_of_rows,
    batched_product_that_is_summed,
    one_operation_after_another,
    small_writes_in_a_loop,
    array_that_is_shifted_in_place,
    sum_of_a_product_of_many_axes,
)

if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    for program in PROGRAMS:
        print(f"{program.__name__}: {'; '.join(program())}", flush=True)
