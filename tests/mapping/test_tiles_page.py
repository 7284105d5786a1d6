"""The page of vector tiles: districts drawn by MapLibre from one file; not what the tiles hold (test_export_kinds.py)."""

import html
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import geolive as gl
from geolive.auditing.passport import Check, Passport
from geolive.errors import InputError
from geolive.indicators import NOT_SUPPORTED_COLOUR
from geolive.mapping.exports import write_files
from geolive.mapping.output_check import check_outputs_free
from geolive.mapping.page_data import page_data
from tests.browser import WCAG, axe_violations, browser, needs_axe, needs_browser, opened
from tests.mapping.districtmaps import EVIL, SCRIPT, bihar_polygons, fake_district_map

# the map begins right of the side panel and its line; MapLibre leaves a margin around the region
MAP_LEFT, WIDTH, HEIGHT, MARGIN = 341, 1000, 600, 24


def pixel_of(lon: float, lat: float) -> tuple[float, float]:
    """Where a place of Bihar is on the screen when the page opens, by Mercator's formula."""
    west, south, east, north = np.radians(bihar_polygons().total_bounds)
    bottom, y, top = (np.log(np.tan(np.pi / 4 + at / 2)) for at in (south, np.radians(lat), north))
    scale = min((WIDTH - MAP_LEFT - 2 * MARGIN) / (east - west), (HEIGHT - 2 * MARGIN) / (top - bottom))
    return (
        (MAP_LEFT + WIDTH) / 2 + (np.radians(lon) - (west + east) / 2) * scale,
        HEIGHT / 2 - (y - (bottom + top) / 2) * scale,
    )


def wait_until_drawn(tab) -> None:
    tab.page.wait_for_selector('#geolive-map[aria-busy="false"]', timeout=60_000)


def colours_at(tab, places: list[tuple[float, float]]) -> list[str]:
    picture = Image.open(io.BytesIO(tab.page.screenshot())).convert("RGB")
    return ["#" + bytes(picture.getpixel((round(x), round(y)))).hex() for x, y in places]


def is_hatching(colour: str) -> bool:
    red, green, blue = bytes.fromhex(colour[1:])
    return max(red, green, blue) - min(red, green, blue) < 20 and 0x80 < red <= int(NOT_SUPPORTED_COLOUR[1:3], 16)


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def real():
    """A map that is not SIMULATED, so that no letters lie on the colours."""
    return fake_district_map(simulated=False)


@pytest.fixture(scope="module")
def page_file(real, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    write_files(real, [folder / "pov.pmtiles"])
    return folder / "pov_tiles.html"


def test_the_page_loads_nothing_and_runs_its_own_scripts_alone(page_file):
    text = page_file.read_text(encoding="utf-8")
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
    scripts = re.search(r"script-src ([^;]*);", policy)[1].split()
    assert len(scripts) == 2
    assert all(script.startswith("'sha256-") for script in scripts)
    assert "http" not in policy
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)\s*=", text)
    assert "sourceMappingURL" not in text
    assert len(text) < 2_500_000


def test_the_page_belongs_to_the_archive(real, page_file, tmp_path):
    expected = [page_file.with_name("pov.pmtiles"), page_file]
    assert check_outputs_free(expected[:1], []) == expected, "both may be written anew"
    archive, page = write_files(real, [tmp_path / "pov.pmtiles"])
    assert page.read_bytes() == page_file.read_bytes(), "equal maps give equal bytes"
    page.write_text("a page of somebody else")
    with pytest.raises(InputError, match="was not written by geolive"):
        check_outputs_free([archive], [])
    with pytest.raises(InputError, match="give one of them another name"):
        check_outputs_free([tmp_path / "a_tiles.html", tmp_path / "a.pmtiles"], [])


def test_the_page_holds_the_passport(real, tmp_path):
    check = Check("labels", "dataset", "WARN", f"{SCRIPT}.", remedy=EVIL, title="Labels")
    passport = Passport(real.title, "map", (check,), {}, False, "2026-01-01", "0.1.0")
    _, page = write_files(replace(real, passport=passport), [tmp_path / "pov.pmtiles"])
    assert gl.audit(page) == passport


def test_the_page_speaks_other_languages(real, tmp_path):
    _, page = write_files(real, [tmp_path / "pov.pmtiles"], language="fr")
    text = page.read_text(encoding="utf-8")
    assert '<html lang="fr"' in text
    assert "Find a district" not in text


class TestInTheBrowser:
    pytestmark = needs_browser

    @pytest.mark.parametrize("name", ["value", "compared", "uncertainty"])
    def test_every_district_has_the_colour_of_its_class(self, chromium, real, page_file, name):
        data = page_data(real)
        layer = next(layer for layer in data["layers"] if layer["name"] == name)
        places = [pixel_of(*row["middle"]) for row in data["districts"]]
        with opened(chromium, page_file, WIDTH, HEIGHT) as tab:
            wait_until_drawn(tab)
            tab.page.select_option("#geolive-layer", name)
            tab.page.wait_for_timeout(1500)
            for colour, number in zip(colours_at(tab, places), layer["classes"], strict=True):
                assert is_hatching(colour) if number < 0 else colour == layer["items"][number]["colour"]
            assert tab.page.locator("#geolive-legend-title").inner_text() == layer["title"]
            assert tab.page.locator("#geolive-legend li").count() == len(layer["items"]) + 1
            assert tab.errors == tab.requests == []

    def test_a_district_opens_by_click_and_by_keyboard(self, chromium, real, page_file):
        data = page_data(real)
        row = next(row for row in data["districts"] if row["name"] == "Patna")
        with opened(chromium, page_file, WIDTH, HEIGHT) as tab:
            wait_until_drawn(tab)
            tab.page.mouse.click(*pixel_of(*row["middle"]))
            popup = tab.page.locator(".geolive-facts")
            assert popup.locator("h2").inner_text() == "Patna"
            shown = dict(zip(popup.locator("dt").all_inner_texts(), popup.locator("dd").all_inner_texts(), strict=True))
            assert [shown[head] for head in data["facts"][:3]] == row["facts"][:3]
            tab.page.keyboard.press("Escape")
            assert popup.count() == 0
            tab.page.locator("#geolive-district").focus()
            tab.page.keyboard.type("Sheohar")
            tab.page.keyboard.press("Enter")
            assert popup.locator("h2").inner_text() == "Sheohar"
            assert popup.locator("dd").first.inner_text() == "Not supported"
            assert tab.errors == []

    def test_nearer_views_are_drawn(self, chromium, real, page_file):
        """Beyond the nearest zoom of the archive, whose tiles are then enlarged."""
        data = page_data(real)
        layer = data["layers"][0]
        number = [row["name"] for row in data["districts"]].index("Patna")
        place = pixel_of(*data["districts"][number]["middle"])
        with opened(chromium, page_file, WIDTH, HEIGHT) as tab:
            wait_until_drawn(tab)
            tab.page.select_option("#geolive-layer", "value")
            tab.page.mouse.move(*place)
            for _ in range(11):
                tab.page.mouse.wheel(0, -500)
                tab.page.wait_for_timeout(250)
            tab.page.wait_for_timeout(1500)
            assert re.fullmatch(r"\d+ m", tab.page.locator(".maplibregl-ctrl-scale").inner_text().replace("\xa0", " "))
            assert colours_at(tab, [place]) == [layer["items"][layer["classes"][number]]["colour"]]
            assert tab.errors == []

    @pytest.mark.parametrize("name", [EVIL, SCRIPT])
    def test_a_hostile_name_stays_text_in_a_simulated_map(self, chromium, tmp_path, name):
        made = fake_district_map(rename={"Patna": name})
        write_files(made, [tmp_path / "pov.pmtiles"])
        row = next(row for row in page_data(made)["districts"] if row["name"] == name)
        with opened(chromium, tmp_path / "pov_tiles.html", WIDTH, HEIGHT) as tab:
            wait_until_drawn(tab)
            tab.page.mouse.click(*pixel_of(*row["middle"]))
            assert tab.page.locator(".geolive-facts h2").inner_text() == name
            assert tab.page.evaluate("window.evil") is None
            mark = tab.page.locator("#geolive-watermark")
            assert mark.text_content() == "SIMULATED"
            assert mark.bounding_box()["width"] > 500
            assert tab.errors == []

    @needs_axe
    @pytest.mark.parametrize("width", [320, 1400])
    def test_axe_finds_nothing(self, chromium, page_file, width):
        with opened(chromium, page_file, width, bypass_csp=True) as tab:
            wait_until_drawn(tab)
            tab.page.select_option("#geolive-district", label="Patna")
            assert axe_violations(tab.page, WCAG) == []
            assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
