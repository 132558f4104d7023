"""Bad input: one sentence on standard error, exit code 2, nothing on standard output, nothing written."""

import numpy as np
import pytest

from jaxmeta.cli._errors import UsageError, explain, name_flags, parse_sentence
from jaxmeta.cli._homogenize import Homogenize
from jaxmeta.cli._optimize import Optimize


@pytest.fixture
def here(tmp_path, monkeypatch, frame):
    """A folder with files of several kinds of trouble."""
    monkeypatch.chdir(tmp_path)
    np.save("frame.npy", frame)
    np.save("flat.npy", np.ones((4, 4)))
    np.save("bytes.npy", np.full((4, 4, 4), 255, np.uint8))
    uneven = frame.copy()
    uneven[0, 1, 2] = 0
    np.save("uneven.npy", uneven)
    (tmp_path / "bad.vti").write_text("<VTKFile")
    frame.tofile("frame.raw")
    np.save("target.npy", -np.eye(6))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    return tmp_path


CASES = [
    ("", "Expected one of"),
    ("bogus", "bogus"),
    ("homogenize", "FILE"),
    ("homogenize missing.npy", "missing.npy"),
    ("homogenize frame.txt", ".txt"),
    ("homogenize flat.npy", "(4, 4)"),
    ("homogenize bytes.npy", "between 0 and 1"),
    ("homogenize bad.vti", "bad.vti"),
    ("homogenize frame.raw", "`--shape` and `--raw-type`"),
    ("homogenize frame.raw --shape 8 8 8 --raw-type nonsense", "`--raw-type`"),
    ("homogenize frame.raw --shape 8 8 9 --raw-type float32", "frame.raw"),
    ("homogenize frame.npy --shape 8 8 8", "`--shape`"),
    ("homogenize frame.npy --young x", "--young"),
    ("homogenize frame.npy --yung 1", "perhaps you meant --young"),
    ("homogenize frame.npy --young -1", "`--young`"),
    ("homogenize frame.npy --poisson 0.5", "`--poisson`"),
    ("homogenize frame.npy --void -1", "`--void`"),
    ("homogenize frame.npy --void 1e-3 --background-young 1", "`--background-young`"),
    ("homogenize frame.npy --background-poisson 0.2", "`--background-young`"),
    ("homogenize frame.npy --background-young -1", "`--background-young`"),
    ("homogenize frame.npy --tolerance 0", "`--tolerance`"),
    ("homogenize frame.npy --spacing 1 1 -1", "`--spacing`"),
    ("homogenize frame.npy --spacing 1 1 2 --symmetry cubic", "mirror symmetry only"),
    ("homogenize uneven.npy --symmetry mirror", "`--symmetry`"),
    ("homogenize frame.npy --octant --symmetry none", "`--octant`"),
    ("homogenize frame.npy --output full", "`--output`"),
    ("homogenize frame.npy --output file", "`--output`"),
    ("homogenize frame.npy --output file/below", "`--output`"),
    ("homogenize frame.npy --output /proc/nothing", "`--output`"),
    ("homogenize full", "it is a folder"),
    ("homogenize -", "it stands for standard input, which is not read"),
    ("homogenize frame.npy --size 0", "`--size`"),
    ("homogenize frame.npy --tile 0", "`--tile`"),
    ("homogenise frame.npy", "There is no command `homogenise`; perhaps you meant homogenize."),
    ("optimize --start full", "it is a folder"),
    ("optimize --smallest-member 0", "`--smallest-member`"),
    ("optimize --objective fun", "--objective"),
    ("optimize --volume-fraction 1.5", "`--volume-fraction`"),
    ("optimize --resolution 15", "`--resolution`"),
    ("optimize --start gyroid", "`--symmetry` none"),
    ("optimize --start nothing", "`--start`"),
    ("optimize --start missing.npy", "missing.npy"),
    ("optimize --start frame.npy --resolution 16", "`--resolution`"),
    ("optimize --seed -1", "`--seed`"),
    ("optimize --objective match", "`--target`"),
    ("optimize --objective match --target-c11 1", "`--target`"),
    ("optimize --objective match --target target.npy", "positive definite"),
    ("optimize --objective match --target-c11 1 --target-c12 2 --target-c44 1", "positive definite"),
    ("optimize --target-c11 1", "`--target-c11` must come with `--objective` match or volume"),
    ("optimize --objective volume", "must come with a target or a least stiffness, such as `--min-bulk`"),
    ("optimize --objective volume --target-young 2", "at most `--young`, 1, but is 2"),
    ("optimize --objective volume --target-poisson 0.5", "`--target-poisson` must lie between -1 and 0.5"),
    (
        "optimize --objective volume --target-young 0.9 --target-poisson 0.2 --volume-fraction 0.3",
        "takes a bulk modulus of 0.5, and none has more than 0.117 at volume fraction 0.3",
    ),
    ("optimize --objective match --target-young 0.1", "`--target-poisson`"),
    ("optimize --direction 1 1 1", "`--direction`"),
    ("optimize --objective young --direction 0 0 0", "`--direction`"),
    ("optimize --optimizer oc --min-c11 0.1", "`--optimizer`"),
    ("optimize --isotropic 0", "`--isotropic`"),
    ("optimize --min-c11 -1", "`--min-c11`"),
    ("optimize --filter-radius -1", "`--filter-radius`"),
    ("optimize --smallest-feature 9", "`--smallest-feature` must be between half and twice `--filter-radius`, 2"),
    ("optimize --smallest-gap 2 --filter-radius 1", "`--filter-radius` must be above 1 with `--smallest-gap`"),
    ("optimize --optimizer oc --smallest-feature 2", "`--optimizer`"),
    ("optimize --max-steps 0", "`--max-steps`"),
    ("optimize --penalty 0", "`--penalty`"),
    ("optimize --resume", "`--resume`"),
    ("optimize --resume --overwrite", "`--overwrite`"),
    ("optimize --output full", "`--output`"),
    ("optimize --output file", "`--output`"),
]


@pytest.mark.parametrize(("line", "part"), CASES, ids=[line for line, _ in CASES])
def test_one_sentence(here, run, line, part):
    before = sorted(path.relative_to(here) for path in here.rglob("*"))
    answer = run(*line.split())
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("Error: ")
    assert answer.err.count("\n") == 1
    assert part in answer.err
    assert sorted(path.relative_to(here) for path in here.rglob("*")) == before
    assert (here / "full" / "mine.txt").read_text() == "mine"


def test_as_a_process(here, shell):
    answer = shell("homogenize", "missing.npy")
    assert answer.code == 2
    assert answer.out == ""
    assert (
        answer.err == "Error: File `missing.npy`, opening: expected a readable file, but no such file or directory.\n"
    )


def test_faults_of_the_program_are_not_hidden(cell_file, monkeypatch, run):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(Homogenize, "run", fail)
    with pytest.raises(ZeroDivisionError):
        run("homogenize", cell_file)


def test_explain():
    command = Optimize()
    assert explain(UsageError("Argument `max_steps` must be."), command) == "Argument `--max-steps` must be."
    assert "memory" in str(explain(MemoryError(), command))
    assert "memory" in str(explain(RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), command))
    assert (
        explain(ModuleNotFoundError("No module named 'h5py'"), command)
        == "A package is missing: No module named 'h5py'."
    )
    assert explain(PermissionError(13, "Permission denied", "x"), command) == "File `x`: permission denied."
    assert explain(ZeroDivisionError(), command) is None


def test_names_of_what_is_no_option_stay():
    assert name_flags("`density` and `volume_fraction`", Optimize()) == "`density` and `--volume-fraction`"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_with_and_without_box_characters(shell, environment, encoding):
    answer = shell("homogenize", "x.npy", "--yung", 2, env=environment | {"PYTHONIOENCODING": encoding})
    assert answer.code == 2
    assert answer.err == (
        "Error: Unrecognized options: --yung, 2; perhaps you meant --young. See `jaxmeta homogenize --help`.\n"
    )


def test_unknown_box_is_still_one_line():
    assert parse_sentence("something\nelse") == "Something else."
    assert parse_sentence("") == "The arguments cannot be read."
