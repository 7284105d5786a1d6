"""The folium map: layers, colours, texts that are never run. Leaflet is served from the installed package."""

import folium
import pytest

from geolive.indicators import class_colours
from geolive.mapping.webmap import _leaflet_folder
from tests.browser import browser, needs_browser
from tests.mapping.districtmaps import EVIL, fake_district_map


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


def seen(chromium, path):
    """A page of folium without a network: Leaflet from the package, everything else refused."""
    page, errors = chromium.new_page(viewport={"width": 1000, "height": 700}), []

    def decide(route):
        name = route.request.url.rsplit("/", 1)[-1]
        if route.request.url.startswith(("file:", "data:")):
            route.continue_()
        elif name in ("leaflet.js", "leaflet.css"):
            route.fulfill(path=_leaflet_folder() / name)
        else:
            route.abort()

    page.route("**/*", decide)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("path.leaflet-interactive")
    return page, errors


def test_own_layers_can_be_added():
    drawn = fake_district_map().explore(tiles=None)
    assert isinstance(drawn, folium.Map)
    folium.Marker([25.6, 85.1], tooltip="Patna station").add_to(drawn)
    text = drawn.get_root().render()
    assert "Patna station" in text
    assert "<title>SIMULATED: Asset wealth in Bihar</title>" in text
    assert "SIMULATED" not in fake_district_map(simulated=False).explore().get_root().render()


class TestInBrowser:
    pytestmark = needs_browser

    def test_colours_tooltips_and_layers(self, chromium, tmp_path):
        made = fake_district_map()
        made.explore(tiles=None).save(tmp_path / "map.html")
        page, errors = seen(chromium, tmp_path / "map.html")
        fills = page.locator("path.leaflet-interactive").evaluate_all("p => p.map(e => e.getAttribute('fill'))")
        assert len(fills) == 38
        assert fills.count("url(#geolive-hatch)") == 2
        assert set(fills) == {*class_colours(made.indicator.colours, 5), "url(#geolive-hatch)"}
        row = made.districts["district"].tolist().index("Patna")
        page.locator("path.leaflet-interactive").nth(row).hover(force=True)
        tip = page.inner_text(".leaflet-tooltip")
        assert "Patna" in tip
        assert f"{made.districts['pov'][row]:.2f}".replace("-", "−") in tip
        assert "Sites" in page.text_content(".leaflet-control-layers-overlays")
        assert "Not supported: " in page.inner_text("#geolive-legend")
        assert errors == []

    def test_texts_are_never_run(self, chromium, tmp_path):
        for evil in (EVIL, "{{ 7 * 7 }}", "</script><script>window.evil=1</script>"):
            made = fake_district_map(rename={"Patna": evil})
            from dataclasses import replace

            indicator = replace(made.indicator, title=evil, unit=evil)
            made = replace(made, region=evil, support=evil, indicator=indicator)
            made.explore(tiles=None).save(tmp_path / "bad.html")
            page, errors = seen(chromium, tmp_path / "bad.html")
            row = made.districts["district"].tolist().index(evil)
            page.locator("path.leaflet-interactive").nth(row).hover(force=True)
            assert evil in page.text_content(".leaflet-tooltip")
            assert evil in page.text_content("#geolive-legend")
            assert page.evaluate("window.evil") is None
            assert errors == []
            page.close()
