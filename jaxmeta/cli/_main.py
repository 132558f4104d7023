"""The entry point: reads the arguments, runs one command, turns what goes wrong into one sentence and an exit code."""

import contextlib
import difflib
import io
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import tyro

from ._cloak import CloakCommand
from ._dataset import ABOUT, NAMES, Dataset
from ._errors import explain, parse_sentence
from ._evaluate import Evaluate
from ._generate import Generate
from ._homogenize import Homogenize
from ._interpolate import Interpolate
from ._nano import ABOUT as NANO
from ._nano import NAMES as NANO_NAMES
from ._nano import Nano
from ._optimize import Optimize
from ._options import REGISTRY
from ._train import Train

Command = (
    Annotated[Homogenize, tyro.conf.subcommand("homogenize")]
    | Annotated[Optimize, tyro.conf.subcommand("optimize")]
    | Annotated[Generate, tyro.conf.subcommand("generate")]
    | Annotated[Dataset, tyro.conf.subcommand("dataset", description=ABOUT)]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Interpolate, tyro.conf.subcommand("interpolate")]
    | Annotated[CloakCommand, tyro.conf.subcommand("cloak")]
    | Annotated[Nano, tyro.conf.subcommand("nano", description=NANO)]
)
_NAMES = {
    "homogenize": (),
    "optimize": (),
    "generate": (),
    "dataset": NAMES,
    "train": (),
    "evaluate": (),
    "interpolate": (),
    "cloak": (),
    "nano": NANO_NAMES,
}
_STYLE = (
    tyro.conf.OmitArgPrefixes,
    tyro.conf.OmitSubcommandPrefixes,
    tyro.conf.FlagCreatePairsOff,
    tyro.conf.DisallowNone,
)
_ABOUT = (
    "Effective stiffness of periodic cells, cells of wanted stiffness and families of them, libraries of cells, "
    "networks that make cells and their tests, structures of cells, and bodies of atoms. `--version` tells the version."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The words after `jaxmeta`; those of the process if None.

    Returns:
        The exit code: 0 when all went well, 2 for bad input, 130 or 143 when interrupted.

    Example:
        >>> from jaxmeta.cli import main
        >>> main(["--version"])  # doctest: +SKIP
        0
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without × or ν is no reason to fail
    if words == ["--version"]:
        print(version("jaxmeta"))
        return 0
    try:
        command = _parse(words)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        return command.run(words)
    except KeyboardInterrupt as stop:
        print("Interrupted.", file=sys.stderr)
        return getattr(stop, "code", 130)
    except BrokenPipeError:
        # Whoever read the output has gone; without this Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        text = explain(error, command)
        if text is None:
            raise
        print(f"Error: {text}", file=sys.stderr)
        return 2


def _parse(
    words: list[str],
) -> Homogenize | Optimize | Generate | Dataset | Train | Evaluate | Interpolate | CloakCommand | Nano:
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(Command, prog="jaxmeta", description=_ABOUT, args=words, config=_STYLE, registry=REGISTRY)
    except SystemExit as stop:
        if stop.code:
            hint = " ".join(("jaxmeta", *_named(words), "--help"))
            sentence = parse_sentence(complaint.getvalue())
            if words and (meant := difflib.get_close_matches(words[0], _NAMES, 1)) and words[0] not in _NAMES:
                sentence = f"There is no command `{words[0]}`; perhaps you meant {meant[0]}."
            print(f"Error: {sentence} See `{hint}`.", file=sys.stderr)
        raise


def _named(words: list[str]) -> list[str]:
    """The command that the words begin with, or what is right of it."""
    if not words or words[0] not in _NAMES:
        return []
    return words[:2] if words[1:] and words[1] in _NAMES[words[0]] else words[:1]
