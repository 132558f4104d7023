"""A fault of a JAX release that this package excludes: a later release that has it again is seen here first.

jax-ml/jax#39103: compiled by jax 0.10.2 for the CPU, a product of a small matrix with every row of a long array,
followed by a sum over each row, silently comes out wrong in the last row. 0.10.1 is right.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

ROWS = [(jnp.float64, 2**14 + 1), (jnp.float64, 2**16 + 3), (jnp.float32, 2**15 + 1), (jnp.float32, 2**17 + 3)]
"""The lengths of the report, where 0.10.2 fails both matrices, and longer ones."""

MATRICES = {"identity": np.eye(3), "full": np.array([[1, 2, -1], [2, -1, 1], [3, -2, 1]])}


@pytest.mark.parametrize(("dtype", "rows"), ROWS)
@pytest.mark.parametrize("name", MATRICES)
def test_a_compiled_product_and_sum_of_every_row_is_that_of_numpy(name, dtype, rows):
    """Bit for bit: all numbers are integers that both dtypes hold exactly."""
    matrix = MATRICES[name]
    column = np.arange(rows) % 499
    points = np.stack([column, 7 - column, column // 2], axis=1)
    expected = np.square(points @ matrix.T).sum(axis=1)

    def norms(matrix, points):
        return jax.vmap(lambda point: jnp.sum(jnp.square(matrix @ point)))(points)

    held, given = jnp.asarray(matrix, dtype), jnp.asarray(points, dtype)
    np.testing.assert_array_equal(np.asarray(norms(held, given)), expected)
    np.testing.assert_array_equal(np.asarray(jax.jit(norms)(held, given)), expected)
    # The matrix as a constant of the program, as in the report, gives the compiler more to rewrite.
    np.testing.assert_array_equal(np.asarray(jax.jit(lambda points: norms(held, points))(given)), expected)
