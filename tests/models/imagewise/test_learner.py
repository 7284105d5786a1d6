"""Training itself: that it learns, that a killed one ends with the same weights, that two processes do as one.

Networks here have some hundred weights and photos 16 pixels; how good real ones get is in docs/method.md.
"""

import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")

from geolive.errors import InputError, RestartWarning
from geolive.models.imagewise.batch_norm import SharedBatchNorm, share_batch_norm
from geolive.models.imagewise.learner import (
    BEST,
    LAST,
    cluster_means,
    predictions_of,
    train_cnn,
)
from geolive.vision.devices import Device, choose_device
from tests.models.imagewise.helpers import coloured_photos, quick, small_network


def furthest(one, other):
    return max((one[name].double() - other[name].double()).abs().max().item() for name in one)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """As in the process that is killed: another number of threads adds up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return coloured_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """A training that nothing disturbed: weights, history, folder of its figures."""
    folder = tmp_path_factory.mktemp("whole")
    state, history, _ = train_cnn(small_network(), photos, quick(), folder / "work", folder / "logs")
    return state, history, folder / "logs"


def test_it_learns_and_writes_its_figures(photos, whole):
    state, history, logs = whole
    begun = small_network()
    assert furthest(state, begun.state_dict()) > 0.01
    assert not torch.equal(state["trunk.1.running_mean"], begun.state_dict()["trunk.1.running_mean"])
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert history[-1]["val_loss"] < 0.7 * np.var(photos.targets[9:]) + 0.3
    assert history[-1]["train_loss"] < history[0]["train_loss"] + 0.1
    assert "val_loss" in (logs / "metrics.csv").read_text()
    assert list(logs.glob("events.out.tfevents*"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stop_that_python_loses_ends_the_training_all_the_same(photos, tmp_path):
    class Gone:
        """Raises in its removal, where Python only reports an exception, as it does when a DataLoader is removed."""

        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    epochs = []

    def progress(words):
        epochs.append(words)
        if len(epochs) == 2:
            Gone()

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_cnn(small_network(), photos, quick(epochs=50), tmp_path, progress=progress)
    assert len(epochs) == 2
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("file", [LAST, BEST])
@pytest.mark.parametrize("damage", ["cut", "empty", "text", "flipped", "foreign", "gone"])
def test_a_damaged_checkpoint_is_made_again_with_a_note(photos, whole, tmp_path, file, damage):
    train_cnn(small_network(), photos, quick(), tmp_path)
    path, content = tmp_path / file, (tmp_path / file).read_bytes()
    at = len(content) // 2
    damaged = {
        "cut": content[:at],
        "empty": b"",
        "text": b"x" * len(content),
        "flipped": content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :],
    }
    if damage == "gone":
        path.unlink()
    elif damage == "foreign":
        torch.save({"epoch": 3}, path)
    else:
        path.write_bytes(damaged[damage])
    with pytest.warns(RestartWarning, match="so the network is trained again"):
        state, history, _ = train_cnn(small_network(), photos, quick(), tmp_path)
    assert furthest(state, whole[0]) == 0
    assert len(history) == 3


def test_equal_seeds_give_equal_weights_and_others_do_not(photos, whole, tmp_path):
    again, *_ = train_cnn(small_network(), photos, quick(), tmp_path / "again")
    assert furthest(whole[0], again) == 0
    other, *_ = train_cnn(small_network(), photos, quick(random_state=1), tmp_path / "other")
    assert furthest(whole[0], other) > 1e-4


def _killed(folder, work):
    """In a process of its own: train, and die without a word after the second epoch."""
    torch.set_num_threads(1)

    def die(words):
        if words.startswith("epoch 3"):
            os.kill(os.getpid(), signal.SIGKILL)

    train_cnn(small_network(), coloured_photos(folder), quick(), work, None, die)


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_weights(whole, photos, tmp_path):
    process = multiprocessing.get_context("spawn").Process(
        target=_killed, args=(tmp_path / "photos", tmp_path / "work")
    )
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    done = torch.load(tmp_path / "work" / LAST, weights_only=True)["history"]
    assert [row["epoch"] for row in done] == [1, 2]
    state, history, _ = train_cnn(small_network(), photos, quick(), tmp_path / "work")
    assert furthest(whole[0], state) == 0
    assert history == whole[1]


def test_a_finished_training_is_not_begun_again(whole, photos, tmp_path):
    first, history, _ = train_cnn(small_network(), photos, quick(epochs=1), tmp_path)
    told = []
    second, same, _ = train_cnn(small_network(seed=9), photos, quick(epochs=1), tmp_path, None, told.append)
    assert told == []
    assert furthest(first, second) == 0
    assert history == same


def test_it_stops_early_and_keeps_the_best_epoch(photos, tmp_path):
    settings = quick(epochs=12, patience=1, learning_rate=0.3)
    state, history, _ = train_cnn(small_network(), photos, settings, tmp_path)
    assert 2 <= len(history) < 12
    best = min(range(len(history)), key=lambda i: history[i]["val_loss"])
    assert best == len(history) - 2  # one more, without a better score
    again, *_ = train_cnn(small_network(), photos, settings, tmp_path)
    assert furthest(state, again) == 0


@pytest.mark.slow
def test_two_processes_give_the_weights_of_one_with_twice_the_batch(whole, photos, tmp_path):
    """Each takes half of every batch; batch norm is over both halves (`SharedBatchNorm`)."""
    state, history, _ = train_cnn(small_network(), photos, quick(devices=2), tmp_path)
    assert furthest(whole[0], state) < 1e-5
    assert [row["val_loss"] for row in history] == pytest.approx([row["val_loss"] for row in whole[1]], abs=1e-4)


def test_parts_of_a_batch_add_up_without_batch_norm(photos, tmp_path):
    def without_norm():
        network = small_network()
        network.trunk = nn.Sequential(*(layer for layer in network.trunk if not isinstance(layer, nn.BatchNorm2d)))
        return network

    one, *_ = train_cnn(without_norm(), photos, quick(epochs=2), tmp_path / "one")
    parts, *_ = train_cnn(without_norm(), photos, quick(epochs=2, accumulate=4), tmp_path / "parts")
    assert furthest(one, parts) < 1e-5


def test_a_batch_too_small_to_share_is_refused(photos, tmp_path):
    with pytest.raises(InputError, match="batch_size=4: fewer photos than 2 devices × 3 parts"):
        train_cnn(small_network(), photos, quick(batch_size=4, devices=2, accumulate=3), tmp_path)


def test_shared_batch_norm_is_torchs_own_in_one_process():
    own, shared = nn.Sequential(nn.BatchNorm2d(3)), share_batch_norm(nn.Sequential(nn.BatchNorm2d(3)), "cpu")
    assert isinstance(shared[0], SharedBatchNorm)
    images = torch.randn(4, 3, 5, 5)
    assert torch.equal(own(images), shared(images))
    assert furthest(own.state_dict(), shared.state_dict()) == 0


def test_answers_and_means():
    assert predictions_of(np.array([[1.0], [2.0]]), "regression").tolist() == [1, 2]
    outputs = torch.tensor([[0.3, -1.0], [5.0, 7.0]]).double()
    softmax = torch.softmax(outputs, 1)[:, 1].numpy()
    assert predictions_of(outputs.numpy(), "classification") == pytest.approx(softmax)
    clusters, means = cluster_means(np.array([1.0, 2.0, 9.0]), np.array([4, 4, 0]))
    assert (clusters.tolist(), means.tolist()) == ([0, 4], [9, 1.5])


def test_labels_are_learnt_too(photos, tmp_path):
    from dataclasses import replace

    labels = replace(photos, targets=(photos.targets > 0).astype(float))
    _, history, _ = train_cnn(small_network("classification"), labels, quick(task="classification", epochs=6), tmp_path)
    assert min(row["val_loss"] for row in history) < np.log(2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_a_stopped_training_ends_with_the_same_weights(photos, tmp_path):
    settings = quick(device=choose_device("cuda"))
    assert settings.device.precision in ("bfloat16", "float16")
    whole, history, _ = train_cnn(small_network(), photos, settings, tmp_path / "whole")
    assert history[-1]["val_loss"] < history[0]["val_loss"] + 0.1

    def stop(words):
        if words.startswith("epoch 2"):
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        train_cnn(small_network(), photos, settings, tmp_path / "stopped", None, stop)
    again, *_ = train_cnn(small_network(), photos, settings, tmp_path / "stopped")
    assert furthest(whole, again) < 1e-6


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_float32_on_cuda_is_near_the_processor(photos, whole, tmp_path):
    state, *_ = train_cnn(small_network(), photos, quick(device=Device("cuda", "float32")), tmp_path)
    assert furthest(whole[0], state) < 0.05
