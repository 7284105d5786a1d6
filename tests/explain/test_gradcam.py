"""Grad-CAM on tiny photos in which it is known what the network must look at."""

import sys

import numpy as np
import pytest
import torch

pytest.importorskip("captum", reason="needs the extra gradcam (captum)")

from geolive.errors import InputError
from geolive.explain.gradcam import heat_maps, overlaid
from geolive.models.imagewise.cnn import PhotoCNN, PretrainedCNN
from geolive.models.imagewise.model import ImageWise
from geolive.vision.preprocessing import Preprocessing
from tests.models.imagewise.helpers import SIDE, TINY, small_network

SQUARE = 8


def photos_with_squares(n=96, seed=0):
    """Noise; every second photo has a bright square somewhere. DecodedPhotos, and where the squares are."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(90, 20, (n, SIDE, SIDE, 3))
    inside = np.zeros((n, SIDE, SIDE), bool)
    for i in range(0, n, 2):
        top, left = rng.integers(0, SIDE - SQUARE, 2)
        inside[i, top : top + SQUARE, left : left + SQUARE] = True
    pixels[inside] += 110
    return torch.from_numpy(pixels.clip(0, 255).astype(np.uint8)).permute(0, 3, 1, 2), inside


def trained(task):
    pixels, inside = photos_with_squares()
    network, wanted = small_network(task), torch.from_numpy(inside.any(axis=(1, 2)))
    inputs = Preprocessing(SIDE, SIDE).normalise(pixels)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        outputs = network(inputs)
        if task == "classification":
            loss = torch.nn.functional.cross_entropy(outputs, wanted.long())
        else:
            loss = torch.nn.functional.mse_loss(outputs[:, 0], wanted.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return ImageWise.from_network(PretrainedCNN(network.eval(), TINY, Preprocessing(SIDE, SIDE), {}), task=task)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_the_planted_square_raises_the_answer_more_than_the_rest(task):
    model, (pixels, inside) = trained(task), photos_with_squares(20, seed=1)
    maps, fields = heat_maps(model, pixels)
    assert fields == (8, 8)
    assert maps.shape == (20, SIDE, SIDE)
    for heat, square in zip(maps[::2], inside[::2], strict=True):
        assert heat[square].mean() > heat[~square].mean() + heat.std()
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert square[max(row - 4, 0) : row + 5, max(column - 4, 0) : column + 5].any()


def test_a_network_without_maps_is_refused():
    trunk = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIDE**2, 4))
    network = PhotoCNN(trunk, 4, "regression")
    model = ImageWise.from_network(PretrainedCNN(network, TINY, Preprocessing(SIDE, SIDE), {}))
    with pytest.raises(InputError, match=f"has no map of a photo of {SIDE} pixels"):
        heat_maps(model, torch.zeros((1, 3, SIDE, SIDE), dtype=torch.uint8))


def test_what_raises_is_orange_and_what_lowers_is_blue():
    red, _, blue = np.moveaxis(np.asarray(overlaid(np.full((1, 3, 3), 99, np.uint8), np.array([[2.0, 0, -1]]))), 2, 0)
    assert red[0, 0] > blue[0, 0]
    assert blue[0, 2] > red[0, 2]
    assert red[0, 1] == blue[0, 1] == 99


def test_without_captum_the_install_line_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(InputError, match=r"need captum, which is not installed; run: pip install captum$"):
        heat_maps(None, None)
