"""Regions that are hard to draw: islands far apart, one district, districts on two coasts, a city. The page shows each whole.

`python -m benchmarks.all_regions` makes the pages of all 36 states and territories from predictions.
"""

import matplotlib.image
import numpy as np
import pytest

from geolive.regions import find_region
from tests.browser import browser, needs_browser, opened
from tests.mapping.districtmaps import fake_district_map

HARD = {
    "lakshadweep": ("Lakshadweep", 1),
    "andaman and nicobar": ("Andaman and Nicobar Islands", 3),
    "ladakh": ("Ladakh", 2),
    "delhi": ("Delhi", 12),
    "daman and diu": ("Dadra & Nagar Haveli & Daman & Diu", 3),
    "chandigarh": ("Chandigarh", 1),
}


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


def drawn_map(said):
    name, count = HARD[said]
    region = find_region(said)
    assert (region.name, len(region.districts)) == (name, count)
    return fake_district_map(region=region, unsupported=(), n_sites=300, estimator="composite")


class TestPages:
    pytestmark = needs_browser

    @pytest.mark.parametrize("said", HARD)
    def test_the_page_shows_the_whole_region(self, chromium, tmp_path, said):
        made = drawn_map(said)
        made.to_file(tmp_path / "map.html")
        with opened(chromium, tmp_path / "map.html", 1000, 800) as tab:
            page = tab.page
            box = page.locator("#geolive-map").bounding_box()
            shapes = page.locator("path.geolive-district")
            assert shapes.count() == len(made.districts)
            for i in range(shapes.count()):
                shape = shapes.nth(i).bounding_box()
                assert shape["width"] > 1, made.districts["district"].iloc[i]
                assert shape["height"] > 1
                assert box["x"] <= shape["x"]
                assert shape["x"] + shape["width"] <= box["x"] + box["width"]
                assert box["y"] <= shape["y"]
                assert shape["y"] + shape["height"] <= box["y"] + box["height"]
            page.check("#geolive-overlay-sites")
            page.click("#geolive-all summary")
            assert page.locator("#geolive-rows tr").count() == len(made.districts)
            # the table opens below the pointer, which would point at one of its rows
            page.mouse.move(2, 2)
            shapes.first.focus()
            assert page.inner_text("#geolive-info h2").startswith(made.districts["district"].iloc[0])
            assert tab.errors == tab.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("said", HARD)
def test_the_picture_is_drawn(tmp_path, said):
    (path,) = drawn_map(said).to_file(tmp_path / "map.png")
    picture = matplotlib.image.imread(path)[..., :3]
    height, width = picture.shape[:2]
    assert min(height, width) > 900
    assert max(height, width) < 5000
    # some of it is coloured: a class of the legend, and the districts
    assert (np.ptp(picture, axis=2) > 0.2).mean() > 0.002
