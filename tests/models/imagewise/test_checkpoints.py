"""Files of an unfinished training: they hold the moment of the call, and a disk that is full ends the training."""

import errno
import os
from pathlib import Path

import pytest
import torch

pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")

from geolive.models.imagewise.checkpoints import LAST, CheckpointWriter, save_tensors
from geolive.models.imagewise.learner import train_cnn
from tests.models.imagewise.helpers import coloured_photos, quick, small_network
from tests.small_disk import small_disk


def read(path):
    return torch.load(path, weights_only=True)


def test_a_checkpoint_holds_the_moment_of_the_call(tmp_path):
    """The thread cannot write before this test reads the pipe, and the weights have changed by then."""
    weights, more = torch.arange(5.0), torch.tensor(1, dtype=torch.int64)
    os.mkfifo(tmp_path / "last.part")
    writer = CheckpointWriter()
    writer.save_checkpoint({"state": {"weights": weights}, "history": [more, {"epoch": 1}]}, tmp_path / "last")
    weights += 1
    more += 1
    (tmp_path / "read").write_bytes((tmp_path / "last.part").read_bytes())
    writer.wait()
    got = read(tmp_path / "read")
    assert got["state"]["weights"].tolist() == [0, 1, 2, 3, 4]
    assert got["history"] == [1, {"epoch": 1}]


def test_each_checkpoint_has_values_of_its_own(tmp_path):
    writer, shared = CheckpointWriter(), tmp_path / "best"
    for name, value in (("a", torch.ones(3)), ("b", torch.zeros(3)), ("c", torch.zeros(2, 4, dtype=torch.bfloat16))):
        writer.save_checkpoint({"weights": value}, tmp_path / name, shared if name == "b" else None)
    writer.wait()
    assert read(tmp_path / "a")["weights"].tolist() == [1, 1, 1]
    assert read(tmp_path / "b")["weights"].tolist() == read(shared)["weights"].tolist() == [0, 0, 0]
    assert read(tmp_path / "c")["weights"].dtype == torch.bfloat16
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "best", "c"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named():
    with pytest.raises(OSError, match="No space left") as raised:
        save_tensors({"weights": torch.zeros(100_000)}, Path("/dev/full"))
    assert raised.value.errno == errno.ENOSPC


def test_what_fails_in_the_thread_is_raised_once(tmp_path):
    writer = CheckpointWriter()
    writer.save_checkpoint({"weights": torch.ones(3)}, tmp_path / "no" / "such" / "folder")
    with pytest.raises(FileNotFoundError):
        writer.teardown()
    writer.teardown()


def test_a_disk_that_fills_up_ends_the_training_and_keeps_the_last_epoch(tmp_path):
    photos, told = coloured_photos(tmp_path / "photos"), []
    with small_disk(tmp_path / "disk", "40k") as disk:
        with pytest.raises(OSError, match="No space left"):
            train_cnn(small_network(), photos, quick(epochs=50, patience=50), disk / "work", None, told.append)
        assert len(told) < 50
        assert [row["epoch"] for row in read(disk / "work" / LAST)["history"]] == list(range(1, len(told)))
        assert not list((disk / "work").glob("*.part"))
