"""Which binary cell a run hands back: none of those that it could have had is better."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.design import RUNNERS_UP, Kept
from jaxmeta.topology import Course
from jaxmeta.topology._finish import finish
from jaxmeta.topology._setup import Settings

SOLID = jm.Isotropic(1.0, 0.3)
SHARP = 32.0


@pytest.fixture(scope="module")
def designs():
    names = ("primitive", "iwp", "neovius")
    return [jm.geometry.tpms(name, (4, 4, 4), 0.4, octant=True, sharpness=2.0) for name in names]


@pytest.fixture(scope="module")
def finished(designs):
    """The result of a run towards a stiffness, from the designs that it kept; each with its objective as optimised."""
    target = jm.Isotropic(0.12, 0.25).stiffness
    settings = Settings(
        jm.objectives.match(target), SOLID, 0.4, "cubic", (), jm.SIMP(3.0, 1e-9), jm.Continuation(), None,
        (1.0, 1.0, 1.0), None, Course(filter_radius=1.2, max_steps=1),
    )  # fmt: skip
    loop, design = settings.problem(designs[0])
    begun = loop.init(design, designs[0])

    def kept(variables, step, objective):
        numbers = (jnp.asarray(x, variables.dtype) for x in (SHARP, objective, 0.0))
        return Kept(jnp.asarray(step, jnp.int32), variables, *numbers)

    def result(best, others=(), least=None):
        none = kept(designs[0], 0, 0.0)
        rows = [kept(x, 2 + k, 2.0) for k, x in enumerate(others)]
        rows += [none] * (RUNNERS_UP - len(rows))
        state = begun._replace(
            kept=kept(best, 1, 1.0),
            others=jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows),
            least=none if least is None else kept(least, 9, 0.5),
        )
        return finish(settings, loop, design, designs[0], state, {"objective": [1.0]})

    return result


def test_a_better_cell_of_a_worse_design_is_handed_back(designs, finished):
    alone = [finished(design) for design in designs]
    values = [found.report["objective_binary"] for found in alone]
    order = np.argsort(values)
    assert values[order[0]] < 0.9 * values[order[1]] < 0.9 * 0.9 * values[order[2]]
    best, second, worst = (designs[k] for k in order)
    for found in (finished(worst, [second, best]), finished(worst, least=best), finished(best, [worst], second)):
        assert found.report["objective_binary"] == values[order[0]]
        np.testing.assert_array_equal(found.cell, alone[order[0]].cell)
        # What is told as optimised is the design of that cell.
        np.testing.assert_array_equal(found.density, alone[order[0]].density)
