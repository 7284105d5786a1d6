"""The page against geopandas.explore: bytes with all that each loads, and the time until it answers the pointer.

    python -m benchmarks.page_weight [--region india] [--sites 100000] [--rounds 3]

Both show the same districts with the same values, and the same sites. geopandas' page loads its libraries from the network. Here
Leaflet is served from this machine, and the others (jQuery, Bootstrap, fonts of signs) are left out of its size and time, so
that the comparison flatters it. Needs Chromium, playwright and mapclassify.
"""

import argparse
import contextlib
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

import geolive as gl
from benchmarks.measured import ratios, record
from geolive.mapping.district_map import DistrictMap
from geolive.simulation.sample import make_sample

CHROMIUM = shutil.which("chromium")
# moves the pointer over the map until a district answers
_ANSWERS = {
    "geolive": "document.querySelector('#geolive-info')?.dataset.districtId",
    "geopandas": "document.querySelector('.leaflet-tooltip')?.textContent",
}


def main() -> None:
    """Make both pages, open them in turns, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--region", default="india")
    parser.add_argument("--sites", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    shown = map_with_sites(arguments.region, arguments.sites)
    folder = Path(tempfile.mkdtemp())
    pages = {"geolive": folder / "geolive.html", "geopandas": folder / "geopandas.html"}
    shown.to_file(pages["geolive"])
    explored(shown).save(pages["geopandas"])
    libraries = leaflet_bytes()
    timed: dict[str, list[dict[str, float]]] = {name: [] for name in pages}
    for _ in range(arguments.rounds):
        for name, path in pages.items():
            timed[name].append(_opened(path, _ANSWERS[name]))
    print(
        f"{shown.region}: {len(shown.districts):,} districts, {len(shown.sites):,} sites; median of {arguments.rounds} rounds"
    )
    print("| | file, MB | libraries, MB | answers the pointer after, s | of which the page works, s |")
    print("|---|---|---|---|---|")
    for name, path in pages.items():
        loads = 0 if name == "geolive" else libraries
        wall, work = (statistics.median(each[key] for each in timed[name]) for key in ("answers", "works"))
        print(f"| {name} | {path.stat().st_size / 1e6:.2f} | {loads / 1e6:.2f} | {wall:.2f} | {work:.2f} |")
    both = [[each["answers"] for each in timed[name]] for name in pages]
    record(f"{shown.region}'s page answers, {len(shown.sites):,} sites, against geopandas.explore", ratios(*both))
    print("moving the map over its own width with all sites shown:", _panned(pages["geolive"]))


def map_with_sites(region: str, n_sites: int) -> DistrictMap:
    """Make a map from a simulated sample, with as many sites as asked for at random places of its districts."""
    dataset = make_sample(region, most_images=2)
    made = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), region)
    if len(made.sites) >= n_sites:
        return made
    random = np.random.default_rng(0)
    west, south, east, north = made.districts.total_bounds
    places = np.zeros((0, 2))
    shapely.prepare(made.area)
    while len(places) < n_sites:
        drawn = random.uniform((west, south), (east, north), (n_sites, 2))
        places = np.concatenate([places, drawn[shapely.contains_xy(made.area, drawn)]])[:n_sites]
    rows = made.sites.iloc[np.arange(n_sites) % len(made.sites)].drop(columns="geometry").reset_index(drop=True)
    rows["site_id"] = [f"site-{i}" for i in range(n_sites)]
    return replace(made, sites=gpd.GeoDataFrame(rows, geometry=gpd.points_from_xy(*places.T), crs=made.sites.crs))


def explored(shown: DistrictMap) -> Any:
    """Draw the same districts and sites by geopandas.explore; without the bar of colours, which loads a further library."""
    name = shown.indicator.name
    columns = [column for column in shown.districts.columns if column != "simulated"]
    table = shown.districts[columns]
    explored = table.explore(name, tooltip=["district", name], legend=False, tiles=None)
    return shown.sites[["surveyed", "geometry"]].explore(m=explored, column="surveyed", legend=False, tooltip=False)


def leaflet_bytes() -> int:
    """Return the size of Leaflet's script and style; jQuery, Bootstrap and the fonts that folium also loads come on top."""
    from geolive.mapping.webmap import leaflet_css, leaflet_js

    return len(leaflet_js().encode()) + len(leaflet_css().encode())


@contextlib.contextmanager
def opened_page(path: Path, width: int = 1400, height: int = 900) -> Iterator[Any]:
    """Open a file in Chromium without network, but with Leaflet where a page asks for it; `problems` are the console's errors."""
    from playwright.sync_api import sync_playwright

    from geolive.mapping.webmap import leaflet_css, leaflet_js

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = running.new_context(viewport={"width": width, "height": height}).new_page()
        page.problems = []

        def serve(route: Any) -> None:
            address = route.request.url
            if address.startswith(("file:", "data:", "blob:")):
                route.continue_()
            elif re.search(r"/leaflet\.js$", address):
                route.fulfill(body=leaflet_js(), content_type="text/javascript")
            elif re.search(r"/leaflet\.css$", address):
                route.fulfill(body=leaflet_css(), content_type="text/css")
            else:
                route.abort()

        page.route("**/*", serve)
        page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.session = page.context.new_cdp_session(page)
        page.session.send("Performance.enable")
        page.goto(path.resolve().as_uri(), timeout=180_000)
        yield page
        running.close()


def _opened(path: Path, answers: str) -> dict[str, float]:
    """Open a page and move the pointer over the middle of its map until a district answers."""
    started = time.perf_counter()
    with opened_page(path) as page:
        box = page.locator(".leaflet-container").bounding_box(timeout=180_000)
        step = 0
        while not page.evaluate(answers):
            # in widening circles: the middle of the map may lie in the sea
            angle, radius = step * 0.7, min(3 * step, 200)
            page.mouse.move(
                box["x"] + box["width"] / 2 + radius * np.cos(angle),
                box["y"] + box["height"] / 2 + radius * np.sin(angle),
            )
            step += 1
        elapsed = time.perf_counter() - started
        begun = page.evaluate("performance.timeOrigin") / 1000
        metrics = {each["name"]: each["value"] for each in page.session.send("Performance.getMetrics")["metrics"]}
        return {"answers": min(elapsed, time.time() - begun), "works": metrics["TaskDuration"]}


def _panned(path: Path) -> str:
    """Show all sites, drag the map, and return how long the pictures took."""
    with opened_page(path) as page:
        page.check("#geolive-overlay-sites")
        box = page.locator(".leaflet-container").bounding_box()
        x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
        page.evaluate(
            """() => { window.frames_ = []; let last = performance.now();
                const next = (now) => { window.frames_.push(now - last); last = now; requestAnimationFrame(next); };
                requestAnimationFrame(next); }"""
        )
        page.mouse.move(x, y)
        page.mouse.down()
        for step in range(60):
            page.mouse.move(x + step * box["width"] / 120, y)
        page.mouse.up()
        page.wait_for_timeout(500)
        frames = np.array(page.evaluate("window.frames_"))
    half, most = np.quantile(frames, [0.5, 0.95])
    return (
        f"half of the pictures came within {half:.0f} ms, 95 % within {most:.0f} ms, all within {frames.max():.0f} ms"
    )


if __name__ == "__main__":
    main()
