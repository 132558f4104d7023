"""A design goes on from the checkpoint of the same run only."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm


def entry(i, j):
    return lambda c, rho: -c[i, j]


def weighted(value):
    weights = np.full((6, 6), value)
    return lambda c, rho: -jnp.sum(jnp.asarray(weights, c.dtype) * c)


def mean(value):
    return lambda c, rho, target=value: (c[0, 0] - target) ** 2


class Entry:
    def __init__(self, i):
        self.i = i

    def value(self, c, rho):
        return -c[self.i, self.i]


def limits(function, bound=0.5, size=2.0, phase="solid"):
    return [jm.constraints.at_most(function, bound), jm.constraints.smallest_feature(size, phase)]


START = jm.geometry.trigonometric(jax.random.key(0), (4, 4, 4), symmetry="cubic", volume_fraction=0.4)
OPTIONS = {
    "objective": weighted(1.0),
    "start": START,
    "constraints": limits(entry(3, 3)),
    "solid": jm.Isotropic(1.0, 0.3),
    "volume_fraction": 0.4,
    "filter_radius": 1.5,
    "projection": jm.Continuation(start=1.0, factor=4.0, every=2, final=4.0),
    "max_steps": 1,
}
PASSIVE = np.zeros((4, 4, 4), bool)
CORNER = PASSIVE.copy()
CORNER[0, 0, 0] = True


def optimize(folder, **changes):
    return jm.optimize(**{**OPTIONS, **changes}, checkpoint=folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with the options above, and its checkpoint."""
    folder = tmp_path_factory.mktemp("run") / "checkpoint"
    return optimize(folder), folder


@pytest.fixture(scope="module")
def folder(run):
    return run[1]


def test_constraints_are_told_in_full(run):
    """Though the optimiser sees a relaxed one in the first stage."""
    assert run[0].history["constraints"][0][1] > 100


OTHERS = {
    "objective": [
        {"objective": f}
        for f in (entry(3, 3), weighted(1.0 + 1e-15), mean(0.1), Entry(3).value, functools.partial(entry(1, 1)))
    ],
    "constraints": [
        {"constraints": c}
        for c in (
            limits(entry(0, 0)),
            limits(entry(3, 3), 0.6),
            limits(entry(3, 3), size=2.5),
            limits(entry(3, 3), phase="void"),
            limits(entry(3, 3))[:1],
            (),
        )
    ],
    "start": [{"start": START.at[0, 0, 0].multiply(0.5)}],
    "passive": [{"passive": (PASSIVE, CORNER)}],
    "volume_fraction": [{"volume_fraction": 0.41}],
    "filter_radius": [{"filter_radius": 1.6}],
    "interpolation": [{"interpolation": i} for i in (jm.SIMP(3.1, 1e-9), jm.SIMP(3.0, 1e-8), jm.RAMP(3.0, 1e-9))],
    "solid": [{"solid": jm.Isotropic(1.0, 0.31)}],
    "optimizer": [{"optimizer": jm.MMA(move=0.1)}],
    "projection": [{"projection": jm.Continuation(start=1.0, factor=4.0, every=3, final=4.0)}],
    "stop": [{"stop": 1e-2}],
    "tolerance": [{"tolerance": 2e-4}],
    "erosion": [{"erosion": 0.1}],
    "symmetry": [{"symmetry": "mirror"}],
}


@pytest.mark.parametrize(("name", "changes"), [(n, c) for n, many in OTHERS.items() for c in many])
def test_another_run_is_refused(folder, name, changes):
    with pytest.raises(ValueError, match=f"be a folder of this same run, but .* one with another .*{name}"):
        optimize(folder, **changes)


def test_another_precision_is_refused(folder):
    with pytest.raises(ValueError, match=r"with another .*start"):
        optimize(folder, start=START.astype(jnp.float32))
    with jax.enable_x64(False), pytest.raises(ValueError, match=r"x64 \(true, not false\)"):
        optimize(folder, start=START.astype(jnp.float32))


def test_another_version_is_refused(folder, monkeypatch):
    from jaxmeta.runs import _folder

    monkeypatch.setattr(_folder, "version", lambda name: "0.9.9")
    with pytest.raises(ValueError, match=r'another jax \("0\.\d+\.\d+.*", not "0\.9\.9"\), jaxlib'):
        optimize(folder)


def test_functions_made_anew_are_the_same(folder):
    """With the same captured values; to the last digit, as above. What is done is not done again."""
    seen = []
    optimize(folder, objective=weighted(1.0), constraints=limits(entry(3, 3)), callback=lambda *step: seen.append(step))
    assert seen == []


def test_python_called_back_is_refused(tmp_path):
    def own(c, rho):
        return jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct((), c.dtype), jax.lax.stop_gradient(c[0, 0]))

    with pytest.raises(ValueError, match=r"must be JAX's from end to end"):
        optimize(tmp_path, objective=own)
