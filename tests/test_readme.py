"""The README's examples run, on grids small enough for a test."""

import re
import shlex

import jax
import numpy as np
import pytest

from jaxmeta.cli import main
from jaxmeta.cli._main import _parse
from tests.doc_cells import ROOT, blocks

EXAMPLES = blocks("README.md", "python")
COMMANDS = [line for block in blocks("README.md", "sh") for line in block.splitlines()]


def _smaller(code: str) -> str:
    code, grids = re.subn(r"^n = \d+$", "n = 8", code, flags=re.MULTILINE)
    assert grids == 1
    return re.sub(r"max_steps=\d+", "max_steps=3", code)


def test_there_are_examples():
    assert len(EXAMPLES) == 2
    assert len(COMMANDS) == 8


@pytest.mark.parametrize("code", EXAMPLES, ids=["homogenize", "optimize"])
def test_python(code):
    names: dict = {}
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(compile(_smaller(code), "README.md", "exec"), names)
    stiffness = np.asarray(names["h"].stiffness if "h" in names else names["design"].stiffness)
    assert (np.linalg.eigvalsh(stiffness) > 0).all()
    if "gradient" in names:
        assert (np.asarray(names["gradient"]) >= 0).all()
    else:
        assert set(np.unique(names["design"].cell)) == {0.0, 1.0}


# `jaxmeta generate` is run by tests/cli/test_generate.py.
@pytest.mark.parametrize("line", [line for line in COMMANDS if re.match("jaxmeta (?!generate|evaluate|nano)", line)])
def test_commands(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)[1:]
    if words[0] == "dataset":
        assert main(words) == 0
        assert "wanted" in capsys.readouterr().out
        return
    if words[0] == "homogenize":
        cell = np.ones((8, 8, 8), np.float32)
        cell[2:6, 2:6, 2:6] = 0
        np.save("cell.npy", cell)
    else:
        words += ["--resolution", "16", "--max-steps", "2"]
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        assert main([*words, "--no-pictures"]) == 0
    folder = words[words.index("--output") + 1] if "--output" in words else "jaxmeta-optimize"
    assert (tmp_path / folder / "report.html").stat().st_size > 0


def test_long_commands_are_understood():
    """They are run, with other options, by tests/cli/test_evaluate.py and tests/cli/test_nano.py."""
    (evaluated,) = (line for line in COMMANDS if "jaxmeta evaluate" in line)
    (designed,) = (line for line in COMMANDS if "jaxmeta nano" in line)
    found = _parse(shlex.split(evaluated)[1:])
    assert list(found.ways) == ["raw", "fitted", "neighbour"] and found.drawn.targets == 8
    assert "12 6 2" in designed and _parse(shlex.split(designed)[1:]).volume_fraction == 0.5


def test_links():
    text = (ROOT / "README.md").read_text("utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert len(targets) > 8
    missing = [target for target in targets if "://" not in target and not (ROOT / target).exists()]
    # The picture is made by the package and committed apart from the text.
    assert set(missing) <= {"docs/images/designs.png"}
