"""`jaxmeta train`: the training of a network that makes cells."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from .._texts import duration
from ..diffusion import PRESETS, Training
from ..diffusion import Preset as PresetName
from ..runs import Progress, stoppable
from ._errors import UsageError
from ._options import Flag, Unset, flat
from ._session import session, versions

if TYPE_CHECKING:
    from jaxmeta.diffusion import Model


@dataclass(frozen=True)
class Train:
    """Train a network that makes cells of wanted stiffness, on the training cells of a library.

    What is done is kept in the folder: checkpoints, the curve of the errors on the validation cells (curve.csv,
    curve.json), and the averaged weights (weights.h5). After an interruption the same command goes on, and comes to the
    same numbers as without it.
    """

    preset: PresetName = "small"
    """Which network: small trains on a processor, paper is that of Yang and others for octants of 64³, tiny is to try
    things with."""
    library: Unset[Path] = None
    """File of the library (default: the one that comes with the package)."""
    start: Unset[Path] = None
    """File of a model of the same network that is trained further (default: begin with random weights)."""
    output: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("jaxmeta-train")
    """Folder for checkpoints, curve and weights."""
    every: int = 500
    """Steps between two validations."""
    save_every: float = 60.0
    """Seconds between two checkpoints."""
    training: Training = field(default_factory=Training)
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def run(self, words: list[str]) -> int:
        """Runs the command.

        Args:
            words: The command line, for the advice how to go on.

        Returns:
            The exit code: 0, or that of the signal which interrupted it.
        """
        if self.every < 1:
            raise UsageError(f"Argument `every` must be at least 1, but is {self.every}.")
        with session("float32"):
            began = time.perf_counter()
            try:
                with stoppable() as check:
                    model = self._train(check)
            except KeyboardInterrupt as stop:
                again = shlex.join(("jaxmeta", *words))
                print(f"Interrupted; the same command goes on with what is left: {again}", file=sys.stderr)
                return getattr(stop, "code", 130)
            self._tell(model, time.perf_counter() - began)
        return 0

    def _train(self, check: Any) -> Model:
        from jaxmeta import dataset, diffusion

        network, library = PRESETS[self.preset], dataset.load(self.library)
        cells = f"{len(library.split('training')):,} of the library's {len(library):,} cells"
        with Progress() as progress:
            progress.phase("Training", f"the network {self.preset} for {self.training.steps} steps on {cells}")
            model = diffusion.train(
                network,
                library,
                self.training,
                self.output,
                start=None if self.start is None else diffusion.load(self.start),
                every=self.every,
                save_every=self.save_every,
                report=progress.update,
                check=check,
            )
            progress.phase("")
        return model

    def _tell(self, model: Model, seconds: float) -> None:
        import json

        from jaxmeta.io import to_json

        curve = json.loads((self.output / "curve.json").read_bytes())["curve"]
        facts: dict[str, Any] = {
            "command": "train",
            "output": str(self.output),
            "weights": model.count,
            "curve": curve,
            "settings": flat(self),
            "versions": versions(),
            "seconds": seconds,
        }
        if self.json:
            print(to_json(facts, non_finite="null"))
            return
        last = curve[-1]
        print(f"Trained {model.count:,} weights for {last['step']} steps, {duration(seconds)} in this call.")
        print(f"Loss {last['loss']:.4g}, on validation cells {last['validation']:.4g}. Wrote:")
        for name, what in (("weights.h5", "averaged weights"), ("curve.csv", "errors over the steps")):
            print(f"{self.output / name}  {what}")
