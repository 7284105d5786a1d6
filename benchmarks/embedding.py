"""How near embedding comes to the bare network's own speed, and what bfloat16 changes.

    python -m benchmarks.embedding PHOTOS [--model resnet34] [--images 290] [--rounds 3] [--batch-size 16]

PHOTOS is a folder of JPEG files, taken over and over until there are as many as asked for. In one process and in turn: `bare`,
the network alone on one batch of pixels already in memory, over and over; `embed`, the whole way from files to the finished
feature set, workers' start and checksums included. Then the bare network in float32 and bfloat16 by turns, on the same
photos, with the difference of their features, and of the predictions where --model is a bundle of train imagewise. Weights are
random (speed does not depend on them) except those of bundles and of timm:efficientnet_lite0.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.dataset_folder import read_dataset, write_dataset
from geolive.simulation.sample import make_sample
from geolive.tables import points
from geolive.vision.backbones import load_backbone
from geolive.vision.devices import choose_device, choose_workers, cpu_has_bfloat16
from geolive.vision.embedding import embed
from geolive.vision.images import PhotoSet, collate, photo_files


def dataset_of(photos: Path, n: int, folder: Path) -> Dataset:
    """A dataset of n images whose photos are those of a folder, again and again."""
    names = sorted(path.name for path in photos.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    text = {"key": [str(i) for i in range(n)], "country": "", "img_path": [names[i % len(names)] for i in range(n)]}
    images = gpd.GeoDataFrame(text, geometry=points(np.zeros(n), np.zeros(n)))
    images["unique_cluster"] = pd.Series(None, index=images.index, dtype="str")
    empty = make_sample("goa", seed=0)
    made = replace(
        empty, images=images, clusters=empty.clusters[:0], features={}, extra={"photos_folder": str(photos.resolve())}
    )
    return read_dataset(write_dataset(made, folder))


def bare(device, network, pixels, n: int) -> float:
    """Images a second of the network alone."""
    device.run(network, pixels)
    times = -(-n // len(pixels))
    start = time.perf_counter()
    for _ in range(times):
        device.run(network, pixels).cpu()
    return times * len(pixels) / (time.perf_counter() - start)


def whole(dataset: Dataset, files, backbone, device, name: str, batch_size: int) -> float:
    """Images a second from files to the feature set."""
    start = time.perf_counter()
    added = embed(dataset, files, backbone, name, device=device, batch_size=batch_size)
    assert not added.failures
    return added.images / (time.perf_counter() - start)


def precisions(backbone, device, pixels) -> None:
    """Print speed and features of the bare network in bfloat16 beside float32."""
    speed, features = {}, {}
    for precision in ("float32", "bfloat16"):
        chosen = choose_device(device.name, precision)
        network = chosen.place(backbone.trunk)
        features[precision] = chosen.run(network, pixels).cpu().numpy()
        start = time.perf_counter()
        chosen.run(network, pixels).cpu()
        speed[precision] = len(pixels) / (time.perf_counter() - start)
    exact, rough = features["float32"], features["bfloat16"]
    error = np.linalg.norm(rough - exact, axis=1) / np.linalg.norm(exact, axis=1)
    cosine = (exact * rough).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rough, axis=1)
    instructions = "has" if cpu_has_bfloat16() else "has no"
    print(
        f"this processor {instructions} instructions for bfloat16; automatic here: {choose_device(device.name).precision}"
    )
    print(
        f"bare network, one batch: float32 {speed['float32']:.1f} images/s, bfloat16 {speed['bfloat16']:.1f} images/s"
    )
    print(
        f"features in bfloat16 against float32, {len(exact)} photos: relative difference median {np.median(error):.4f}, largest "
        f"{error.max():.4f}; least cosine {cosine.min():.5f}"
    )


def predictions(bundle: str, device, pixels) -> None:
    """Print what bfloat16 changes in the predictions of an image-wise bundle."""
    from geolive.models.bundle import load_model

    model = load_model(bundle).model
    told = {}
    for precision in ("float32", "bfloat16"):
        chosen = choose_device(device.name, precision)
        told[precision] = model.on(chosen).predict_pixels(pixels, chosen)
    change = np.abs(told["bfloat16"] - told["float32"])
    spread = (
        f" (standard deviation of the training values: {model.target[1]:.4f})" if model.task == "regression" else ""
    )
    print(
        f"predictions in bfloat16 against float32: median {np.median(change):.5f}, largest {change.max():.5f}{spread}"
    )


def main() -> None:
    """Print each round, the medians' ratio, and the two precisions."""
    words = argparse.ArgumentParser()
    words.add_argument("photos", type=Path)
    words.add_argument("--model", default="resnet34")
    words.add_argument("--images", type=int, default=290)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--batch-size", type=int, default=16)
    given = words.parse_args()
    device = choose_device()
    trained = given.model.startswith("timm:efficientnet_lite0") or Path(given.model).is_dir()
    backbone = load_backbone(given.model, None if trained else "none")
    network = device.place(backbone.trunk)
    with tempfile.TemporaryDirectory() as folder:
        dataset = dataset_of(given.photos, given.images, Path(folder) / "dataset")
        files = photo_files(dataset)
        photos = PhotoSet(files, range(given.batch_size), backbone.preprocessing.prepare, backbone.preprocessing.size)
        batch = collate([photos[i] for i in range(given.batch_size)])
        pixels = backbone.preprocessing.normalise(device.pixels(batch.pixels))
        speeds: dict[str, list[float]] = {"bare": [], "embed": []}
        for i in range(given.rounds):
            speeds["bare"].append(bare(device, network, pixels, given.images))
            speeds["embed"].append(whole(dataset, files, backbone, device, f"round{i}", given.batch_size))
            print(
                f"round {i + 1}: bare {speeds['bare'][-1]:.1f} images/s, embed {speeds['embed'][-1]:.1f} images/s",
                flush=True,
            )
    settings = f"batch {given.batch_size}, {device.name}, {device.precision}, {choose_workers(None, device)} worker(s)"
    ratio = median(speeds["embed"]) / median(speeds["bare"])
    print(f"{given.model}, {settings}: embed / bare {ratio:.3f}")
    precisions(backbone, device, pixels)
    if Path(given.model).is_dir():
        predictions(given.model, device, batch.pixels)


if __name__ == "__main__":
    main()
