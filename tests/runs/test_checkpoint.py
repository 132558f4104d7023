"""The folder of a loop: who may write into it, what may be removed, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.io import FileError
from jaxmeta.runs import Checkpoint, clear_checkpoint, saved_step
from tests.runs import toy


def test_saves_in_time(tmp_path):
    """Not before it is due, unless it is forced to, and not twice; the last two states are kept."""
    saved = Checkpoint(tmp_path, {}, every=1000.0)
    state = toy.START
    saved.save(state, {})
    assert saved_step(tmp_path) is None
    for _ in range(3):
        state = toy.walk(state)
        saved.save(state, {"n": [int(state.step)]}, force=True)
        saved.save(state, {"n": []}, force=True)
    assert saved_step(tmp_path) == 3
    assert len(list((tmp_path / "states").glob("[0-9]*"))) == 2
    found = saved.restore(toy.START)
    saved.close()
    assert found is not None and found[1] == {"n": [3]}
    np.testing.assert_array_equal(found[0].place, state.place)


def test_one_at_a_time(tmp_path):
    first = Checkpoint(tmp_path, {})
    with pytest.raises(ValueError, match="Argument `checkpoint` must be a folder where no run is at work"):
        Checkpoint(tmp_path, {})
    with pytest.raises(FileError, match="expected that no run is at work there"):
        clear_checkpoint(tmp_path)
    first.close()
    Checkpoint(tmp_path, {}).close()


def test_a_run_that_saved_nothing_holds_no_folder(tmp_path):
    Checkpoint(tmp_path, {"seed": 1}).close()
    Checkpoint(tmp_path, {"seed": 2}).close()
    toy.loop(tmp_path, 2)
    with pytest.raises(ValueError, match=r"with another seed \(null, not 1\)"):
        toy.loop(tmp_path, 2, seed=1)
    toy.loop(tmp_path, 3)  # what was refused does not hold it


def test_another_state_is_refused(tmp_path):
    toy.loop(tmp_path, 2)
    saved = Checkpoint(tmp_path, {"walk": toy.function_digest(toy.walk, toy.START)})
    for other in (
        toy.START._replace(place=jnp.zeros(4, jnp.float32)),
        toy.START._replace(place=jnp.zeros(3, jnp.float64)),
    ):
        with pytest.raises(ValueError, match=r"holds one with another state\."):
            saved.restore(other)
    assert saved.restore(toy.START) is not None
    saved.close()


def test_cleared(tmp_path):
    toy.loop(tmp_path / "run", 2)
    clear_checkpoint(tmp_path / "run")
    assert saved_step(tmp_path / "run") is None
    clear_checkpoint(tmp_path / "none")
    assert toy.loop(tmp_path / "run", 1, seed=2)[1]["first"] != []


@pytest.mark.parametrize("name", ["mine.txt", "states/mine.txt", "states/12.txt"])
def test_what_a_run_did_not_write_is_left_alone(tmp_path, name):
    toy.loop(tmp_path, 2)
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileError, match=f"expected nothing else there, but there is .*{name}"):
        clear_checkpoint(tmp_path)
    assert (tmp_path / name).read_text() == "mine" and saved_step(tmp_path) == 2


def test_links_are_not_followed(tmp_path):
    toy.loop(tmp_path / "run", 2)
    (tmp_path / "run" / "states").rename(tmp_path / "elsewhere")
    (tmp_path / "run" / "states").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileError, match="expected nothing else there"):
        clear_checkpoint(tmp_path / "run")
    assert len(list((tmp_path / "elsewhere").iterdir())) >= 1


def test_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="Argument `checkpoint` must be a folder that can be written"):
        Checkpoint(tmp_path / "file", {})
