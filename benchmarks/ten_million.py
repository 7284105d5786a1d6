"""Ten million images in partitions against 1.1 million: processor time and memory for each image.

    python -m benchmarks.ten_million --out FOLDER [--sites 110000] [--copies 9] [--by quadkey:6]

A simulated India of about 1.1 million images (--sites places of at most 10 images) is laid out once, and --copies times side by
side along the equator's direction, which leaves all distances as they are. Both datasets are written, divided into partitions,
read whole, read by a box of the size of India, and brought to the places that a model sees. Each step is a process of its own; a
step's memory is the growth of its peak over the libraries that it has loaded. At most 1.2 times as much an image is wanted. Steps
that FOLDER already has are skipped, so a run that was stopped goes on.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import geolive as gl
from benchmarks.measured import record
from geolive.partitioning import partition_dataset
from geolive.tables import points

WANTED = 1.2
# degrees between copies: India is 30 wide, and from the westernmost to the easternmost copy fits between -180 and 180
APART, COPIES = 35, (0, 1, 2, -1, -2, -3, -4, -5, -6)


def write(folder: Path, copies: int, sites: int, by: str) -> int:
    """Write the plain dataset: copies of a simulated India side by side; return the number of its images."""
    made = gl.make_sample("india", seed=0, n_sites=sites, most_images=10)
    images = pd.concat(
        [_moved(made.images, copy, ["key", "sequence_id"]) for copy in COPIES[:copies]], ignore_index=True
    )
    clusters = pd.concat([_moved(made.clusters, copy, []) for copy in COPIES[:copies]], ignore_index=True)
    objects = np.tile(np.asarray(made.features["objects"]), (copies, 1))
    gl.write_dataset(replace(made, images=images, clusters=clusters, features={"objects": objects}), folder / "plain")
    return len(images)


def _moved(table: pd.DataFrame, copy: int, names: list[str]) -> pd.DataFrame:
    moved = table.copy()
    moved["geometry"] = points(table.geometry.x + APART * copy, table.geometry.y)
    for name in ["unique_cluster", *names]:
        if name in table and copy:
            moved[name] = table[name] + f"-{copy}"
    if "captured_at" in table:
        # photos of one moment are put in the order of their names, which takes longer: copies are not of one moment
        moved["captured_at"] = table["captured_at"] + pd.Timedelta(milliseconds=137 * copy)
    if "district_id" in table and copy:
        moved["district_id"] = table["district_id"] + f"-{copy}"
    return moved


def divide(folder: Path, copies: int, sites: int, by: str) -> int:
    """Divide the dataset into partitions."""
    made = partition_dataset(folder / "plain", by, folder / "parts")
    assert made is not None
    return sum(made.sizes)


def read(folder: Path, copies: int, sites: int, by: str) -> int:
    """Read all partitions."""
    return len(gl.read_dataset(folder / "parts").images)


def read_box(folder: Path, copies: int, sites: int, by: str) -> int:
    """Read the partitions of one India; the number of images is that of the box."""
    return len(gl.read_dataset(folder / "parts", box=(67, 5, 98, 38)).images)


def to_places(folder: Path, copies: int, sites: int, by: str) -> int:
    """Read all partitions, and sum their object counts at the surveyed clusters and at the sites."""
    dataset = gl.read_dataset(folder / "parts")
    dataset.cluster_places(dataset.clusters)
    dataset.site_places(dataset.sites)
    return len(dataset.images)


STEPS = {"write": write, "partition": divide, "read": read, "read a box": read_box, "counts of places": to_places}


def measure(name: str, folder: Path, copies: int, sites: int, by: str) -> None:
    """Run one step in this process, and print its figures as JSON."""
    at_start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    n_images = STEPS[name](folder, copies, sites, by)
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "images": n_images,
        "seconds": time.process_time() - started,
        "megabytes": used.ru_maxrss / 1024,
        "bytes_an_image": (used.ru_maxrss - at_start) * 1024 / n_images,
    }
    print(json.dumps(figures))


def main() -> None:
    """Run the steps that are not done on both datasets, and print ratios."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", required=True, type=Path)
    options.add_argument("--sites", type=int, default=110_000)
    options.add_argument("--copies", type=int, default=len(COPIES))
    options.add_argument("--by", default="quadkey:6")
    options.add_argument("--step", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.step:
        measure(chosen.step, chosen.out, chosen.copies, chosen.sites, chosen.by)
        return
    ledger = chosen.out / "steps.json"
    chosen.out.mkdir(parents=True, exist_ok=True)
    done = json.loads(ledger.read_text()) if ledger.exists() else {}
    for copies in (1, chosen.copies):
        for name in STEPS:
            if f"{name} {copies}" in done:
                continue
            words = ["--out", chosen.out / str(copies), "--copies", copies, "--sites", chosen.sites, "--by", chosen.by]
            command = [sys.executable, "-m", "benchmarks.ten_million", *map(str, words), "--step", name]
            (chosen.out / str(copies)).mkdir(exist_ok=True)
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            done[f"{name} {copies}"] = json.loads(ended.stdout.splitlines()[-1])
            ledger.write_text(json.dumps(done, indent=1))
            print(name, done[f"{name} {copies}"], flush=True)
    print("\n| step | images | µs an image | bytes an image | peak memory |\n|---|---|---|---|---|")
    for name in STEPS:
        for copies in (1, chosen.copies):
            one = done[f"{name} {copies}"]
            print(
                f"| {name} | {one['images']:,} | {1e6 * one['seconds'] / one['images']:,.1f} | {one['bytes_an_image']:,.0f} | "
                f"{one['megabytes']:,.0f} MB |"
            )
    for name in STEPS:
        small, large = done[f"{name} 1"], done[f"{name} {chosen.copies}"]
        time_ratio = (large["seconds"] / large["images"]) / (small["seconds"] / small["images"])
        wanted = {} if name == "write" else {"at_most": WANTED}
        record(f"ten million images: {name}, processor time an image", time_ratio, **wanted)
        memory_ratio = large["bytes_an_image"] / small["bytes_an_image"]
        record(f"ten million images: {name}, memory an image", memory_ratio, **wanted)


if __name__ == "__main__":
    main()
