"""How near embedding comes to the bare network's own speed, and what bfloat16 changes.

    python -m benchmarks.embedding PHOTOS [--model resnet34] [--images 1160] [--rounds 3] [--batch-size 16]

PHOTOS is a folder of JPEG files, taken over and over until there are as many as asked for. In one process and in turn: `bare`,
the network alone on one batch of pixels already in memory, over and over; the parts of the work, each on all cores at the same
time; and `embed`, the whole way from files to the finished feature set, workers' start and checksums included.

**The limit** is what the cores could do if none ever waited: a photo takes time of a core in the network, in decoding and in
standardising, and the cores have no other time. The network's part is the shorter of two: one batch on all cores, or one batch
on each core, as `embed` works.

Then the bare network in float32 and bfloat16 by turns, on the same photos, with the difference of their features, and of the
predictions where --model is a bundle of train imagewise. Weights are random (speed does not depend on them) except those of
bundles and of timm:efficientnet_lite0.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import torch

from benchmarks.measured import ratios, record
from geolive.dataset import Dataset
from geolive.dataset_folder import read_dataset, write_dataset
from geolive.simulation.sample import make_sample
from geolive.tables import points
from geolive.vision.backbones import Backbone, load_backbone
from geolive.vision.devices import Device, choose_device, choose_threads, choose_workers, cpu_has_bfloat16
from geolive.vision.embedding import embed
from geolive.vision.images import PhotoFiles, PhotoSet, collate, photo_files


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


@dataclass(frozen=True)
class Speed:
    """Seconds of the clock, and of processor time of this process and of those that it started, for one photo."""

    wall: float
    processor: float


def clocked(work: Callable[[], object], photos: int) -> Speed:
    """Measure a call that works on so many photos; processes that it starts must have ended."""
    started, used = time.perf_counter(), sum(os.times()[:4])
    work()
    return Speed((time.perf_counter() - started) / photos, (sum(os.times()[:4]) - used) / photos)


def bare(device: Device, network: torch.nn.Module, pixels: torch.Tensor, n: int) -> Speed:
    """The network alone, one batch at a time on all cores."""
    device.run(network, pixels)
    times = -(-n // len(pixels))

    def work() -> None:
        for _ in range(times):
            device.run(network, pixels).cpu()

    return clocked(work, times * len(pixels))


def on_each_core(work: Callable[[], object], times: int, photos: int) -> float:
    """Seconds of a core a photo, where each core has a thread that calls `work`, which works on so many photos."""
    cores = torch.get_num_threads()
    with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(lambda _: work(), range(cores)))
        took = clocked(lambda: list(pool.map(lambda _: work(), range(times))), times * photos)
    torch.set_num_threads(cores)
    return took.wall * cores


def decoding(photos: PhotoSet) -> float:
    """Seconds of a core a photo from its file to a batch of pixels, where each core has a process that decodes."""
    cores = torch.get_num_threads()
    with multiprocessing.get_context("fork").Pool(cores, torch.set_num_threads, (1,)) as pool:
        pool.map(_decode, [photos] * cores, chunksize=1)
        took = clocked(lambda: pool.map(_decode, [photos] * 2 * cores, chunksize=1), 2 * cores * len(photos))
    return took.wall * cores


def _decode(photos: PhotoSet) -> None:
    collate([photos[i] for i in range(len(photos))])


def whole(dataset: Dataset, files: PhotoFiles, backbone: Backbone, device: Device, name: str, batch_size: int) -> Speed:
    """`embed`, from files to the feature set."""

    def work() -> None:
        assert not embed(dataset, files, backbone, name, device=device, batch_size=batch_size).failures

    return clocked(work, len(files))


@dataclass(frozen=True)
class Round:
    """What one round measured: speeds, and seconds of a core a photo in each part."""

    bare: Speed
    network: float
    decoding: float
    standardising: float
    embed: Speed

    def least(self) -> float:
        """Seconds of a core a photo, at least."""
        return self.network + self.decoding + self.standardising


def measure(dataset: Dataset, backbone: Backbone, device: Device, n: int, batch_size: int, name: str) -> Round:
    """Measure the bare network, all parts and `embed`, one after the other."""
    files, network = photo_files(dataset), device.place(backbone.trunk)
    photos = PhotoSet(files, range(min(n, 32)), backbone.preprocessing.prepare, backbone.preprocessing.size)
    batch = collate([photos[i % len(photos)] for i in range(batch_size)])
    pixels = backbone.preprocessing.normalise(device.pixels(batch.pixels))
    alone = bare(device, network, pixels, min(n, 320))
    times = max(2 * torch.get_num_threads(), min(n, 320) // batch_size)
    apart = on_each_core(lambda: device.run(network, pixels), times, batch_size)
    return Round(
        bare=alone,
        network=min(apart, alone.wall * torch.get_num_threads()),
        decoding=decoding(photos),
        standardising=on_each_core(lambda: backbone.preprocessing.normalise(batch.pixels), 4 * times, batch_size),
        embed=whole(dataset, files, backbone, device, name, batch_size),
    )


def report(rounds: list[Round], settings: str, on_processor: bool) -> None:
    """Record speeds, parts, the limit that follows from these, and the share of it that `embed` reaches."""
    cores = torch.get_num_threads()
    record(f"bare network ({settings})", [1 / each.bare.wall for each in rounds], "photos/s")
    record(f"embed, from files to the feature set ({settings})", [1 / each.embed.wall for each in rounds], "photos/s")
    reached = [each.bare.wall / each.embed.wall for each in rounds]
    record("embed against the bare network", reached, at_least=0.9)
    if not on_processor:
        return
    for part in ("network", "decoding", "standardising"):
        record(f"embed, part: {part}, of one core", [1000 * getattr(each, part) for each in rounds], "ms a photo")
    limits = [cores * each.bare.wall / each.least() for each in rounds]
    record(f"embed, the most that {cores} cores allow with these parts, against the bare network", limits)
    record("embed, share of that limit that it reaches", ratios(reached, limits), at_least=0.97)
    record(
        "embed, share of its processor time that these parts take",
        [each.least() / each.embed.processor for each in rounds],
    )


def precisions(backbone: Backbone, device: Device, pixels: torch.Tensor) -> None:
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


def predictions(bundle: str, device: Device, pixels: torch.Tensor) -> None:
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
    """Measure the rounds, and then both precisions."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("photos", type=Path)
    words.add_argument("--model", default="resnet34")
    words.add_argument("--images", type=int, default=1160)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--batch-size", type=int, default=16)
    given = words.parse_args()
    device = choose_device()
    trained = given.model.startswith("timm:efficientnet_lite0") or Path(given.model).is_dir()
    backbone = load_backbone(given.model, None if trained else "none")
    with tempfile.TemporaryDirectory() as folder:
        dataset = dataset_of(given.photos, given.images, Path(folder) / "dataset")
        rounds = [
            measure(dataset, backbone, device, given.images, given.batch_size, f"round{i}") for i in range(given.rounds)
        ]
        files = photo_files(dataset)
        photos = PhotoSet(files, range(given.batch_size), backbone.preprocessing.prepare, backbone.preprocessing.size)
        batch = collate([photos[i] for i in range(given.batch_size)])
    print(
        f"{given.images:,} photos, {choose_workers(None, device)} process(es) that decode, {choose_threads(device)} batches at "
        "the same time"
    )
    report(rounds, f"{given.model}, batch {given.batch_size}, {device.name}, {device.precision}", device.name == "cpu")
    pixels = backbone.preprocessing.normalise(device.pixels(batch.pixels))
    precisions(backbone, device, pixels)
    if Path(given.model).is_dir():
        predictions(given.model, device, batch.pixels)


if __name__ == "__main__":
    main()
