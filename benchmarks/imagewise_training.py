"""How near `train imagewise` comes to a bare training loop on pixels that are in memory already.

    python -m benchmarks.imagewise_training [--arch resnet18] [--images 96] [--batch-size 32] [--epochs 3] [--device auto]

In one process and in turn: `ours`, an epoch of `geolive.models.imagewise.learner.train_cnn` (Lightning, pixels from the
file of decoded photos, augmentation, validation, checkpoints); and a plain loop of torch with the same network, batch,
precision, optimizer and validation, once with the same augmentation and once without any. The first epoch of each is not
counted. Pixels and weights are random: speed does not depend on them.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.measured import in_turns, ratios, record
from geolive.models.imagewise.cnn import PretrainedCNN, load_pretrained
from geolive.models.imagewise.learner import TrainingPhotos, TrainingSettings, train_cnn
from geolive.models.imagewise.photo_cache import DecodedPhotos, augment, uniforms
from geolive.vision.devices import Device, choose_device

VALIDATION = 8


@dataclass(frozen=True)
class Speed:
    """Photos a second of the clock, and of processor time."""

    wall: float
    processor: float


class Clock:
    """Times from its start, on a device that may still be at work."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.laps = [self._now()]

    def lap(self) -> None:
        """Note the time."""
        self.laps.append(self._now())

    def speed(self, images: int, first: int = 0) -> Speed:
        """Photos a second from lap `first` to the last, each of which has `images`."""
        wall, processor = (self.laps[-1][i] - self.laps[first][i] for i in range(2))
        n = images * (len(self.laps) - 1 - first)
        return Speed(n / wall, n / processor)

    def _now(self) -> tuple[float, float]:
        if self.device.name == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()


def photos_of(start: PretrainedCNN, n: int, folder: Path) -> TrainingPhotos:
    """Random pixels of n photos to learn from, and of a few to validate on, in a file as `decode_photos` writes it."""
    rng, side, total = np.random.default_rng(0), start.preprocessing.crop, n + VALIDATION
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pixels.npy", rng.integers(0, 256, (total, side * side * 3), np.uint8))
    pixels = DecodedPhotos(folder / "pixels.npy", side)
    cluster, targets = np.arange(total) // 4, rng.normal(size=total // 4 + 1)
    return TrainingPhotos(pixels, start.preprocessing, np.arange(n), np.arange(n, total), cluster, targets)


def ours(start: PretrainedCNN, photos: TrainingPhotos, settings: TrainingSettings) -> Speed:
    """An epoch of `train_cnn`."""
    clock = Clock(settings.device)
    with tempfile.TemporaryDirectory() as folder:
        train_cnn(start.network, photos, settings, Path(folder), None, lambda words: clock.lap())
    # from the end of the first epoch on
    return clock.speed(len(photos.train), first=1)


def bare(start: PretrainedCNN, photos: TrainingPhotos, settings: TrainingSettings, augmented: bool) -> Speed:
    """An epoch of a plain loop."""
    device, size = settings.device, settings.batch_size
    network = device.place(start.network).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    pixels, held_out = photos.pixels.read(photos.train), photos.pixels.read(photos.validation)
    targets = torch.from_numpy(photos.targets[photos.cluster[photos.train]]).float().to(device.name)
    clock = Clock(device)
    for epoch in range(settings.epochs):
        for begin in range(0, len(pixels), size):
            batch = device.pixels(pixels[begin : begin + size])
            if augmented:
                batch = augment(batch, uniforms(0, epoch, np.arange(begin, begin + len(batch)), 9))
            with device.autocast():
                outputs = network(photos.preprocessing.normalise(batch))
            loss = ((outputs[:, 0].float() - targets[begin : begin + size]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        device.run(network.eval(), photos.preprocessing.normalise(device.pixels(held_out)))
        network.train()
        clock.lap()
    return clock.speed(len(pixels), first=1)


def compare(arch: str, settings: TrainingSettings, images: int, rounds: int) -> list[Speed]:
    """Print photos a second of each way, record the ratios, and return the speeds of ours."""
    start = load_pretrained("regression", arch, weights="none")
    with tempfile.TemporaryDirectory() as folder:
        photos = photos_of(start, images, Path(folder))
        ways: list[Callable[[], Speed]] = [
            lambda: ours(start, photos, settings),
            lambda: bare(start, photos, settings, augmented=True),
            lambda: bare(start, photos, settings, augmented=False),
        ]
        found = in_turns(rounds, *ways)
    where = f"{arch}, batch {settings.batch_size}, {settings.device.name}, {settings.device.precision}"
    names = ("train imagewise", "a bare loop with the same augmentation", "a bare loop without augmentation")
    for name, speeds in zip(names, found, strict=True):
        record(f"{name} ({where})", [speed.wall for speed in speeds], "photos/s")
    for kind in ("wall", "processor"):
        of_kind = [[getattr(speed, kind) for speed in speeds] for speeds in found]
        of = "" if kind == "wall" else ", in processor time"
        record(f"train imagewise / {names[1]}{of}", ratios(of_kind[0], of_kind[1]), at_least=0.9)
        record(f"train imagewise / {names[2]}{of}", ratios(of_kind[0], of_kind[2]))
    return found[0]


def main() -> None:
    """Compare."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--arch", default="resnet18")
    words.add_argument("--images", type=int, default=96)
    words.add_argument("--batch-size", type=int, default=32)
    words.add_argument("--epochs", type=int, default=3)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--device", default="auto")
    given = words.parse_args()
    settings = TrainingSettings(
        epochs=given.epochs, batch_size=given.batch_size, patience=given.epochs, device=choose_device(given.device)
    )
    compare(given.arch, settings, given.images, given.rounds)


if __name__ == "__main__":
    main()
