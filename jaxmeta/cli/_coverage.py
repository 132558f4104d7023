"""A running picture of the properties that a long run has reached."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_PAUSE = 60.0
_SHARE = 20.0
"""Drawing takes at most one part in so many of the time."""


class Coverage:
    """Draws OUTPUT.run/coverage.png from the records that are done, now and then; no trouble with it ends the run.

    Args:
        output: File of the library that is made.
        source: File of a library whose records belong to the new one, or None.

    Attributes:
        notes: What went wrong, sentences.
    """

    def __init__(self, output: Path, source: Path | None):
        from jaxmeta import dataset

        self.path = dataset.run_folder(output) / "coverage.png"
        self._output = output
        self.notes: list[str] = []
        self._files = [] if source is None else [source]
        self._seen: set[Path] = set()
        self._rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._due = time.monotonic() + _PAUSE

    def update(self) -> None:
        """Draws it, if the last picture is older than a minute."""
        if time.monotonic() >= self._due:
            self.draw()

    def draw(self) -> None:
        """Draws it now, if there are new records."""
        began = time.monotonic()
        try:
            if self._read():
                self._draw()
        except Exception as error:  # a picture is no reason to lose a run
            self.notes = [f"The picture of the properties reached could not be drawn: {str(error).rstrip('.')}."]
        else:
            self.notes = []
        now = time.monotonic()
        self._due = now + max(_PAUSE, _SHARE * (now - began))

    def _read(self) -> bool:
        """Reads the files that have come since the last time, and returns whether there are any."""
        from jaxmeta.dataset import finished, load

        new = [path for path in (*self._files, *finished(self._output)) if path not in self._seen]
        for path in new:
            library = load(path)
            self._rows.append((library.constants, library.volume_fraction, library.column("round") == 0))
            self._seen.add(path)
        return bool(new)

    def _draw(self) -> None:
        import numpy as np

        from jaxmeta.render import property_space

        constants, fraction, optimised = (np.concatenate(rows) for rows in zip(*self._rows, strict=True))
        if len(fraction):
            property_space(self.path, constants, fraction, optimised=optimised, overwrite=True)
