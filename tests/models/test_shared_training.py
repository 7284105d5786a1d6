"""Networks that two processes train together do what one process does with the same batches."""

import numpy as np
import pytest

from geolive.models.attention import AttentionPooling
from geolive.models.graphcnn import GraphCNN
from geolive.places import Places
from tests.test_process_group import in_two_processes

SETTINGS = {"epochs": 4, "batch_size": 8, "patience": 3, "device": "cpu", "inputs": "objects"}


@pytest.fixture(scope="module")
def survey():
    """24 places of 3 to 9 images, and their values; some have none of a second indicator."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(3, 10, 24)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    centres = np.stack([85 + np.arange(24) % 6, 25 + np.arange(24) // 6], axis=1).astype(float)
    where = np.repeat(centres, sizes, axis=0) + rng.normal(0, 0.01, (offsets[-1], 2))
    counts = rng.poisson(2.0, (offsets[-1], 66)).astype(np.uint16)
    places = Places(np.array([f"p{i}" for i in range(24)]), centres, offsets, where, counts)
    values = rng.normal(size=(24, 2))
    values[::5, 1] = np.nan
    return places, values


def fitted(model, places, values):
    model.fit(places, values)
    return {"train": model.curve_.train, "held out": model.curve_.validation, "told": model.predict(places).tolist()}


@pytest.mark.parametrize("network", [GraphCNN, pytest.param(AttentionPooling, marks=pytest.mark.slow)])
def test_two_processes_have_the_loss_curve_of_one(survey, tmp_path, network):
    alone = fitted(network(**SETTINGS), *survey)
    checkpoints = tmp_path / "work"

    def work(rank):
        return fitted(network(**SETTINGS, checkpoints=checkpoints), *survey)

    one, other = in_two_processes(work, tmp_path)
    assert one == other
    np.testing.assert_allclose(one["train"], alone["train"], rtol=1e-4)
    # the gradient of a bias before a batch norm is 0 but for rounding, which Adam turns into steps of full length: they cancel
    # in training, and not quite with the running averages
    np.testing.assert_allclose(one["held out"], alone["held out"], rtol=3e-3)
    np.testing.assert_allclose(one["told"], alone["told"], atol=1e-2)
    (file,) = checkpoints.iterdir()
    # one process goes on where two were
    again = fitted(network(**SETTINGS, checkpoints=checkpoints), *survey)
    np.testing.assert_allclose(again["told"], one["told"], rtol=1e-5)
    assert file.is_file()


def test_batches_too_small_to_share_are_refused(survey, tmp_path):
    def work(rank):
        GraphCNN(**SETTINGS | {"batch_size": 1}).fit(*survey)

    one, _ = in_two_processes(work, tmp_path)
    assert "batch_size=1: a step of 1 places cannot be shared by 2 processes" in one
