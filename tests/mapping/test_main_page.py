"""The page that the main job writes, in a real browser without a network."""

import geopandas as gpd
import pytest

from geolive.wording import decimal_text
from tests.browser import browser, needs_browser, opened


def test_terminal_and_geojson_agree(main_job):
    folder, done = main_job
    districts = gpd.read_file(folder / "pov.geojson")
    top = districts.sort_values("pov", ascending=False).iloc[0]
    row = next(line for line in done.stdout.splitlines() if f" {top['district']} " in line).split()
    assert decimal_text(top["pov"], 2) in row
    assert row[-3:] == [f"{top['n_clusters']:,}", f"{top['n_sites']:,}", f"{top['n_images']:,}"]
    assert "Values of districts are composite estimates" in done.stdout
    assert "Values of districts are composite estimates" in (folder / "pov.qmd").read_text()


@pytest.mark.browser
@needs_browser[1]
@needs_browser[2]
def test_the_page_shows_what_the_geojson_holds(main_job):
    folder, _ = main_job
    districts = gpd.read_file(folder / "pov.geojson").set_index("district")
    with browser() as running, opened(running, folder / "pov.html", 1400, 900) as seen:
        assert seen.page.locator("path.geolive-district").count() == 38
        patna = districts.loc["Patna"]
        seen.page.locator(f"path.geolive-district[data-district-id='{patna['district_id']}']").hover()
        shown = seen.page.locator("#geolive-info .geolive-value").get_attribute("data-value")
        assert float(shown) == pytest.approx(patna["pov"], abs=1e-5)
        panel = seen.page.locator("#geolive-info").inner_text()
        assert "Patna" in panel
        survey = f"{decimal_text(patna['pov_direct'], 2)}, give or take {decimal_text(patna['pov_direct_error'], 2)}"
        assert f"The survey alone says {survey}, from {patna['n_clusters']} places." in panel
        low, middle, high = (decimal_text(patna[f"pov_predicted{end}"], 2) for end in ("_lower", "", "_upper"))
        assert f"The photos alone say {middle} (90 % interval {low} to {high})." in panel
        assert f"The survey has a weight of {round(100 * patna['pov_gamma'])} % in the value shown." in panel
        assert seen.page.locator("#geolive-watermark").is_visible()
        items = seen.page.locator(".geolive-legend-item[data-kind=class]")
        ends = [float(item.get_attribute(name)) for item in items.all() for name in ("data-low", "data-high")]
        assert items.count() == 5
        assert min(ends) <= districts["pov"].min()
        assert districts["pov"].max() <= max(ends)
        assert seen.errors == []
        assert seen.requests == []
