"""The design run: gradients of what it optimises, a design that beats its start, refusal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta import geometry
from jaxmeta.topology import GCMMA, MMA, OC, Continuation, DensityFilter, Design, FeatureSize, Heaviside

SOLID = jm.Isotropic(1.0, 0.3)
SHARP = Continuation(1.0, 2.0, 6, 8.0)


def _start(n=4, seed=0, volume_fraction=0.4):
    return geometry.trigonometric(jax.random.key(seed), (n, n, n), symmetry="cubic", volume_fraction=volume_fraction)


def _design(objective, constraints=(), erosion=0.0):
    return Design.of(
        objective, constraints, solid=SOLID, volume_fraction=0.4, filtering=DensityFilter(1.5, "cubic"),
        tolerance=1e-13, erosion=erosion,
    )  # fmt: skip


def _level(beta, final=3.0):
    return SHARP.level(jnp.asarray(beta))._replace(share=jnp.asarray(beta / final))


def _stacked(seen):
    """Values (1 + m,) and gradients (1 + m, *shape)."""
    gradients = jnp.concatenate([seen.gradient[None], seen.constraint_gradients])
    return jnp.append(seen.objective, seen.constraints), gradients


def _against_differences(design, level, x, direction, rtol, atol=0.0):
    evaluate = jax.jit(lambda v: _stacked(design.evaluate(v, level, None).seen))
    values, gradients = evaluate(x)
    step = 1e-4
    near = [evaluate(x + k * step * direction)[0] for k in (-2, -1, 1, 2)]
    slope = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * step)
    exact = (gradients * direction[None]).sum((1, 2, 3))
    np.testing.assert_allclose(slope, exact, rtol=rtol, atol=atol)
    # What an optimiser is told of a trial is what it would see there.
    tried = jax.jit(lambda v: design.values(v, level, None))(x)
    np.testing.assert_allclose(jnp.append(*tried), values, rtol=1e-9)
    np.testing.assert_allclose(design.cheap(x, level), values[-1], rtol=1e-12)
    return values, exact


OBJECTIVES = [
    jm.objectives.maximize_bulk(),
    jm.objectives.maximize_shear(),
    jm.objectives.maximize_young((1.0, 1.0, 0.0)),
    jm.objectives.minimize_poisson(),
    jm.objectives.match(jm.Isotropic(0.1, 0.25).stiffness),
    jm.constraints.isotropic(0.03),
    jm.constraints.at_least(lambda c, rho: c[0, 0] + rho.max(), 0.5),
    jm.constraints.at_most(lambda c, rho: c[0, 1] * rho.mean(), 0.5),
]


@pytest.mark.parametrize("erosion", [0.0, 0.1])
def test_gradients_of_every_piece(erosion):
    """Values through filter, projection and homogenization have the gradient that the optimiser is given."""
    objective, *constraints = OBJECTIVES if erosion else OBJECTIVES[:2]
    design = _design(objective, tuple(constraints), erosion)
    # Symmetric directions only: the variables are averaged over permutations.
    values, _ = _against_differences(design, _level(3.0), _start(), _start(seed=5) - 0.4, rtol=2e-7, atol=1e-10)
    assert values.shape == (len(constraints) + 2,)


FEATURES = (jm.constraints.smallest_feature(2.0), jm.constraints.smallest_feature(1.5, "void"))


@pytest.mark.slow
def test_the_smallest_feature():
    for erosion in (0.0, 0.2):
        _gradients_of_the_smallest_feature(erosion)
    _smallest_feature_thickens_the_members()


def _gradients_of_the_smallest_feature(erosion):
    """Values are those of the filtered and the projected density, without erosion; gradients go with them."""
    design = _design(jm.objectives.maximize_bulk(), (*FEATURES, jm.constraints.isotropic(0.1)), erosion)
    x, direction = _start(), _start(seed=5) - 0.4
    values, exact = _against_differences(design, _level(3.0), x, direction, rtol=1e-6)
    filtered = DensityFilter(1.5, "cubic")(x)
    for value, size, phase in zip(values[1:3], (2.0, 1.5), ("solid", "void"), strict=True):
        expected = FeatureSize(size, 1.5, phase, "cubic")(filtered, Heaviside(3.0)(filtered))
        np.testing.assert_allclose(value, expected, rtol=1e-12)
    assert jnp.all(jnp.abs(exact[1:3]) > 1)
    # Relaxed before the projection is as sharp as it will be, values and gradients; in full in what is told.
    for share in (1 / 2, 1 / 8):
        found = jax.jit(design.evaluate)(x, _level(3.0, 3.0 / share), None)
        weights = np.array([share**4, share**4, 1.0, 1.0])
        relaxed, gradients = _stacked(found.seen)
        np.testing.assert_allclose(relaxed[1:], weights * (values[1:] + 1) - 1, rtol=1e-9)
        slopes = (gradients * direction[None]).sum((1, 2, 3))
        np.testing.assert_allclose(slopes[1:], weights * exact[1:], rtol=1e-9)
        np.testing.assert_allclose(found.record.constraints, values[1:], rtol=1e-9)


def test_a_nearly_incompressible_solid_in_single_precision():
    """The design's solid is that of `homogenize`, whose constants are not formed in single precision."""
    solid, x = jm.Isotropic(1.0, 0.4999), _start().astype(jnp.float32)
    design = Design.of(
        jm.objectives.maximize_bulk(), (), solid=solid, volume_fraction=0.4, filtering=DensityFilter(1.5, "cubic"),
        tolerance=1e-6, dtype=jnp.float32,
    )  # fmt: skip
    exact = jax.tree.map(float, solid).lame
    for found, value in zip(design.lame, exact, strict=True):
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(float(found), float(value), rtol=1e-7)
    full = jnp.ones_like(x)
    c = jax.jit(lambda rho: design.solve(rho, None).stiffness)(full)
    np.testing.assert_allclose(c, jm.homogenize(full, solid, symmetry="cubic").stiffness, rtol=1e-6)


def test_a_constraint_of_ones_own_sees_the_record():
    class Grey:
        sees_record, relaxation = True, 1.0

        def __call__(self, record):
            return (record.projected * (1 - record.filtered)).mean() + record.stiffness[0, 0] * record.density.max()

    design, x = _design(jm.objectives.maximize_bulk(), (Grey(),), 0.1), _start()
    found = jax.jit(design.evaluate)(x, _level(3.0, 6.0), None)
    filtered = DensityFilter(1.5, "cubic")(x)
    expected = (Heaviside(3.0)(filtered) * (1 - filtered)).mean()
    expected = expected + found.record.stiffness[0, 0] * Heaviside(3.0, 0.6)(filtered).max()
    np.testing.assert_allclose(found.record.constraints[0], expected, rtol=1e-12)
    np.testing.assert_allclose(found.seen.constraints[0], (expected + 1) / 2 - 1, rtol=1e-12)


def _smallest_feature_thickens_the_members():
    """Walls of two voxels without it, thicker members with it; the block test counts rounded corners too."""
    options = {
        "solid": SOLID, "volume_fraction": 0.35, "filter_radius": 3.0, "optimizer": MMA(), "max_steps": 200,
        "projection": Continuation(1.0, 2.0, 6, 32.0), "tolerance": 1e-3,
    }  # fmt: skip
    start = _start(8, 1, 0.35)
    free = jm.optimize(jm.objectives.maximize_bulk(), start, **options)
    d = jm.optimize(jm.objectives.maximize_bulk(), start, constraints=[jm.constraints.smallest_feature(3.0)], **options)
    assert free.result == d.result == 0
    assert geometry.minimum_member(free.cell, 3) > 0.5
    assert geometry.minimum_member(d.cell, 3) < 0.15
    assert geometry.minimum_member(d.cell, 2) == 0
    assert d.report["connected"] and all(d.report["percolates"])
    # In full in the history: a grey design violates it, the last one does not.
    values = [row[0] for row in d.history["constraints"]]
    assert values[0] > 100 and values[-1] < 1e-3
    assert d.report["objective_binary"] < -0.08


@pytest.mark.parametrize("erosion", [0.0, 0.2])
def test_report_compares_like_with_like(erosion):
    """Grey and binary objective are both of the design itself, not of its eroded density or of the step before."""
    objective = jm.objectives.maximize_bulk()
    d = jm.optimize(
        objective, _start(4), solid=SOLID, volume_fraction=0.5, filter_radius=1.5, projection=SHARP,
        erosion=erosion, max_steps=3, tolerance=1e-9,
    )  # fmt: skip
    h = jm.homogenize(d.density, SOLID, interpolation=jm.SIMP(3.0, 1e-9), symmetry="cubic", tolerance=1e-9)
    grey, binary = d.report["objective_grey"], d.report["objective_binary"]
    np.testing.assert_allclose(grey, objective(h.stiffness, d.density), rtol=1e-7)
    np.testing.assert_allclose(binary, objective(jnp.asarray(d.stiffness), jnp.asarray(d.cell)), rtol=1e-12)
    assert d.report["loss_from_binarising"] == binary - grey
    # What the steps saw is the same, but for the erosion.
    best = int(np.argmin(d.history["objective"]))
    if erosion:
        assert abs(d.history["objective"][best] - grey) > 1e-3 * abs(grey)
    else:
        assert d.history["objective"][best] == grey
    np.testing.assert_allclose(d.history["volume_fraction"][best], d.density.mean(), rtol=1e-12)


class Spectral:
    """A simple optimiser of one's own: the gradient's sign, and a shift of all variables to the volume."""

    def init(self, x, problem):
        return jnp.zeros((), jnp.int32)

    def update(self, state, x, seen, problem):
        scaled = x - 0.1 * seen.gradient / jnp.abs(seen.gradient).max()

        def halve(_, ends):
            middle = ends.mean()
            above = problem.cheap(jnp.clip(scaled - middle, problem.lower, problem.upper)) > 0
            return jnp.where(above, ends.at[0].set(middle), ends.at[1].set(middle))

        shift = jax.lax.fori_loop(0, 30, halve, jnp.array([-1.0, 1.0], x.dtype)).mean()
        return jnp.clip(scaled - shift, problem.lower, problem.upper), state + 1


def test_a_cell_is_not_handed_back_worse_than_it_came():
    """Near its target already; the first steps would only take it away from there."""
    start = geometry.threshold(geometry.tpms("primitive", (4, 4, 4), 0.4, octant=True), 0.4).astype(float)
    fraction = float(start.mean())
    solved = jm.homogenize(start, SOLID, symmetry="cubic", tolerance=1e-9).stiffness
    objective = jm.objectives.match(1.002 * solved)
    d = jm.optimize(objective, start, solid=SOLID, volume_fraction=fraction, filter_radius=3.0, max_steps=2)
    assert d.history["beta"] == [32.0, 32.0]
    np.testing.assert_array_equal(d.cell, geometry.symmetry.unfold(start))
    np.testing.assert_allclose(d.report["objective_binary"], (0.002 / 1.002) ** 2, rtol=1e-3)
    np.testing.assert_allclose(d.report["constraints_binary"], [0.0], atol=1e-9)
    # One that is over the volume is not handed back.
    d = jm.optimize(objective, start, solid=SOLID, volume_fraction=fraction - 0.05, filter_radius=3.0, max_steps=2)
    assert not d.report["start_kept"] and d.cell.mean() < fraction - 0.03


@pytest.mark.slow
def test_constraints_are_met():
    _least_volume_with_a_wanted_modulus()
    _isotropic_within_its_tolerance()


def _least_volume_with_a_wanted_modulus():
    def young(c, _):
        return jm.elasticity.voigt_average(c).young

    wanted = [jm.constraints.near(young, 0.1, 0.005, "Young's modulus")]
    d = jm.optimize(
        jm.objectives.minimize_volume(), _start(4, volume_fraction=0.6), solid=SOLID, volume_fraction=1.0,
        constraints=wanted, filter_radius=1.5, projection=Continuation(1.0, 2.0, 10, 4.0), max_steps=40,
    )  # fmt: skip
    best = int(
        np.argmin(np.where(np.array(d.history["constraints"])[-10:, 0] <= 1e-3, d.history["objective"][-10:], 9))
    )
    np.testing.assert_allclose(young(jnp.asarray(d.history["stiffness"][-10:][best]), None), 0.1, rtol=0.006)
    assert d.history["objective"][-10:][best] < 0.45
    assert d.report["objective_binary"] == pytest.approx(d.scored.volume_fraction)
    assert d.scored.volume_fraction < 0.5


@pytest.mark.parametrize("optimizer", [OC(), MMA(), GCMMA(), Spectral()], ids=["oc", "mma", "gcmma", "own"])
def test_design_improves_and_is_binary_and_connected(optimizer):
    d = jm.optimize(
        jm.objectives.maximize_bulk(), _start(6), solid=SOLID, volume_fraction=0.4, filter_radius=1.5,
        optimizer=optimizer, projection=SHARP, max_steps=30,
    )  # fmt: skip
    assert set(np.unique(d.cell)) == {0.0, 1.0}
    assert geometry.is_connected(d.cell, periodic=True)
    assert abs(d.cell.mean() - 0.4) < 0.02
    assert d.history["objective"][-1] < 1.5 * d.history["objective"][1] < 0
    # The score is that of the cell, found here by the plain six loads of the whole cell.
    h = jm.homogenize(jnp.asarray(d.cell, jnp.float64), SOLID, interpolation=jm.SIMP(1.0, 1e-9), residual=1e-9)
    np.testing.assert_allclose(d.stiffness, h.stiffness, atol=1e-7)
    assert d.report["scored_in"] == "float64"
    bound = jm.bounds.hashin_shtrikman(float(d.cell.mean()), SOLID).bulk
    assert 0.6 * bound < -d.report["objective_binary"] < 1.01 * bound


@pytest.mark.slow
def test_defaults_come_to_rest():
    """What the command runs: all stages of the projection, without swinging to and fro in the last."""
    d = jm.optimize(jm.objectives.maximize_bulk(), _start(8), solid=SOLID, volume_fraction=0.4)
    assert d.result == 0
    last = np.array(d.history["objective"][-10:])
    assert np.ptp(last) < 2e-3 * abs(last[-1])
    assert d.history["beta"][-1] == 32


def _isotropic_within_its_tolerance():
    d = jm.optimize(
        jm.objectives.maximize_shear(), _start(8, 3), solid=SOLID, volume_fraction=0.4, filter_radius=1.5,
        constraints=[jm.constraints.isotropic(0.05)], projection=SHARP, max_steps=50,
    )  # fmt: skip
    c = np.array(d.history["stiffness"][-1])
    assert abs(2 * c[3, 3] / (c[0, 0] - c[0, 1]) - 1) < 0.06
    assert d.history["volume_fraction"][-1] < 0.402


def test_ends_when_the_objective_rests():
    d = jm.optimize(
        jm.objectives.maximize_bulk(), _start(4), solid=SOLID, volume_fraction=0.5, filter_radius=1.5,
        projection=Continuation(1.0, 2.0, 10, 2.0), max_steps=200, stop=1e-2,
    )  # fmt: skip
    assert d.result == 0
    assert len(d.history["objective"]) < 200
    last = d.history["objective"][-10:]
    assert max(last) - min(last) <= 1e-2 * abs(last[-1])


@pytest.mark.slow
def test_multistart_agrees_with_single_runs():
    starts = jnp.stack([_start(4, seed, 0.5) for seed in range(3)])
    options = {"solid": SOLID, "volume_fraction": 0.5, "filter_radius": 1.0, "projection": SHARP, "max_steps": 12}
    objective = jm.objectives.maximize_bulk()
    many = jm.topology.multistart(objective, starts, **options)
    single = [jm.optimize(objective, start, **options) for start in starts]
    single.sort(key=lambda d: d.report["objective_binary"])
    for a, b in zip(many, single, strict=True):
        np.testing.assert_allclose(a.report["objective_binary"], b.report["objective_binary"], rtol=1e-6)
        np.testing.assert_allclose(a.history["objective"], b.history["objective"], rtol=1e-6)
        assert a.report["objective_grey"] in a.history["objective"]


def test_nothing_is_infinite_or_undefined_on_the_way():
    """With the switches that stop at the first infinity: erosion, features, held voxels, both octants and batches."""
    options = {"solid": SOLID, "filter_radius": 2.0, "max_steps": 2, "projection": SHARP, "volume_fraction": 0.4}
    void, solid = np.zeros((2, 4, 4, 4), bool)
    void[3, 3, 3], solid[0, 0, 0] = True, True
    objective, limits = jm.objectives.maximize_shear(), [jm.constraints.isotropic(), *FEATURES]
    with jax.debug_infs(True), jax.debug_nans(True):
        d = jm.optimize(objective, _start(4), constraints=limits, erosion=0.1, passive=(void, solid), **options)
        jm.topology.multistart(objective, jnp.stack([_start(4), _start(4, 1)]), **options)
    assert len(d.history["objective"]) == 2


def test_targets_compile_once(compilations):
    """Two targets, bounds, volumes, solids and sharpnesses, and one program."""
    options = {"filter_radius": 1.0, "optimizer": MMA(), "max_steps": 2}

    def stiff(c, rho):
        return c[0, 0]

    for k in range(2):
        jm.optimize(
            jm.objectives.match(jm.Isotropic(0.05 + 0.01 * k, 0.2).stiffness),
            _start(4),
            solid=jm.Isotropic(1.0 + k, 0.3),
            interpolation=jm.SIMP(3.0 + 0.1 * k, 1e-9),
            volume_fraction=0.4 + 0.01 * k,
            constraints=[jm.constraints.at_least(stiff, 0.01 * (k + 1)), jm.constraints.isotropic(0.1 + 0.01 * k)],
            projection=Continuation(1.0 + 0.1 * k, 2.0, 1, 8.0),
            stop=1e-3 * (k + 1),
            tolerance=1e-4 / (k + 1),
            **options,
        )
        if k == 0:
            assert len(compilations) > 0
            compilations.clear()
    assert compilations == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"volume_fraction": 0.0}, "Argument `volume_fraction`"),
        ({"volume_fraction": 1.5}, "Argument `volume_fraction`"),
        ({"max_steps": 0}, "Argument `max_steps`"),
        ({"start": jnp.ones((4, 4))}, "Argument `start` must have shape"),
        ({"start": 2 * jnp.ones((4, 4, 4))}, "Argument `start` must lie in"),
        ({"start": jnp.full((4, 4, 4), jnp.nan)}, "Argument `start` must lie in"),
        ({"start": jnp.ones((4, 4, 6))}, "Argument `start` must be a cube"),
        ({"symmetry": "octahedral"}, "Argument `symmetry`"),
        (
            {"optimizer": OC(), "constraints": [jm.constraints.isotropic(0.1)]},
            "Argument `optimizer` must be MMA when there are constraints besides the volume, but is OC",
        ),
        ({"passive": (np.ones((4, 4, 4), bool), np.ones((4, 4, 4), bool))}, "Argument `passive`"),
        ({"erosion": 0.7}, "Argument `erosion`"),
        ({"objective": 3.0}, "Argument `objective` must be a function of stiffness and density, but is 3.0"),
        ({"constraints": jm.constraints.isotropic()}, "Argument `constraints` must be a sequence of functions"),
        ({"optimizer": "oc"}, "Argument `optimizer` must have the methods `init` and `update`, but is 'oc'"),
        (
            {"constraints": [jm.constraints.smallest_feature(9.0)]},
            "Argument `size` must be between half and twice `radius`, 2.0, but is 9.0",
        ),
        ({"constraints": FEATURES, "filter_radius": 1.0}, "Argument `radius` must be a finite number above 1"),
        ({"constraints": FEATURES, "optimizer": OC()}, "Argument `optimizer` must be MMA"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_arguments(change, message):
    arguments = {"objective": jm.objectives.maximize_bulk(), "start": _start(4), "solid": SOLID}
    with pytest.raises(ValueError, match=message):
        jm.optimize(**{**arguments, "volume_fraction": 0.4, **change})


def test_bad_smallest_features():
    with pytest.raises(ValueError, match=r"Argument `size` must be a finite number above 0, but is 0\.0"):
        jm.constraints.smallest_feature(0.0)
    with pytest.raises(ValueError, match="phase"):
        jm.constraints.smallest_feature(2.0, "grey")  # pyright: ignore[reportArgumentType]
