"""The page on guided updates, run as it stands: its error falls, and its gradients are right."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.doc_cells import cells

pytestmark = pytest.mark.xdist_group("guided")  # one process compiles the page


def _run(code: str) -> dict:
    names: dict = {"__name__": "guided"}
    exec(compile(code, "docs/guided.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def page():
    """The names of the whole page, in float32 as a reader runs it."""
    # Optax itself promotes; a reader has the standard promotion too.
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return _run("\n".join(cell.code for cell in cells("guided.md")))


@pytest.fixture(scope="module")
def double():
    """The page's definitions with its dtype replaced by float64; no update is made."""
    code = "\n".join(cell.code for cell in cells("guided.md"))
    code = code[: code.index("errors = []")]
    assert code.count("jnp.float32") == 1
    with jax.numpy_rank_promotion("allow"):
        return _run(code.replace("jnp.float32", "jnp.float64"))


@pytest.fixture(scope="module")
def value_and_gradient(double):
    """The error and its gradient with respect to the design, solved to rounding."""
    state, target = double["state"], double["target"]
    error = lambda design: double["error"](design, state.displacement, target, residual=1e-11)[0]  # noqa: E731
    return jax.jit(jax.value_and_grad(error))


@pytest.mark.slow
def test_the_error_falls_and_gradients_reach_every_parameter(page, double, value_and_gradient):
    errors = np.array(page["errors"])
    assert np.isfinite(errors).all()
    assert errors[-1] < 0.01 * errors[0]
    assert page["h"].stiffness.dtype == jnp.float32
    # A displacement that is started from is far better after four steps than one that starts at zero.
    assert float(page["h"].stats.error.max()) < 1e-4
    leaves = jax.tree_util.tree_leaves_with_path(value_and_gradient(double["state"].design)[1])
    assert len(leaves) == 7
    for path, leaf in leaves:
        name = jax.tree_util.keystr(path)
        assert leaf.dtype == jnp.float64, name
        assert bool(jnp.isfinite(leaf).all()), name
        # Each weight matters, not only some of each array.
        assert float((leaf != 0).mean()) > 0.9, name
    # The gradient is that of finite differences.
    design = double["state"].design
    gradient = value_and_gradient(design)[1]
    flat, structure = jax.tree.flatten(design)
    for seed in range(3):
        keys = jax.random.split(jax.random.key(seed), len(flat))
        direction = structure.unflatten(
            [jax.random.normal(key, leaf.shape, leaf.dtype) for key, leaf in zip(keys, flat, strict=True)]
        )
        slope = float(sum(jax.tree.leaves(jax.tree.map(jnp.vdot, gradient, direction))))
        steps = [1e-2, 1e-3, 1e-4, 1e-5]
        errors = []
        for step in steps:
            ahead, behind = (
                float(value_and_gradient(jax.tree.map(lambda x, d, t=t: x + t * d, design, direction))[0])
                for t in (step, -step)
            )
            errors.append(abs((ahead - behind) / (2 * step) - slope) / abs(slope))
        # Central differences converge with the square of the step, until rounding.
        assert errors[1] < 0.03 * errors[0]
        assert min(errors) < 1e-6
