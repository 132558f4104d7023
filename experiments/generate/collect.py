"""The numbers of finished runs in one file each: python experiments/generate/collect.py NAME=FOLDER …

NAME.json gets the rows of the table, what was asked and got target by target, and the settings, as the commands in the
README wrote them into FOLDER; pictures/NAME-*.png the figures.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def rounded(value: object) -> object:
    """Six digits are enough."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: rounded(held) for name, held in value.items()}
    return [rounded(held) for held in value] if isinstance(value, list) else value


def main() -> None:
    for name, folder in (word.split("=", 1) for word in sys.argv[1:]):
        (found,) = (path for path in Path(folder).glob("*.json"))
        facts = json.loads(found.read_bytes())
        for left in ("files", "notes", "seconds", "phases"):
            facts.pop(left)
        facts["settings"].pop("output", None)
        if "weights" in facts["settings"]:
            facts["settings"]["weights"] = Path(facts["settings"]["weights"]).name
        lines = [f" {json.dumps(key)}: {_text(value)}" for key, value in rounded(facts).items()]
        (HERE / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        for picture in Path(folder).glob("*.png"):
            shutil.copy(picture, HERE / "pictures" / f"{name}-{picture.name}")


def _text(value: object) -> str:
    """One line for each entry of a list."""
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in value) + "\n ]"


if __name__ == "__main__":
    main()
