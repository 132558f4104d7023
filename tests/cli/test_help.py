"""Help is quick and complete, and needs neither JAX nor NumPy."""

import re
import resource
import subprocess
import sys

import pytest

from jaxmeta.cli._dataset import NAMES
from jaxmeta.cli._nano import NAMES as NANO_NAMES

COMMANDS = [
    "homogenize",
    "optimize",
    "train",
    "evaluate",
    "interpolate",
    "cloak",
    *(f"dataset {name}" for name in NAMES),
    *(f"nano {name}" for name in NANO_NAMES),
]


def test_help_answers(shell):
    """As a process of its own; `test_nothing_heavy_is_imported` asks every command."""
    answer = shell("--help")
    assert answer.code == 0
    assert answer.err == ""
    assert answer.out.startswith("usage: jaxmeta")


def test_help_is_quick(shell):
    """In at most five times the processor's time in which the library for command lines is loaded alone: 0.2 s."""

    def seconds(call):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        call()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def answers():
        shell("dataset", "generate", "--help")

    def loads():
        subprocess.run([sys.executable, "-c", "import tyro"], check=True)

    times = [(seconds(answers), seconds(loads)) for _ in range(3)]
    assert min(own for own, _ in times) < 5 * min(least for _, least in times)


def test_nothing_heavy_is_imported(environment):
    """By the help of any command, in one process: what one imported the others would show, too."""
    commands = ["", "dataset", "nano", *COMMANDS]
    program = (
        "import sys\nfrom jaxmeta.cli import main\n"
        f"for command in {commands!r}:\n"
        "    print('==')\n"
        "    assert main([*command.split(), '--help']) == 0\n"
        "    heavy = {'jax', 'numpy', 'scipy', 'h5py', 'matplotlib'} & set(sys.modules)\n"
        "    assert not heavy, (command, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=100)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for command, said in zip(commands, done.stdout.split("==\n")[1:], strict=True):
        assert said.startswith(f"usage: jaxmeta {command}".rstrip())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(run, command):
    lines = [line.strip("│ ") for line in run(*command.split(), "--help").out.splitlines()]
    starts = [number for number, line in enumerate(lines) if re.match("--[a-z]", line)]
    assert len(starts) > ({"homogenize": 20, "optimize": 20, "train": 14}.get(command, 3))
    for number in starts:
        said = lines[number].partition("  ")[2] or lines[number + 1]
        assert re.match("[A-Z]", said.strip()), lines[number]
    assert not any("default: None" in line or "default: False" in line for line in lines)


def test_version(run):
    answer = run("--version")
    assert answer.code == 0
    assert answer.out.count(".") == 2


def test_commands_of_a_group(run):
    text = run("dataset", "--help").out
    assert text.startswith(f"usage: jaxmeta dataset [-h] {{{','.join(NAMES)}}}")
