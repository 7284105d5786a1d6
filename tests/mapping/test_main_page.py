"""The page that the main job writes, in a real browser without a network."""

import geopandas as gpd
import pytest

from tests.browser import browser, needs_browser, opened

pytestmark = needs_browser


def test_the_page_shows_what_the_geojson_holds(main_job):
    folder, _ = main_job
    districts = gpd.read_file(folder / "pov.geojson").set_index("district")
    with browser() as running, opened(running, folder / "pov.html", 1400, 900) as seen:
        assert seen.page.locator("path.geolive-district").count() == 38
        patna = districts.loc["Patna"]
        seen.page.locator(f"path.geolive-district[data-district-id='{patna['district_id']}']").hover()
        shown = seen.page.locator("#geolive-info .geolive-value").get_attribute("data-value")
        assert float(shown) == pytest.approx(patna["pov"], abs=1e-5)
        assert "Patna" in seen.page.locator("#geolive-info").inner_text()
        assert seen.page.locator("#geolive-watermark").is_visible()
        items = seen.page.locator(".geolive-legend-item[data-kind=class]")
        ends = [float(item.get_attribute(name)) for item in items.all() for name in ("data-low", "data-high")]
        assert items.count() == 5
        assert min(ends) <= districts["pov"].min()
        assert districts["pov"].max() <= max(ends)
        assert seen.errors == []
        assert seen.requests == []
