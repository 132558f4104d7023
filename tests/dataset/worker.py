"""Works at a run whose tasks take a moment: python worker.py FOLDER TASKS"""

import sys
import time
from pathlib import Path

from jaxmeta.dataset._run import Run
from tests.dataset.libraries import ATTRIBUTES, columns


def make(task: int):
    time.sleep(0.005)
    return columns(3, first=3 * task)


if __name__ == "__main__":
    run = Run(Path(sys.argv[1]), {"command": "test"}, int(sys.argv[2]))
    print("ready", flush=True)
    for task in run.work(make, ATTRIBUTES):
        print(task, flush=True)
