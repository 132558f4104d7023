"""The one error about files, and the one form of its text."""

import os

Path = str | os.PathLike[str]
"""The name of a file: text, or an object of `pathlib`."""


class FileError(ValueError):
    """A file cannot be read or written; the text names the file, the place in it and what was expected.

    Example:
        >>> from jaxmeta.io import FileError, read_density
        >>> try:
        ...     read_density("missing.npy")
        ... except FileError as error:
        ...     print(error)
        File `missing.npy`, opening: expected a readable file, but no such file or directory.
    """


def file_error(path: Path, place: str, expected: str, found: str) -> FileError:
    """Builds the error in its one form.

    Args:
        path: The file.
        place: Where in the file, for a reader without a debugger.
        expected: What should be there.
        found: What is there instead.

    Returns:
        The error, to be raised by the caller.

    Example:
        >>> from jaxmeta.io import file_error
        >>> print(file_error("cell.npy", "byte 0", "the start of an .npy file", "it is something else"))
        File `cell.npy`, byte 0: expected the start of an .npy file, but it is something else.
    """
    return FileError(f"File `{os.fspath(path)}`, {place}: expected {expected}, but {found}.")


def brief(value: object, limit: int = 60) -> str:
    """Shows a value out of a file that is not trusted: one line, printable, short.

    Args:
        value: Any value; text is quoted with its control characters escaped.
        limit: Longest result in characters.

    Returns:
        The text.

    Example:
        >>> from jaxmeta.io import brief
        >>> print(brief("a\\x1b[31m" + 80 * "b", limit=24))
        'a\\x1b[31mbbbbbbbbbbb...
    """
    text = ascii(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def system_text(error: BaseException) -> str:
    """Puts an operating-system error into a few words that end a sentence.

    Args:
        error: Any exception; those with `strerror` give that text.

    Returns:
        The text, with no capital letter at its start and no full stop.

    Example:
        >>> from jaxmeta.io import system_text
        >>> system_text(OSError(28, "No space left on device"))
        'no space left on device'
    """
    text = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    text = text if len(text) <= 160 else text[:157] + "..."
    return (text[0].lower() + text[1:]).rstrip(".")
