"""How the time and the memory of every step grow with the number of rows.

    python -m benchmarks.growth [--most 1000000] [--only NAME]

Each number of rows is a process of its own, which runs one step after the other; the peak of memory starts anew before each step
(Linux). Rows are images, clusters, rows of a survey or units of a map. *A row more* is what each row costs between one size and
the next, so that imports and other fixed costs do not count. *Growth* divides the last of these by the one before: 1 is linear,
and n log n is 1.2 to 1.3 for ten times the rows. All times are of the processor. A step of less than a second for the most
rows, or in which fixed costs prevail, has no growth: its times are of one run, whose noise is larger.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record

SIZES = (1_000, 10_000, 100_000, 1_000_000)
UNITS = (500, 2_000, 8_000, 32_000)
# what the time of a row may grow by, beyond log n: the noise of one run
SLACK = 1.4
SHORTEST = 1.0
# of the time before the last, which more rows must have added: less is lost in the noise of the fixed costs
LEAST_SHARE = 0.2
# of a simulated place without a survey, before any limit
IMAGES_PER_PLACE = 95


def main() -> None:
    """Run all sizes, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="largest number of rows")
    parser.add_argument("--only", default="", help="steps whose names hold this")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rank is not None:
        run_steps(SIZES[given.rank], UNITS[given.rank], given.only)
        return
    found: dict[str, list[tuple[int, float, float]]] = {}
    for rank, size in enumerate(SIZES):
        if size <= given.most:
            command = [sys.executable, "-m", "benchmarks.growth", "--rank", str(rank), "--only", given.only]
            lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
            for line in lines:
                name, rows, seconds, memory = line.split("\t")
                found.setdefault(name, []).append((int(rows), float(seconds), float(memory)))
            print(f"{size:,} rows: {sum(os.times()[2:4]):.0f} s of processor time so far", flush=True)
    print_table(found)


def print_table(found: dict[str, list[tuple[int, float, float]]]) -> None:
    """Print a row for each step, and record the step whose time a row grows the most."""
    print("| step | rows | time of all, s | a row more, µs | memory of all, MB | a row, kB | growth |")
    print("|---|---|---|---|---|---|---|", flush=True)
    beyond = {}
    for name, all_sizes in found.items():
        # steps that have a largest number of rows run with it once only
        sizes = list({row[0]: row for row in reversed(all_sizes)}.values())[::-1]
        rows, seconds, memory = (np.array(column, float) for column in zip(*sizes, strict=True))
        more = np.diff(seconds) / np.diff(rows)
        growth = ""
        if len(rows) > 2 and seconds[-1] >= SHORTEST and seconds[-2] - seconds[-3] >= LEAST_SHARE * seconds[-2]:
            ratio = more[-1] / more[-2]
            beyond[name] = ratio / (math.log(rows[-1]) / math.log(rows[-2]))
            growth = f"{ratio:.2f}" + (" **more than n log n**" if beyond[name] > SLACK else "")
        cells = [
            name,
            " → ".join(f"{n:,.0f}" for n in rows),
            " → ".join(f"{s:.2f}" for s in seconds),
            " → ".join(f"{1e6 * m:,.1f}" for m in more),
            " → ".join(f"{m:,.0f}" for m in memory),
            f"{1000 * memory[-1] / rows[-1]:,.2f}",
            growth,
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
    if beyond:
        worst = max(beyond, key=lambda name: beyond[name])
        record(f"growth beyond n log n, largest of all steps ({worst})", beyond[worst], at_most=SLACK)


def run_steps(rows: int, units: int, only: str) -> None:
    """Run every step with so many rows; print a line for each."""
    with tempfile.TemporaryDirectory() as folder:
        for group in (steps_of_images, steps_of_tables, steps_of_clusters, steps_of_units):
            for name, number, work in group(Path(folder), rows, units):
                # later steps need the results of earlier ones
                seconds, memory = measured(work)
                if only in name:
                    print(name, number, f"{seconds:.4f}", f"{memory:.1f}", sep="\t", flush=True)


def measured(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the processor time of a call, and by how many MB the process grew meanwhile."""
    Path("/proc/self/clear_refs").write_text("5")
    before, started = _memory("VmRSS"), time.process_time()
    work()
    return time.process_time() - started, _memory("VmHWM") - before


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


Steps = Iterator[tuple[str, int, Callable[[], Any]]]


def steps_of_images(folder: Path, rows: int, units: int) -> Steps:
    """Simulate, write, read, form sites, group, predict: rows are images."""
    import geolive as gl
    from geolive.clusters import form_sites
    from geolive.simulation.sample import simulate, write_sample

    kept: dict[str, Any] = {}

    def simulated() -> None:
        n_sites = max(38, round(rows / IMAGES_PER_PLACE))
        kept["sample"] = simulate("bihar", n_clusters=60, n_sites=n_sites)

    def write() -> None:
        write_sample(kept.pop("sample"), folder / "data")

    def read() -> None:
        kept["data"] = gl.read_dataset(folder / "data")

    # imports and the region's borders are no part of what grows
    simulate("bihar", n_clusters=38, n_sites=38, most_images=1)
    simulated()
    n = len(kept["sample"].dataset.images)
    yield "simulate (images)", n, simulated
    yield "write a dataset (images)", n, write
    yield "read a dataset (images)", n, read
    data = kept["data"]
    free = data.images[data.images["unique_cluster"].isna()]
    yield "form sites (images)", len(free), lambda: form_sites(free)
    places: list[Any] = []
    yield "group images by place (images)", len(free), lambda: places.append(data.site_places(data.sites))
    yield "object counts of places (images)", len(free), lambda: places[0].counts()
    yield from _summaries(places[0])
    trained = gl.train(data, gl.Forest(n_estimators=3), "pov")
    yield "predict (images)", n, lambda: gl.predict(data, trained, "bihar")


def _summaries(places: Any) -> Steps:
    from geolive.models.photo_summaries import fit_summaries

    def summarise() -> None:
        fit_summaries(places, "objects", 0).of(places)

    yield "summaries of photos (images)", len(places.image_positions), summarise


def steps_of_tables(folder: Path, rows: int, units: int) -> Steps:
    """Read surveys, tables of images, and folders of photos."""
    import geolive as gl
    from benchmarks.ingest_images import make_table as images_table
    from benchmarks.ingest_photos import make_photos
    from benchmarks.ingest_survey import COLUMNS
    from benchmarks.ingest_survey import make_table as survey_table

    survey_table(rows).to_csv(folder / "survey.csv", index=False)
    values = {"wealth": "wealth", "bmi": "bmi"}
    yield "ingest survey (rows)", rows, lambda: gl.read_survey(folder / "survey.csv", values=values, **COLUMNS)
    images_table(rows).to_parquet(folder / "images.parquet")
    names = {"lon": "lon", "lat": "lat", "sequence": "sequence", "captured_at": "taken"}
    yield (
        "ingest images with counts (rows)",
        rows,
        lambda: gl.read_images(folder / "images.parquet", **names, counts=True),
    )
    n = min(rows, 20_000)
    if rows > 100_000:
        return
    (folder / "photos").mkdir()
    make_photos(folder / "photos", n)
    yield "ingest photos (photos, 20,000 at most)", n, lambda: gl.read_photos(folder / "photos")


def steps_of_clusters(folder: Path, rows: int, units: int) -> Steps:
    """Fit forests to 100,000 clusters at most; predict sites by a forest of 1,000 clusters, whose trees fit into the cache."""
    from geolive.models.clusterwise import Forest

    small = Forest(n_estimators=10).fit(*simulated_clusters(1_000))
    places, values = simulated_clusters(rows)
    if rows <= 100_000:
        yield "fit a forest of 3 trees (clusters)", rows, lambda: Forest(n_estimators=3).fit(places, values)
    yield "predict with a forest of 1,000 clusters (sites)", rows, lambda: small.predict(places)


def simulated_clusters(n: int) -> tuple[Any, np.ndarray]:
    """Return places with object counts, and values that these predict."""
    from geolive.places import Places

    rng = np.random.default_rng(0)
    counts = rng.poisson(3, (n, 66)).astype(np.uint16)
    values = np.log1p(counts[:, :10].astype(float)).sum(axis=1) + rng.normal(size=n)
    return Places(np.arange(n).astype(str), np.zeros((n, 2)), np.arange(n + 1), np.zeros((n, 2)), counts), values


def steps_of_units(folder: Path, rows: int, units: int) -> Steps:
    """Rank units, and map and write hexagons."""
    import geolive as gl
    from geolive.estimation.ranks import best_set, rank_sets
    from geolive.simulation.sample import make_sample

    rng = np.random.default_rng(0)
    value, error = rng.normal(size=units), rng.uniform(0.1, 0.5, units)
    yield "rank_sets (units)", units, lambda: rank_sets(value, error)
    yield "best_set (units)", units, lambda: best_set(value, error, max(1, units // 10))
    if units > 10_000:
        return
    data = make_sample("bihar", n_sites=units, most_images=1)
    trained = gl.train(data, gl.Forest(n_estimators=3), "pov")
    made: list[Any] = []
    width = math.sqrt(94_000 / 0.87 / units)

    def mapped() -> None:
        made.append(gl.predict(data, trained, boundaries=f"hex:{width:.2f}km", min_sites=1, min_images=1))

    mapped()
    n = len(made[0].districts)
    yield "predict hexagons (units)", n, mapped
    for ending in ("html", "geojson", "gpkg", "csv", "tif", "pmtiles"):
        path = folder / f"map.{ending}"
        yield f"write .{ending} (units)", n, lambda path=path: made[0].to_file(path)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
