"""A page for each of India's 36 states and territories, and for India: times, sizes, and whether a browser shows it.

    python -m benchmarks.all_regions [--only lakshadweep delhi] [--out FOLDER]

One simulated survey of India, with at most 20 images a place, and one model of the default kind serve all of them, as a national
survey would. With Chromium and playwright, each page is opened without network: every district has an outline with an area, and
the console stays empty. The table goes to the terminal as Markdown.
"""

import argparse
import tempfile
import time
from pathlib import Path

import geolive as gl
from benchmarks.page_weight import CHROMIUM, opened_page
from geolive.models.cache import fit_cached
from geolive.models.trained_model import TrainedModel
from geolive.regions import INDIA, find_region, read_districts
from geolive.simulation.sample import cached_sample

IMAGES_PER_PLACE = 20


def main() -> None:
    """Make and open the pages, and write a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="names of regions; by default all")
    parser.add_argument("--out", type=Path, help="folder that keeps the pages")
    arguments = parser.parse_args()
    folder = arguments.out or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    dataset = cached_sample("india", 0, IMAGES_PER_PLACE)
    trained = fit_cached(dataset, gl.Forest(), "pov")
    columns = "region|districts|clusters|sites|not supported|prediction, s|page, s|page, kB|in the browser"
    print(f"| {columns.replace('|', ' | ')} |")
    print("|---" * 9 + "|")
    for name in arguments.only or [*sorted(read_districts()["state"].unique()), INDIA]:
        print(_row(name, dataset, trained, folder), flush=True)


def _row(name: str, dataset: gl.Dataset, trained: TrainedModel, folder: Path) -> str:
    region = find_region(name)
    started = time.perf_counter()
    made = gl.predict(dataset, trained, region)
    predicted = time.perf_counter()
    path = folder / f"{region.name.lower().replace(' ', '-')}.html"
    made.to_file(path)
    written = time.perf_counter()
    seconds = " | ".join(f"{end - begin:.1f}" for begin, end in ((started, predicted), (predicted, written)))
    unsupported = int((~made.districts["supported"]).sum())
    counts = (len(made.districts), int(made.sites["surveyed"].sum()), len(made.sites), unsupported)
    numbers = " | ".join(f"{number:,}" for number in counts)
    size, shown = f"{path.stat().st_size / 1000:,.0f}", _in_browser(path, len(made.districts))
    return f"| {region.name} | {numbers} | {seconds} | {size} | {shown} |"


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
