"""What a GPU does: its tests, its results beside the processor's, and its speed beside its peak; under ten minutes.

    python -m benchmarks.gpu                   # without a CUDA device it says so and ends
    python -m benchmarks.gpu --device cpu      # every part on the processor, small: whether the script works

1. The tests that need a CUDA device (`pytest -m gpu`).
2. Every network with random weights, the same on the processor in float32 and on the device in float32 and in its fast precision.
   The difference is the norm of the difference over the norm; limits are 1e-3 in float32, whose convolutions and products may be
   in TF32, and 3e-2 in bfloat16 and float16. Networks that train are trained on the device and predict on both.
3. Speed: `embed` from files and the bare network, image-wise training beside a bare loop, and graph training. Work is counted by
   torch's FlopCounterMode, and the share of the peak is of a large matrix product on this device in the same precision, measured
   here; where the maker's figure for the device is known, it is printed beside it.

Photos are simulated at 1024 × 768 pixels, or taken from --photos.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import embedding, imagewise_training
from benchmarks.measured import record
from geolive.graphs.batches import batches_in_blocks, largest_distance_km
from geolive.graphs.edges import parse_edges
from geolive.graphs.network import GraphNetwork
from geolive.models.attention import AttentionPooling, MeanPooling
from geolive.models.authors_graphcnn import AuthorsGraphCNN
from geolive.models.graphcnn import GraphCNN
from geolive.models.imagewise.cnn import load_pretrained
from geolive.models.imagewise.learner import TrainingSettings
from geolive.models.stacked import StackedNetwork
from geolive.places import Places
from geolive.vision.backbones import load_backbone
from geolive.vision.devices import Device, choose_device
from geolive.vision.images import PhotoSet, collate, photo_files

ROOT = Path(__file__).parent.parent
TESTS = [
    "tests/graphs/test_dense.py",
    "tests/models/test_graphcnn.py",
    "tests/models/imagewise/test_learner.py",
    "tests/models/test_networks.py",
    "tests/vision/test_embedding.py",
]
LIMITS = {"float32": 1e-3, "bfloat16": 3e-2, "float16": 3e-2}
TRUNKS = ("resnet18", "resnet34", "resnet50", "timm:efficientnet_lite0")
# dense bfloat16 (T4, V100: float16), in 10^12 operations a second, from the makers' data sheets
SHEETS = {
    "H200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "A10G": 70, "A10": 125, "L40S": 362, "L4": 121,
    "RTX 4090": 165, "RTX 3090": 71, "V100": 125, "T4": 65,
}  # fmt: skip


def clocked(work: Callable[[], object], device: Device, seconds: float) -> float:
    """Seconds a call, after two calls to warm up; as many calls as fit into so many seconds, and at least two."""
    for _ in range(2):
        work()
    wait(device)
    begun, calls = time.perf_counter(), 0
    while calls < 2 or time.perf_counter() - begun < seconds:
        work()
        calls += 1
        wait(device)
    return (time.perf_counter() - begun) / calls


def wait(device: Device) -> None:
    """Wait until the device has done all that it was given."""
    if device.name == "cuda":
        torch.cuda.synchronize()


def operations(work: Callable[[], object]) -> int:
    """Floating-point operations of a call, two for a multiplication with an addition."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def run_tests() -> None:
    """Run the tests that need a CUDA device."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-n", "0", *TESTS]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = ended.stdout.strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    told = lines[-1] if lines else ended.stderr.strip()
    print("\n".join(["tests that need a CUDA device:", *failed, told]), flush=True)
    # 5: no test was chosen
    record("failed tests that need a CUDA device", float(len(failed) or ended.returncode not in (0, 5)), "", at_most=0)


def difference(found: np.ndarray, exact: np.ndarray) -> float:
    """Norm of the difference over the norm."""
    found, exact = np.asarray(found, float), np.asarray(exact, float)
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def compare_pixels(device: Device, n: int) -> None:
    """Compare networks of photos on both devices."""
    processor, fast = Device("cpu", "float32"), device
    rng = np.random.default_rng(0)
    networks = {name: load_backbone(name, "none") for name in TRUNKS}
    for name, backbone in networks.items():
        side = backbone.preprocessing.crop
        pixels = backbone.preprocessing.normalise(
            torch.from_numpy(rng.integers(0, 256, (n, 3, side, side), np.uint8)).contiguous(
                memory_format=torch.channels_last
            )
        )
        exact = processor.run(processor.place(backbone.trunk), pixels).numpy()
        for precision in dict.fromkeys(("float32", fast.precision)):
            one = Device(device.name, precision)
            found = one.run(one.place(backbone.trunk), one.pixels(pixels)).cpu().numpy()
            where = f"{name}, {device.name} in {precision} against the processor in float32"
            record(f"difference of features: {where}", difference(found, exact), "", at_most=LIMITS[precision])
        processor.place(backbone.trunk)


def survey(n: int, most: int) -> tuple[Places, np.ndarray]:
    """n places of 2 to `most` images, whose values follow what these show."""
    rng = np.random.default_rng(1)
    sizes = rng.integers(2, most + 1, n)
    offsets, wealth = np.concatenate([[0], np.cumsum(sizes)]), rng.normal(size=n)
    centres = np.stack([85 + np.arange(n) % 40 / 10, 25 + np.arange(n) // 40 / 10], axis=1)
    where = np.repeat(centres, sizes, axis=0) + rng.normal(0, 0.01, (offsets[-1], 2))
    level = np.exp(0.3 * np.repeat(wealth, sizes)[:, None] * rng.normal(size=66))
    counts = rng.poisson(level).astype(np.uint16)
    return Places(np.array([f"p{i}" for i in range(n)]), centres, offsets, where, counts), wealth


def compare_graphs(device: Device, n: int, epochs: int) -> None:
    """Train each network of places on the device, and compare its predictions there with those on the processor."""
    places, values = survey(n, 30)
    limit = LIMITS[device.precision] if device.name == "cuda" else LIMITS["float32"]
    kinds = {GraphCNN: {"epochs": epochs}, AttentionPooling: {"epochs": epochs}, MeanPooling: {"epochs": epochs}}
    kinds |= {StackedNetwork: {"epochs": epochs}, AuthorsGraphCNN: {"iterations": 2 * epochs}}
    for kind, options in kinds.items():
        model = kind(device=device.name, **options).fit(places, values)
        with tempfile.TemporaryDirectory() as folder:
            settings = model.save(Path(folder))
            on_processor = kind.load(Path(folder), settings | {"device": "cpu"})
        found, exact = model.predict(places), on_processor.predict(places)
        what = f"difference of predictions: {model.name}, {device.name} against the processor"
        record(what, difference(found, exact), "", at_most=limit)


def peak(device: Device, side: int, seconds: float) -> float:
    """Operations a second of a large matrix product in the device's fast precision."""
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[device.precision]
    one, other = (torch.randn(side, side, device=device.name).to(dtype) for _ in range(2))
    found = 2 * side**3 / clocked(lambda: one @ other, device, seconds)
    record(f"a matrix product of {side:,} in {device.precision}", found / 1e12, "TFLOP/s")
    if device.name == "cuda":
        name = torch.cuda.get_device_name()
        sheet = next((value for part, value in SHEETS.items() if part in name), None)
        print(f"{name}: " + (f"its data sheet says {sheet} TFLOP/s" if sheet else "its data sheet is not known here"))
    return found


def simulated_photos(folder: Path, n: int) -> Path:
    """JPEG files of 1024 × 768 pixels with about as much detail as photos of streets."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(n):
        image = Image.fromarray(rng.integers(0, 256, (192, 256, 3), np.uint8)).resize(
            (1024, 768), Image.Resampling.BICUBIC
        )
        image.save(folder / f"{i:03}.jpg", quality=90)
    return folder


def embedding_speed(device: Device, photos: Path, images: int, batch_size: int, top: float, seconds: float) -> None:
    """The bare ResNet34, and `embed` from files to the finished feature set."""
    backbone = load_backbone("resnet34", "none")
    network = device.place(backbone.trunk)
    with tempfile.TemporaryDirectory() as folder:
        dataset = embedding.dataset_of(photos, images, Path(folder) / "dataset")
        files = photo_files(dataset)
        there = PhotoSet(files, range(batch_size), backbone.preprocessing.prepare, backbone.preprocessing.size)
        batch = collate([there[i % images] for i in range(batch_size)])
        pixels = backbone.preprocessing.normalise(device.pixels(batch.pixels))
        work = operations(lambda: device.run(network, pixels)) / batch_size
        speed = batch_size / clocked(lambda: device.run(network, pixels), device, seconds)
        whole = 1 / embedding.whole(dataset, files, backbone, device, "speed", batch_size).wall
    settings = f"resnet34, batch {batch_size}, {device.name}, {device.precision}"
    record(f"the bare network ({settings})", speed, "photos/s")
    record(f"the bare network's share of the matrix product ({settings})", speed * work / top)
    record(f"embed, from files to the feature set ({settings})", whole, "photos/s")
    record(f"embed / the bare network ({settings})", whole / speed)


def imagewise_speed(device: Device, arch: str, images: int, batch_size: int, top: float) -> None:
    """Image-wise training beside a bare loop."""
    settings = TrainingSettings(epochs=3, batch_size=batch_size, patience=3, device=device)
    speeds = imagewise_training.compare(arch, settings, images, rounds=1)
    start = load_pretrained("regression", arch, weights="none")
    side = start.preprocessing.crop
    network, pixels = start.network.train(), torch.zeros(2, 3, side, side)
    work = operations(lambda: network(pixels).sum().backward()) / 2
    record(f"train imagewise's share of the matrix product ({arch})", speeds[0].wall * work / top)


def graph_speed(device: Device, n: int, batch_size: int, top: float, seconds: float) -> None:
    """Graph training as `train gcn --arch gcn` does it, and the network alone on a batch that is on the device."""
    places, values = survey(n, 60)
    model = GraphCNN(device=device.name, batch_size=batch_size, epochs=2)
    begun = time.perf_counter()
    model.fit(places, values)
    wait(device)
    record(
        f"train gcn with its batches ({n} places, batch {batch_size})",
        2 * n / (time.perf_counter() - begun),
        "graphs/s",
    )
    generator, edges = torch.Generator().manual_seed(0), parse_edges("distance")
    network = GraphNetwork(66, 1, edges.n_types, generator).to(device.name).train()
    drawn = batches_in_blocks(
        places, places.objects, edges, largest_distance_km(places), batch_size=batch_size, generator=generator,
        device=device.name,
    )  # fmt: skip
    blocks = next(drawn)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def step() -> None:
        with device.autocast() if device.name == "cuda" else torch.enable_grad():
            outputs = network.forward_blocks(blocks)
        optimizer.zero_grad()
        (outputs.float() ** 2).mean().backward()
        optimizer.step()

    count, took = sum(len(block.rows) for block in blocks), clocked(step, device, seconds)
    record(f"the graph network's training step, batch on the device (batch {batch_size})", count / took, "graphs/s")
    record("its share of the matrix product", operations(step) / took / top)


def main() -> None:
    """Run all parts, or say why not."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    words.add_argument("--photos", type=Path)
    given = words.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print(
            "skipped: torch finds no CUDA device here (python -m benchmarks.gpu --device cpu tries the script itself)"
        )
        return
    begun, device, on_gpu = time.perf_counter(), choose_device(given.device), given.device == "cuda"
    print(f"{torch.cuda.get_device_name() if on_gpu else 'processor'}, {device.precision}, torch {torch.__version__}")
    run_tests()
    compare_pixels(device, n=16 if on_gpu else 2)
    compare_graphs(device, n=120 if on_gpu else 40, epochs=10 if on_gpu else 2)
    seconds = 3.0 if on_gpu else 0.2
    top = peak(device, 8192 if on_gpu else 1024, seconds)
    with tempfile.TemporaryDirectory() as folder:
        photos = given.photos or simulated_photos(Path(folder) / "photos", 64 if on_gpu else 4)
        embedding_speed(device, photos, 6000 if on_gpu else 16, 256 if on_gpu else 8, top, seconds)
    imagewise_speed(device, "resnet34" if on_gpu else "resnet18", 2048 if on_gpu else 16, 256 if on_gpu else 8, top)
    graph_speed(device, 4000 if on_gpu else 80, 256 if on_gpu else 16, top, seconds)
    record("all parts", time.perf_counter() - begun, "s", at_most=600)


if __name__ == "__main__":
    main()
