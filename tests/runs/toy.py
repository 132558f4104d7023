"""Two runs without any mechanics, as processes to be killed: python -m tests.runs.toy tasks|loop FOLDER COUNT PAUSE

A program of its own knows nothing of cells: its tasks give lists of numbers, its loop a random walk.
"""

import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxmeta.io import write_bytes
from jaxmeta.runs import Checkpoint, Run, function_digest


def write(path: Path, numbers: list[int]) -> None:
    write_bytes(path, json.dumps(numbers).encode(), overwrite=False)


def read(path: Path) -> list[int]:
    return json.loads(path.read_bytes())


def make(task: int) -> list[int]:
    time.sleep(0.005)
    return [3 * task, 3 * task + 1, 3 * task + 2]


def run(folder: Path, tasks: int, **settings) -> Run[list[int]]:
    return Run(folder, {"what": "numbers", **settings}, tasks, write, read, ".json")


class State(NamedTuple):
    step: jax.Array
    place: jax.Array
    key: jax.Array


@jax.jit
def walk(state: State) -> State:
    key, now = jax.random.split(state.key)
    return State(state.step + 1, state.place + jax.random.normal(now, (3,), jnp.float32), key)


START = State(jnp.zeros((), jnp.int32), jnp.zeros(3, jnp.float32), jax.random.key(0))


def loop(folder: Path, steps: int, pause: float = 0.0, every: float = 0.02, **settings):
    """The walk's end and the places on the way, from the checkpoint on; prints every step that is taken here."""
    saved = Checkpoint(folder, {"walk": function_digest(walk, START), **settings}, every)
    try:
        state, history = saved.restore(START) or (START, {"first": []})
        while int(state.step) < steps:
            state = walk(state)
            history["first"].append(float(state.place[0]))
            saved.save(state, history)
            print(int(state.step), flush=True)
            time.sleep(pause)
        saved.save(state, history, force=True)
    finally:
        saved.close()
    return state, history


if __name__ == "__main__":
    kind, folder, count, pause = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    if kind == "loop":
        loop(folder, count, pause)
    else:
        tasks = run(folder, count)
        print("ready", flush=True)
        for done in tasks.work(make):
            print(done, flush=True)
