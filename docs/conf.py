"""Configuration of the documentation: MyST pages, notebooks executed at build time, docstrings in Google style."""

import os
import re
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent

# Pages compile many of the same programs; they share them through JAX's cache.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(HERE / "_build" / "jax_cache"))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

project = "jaxmeta"
author = "The jaxmeta authors"
copyright = "The jaxmeta authors"
release = metadata.version("jaxmeta")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = f"jaxmeta {release}"
default_role = "code"

myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
# The kernel's messages on standard error are about the machine; an exception stops the build.
nb_output_stderr = "remove"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_use_rtype = False
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"

_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_INLINE = re.compile(r"\$([^$\n]+?)\$")
_BARS = re.compile(r"(?<!\w)\|(?=\S)(?=[^|\n`]*\S\|)")
_INITIAL = re.compile(r"^(\s*)([A-Z]\. )")
_STARS = re.compile(r"(?<![\w*`])\*(?=\w)")


def _mathematics(app, what, name, obj, options, lines):
    """Docstrings write mathematics as in Markdown, with dollars; autodoc reads reStructuredText."""
    text = "\n".join(lines)

    def display(match: re.Match) -> str:
        start = text.rfind("\n", 0, match.start()) + 1
        indent = " " * (len(text[start:]) - len(text[start:].lstrip()))
        body = " ".join(match[1].split())
        return f"\n\n{indent}.. math:: {body}\n\n{indent}"

    text = _INLINE.sub(r":math:`\1`", _DISPLAY.sub(display, text))
    lines[:] = [line if line.lstrip().startswith((">>>", "...")) else _escaped(line) for line in text.split("\n")]


def _escaped(line: str) -> str:
    """A bar before a word would begin a substitution, a star an emphasis, an author's initial a list."""
    return _INITIAL.sub(r"\1\\\2", _STARS.sub(r"\\*", _BARS.sub(r"\\|", line)))


def _signature(app, what, name, obj, options, signature, result):
    """JAX's array type under its public name."""
    return tuple(text and text.replace("jaxlib._jax.Array", "Array") for text in (signature, result))


def _elsewhere(app, what, name, obj, skip, options):
    """Names that a package hands on are documented in their own package."""
    home, page = (getattr(obj, "__module__", None) or "").split("."), app.env.docname.rpartition("/")[2]
    return (
        True
        if home[0] == "jaxmeta" and len(home) > 1 and home[1] != page and what == "module" and page in _PACKAGES
        else None
    )


_PACKAGES = {"cells", "dataset", "design", "optimizers", "topology"}


def setup(app):
    app.connect("autodoc-skip-member", _elsewhere)
    """Runs before napoleon, which keeps what it finds in its sections."""
    app.connect("autodoc-process-docstring", _mathematics, priority=100)
    app.connect("autodoc-process-signature", _signature)
