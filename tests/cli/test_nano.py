"""`jaxmeta nano`: what is read, computed, written and refused."""

import json

import numpy as np
import pytest

import jaxmeta as jm

A0 = 4.0502475
SMALL = ("--cells", 8, 4, 1, "--volume-fraction", 0.7, "--trials", 4, "--batch", 2)


@pytest.fixture(scope="module")
def beam(tmp_path_factory):
    """A file of the small beam with its grips, and without."""
    problem, place = jm.nano.cantilever((8, 4, 1), A0), tmp_path_factory.mktemp("beam")
    known = (problem.lattice.positions, problem.lattice.cell, problem.pbc, "Al")
    jm.nano.write_atoms(place / "beam.xyz", jm.nano.Atoms(*known, problem.held, problem.direction))
    jm.nano.write_atoms(place / "beam.lmp", jm.nano.Atoms(*known))
    return place


def test_stiffness(run, beam, tmp_path):
    done = run("nano", "stiffness", beam / "beam.xyz", "--json", "--output", tmp_path / "relaxed.xyz")
    assert done.code == 0, done.err
    problem = jm.nano.cantilever((8, 4, 1), A0)
    s = jm.nano.stiffness(
        jm.nano.zhou2004("Al"), problem.lattice.positions, problem.held, problem.direction, problem.lattice.cell,
        problem.pbc,
    )  # fmt: skip
    assert done.data["k"] == pytest.approx(s.k, rel=1e-9) and done.data["stable"]
    relaxed = jm.nano.read_atoms(tmp_path / "relaxed.xyz")
    np.testing.assert_allclose(relaxed.positions, s.positions, atol=1e-9)
    np.testing.assert_allclose(relaxed.numbers["displacement"], s.displacement, atol=1e-7)
    # Without grips in the file they are told; `lmp` files of our own know what repeats.
    grips = ("--grip", 0.5 * A0 + 0.1, "--direction", 0, 1, 0)
    told = run("nano", "stiffness", beam / "beam.lmp", *grips)
    assert told.code == 0 and f"k = {s.k:.6g} eV/Å²" in told.out


def test_relax_and_info(run, beam, tmp_path):
    done = run("nano", "relax", beam / "beam.xyz", "--json", "--output", tmp_path / "a.vtp")
    assert done.code == 0 and done.data["force"] < 1e-9 and 0 < done.data["furthest"] < 0.5
    info = run("nano", "info", tmp_path / "a.vtp", "--json")
    assert info.code == 0 and info.data["energy"] == pytest.approx(done.data["energy"], abs=1e-8)
    assert info.data["atoms"] == 128 == sum(info.data["coordination"].values()) and info.data["held"] == 32
    bare = run("nano", "info", beam / "beam.lmp", "--pbc", "FFF", "--json")
    assert bare.data["pbc"] == [False] * 3 and bare.data["energy"] > info.data["energy"] + 1  # of two more surfaces
    plain = run("nano", "info", beam / "beam.lmp", "--potential", "mishin")
    assert plain.code == 0 and "grips unknown" in plain.out and "4.05000 Å" in plain.out


@pytest.mark.slow
def test_optimize_writes_and_goes_on(run, tmp_path):
    folder = tmp_path / "out"
    done = run("nano", "optimize", *SMALL, "--max-steps", 1, "--output", folder, "--no-pictures", "--json")
    assert done.code == 0, done.err
    assert done.data["result"] in ("max_steps_reached", "converged") and done.data["atoms"] <= 89
    design = jm.nano.read_atoms(folder / "design.xyz")
    sites = jm.nano.cantilever((8, 4, 1), A0).lattice.positions[design.numbers["site"]]
    assert np.linalg.norm(design.positions - sites, axis=1).max() < 1
    scored = run("nano", "stiffness", folder / "design.xyz", "--json")
    assert scored.data["k"] == pytest.approx(done.data["k"], rel=1e-6)
    assert len(json.loads((folder / "history.json").read_text())["stiffness"]) == 1
    for name in ("design.vtp", "design.lmp"):
        np.testing.assert_array_equal(jm.nano.read_atoms(folder / name).positions, design.positions)
    assert run("nano", "optimize", *SMALL, "--output", folder).code == 2
    more = run("nano", "optimize", *SMALL, "--max-steps", 9, "--output", folder, "--no-pictures", "--resume")
    assert more.code == 0 and "The design rests" in more.out
    report = json.loads((folder / "report.json").read_text())
    assert report["steps"] >= 1 and report["k"] >= done.data["k"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("optimize", "--volume-fraction", 1.5), "--volume-fraction"),
        (("optimize", "--volume-fraction", 0.01), "--volume-fraction"),
        (("optimize", "--cells", 2, 4, 1), "--cells"),
        (("optimize", "--rate", 0), "--rate"),
        (("optimize", "--trials", 0), "--trials"),
        (("optimize", "--load", "bending"), "--load"),
        (("optimize", "--problem", "missing.toml"), "missing.toml"),
        (("optimize", "--problem", "missing.toml", "--finite"), "--problem"),
        (("optimize", "--shape", "pillar", "--finite"), "--finite"),
        (("optimize", "--resume"), "--resume"),
        (("optimize", "--potential", "missing.eam.alloy"), "missing.eam.alloy"),
        (("stiffness", "missing.xyz"), "missing.xyz"),
        (("stiffness", "beam.lmp"), "--grip"),
        (("stiffness", "beam.lmp", "--grip", -1), "--grip"),
        (("stiffness", "beam.lmp", "--grip", 20), "--grip"),
        (("stiffness", "beam.lmp", "--direction", 0, 1, 0), "--direction"),
        (("relax", "beam.lmp", "--pbc", "TFX"), "--pbc"),
        (("relax", "beam.lmp", "--output", "a.pdb"), "--output"),
        (("relax", "beam.lmp", "--output", "beam.xyz"), "--output"),
        (("info", "beam.lmp", "--element", "Cu"), "--element"),
        (("infos",), "infos"),
    ],
)
def test_refusals(run, beam, monkeypatch, words, told):
    monkeypatch.chdir(beam)
    done = run("nano", *words)
    assert done.code == 2 and done.out == ""
    last = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert len(last) == 1 and told in last[0] and done.err.endswith(f"{last[0]}\n")
    assert not (beam / "jaxmeta-nano").exists()
