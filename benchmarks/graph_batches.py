"""Batches of graphs: time to the first one and memory, against a loader like the authors', and how both grow with clusters.

    python cli.py sample --paper-format --clusters 7117 --ids SPLITS --out /tmp/standin
    python cli.py ingest paper /tmp/standin/data.csv --splits /tmp/standin --out /tmp/standin/dataset
    python -m benchmarks.graph_batches first /tmp/standin/dataset     # 500 clusters
    python -m benchmarks.graph_batches growth /tmp/standin/dataset    # 500 to all clusters
    python -m benchmarks.graph_batches edges                          # kNN of 100,000 points

The 512 image features are simulated. The authors' loader is not here: `like_the_authors` is a re-creation of what is known of it
(pandas for each cluster, a Python loop over images, every cluster's padded 200 × 200 adjacency and 200 vertices in memory before
the first batch). Each measurement is a process of its own; both start with the tables read and end with the first batch.
Memory is the peak resident set of the whole process, pages of mapped files included.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.measured import in_turns, ratios, record

WIDTH, PADDED, LITERAL_BATCH = 512, 200, 256
GROWTH = (500, 1000, 2000, 4000, 7117)


def make_part(folder: str, n: int, out: Path) -> None:
    """The first n of a dataset's clusters, by a fixed shuffle, with simulated image features, as a dataset folder."""
    from dataclasses import replace

    from geolive.dataset_folder import read_dataset, write_dataset

    dataset = read_dataset(folder)
    chosen = np.sort(np.random.default_rng(0).permutation(len(dataset.clusters))[:n])
    clusters = dataset.clusters.iloc[chosen].reset_index(drop=True)
    rows = np.flatnonzero(dataset.images["unique_cluster"].isin(clusters["unique_cluster"]))
    images = dataset.images.iloc[rows].reset_index(drop=True)
    features = np.empty((len(rows), WIDTH), np.float16)
    for start in range(0, len(rows), 50_000):
        part = features[start : start + 50_000]
        part[:] = np.random.default_rng(start).standard_normal(part.shape, np.float32)
    found = {"objects": np.asarray(dataset.features["objects"][rows]), "simulated": features}
    write_dataset(replace(dataset, images=images, clusters=clusters, features=found), out)


def like_the_authors(folder: str, batch: int) -> dict:
    """A re-creation: everything padded and in memory, then the first batch."""
    import pandas as pd

    from geolive.dataset_folder import read_dataset
    from geolive.tables import lonlat

    dataset = read_dataset(folder)
    table = pd.DataFrame(lonlat(dataset.images.geometry), columns=["lon", "lat"])
    table["unique_cluster"] = dataset.images["unique_cluster"]
    objects = pd.DataFrame(np.asarray(dataset.features["objects"]))
    features = np.asarray(dataset.features["simulated"])
    start = time.perf_counter()
    vertices, adjacency, labels = [], [], []
    for cluster in dataset.clusters.itertuples():
        images = table[table["unique_cluster"] == cluster.unique_cluster].iloc[:PADDED]
        padded, where = np.zeros((PADDED, WIDTH + objects.shape[1])), []
        for i, (row, image) in enumerate(images.iterrows()):
            padded[i] = np.concatenate([features[row], objects.loc[row]])
            where.append((image["lon"], image["lat"]))
        lon, lat = np.radians(np.array(where)).T
        half = np.sin((lat - lat[:, None]) / 2) ** 2
        half += np.cos(lat) * np.cos(lat[:, None]) * np.sin((lon - lon[:, None]) / 2) ** 2
        weights = np.zeros((PADDED, 1, PADDED))
        weights[: len(lat), 0, : len(lat)] = 1 - 2 * 6371.0 * np.arcsin(np.sqrt(half)) / 19.890915
        vertices.append(padded)
        adjacency.append(weights)
        labels.append(cluster.pov)
    vertices, adjacency = np.array(vertices), np.array(adjacency)
    first = vertices[:batch].astype(np.float32), adjacency[:batch].astype(np.float32)
    return {"first": time.perf_counter() - start, "images": len(table), "shape": [list(part.shape) for part in first]}


def ours(folder: str, batch: int, whole: bool) -> dict:
    """Places, the scale of vertices, the first batch, and all batches of a pass."""
    from geolive.dataset_folder import read_dataset
    from geolive.graphs.batches import batches_in_blocks, largest_distance_km
    from geolive.graphs.edges import parse_edges
    from geolive.graphs.node_features import fit_vertices

    before = time.perf_counter()
    dataset = read_dataset(folder)
    start = time.perf_counter()
    places = dataset.cluster_places(dataset.clusters, "simulated")
    grouped = time.perf_counter()
    vertices = fit_vertices(places, "objects,features").of(places)
    fitted = time.perf_counter()
    d_max_km = largest_distance_km(places)
    import torch

    generator = torch.Generator().manual_seed(0)
    made = batches_in_blocks(places, vertices, parse_edges("distance"), d_max_km, batch_size=batch, generator=generator)
    blocks = next(made)
    first = time.perf_counter()
    found = {"read": start - before, "places": grouped - start, "scale": fitted - grouped, "first": first - start}
    found |= {"images": len(places.image_positions), "shape": [list(block.vertices.shape) for block in blocks]}
    if whole:
        n = sum(1 for _ in made)
        found |= {"pass": time.perf_counter() - first, "batches": n + 1}
    return found


def in_process(name: str, *given: str) -> dict:
    """Run one of the functions above in a process of its own; what it found, with its peak memory in MB."""
    done = subprocess.run([sys.executable, __file__, "one", name, *given], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def part_of(folder: str, n: int, parts: str) -> str:
    """The folder of the part with n clusters, made where it is not there yet."""
    part = Path(parts) / str(n)
    if not part.exists():
        Path(parts).mkdir(parents=True, exist_ok=True)
        make_part(folder, n, part)
    return str(part)


def first(folder: str, parts: str) -> None:
    """Print both loaders' time to the first batch and memory."""
    part = part_of(folder, GROWTH[0], parts)
    theirs = in_process("like_the_authors", part, str(LITERAL_BATCH))
    print(f"{GROWTH[0]} clusters, {theirs['images']:,} images, to the first batch:")
    print(f"  re-created loader, batch of {LITERAL_BATCH}: {theirs['first']:.2f} s, {theirs['memory']:,.0f} MB")
    for batch in (LITERAL_BATCH, 32):
        own = [in_process("ours", part, str(batch), "") for _ in range(3)]
        fast, most = median(found["first"] for found in own), max(found["memory"] for found in own)
        steps = ", ".join(f"{name} {median(found[name] for found in own):.2f} s" for name in ("places", "scale"))
        print(f"  geolive, batch of {batch}: {fast:.3f} s ({steps}), {most:,.0f} MB")
        what = f"first batch of {GROWTH[0]} clusters, re-created loader against geolive with batches of {batch}"
        record(what, [theirs["first"] / found["first"] for found in own], at_least=40 if batch == 32 else None)


def growth(folder: str, parts: str) -> None:
    """Print a row for each number of clusters."""
    print("clusters | images | read s | first batch s | a pass s | a pass, µs an image | peak MB")
    for n in GROWTH:
        f = in_process("ours", part_of(folder, n, parts), "32", "whole")
        each = f["pass"] / f["images"] * 1e6
        row = [f"{n:,}", f"{f['images']:,}", f"{f['read']:.1f}", f"{f['first']:.2f}", f"{f['pass']:.1f}", f"{each:.1f}"]
        print(" | ".join([*row, f"{f['memory']:,.0f}"]), flush=True)


def edges() -> None:
    """Print the time of kNN edges beside a bare tree query, and beside libpysal, which measures in the plane."""
    import geopandas as gpd
    from libpysal.graph import Graph
    from scipy.spatial import cKDTree

    from geolive.geodesy import unit_sphere
    from geolive.graphs.builders import knn_edges

    where = np.random.default_rng(0).uniform([68, 8], [97, 35], (100_000, 2))
    points, plane = unit_sphere(where), gpd.GeoSeries(gpd.points_from_xy(*where.T))
    # 8 others and the point itself
    tree, own = in_turns(
        15,
        lambda: _seconds(lambda: cKDTree(points).query(points, 9, workers=-1)),
        lambda: _seconds(lambda: knn_edges(where, 8)),
    )
    record("kNN edges of 100,000 points against scipy's cKDTree", ratios(own, tree), at_most=2)
    own, pysal = in_turns(
        3, lambda: _seconds(lambda: knn_edges(where, 8)), lambda: _seconds(lambda: Graph.build_knn(plane, 8))
    )
    record("kNN edges of 100,000 points against libpysal", ratios(own, pysal), at_most=1)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Read the command line."""
    if sys.argv[1:2] == ["one"]:
        name, folder, batch, *rest = sys.argv[2:]
        like = name == "like_the_authors"
        found = like_the_authors(folder, int(batch)) if like else ours(folder, int(batch), bool(rest[0]))
        print(json.dumps(found | {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["first", "growth", "edges"])
    parser.add_argument("dataset", nargs="?")
    parser.add_argument(
        "--parts", help="where parts of the dataset with simulated features are kept (a temporary folder)"
    )
    given = parser.parse_args()
    if given.what == "edges":
        edges()
        return
    with tempfile.TemporaryDirectory() as temporary:
        {"first": first, "growth": growth}[given.what](given.dataset, given.parts or temporary)


if __name__ == "__main__":
    main()
