"""A page for each of India's 36 states and territories, and for India: times, sizes, and whether a browser shows it.

    python -m benchmarks.all_regions [--regions lakshadweep,delhi] [--out FOLDER] [--without-browser]

One simulated survey of India, with at most 20 images a place, and one model of the default kind serve all of them, as a national
survey would. With Chromium and playwright, each page is opened without network: every district has an outline with an area, and
the console stays empty. The table goes to the terminal as Markdown; its times are of the processor, all threads together, and its
memory is the largest that the process has had so far.

A map of one state predicts all sites of the survey, too: its composite estimates learn from all surveyed districts. So the time
of a site is the time of the map, divided by the survey's 10,705 sites. At last, maps of India from two surveys show how the time
grows with the number of sites, in comparison with n log n.
"""

import argparse
import math
import resource
import tempfile
import time
from pathlib import Path

import geolive as gl
from benchmarks.measured import record
from benchmarks.page_weight import CHROMIUM, opened_page
from geolive.models.cache import fit_cached
from geolive.models.trained_model import TrainedModel
from geolive.regions import INDIA, find_region, read_districts
from geolive.simulation.sample import cached_sample, simulate

IMAGES_PER_PLACE = 20
SITES_OF_GROWTH, IMAGES_OF_GROWTH = (6_000, 24_000), 10


def main() -> None:
    """Make and open the pages, and write a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", default="", help="names of regions, separated by commas; by default all")
    parser.add_argument("--without-browser", action="store_true", help="open no page")
    parser.add_argument("--out", type=Path, help="folder that keeps the pages")
    arguments = parser.parse_args()
    folder = arguments.out or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    dataset = cached_sample("india", 0, IMAGES_PER_PLACE)
    trained, times = fit_cached(dataset, gl.Ensemble(), "pov"), []
    columns = "region|districts|clusters|sites|not supported|prediction, s|a site, ms|memory, MB|page, s|page, kB|in the browser"
    print(f"| {columns.replace('|', ' | ')} |")
    print("|---" * 11 + "|")
    chosen = [name for name in arguments.regions.split(",") if name]
    for name in chosen or [*sorted(read_districts()["state"].unique()), INDIA]:
        cells, seconds = _row(name, dataset, trained, folder, not arguments.without_browser)
        print(f"| {' | '.join(cells)} |", flush=True)
        times.append(seconds)
    n_sites = len(dataset.sites)
    record(f"predict for one region of {n_sites:,} sites: processor time", times, "s")
    record(
        "predict for one region: processor time for each site of the survey",
        [1000 * seconds / n_sites for seconds in times],
        "ms",
    )
    record("predict for all regions: peak memory", _peak(), "MB", at_most=2000)
    record("predict for all regions: peak memory for each site of the survey", 1000 * _peak() / n_sites, "kB")
    if not chosen:
        _record_growth()


def _record_growth() -> None:
    """Record how the time of a map of India grows from half as many sites to twice as many, against n log n."""
    worked, n_sites = [], []
    for number in SITES_OF_GROWTH:
        dataset = simulate("india", n_sites=number, most_images=IMAGES_OF_GROWTH).dataset
        # a few trees: the time of their growth depends on the clusters, which stay the same
        trained = gl.train(dataset, gl.Ensemble(n_estimators=2), "pov", n_jobs=None)
        started = time.process_time()
        gl.predict(dataset, trained, INDIA.lower())
        worked.append(time.process_time() - started)
        n_sites.append(len(dataset.sites))
        print(f"{n_sites[-1]:,} sites, {len(dataset.images):,} images: {worked[-1]:.1f} s")
    small, large = (n * math.log(n) for n in n_sites)
    what = f"predict for India, {n_sites[0]:,} and {n_sites[1]:,} sites: growth of the processor time against n log n"
    record(what, (worked[1] / worked[0]) / (large / small), at_most=1)


def _row(
    name: str, dataset: gl.Dataset, trained: TrainedModel, folder: Path, in_browser: bool
) -> tuple[list[str], float]:
    """Return the cells of a region's row, and the time of its prediction."""
    region = find_region(name)
    started = time.process_time()
    made = gl.predict(dataset, trained, region)
    predicted = time.process_time() - started
    path = folder / f"{region.name.lower().replace(' ', '-')}.html"
    started = time.process_time()
    made.to_file(path)
    written = time.process_time() - started
    unsupported = int((~made.districts["supported"]).sum())
    counts = (len(made.districts), int(made.sites["surveyed"].sum()), len(made.sites), unsupported)
    costs = [f"{predicted:.1f}", f"{1000 * predicted / len(dataset.sites):.2f}", f"{_peak():,.0f}", f"{written:.1f}"]
    shown = _in_browser(path, len(made.districts)) if in_browser else "not opened"
    cells = [region.name, *(f"{n:,}" for n in counts), *costs, f"{path.stat().st_size / 1000:,.0f}", shown]
    return cells, predicted


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _in_browser(path: Path, n_districts: int) -> str:
    if CHROMIUM is None:
        return "not opened"
    with opened_page(path) as page:
        areas = page.locator("path.geolive-district").evaluate_all(
            "all => all.map(one => one.getAttribute('d').length)"
        )
        problems = page.problems
    if len(areas) != n_districts:
        problems.append(f"{len(areas)} outlines")
    # a path without a point is "M0 0"
    if empty := sum(length < 12 for length in areas):
        problems.append(f"{empty} without an area")
    return "; ".join(problems) or "right"


if __name__ == "__main__":
    main()
