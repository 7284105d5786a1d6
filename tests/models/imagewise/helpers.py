"""A survey whose photos tell the value by their colour, and networks small enough to learn that in seconds."""

from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import nn

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.models.imagewise.cnn import PhotoCNN, PretrainedCNN, load_pretrained
from geolive.models.imagewise.learner import TrainingPhotos, TrainingSettings
from geolive.models.imagewise.photo_cache import DecodedPhotos
from geolive.simulation.sample import make_sample
from geolive.vision.preprocessing import Preprocessing

SIDE = 32
TINY = "timm:test_resnet"


def write_coloured_survey(folder, n_clusters=40):
    """A dataset in Bihar with 3 photos a cluster, redder where pov is higher, and the photos in it."""
    made = make_sample("bihar", seed=1, n_clusters=n_clusters, n_sites=38, most_images=3)
    images = made.images.assign(img_path="photos/" + made.images["key"] + ".png")
    dataset = read_dataset(write_dataset(replace(made, images=images), folder))
    (folder / "photos").mkdir()
    standard = made.clusters.set_index("unique_cluster")["pov"].rank(pct=True)
    rng = np.random.default_rng(0)
    for path, cluster in zip(images["img_path"], images["unique_cluster"], strict=True):
        red = 60 + 130 * standard.get(cluster, 0.5) + rng.normal(0, 12)
        noise = rng.normal(0, 25, (40, 48, 3))
        pixels = np.clip(noise + np.array([red, 110, 110]), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / path)
    return dataset


def small_network(task="regression", seed=0):
    """A network with batch norms, of some hundred weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        return PhotoCNN(trunk, 8, task)


def pretrained(task="regression", seed=0):
    """That network, before training."""
    return PretrainedCNN(small_network(task, seed), TINY, Preprocessing(SIDE, SIDE), {"source": "none"})


def begun_tiny(task="regression"):
    """A network of timm's that a bundle can be read back with."""
    return load_pretrained(task, TINY, weights="none", size=SIDE)


def coloured_photos(folder, per_cluster=10):
    """Photos of 12 clusters, redder where the target is higher; 9 clusters to learn from."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(12), per_cluster)
    targets = rng.normal(size=12)
    pixels = rng.normal(120, 30, (len(cluster), 16, 16, 3))
    pixels[..., 0] += 25 * targets[cluster][:, None, None]
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pixels.npy", np.clip(pixels, 0, 255).astype(np.uint8).reshape(len(cluster), -1))
    train, validation = np.flatnonzero(cluster < 9), np.flatnonzero(cluster >= 9)
    pixels = DecodedPhotos(folder / "pixels.npy", 16)
    return TrainingPhotos(pixels, Preprocessing(16, 16), train, validation, cluster, targets)


def quick(**more):
    """TrainingSettings that learn such photos in seconds."""
    return TrainingSettings(**({"epochs": 3, "batch_size": 32, "learning_rate": 1e-2} | more))
