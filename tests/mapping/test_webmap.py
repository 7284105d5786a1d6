"""The page: what a reader sees in a real browser, and what the file holds; not where the values come from."""

import re
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import given
from hypothesis import strategies as st

import geolive
from geolive.errors import InputError
from geolive.indicators import MEANS_OF_AREAS, class_of
from geolive.mapping.page_data import as_json, page_data
from geolive.mapping.shapes import page_shapes
from geolive.mapping.webmap import TILES
from geolive.wording import decimal_text, decimals_to_show
from tests.browser import browser, needs_browser, opened
from tests.mapping.districtmaps import EVIL, SCRIPT, bihar_polygons, fake_district_map, with_provenance

PATNA = "230"


def written(shown, folder: Path, name: str = "map.html") -> str:
    path = folder / name
    shown.to_file(path)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plain() -> "geolive.mapping.district_map.DistrictMap":
    return fake_district_map()


# ---- the file -------------------------------------------------------------------------------------------------------


def test_equal_maps_give_equal_bytes_and_others_do_not(plain, tmp_path):
    first = written(plain, tmp_path)
    assert first == written(fake_district_map(), tmp_path)
    assert first != written(fake_district_map(seed=1), tmp_path)


def test_page_is_small_and_loads_nothing(plain, tmp_path):
    text = written(plain, tmp_path)
    assert len(text) < 1_500_000
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)\s*=", text)
    assert set(re.findall(r"url\((?!#|data:)([^)]*)\)", text)) <= {"", "#default#VML"}
    assert "sourceMappingURL" not in text
    assert not re.search(r"jquery|bootstrap|awesome", text, re.IGNORECASE)
    assert text.count(TILES) == 2, "the basemap's address, and the policy that allows it"


def test_page_says_what_it_is(plain, tmp_path):
    text = written(plain, tmp_path)
    assert f'<meta name="generator" content="geolive {geolive.__version__}">' in text
    assert "<title>SIMULATED: Asset wealth in Bihar</title>" in text
    real = written(fake_district_map(simulated=False), tmp_path)
    assert "<title>Asset wealth in Bihar</title>" in real
    for page in (text, real):
        assert MEANS_OF_AREAS in page
        assert "asset-wealth index; higher is wealthier" in page


def test_input_is_not_changed(plain, tmp_path):
    before = fake_district_map()
    written(plain, tmp_path)
    plain._repr_html_()
    assert_geodataframe_equal(plain.districts, before.districts)
    assert_geodataframe_equal(plain.sites, before.sites)


def test_a_country_fits_in_the_file(tmp_path):
    """780 districts with as many corners as India's, and 20,000 sites."""
    random = np.random.default_rng(0)
    small = fake_district_map()
    seeds = shapely.MultiPoint(random.uniform([68, 8], [97, 36], (780, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=shapely.box(68, 8, 97, 36)))
    fine = [shapely.MultiPolygon([shapely.segmentize(cell, 0.03)]) for cell in cells]
    rows = small.districts.iloc[random.integers(0, 38, len(fine))].drop(columns="geometry").reset_index(drop=True)
    rows["district_id"] = [str(i) for i in range(len(fine))]
    sites = small.sites.iloc[random.integers(0, len(small.sites), 20_000)].drop(columns="geometry")
    places = gpd.points_from_xy(random.uniform(68, 97, 20_000), random.uniform(8, 36, 20_000))
    large = replace(
        small,
        districts=gpd.GeoDataFrame(rows, geometry=fine, crs="EPSG:4326"),
        sites=gpd.GeoDataFrame(sites, geometry=places, crs="EPSG:4326"),
    )
    assert shapely.get_num_coordinates(fine).sum() > 80_000
    text = written(large, tmp_path)
    assert len(text) < 1_500_000
    assert text.count('"shape":') == 780


def test_simplified_districts_still_share_their_borders():
    polygons = bihar_polygons().geometry
    outlines, _, _ = page_shapes(polygons, most_bytes=40_000)
    made = shapely.make_valid([shapely.MultiPolygon([(p[0], p[1:]) for p in outline]) for outline in outlines])
    before = shapely.get_num_coordinates(polygons.to_numpy()).sum()
    assert shapely.get_num_coordinates(made).sum() < before / 2
    union = shapely.union_all(made)
    assert abs(shapely.area(made).sum() - union.area) < 1e-4 * union.area, "no overlaps"
    holes = sum(len(part.interiors) for part in shapely.get_parts(union))
    assert holes == 0, "no gaps"
    assert page_shapes(polygons)[0] != outlines, "small regions are not simplified"


def test_a_file_that_cannot_be_written_is_one_line(plain, tmp_path):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InputError, match="folder"):
        plain.to_file(tmp_path / "folder.html")


# ---- numbers and words ----------------------------------------------------------------------------------------------


def test_legend_and_classes_are_those_of_every_other_output(plain):
    layer = page_data(plain)["layers"][0]
    assert [item["low"] for item in layer["items"]] == plain.breaks[:-1].tolist()
    assert [item["high"] for item in layer["items"]] == plain.breaks[1:].tolist()
    assert layer["classes"] == class_of(plain.districts["pov"].to_numpy(), plain.breaks).tolist()


def test_unsupported_district_shows_no_number_even_if_it_has_one(plain):
    districts = plain.districts.copy()
    row = districts.index[districts["district"] == "Sheohar"][0]
    districts.loc[row, ["pov", "pov_lower", "pov_upper"]] = [0.1, 0.0, 0.2]
    data = page_data(replace(plain, districts=districts))
    assert data["districts"][row]["facts"][:3] == ["Not supported", None, None]
    assert [layer["classes"][row] for layer in data["layers"]] == [-1, -1, -1]


def test_map_without_any_value_can_be_drawn(plain, tmp_path):
    districts = plain.districts.copy()
    districts[["pov", "pov_lower", "pov_upper"]] = np.nan
    districts["supported"] = False
    nothing = replace(plain, districts=districts, sites=plain.sites.iloc[:0])
    data = page_data(nothing)
    assert [layer["items"] for layer in data["layers"]] == [[], [], []]
    assert data["unsupported"]["count"] == "38"
    written(nothing, tmp_path)


def test_official_statistic_is_for_real_data_only():
    def official(district_map) -> list:
        return [row["facts"][6] for row in page_data(district_map)["districts"]]

    shown = official(fake_district_map(simulated=False, official=True))
    assert shown[0] == "Official figure: 0.5 % (NFHS-5)"
    assert shown[1] is None
    assert set(official(fake_district_map(simulated=True, official=True))) == {None}


def says(district_map, district_id: str) -> list[str]:
    return next(row["says"] for row in page_data(district_map)["districts"] if row["id"] == district_id)


def test_sentences_say_what_survey_and_photos_say_and_how_much_each_counts(plain):
    assert says(plain, PATNA) == []
    made = fake_district_map(estimator="composite")
    patna = made.districts.set_index("district_id").loc[PATNA]
    number = {column: decimal_text(patna[f"pov_{column}"], 2) for column in ("direct", "direct_error", "synthetic")}
    low, middle, high = (decimal_text(patna[f"pov_predicted{end}"], 2) for end in ("_lower", "", "_upper"))
    assert patna.n_clusters == 1
    assert says(made, PATNA) == [
        f"The survey alone says {number['direct']}, give or take {number['direct_error']}, from 1 place.",
        f"The photos alone say {middle} (90 % interval {low} to {high}).",
        f"The survey has a weight of {round(100 * patna.pov_gamma)} % in the value shown. The rest is the prediction from photos "
        f"by a model that was not trained on this district, calibrated to the survey: {number['synthetic']}.",
    ]


def test_sentences_of_a_district_without_survey_or_value():
    made = fake_district_map(estimator="composite")
    first, _, last = says(made, made.districts["district_id"].iloc[-1])
    assert first == "The survey has no place in this district."
    assert last == "The value shown is that of the photos, calibrated to the survey in other districts."
    sheohar = says(made, made.districts.set_index("district").loc["Sheohar", "district_id"])
    assert len(sheohar) == 2, "no value is shown"
    assert sheohar[1] == "The photos alone say nothing: too few places can be predicted."


def test_sentences_of_other_estimators_and_of_a_model_without_photos():
    assert says(fake_district_map(estimator="direct"), PATNA)[2] == "The value shown is that of the survey alone."
    assert says(fake_district_map(estimator="predicted"), PATNA)[2] == "The value shown is that of the photos alone."
    without = with_provenance(fake_district_map(estimator="predicted"), uses_images=False)
    assert says(without, PATNA)[1].startswith("The model alone says")
    assert says(without, PATNA)[2] == "The value shown is that of the model alone."


def test_the_page_says_which_estimator_it_shows():
    made = fake_district_map(estimator="composite")
    how = dict(page_data(made)["how"])
    assert how["Values of districts"] == made.estimator_about
    assert "mean squared error of the estimate" in how["Meaning of the interval"]
    direct = dict(page_data(fake_district_map(estimator="direct"))["how"])
    assert "standard error of the survey's mean" in direct["Meaning of the interval"]


def test_places_of_a_grid_are_not_called_places_with_images(plain):
    sites = plain.sites.assign(n_images=0)
    data = page_data(replace(plain, sites=sites))
    assert data["facts"][4] == "Places (grid and survey)"
    assert {row["facts"][5] for row in data["districts"]} == {None}, "there are no images to count"
    assert [kind["label"] for kind in data["sites"]["kinds"]] == ["Survey place", "Place of a grid, no survey"]
    assert page_data(plain)["sites"]["kinds"][1]["label"] == "Place with images, no survey"


def test_a_map_made_in_python_shows_no_command(plain):
    terms = [term for term, _ in page_data(with_provenance(plain, command=""))["how"]]
    assert "Command" not in terms
    assert "Made" in terms


def test_state_is_named_where_there_are_several(plain):
    districts = plain.districts.copy()
    assert not any("state" in row for row in page_data(plain)["districts"])
    districts.loc[0, "state"] = "Jharkhand"
    rows = page_data(replace(plain, districts=districts))["districts"]
    assert [rows[0]["state"], rows[1]["state"]] == ["Jharkhand", "Bihar"]


def test_missing_ranks_are_left_out(plain):
    districts = plain.districts.assign(rank_best=pd.NA, rank_worst=pd.NA)
    assert {row["facts"][2] for row in page_data(replace(plain, districts=districts))["districts"]} == {None}


@given(st.text())
def test_json_never_leaves_its_script(text):
    import json

    made = as_json({text: [text]})
    assert json.loads(made) == {text: [text]}
    assert made.isascii()
    assert not set("<>&") & set(made)


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_number_reads_back(value, digits):
    text = decimal_text(value, digits)
    assert float(text.replace(",", "").replace("−", "-")) == pytest.approx(value, abs=0.51 * 10.0**-digits)
    assert not re.fullmatch(r"−0\.?0*", text)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30).filter(lambda v: np.ptp(v) > 1e-3))
def test_shown_digits_tell_values_apart(values):
    digits = decimals_to_show(np.array(values))
    assert 0 <= digits <= 6
    assert 10.0**-digits <= max(np.ptp(values) / 10, 1)


# ---- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def page_file(plain, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "map.html"
    plain.to_file(path)
    return path


class TestInBrowser:
    pytestmark = needs_browser

    @pytest.fixture
    def shown(self, chromium, page_file):
        with opened(chromium, page_file) as tab:
            yield tab
            assert tab.errors == []
            assert tab.requests == []

    def test_districts_and_legend(self, shown, plain):
        page = shown.page
        page.check("#geolive-layer-value")
        assert page.locator("path.geolive-district").count() == 38
        assert (
            page.evaluate(
                "new Set([...document.querySelectorAll('.geolive-district')].map(p => p.getAttribute('d'))).size"
            )
            == 38
        )
        items = page.locator(".geolive-legend-item[data-kind=class]")
        lows = [float(items.nth(i).get_attribute("data-low")) for i in range(items.count())]
        assert lows == plain.breaks[:-1].tolist()
        assert float(items.last.get_attribute("data-high")) == plain.breaks[-1]
        texts = items.locator("span:first-of-type").all_inner_texts()
        shown_lows = [float(text.split(" to ")[0].replace("−", "-")) for text in texts]
        assert shown_lows == lows

    def test_colour_of_each_district_is_that_of_its_class(self, shown, plain):
        page = shown.page
        page.check("#geolive-layer-value")
        colours = page.locator(".geolive-legend-item[data-kind=class] rect").evaluate_all(
            "r => r.map(e => e.getAttribute('fill'))"
        )
        classes = class_of(plain.districts["pov"].to_numpy(), plain.breaks)
        for row, found in zip(plain.districts.itertuples(), classes, strict=True):
            fill = page.get_attribute(f"[data-district-id='{row.district_id}']", "fill")
            assert fill == (colours[found] if row.supported else "url(#geolive-hatch)"), row.district

    def test_unsupported_districts_are_hatched_with_an_entry_of_their_own(self, shown, plain):
        page = shown.page
        hatched = page.locator("path.geolive-district[fill='url(#geolive-hatch)']").count()
        assert hatched == (~plain.districts["supported"]).sum() == 2
        assert page.locator("pattern#geolive-hatch").count() == 1
        entry = page.locator(".geolive-legend-item[data-kind=unsupported]")
        assert f"Not supported: {plain.support}" in entry.inner_text()

    def test_pointing_and_keyboard_focus_show_the_same_numbers(self, shown, plain):
        page, row = shown.page, plain.districts.set_index("district_id").loc[PATNA]
        page.hover(f"[data-district-id='{PATNA}']")
        pointed = page.inner_text("#geolive-info")
        assert float(page.get_attribute("#geolive-info .geolive-value", "data-value")) == row["pov"]
        assert f"{row['pov']:.2f}".replace("-", "−") == page.inner_text("#geolive-info .geolive-value")
        lower, upper = (f"{row[column]:.2f}".replace("-", "−") for column in ("pov_lower", "pov_upper"))
        for expected in ("Patna", "90 % interval", f"{lower} to {upper}", f"{row.n_sites:,}", f"{row.n_images:,}"):
            assert expected in pointed
        assert f"{row.rank_best} to {row.rank_worst} of 36" in pointed
        page.mouse.move(5, 5)
        assert "Patna" not in page.inner_text("#geolive-info")
        page.focus(f"[data-district-id='{PATNA}']")
        assert page.inner_text("#geolive-info") == pointed
        assert "Patna" in page.get_attribute(f"[data-district-id='{PATNA}']", "aria-label")

    def test_estimates_stand_in_the_panel_and_in_the_words_for_screen_readers(self, chromium, tmp_path):
        made = fake_district_map(estimator="composite")
        made.to_file(tmp_path / "map.html")
        with opened(chromium, tmp_path / "map.html", 1280, 860) as tab:
            tab.page.focus(f"[data-district-id='{PATNA}']")
            assert tab.page.locator(".geolive-says p").all_inner_texts() == says(made, PATNA)
            spoken = tab.page.get_attribute(f"[data-district-id='{PATNA}']", "aria-label")
            assert all(sentence.removesuffix(".") in spoken for sentence in says(made, PATNA))
            assert ".." not in spoken
            value = tab.page.locator("#geolive-info .geolive-value").bounding_box()
            assert value["height"] < 30, "the value stands on one line"
            tab.page.click("#geolive-how summary")
            assert made.estimator_about in tab.page.inner_text("#geolive-how")
            assert tab.errors == tab.requests == []

    def test_every_district_is_reached_by_tab(self, shown, plain):
        page = shown.page
        page.focus(f"[data-district-id='{plain.districts.district_id.iloc[0]}']")
        for row in plain.districts.itertuples():
            assert page.get_attribute("#geolive-info", "data-district-id") == row.district_id
            page.keyboard.press("Tab")

    def test_legend_follows_the_layer(self, shown, plain):
        page = shown.page
        page.check("#geolive-layer-value")
        before = page.get_attribute(f"[data-district-id='{PATNA}']", "fill")
        page.check("#geolive-layer-uncertainty")
        assert page.inner_text("#geolive-legend-title") == "Width of the 90 % interval"
        width = (plain.districts["pov_upper"] - plain.districts["pov_lower"]).to_numpy()
        items = page.locator(".geolive-legend-item[data-kind=class]")
        # the ends are the widths as they are written beside districts, and each district has a class
        assert float(items.first.get_attribute("data-low")) == round(np.nanmin(width), plain.decimals)
        assert float(items.last.get_attribute("data-high")) == round(np.nanmax(width), plain.decimals)
        assert sum(int(n) for n in items.locator(".geolive-count").all_inner_texts()) == np.isfinite(width).sum()
        assert page.get_attribute(f"[data-district-id='{PATNA}']", "fill") != before
        page.check("#geolive-layer-value")
        assert page.inner_text("#geolive-legend-title") == plain.indicator.legend_title
        assert page.get_attribute(f"[data-district-id='{PATNA}']", "fill") == before

    def test_sites_have_entries_while_they_show(self, shown, plain):
        page, kinds = shown.page, "[data-kind=surveyed], [data-kind=site]"
        assert page.locator(kinds).count() == 0
        page.check("#geolive-overlay-sites")
        counts = page.locator(kinds).locator(".geolive-count").all_inner_texts()
        assert [int(text) for text in counts] == [plain.sites.surveyed.sum(), (~plain.sites.surveyed).sum()]
        drawn = page.locator("path.geolive-sites").evaluate_all(
            "p => p.map(e => e.getAttribute('d').split('M').length - 1)"
        )
        assert sorted(drawn) == sorted([plain.sites.surveyed.sum(), (~plain.sites.surveyed).sum()] * 2)
        page.uncheck("#geolive-overlay-sites")
        assert page.locator(kinds).count() == page.locator("path.geolive-sites").count() == 0

    def test_names_can_be_taken_away(self, shown):
        assert shown.page.locator(".geolive-name").count() > 20
        shown.page.uncheck("#geolive-overlay-names")
        assert shown.page.locator(".geolive-name").count() == 0

    def test_panel_on_how_it_was_made(self, shown, plain):
        shown.page.click("#geolive-how summary")
        text = shown.page.inner_text("#geolive-how")
        made = plain.provenance
        for expected in (made.model_about, made.dataset, made.boundaries, made.command, "2026-01-02", "geolive 0.1.0"):
            assert expected in text
        assert "R² 0.52" in text
        assert "At surveyed places that the model had not seen, its predictions explain 52 %" in text

    def test_there_is_a_metric_scale_bar(self, shown):
        assert re.fullmatch(r"\d+ k?m", shown.page.inner_text(".leaflet-control-scale-line"))

    def test_printing_and_back(self, shown, tmp_path):
        page = shown.page
        before = page.get_attribute(f"[data-district-id='{PATNA}']", "d")
        page.pdf(path=tmp_path / "map.pdf", prefer_css_page_size=True)
        assert (tmp_path / "map.pdf").stat().st_size > 20_000
        page.wait_for_function(
            f"document.querySelector('[data-district-id=\"{PATNA}\"]').getAttribute('d') === {before!r}"
        )

    def test_basemap_is_asked_for_only_when_chosen(self, chromium, page_file):
        with opened(chromium, page_file) as tab:
            assert tab.requests == []
            with tab.page.expect_request(f"{TILES}/**"):
                tab.page.check("#geolive-overlay-basemap")
            # the request is refused, and written down, a moment after it is made
            for _ in range(40):
                if not tab.requests:
                    tab.page.wait_for_timeout(50)
            assert {url.split("/")[2] for url in tab.requests} == {"tile.openstreetmap.org"}
            assert "OpenStreetMap" in tab.page.inner_text(".leaflet-control-attribution")

    def test_watermark_stands_there_only_while_simulated(self, shown, chromium, tmp_path):
        mark = shown.page.locator("#geolive-watermark")
        box, frame = mark.bounding_box(), shown.page.locator("#geolive-map").bounding_box()
        assert mark.text_content() == "SIMULATED"
        assert box["width"] > 0.95 * frame["width"]
        assert mark.evaluate("e => getComputedStyle(e).pointerEvents") == "none"
        shown.page.mouse.move(900, 450)
        shown.page.mouse.down()
        shown.page.mouse.move(700, 350, steps=4)
        shown.page.mouse.up()
        shown.page.wait_for_timeout(1500)
        after = mark.bounding_box()
        assert [after["x"], after["y"]] == pytest.approx([box["x"], box["y"]], abs=2), "it does not move with the map"
        fake_district_map(simulated=False).to_file(tmp_path / "real.html")
        with opened(chromium, tmp_path / "real.html") as real:
            assert real.page.locator("path.geolive-district").count() == 38
            assert real.page.locator("#geolive-watermark").count() == 0
            assert "SIMULATED" not in real.page.content().split("function geoliveChoose(")[0]

    def test_a_desktop_needs_no_sideways_scrolling(self, chromium, page_file):
        with opened(chromium, page_file, 1280, 860) as tab:
            assert tab.page.evaluate("document.documentElement.scrollWidth") == 1280

    def test_phone_needs_no_sideways_scrolling(self, chromium, page_file):
        with opened(chromium, page_file, 390, 844, has_touch=True, is_mobile=True) as tab:
            page = tab.page
            assert page.evaluate("document.documentElement.scrollWidth") == 390
            page.tap(f"[data-district-id='{PATNA}']")
            panel = page.locator("#geolive-info").bounding_box()
            assert "Patna" in page.inner_text("#geolive-info")
            assert panel["y"] + panel["height"] < 844, "what a tap shows is in sight"
            assert tab.errors == tab.requests == []

    @pytest.mark.parametrize("evil", [EVIL, SCRIPT, "{{ 7 * 7 }}", "<!--<script>", "\u2028'\"`${1}\\"])
    def test_texts_are_never_run(self, chromium, tmp_path, evil):
        bad = fake_district_map(rename={"Patna": evil, "Gaya": evil}, simulated=False, official=True)
        bad = with_provenance(
            bad, model=evil, model_about=evil, dataset=evil, command=evil, boundaries=evil, version=evil
        )
        districts = bad.districts.assign(official=evil)
        districts.loc[3, "state"] = evil
        indicator = replace(bad.indicator, title=evil, unit=evil, direction=evil)
        bad = replace(bad, districts=districts, region=evil, support=evil, indicator=indicator)
        bad.to_file(tmp_path / "bad.html")
        with opened(chromium, tmp_path / "bad.html") as tab:
            page = tab.page
            page.hover(f"[data-district-id='{PATNA}']")
            for at in ("#geolive-info h2", "#geolive-info dl", ".geolive-tip"):
                assert evil in page.text_content(at), at
            page.click("#geolive-how summary")
            for box in ("#geolive-overlay-sites", "#geolive-layer-uncertainty"):
                page.check(box)
            page.wait_for_timeout(100)
            for at in ("h1", "#geolive-how", "#geolive-legend"):
                assert evil in page.text_content(at), at
            assert evil in page.get_attribute(f"[data-district-id='{PATNA}']", "aria-label")
            assert evil.split("\u2028")[-1] in page.title()
            assert page.evaluate("window.evil") is None
            assert page.locator("img").count() == 0
            assert tab.errors == tab.requests == []

    def test_many_sites_are_one_picture_and_the_page_says_so(self, chromium, tmp_path):
        many = fake_district_map(n_sites=6_000)
        many.to_file(tmp_path / "many.html")
        with opened(chromium, tmp_path / "many.html") as tab:
            page = tab.page
            page.check("#geolive-overlay-sites")
            picture = page.locator("canvas.geolive-sites")
            assert picture.count() == 1
            assert page.locator("path.geolive-sites").count() == 0
            assert int(picture.get_attribute("data-sites")) == pytest.approx(6_000, rel=0.02), (
                "some share a cell of the grid"
            )
            drawn = int(picture.get_attribute("data-drawn"))
            assert 1_000 < drawn < 6_000
            assert "one is drawn for several" in page.inner_text("#geolive-legend")
            counts = page.locator(".geolive-legend-item[data-kind=surveyed] .geolive-count").inner_text()
            assert counts == "2,000"
            # its pixels are where the districts are: dark dots of survey places in the middle, nothing in the corner
            dark = """([x, y]) => [...document.querySelector("canvas.geolive-sites").getContext("2d")
                .getImageData(x, y, 120, 120).data].filter((value, i) => i % 4 === 3 && value > 200).length"""
            wide, high = picture.evaluate("canvas => [canvas.width, canvas.height]")
            assert page.evaluate(dark, [wide // 2, high // 2]) > 100
            assert page.evaluate(dark, [0, 0]) == 0
            # nearer, fewer dots lie on one another
            for _ in range(6):
                page.click(".leaflet-control-zoom-in")
            page.wait_for_timeout(1500)
            seen, drawn = (int(picture.get_attribute(f"data-{name}")) for name in ("sites", "drawn"))
            assert 0 < seen < 6_000
            assert drawn > 0.8 * seen
            page.uncheck("#geolive-overlay-sites")
            assert picture.count() == 0
            assert tab.errors == tab.requests == []

    def test_browser_is_forbidden_to_run_or_load_anything_else(self, chromium, page_file):
        with opened(chromium, page_file) as tab:
            tab.page.evaluate(
                """() => {
                    document.body.insertAdjacentHTML("beforeend", '<img src="data:," onerror="window.evil = 1">');
                    const script = document.createElement("script");
                    script.textContent = "window.evil = 2";
                    document.body.append(script);
                    document.body.append(Object.assign(new Image(), {src: "https://example.org/a.png"}));
                }"""
            )
            tab.page.wait_for_timeout(200)
            assert tab.page.evaluate("window.evil") is None
            assert tab.requests == []
            assert sum("Content Security Policy" in error for error in tab.errors) >= 3

    def test_a_notebook_shows_the_page_in_a_frame(self, chromium, plain, tmp_path):
        (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><p>In [1]: result</p>{plain._repr_html_()}")
        with opened(chromium, tmp_path / "notebook.html") as tab:
            frame = tab.page.frame_locator("iframe")
            frame.locator(f"[data-district-id='{PATNA}']").hover()
            assert "Patna" in frame.locator("#geolive-info").inner_text()
            assert frame.locator("path.geolive-district").count() == 38
            assert tab.errors == tab.requests == []
