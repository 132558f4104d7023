"""One sentence for whatever goes wrong through bad input or a limit of the machine."""

import dataclasses
import re
from typing import Any

_BOX = re.compile(r"[╭╮╰╯│]")
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_RULE = re.compile(r"^[─-]{4,}$")


_EXPECTED = (
    "SolverError",
    "PictureError",
    "RelaxationError",
)  # by name: their modules load JAX, which takes longer than the rest


class UsageError(ValueError):
    """A mistake in the arguments; the text is one sentence that names the argument."""


def explain(error: Exception, command: Any) -> str | None:
    """Puts an expected error into one sentence, with the options of the command by their names on the command line.

    Args:
        error: Any exception.
        command: The command's options, a dataclass.

    Returns:
        The sentence, or None for an error that is a fault of the program.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
        return "The memory is not enough for this grid: take a coarser one, or `--dtype float32`."
    if isinstance(error, ImportError):
        return f"A package is missing: {text}."
    if isinstance(error, OSError):
        place = f"File `{error.filename}`" if error.filename else "The system"
        return f"{place}: {(error.strerror or text)[:1].lower()}{(error.strerror or text)[1:]}."
    if isinstance(error, ValueError) or type(error).__name__ in _EXPECTED:
        return name_flags(text, command)
    return None


def name_flags(text: str, command: Any) -> str:
    """Writes the names of arguments in a message as options: `max_steps` becomes `--max-steps` where that exists.

    `damaged=True` becomes `--damaged`.
    """
    aliases = {"radius": "filter_radius", "checkpoint": "resume", "output": "output"}
    known = {*option_names(command), *aliases}

    def flag(match: re.Match[str]) -> str:
        name = match[1]
        return f"`--{aliases.get(name, name).replace('_', '-')}`" if name in known else match[0]

    return re.sub(r"`([a-z][a-z0-9_]*)(=True)?`", flag, text)


def option_names(command: Any) -> list[str]:
    """Names of all options of a command, those of its groups among them."""
    names = []
    for field in dataclasses.fields(command):
        value = getattr(command, field.name)
        names += option_names(value) if dataclasses.is_dataclass(value) else [field.name]
    return names


def parse_sentence(message: str) -> str:
    """Takes the sentence out of the box that tyro draws about arguments it cannot read.

    Args:
        message: What tyro prints.

    Returns:
        What is wrong and, after a slip of the pen, which option may have been meant.

    Example:
        >>> from jaxmeta.cli._errors import parse_sentence
        >>> parse_sentence("╭─ Unrecognized options ─╮\\n│ Unrecognized options: --yung │\\n╰────────╯")
        'Unrecognized options: --yung.'
    """
    lines = _COLOR.sub("", message).splitlines()
    parts: list[list[str]] = [[]]
    for line in lines:
        words = _BOX.sub("", line).strip()
        if _RULE.match(words):
            parts.append([])
        elif words and not line.startswith(("╭", "╰")):
            parts[-1].append(words)
    # Where the terminal has no box characters, the title is a part of its own in place of a piece of the frame.
    if len(parts) > 1 and not message.lstrip().startswith("╭"):
        del parts[0]
    text = " ".join(parts[0]).rstrip(".") or "The arguments cannot be read"
    # What the settings of the library say by themselves.
    text = re.sub(r"^Error parsing (--[a-z0-9-]+): (?=must)", r"Argument `\1` ", text)
    text, own = re.subn(r"^Error parsing \S+: (?=Argument)", "", text)
    if own:
        text = re.sub(r"`([a-z][a-z0-9_]*)`", lambda name: f"`--{name[1].replace('_', '-')}`", text)
    text = re.sub(r"^Error (?=parsing)|\(applied to [^)]*\)| Arguments are applied to .*", "", text)
    text = re.sub(r"^(Missing from [^:]*: \S+).*", r"\1", text)
    text = re.sub(r"\s+", " ", text).strip()
    text = text[:1].upper() + text[1:]
    meant = re.search(r"Perhaps you meant: (--[a-z0-9-]+)", " ".join(" ".join(part) for part in parts[1:]))
    return f"{text}; perhaps you meant {meant[1]}." if meant else f"{text}."
