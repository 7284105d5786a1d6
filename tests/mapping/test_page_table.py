"""The page's table, links, files and access, driven in a real browser without a network."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image

from geolive.mapping.export_table import district_columns
from geolive.mapping.exports import write_files
from geolive.mapping.region_mean import compare_with_mean, region_mean
from tests.browser import axe_violations, browser, needs_axe, needs_browser, opened
from tests.mapping.districtmaps import EVIL, fake_district_map

pytestmark = needs_browser
PATNA, GAYA = "230", "236"
NAMES = {"Gaya": EVIL, "Siwan": "=1+1", "Saran": "Sāraṇ"}


@pytest.fixture(scope="module")
def made():
    return fake_district_map(estimator="composite", rename=NAMES)


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def page_file(made, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "map.html"
    made.to_file(path)
    return path


@pytest.fixture
def shown(chromium, page_file):
    with opened(chromium, page_file) as tab:
        tab.page.click("#geolive-all summary")
        yield tab
        assert tab.errors == tab.requests == []


def names_of(page) -> list[str]:
    return page.locator("#geolive-rows tr:not([hidden]) th button").all_inner_texts()


def test_the_table_has_every_district_and_sorts_by_each_column(shown, made):
    table = made.districts
    supported = table[table["supported"]]
    assert len(names_of(shown.page)) == 38
    assert names_of(shown.page)[:36] == supported.sort_values("pov")["district"].tolist(), "the poorest come first"
    heads = shown.page.locator("#geolive-columns button")
    assert heads.all_inner_texts() == [
        *("District", "Value", "90 % interval", "Rank (1 is poorest)", "Against the region's mean", "Sites", "Images")
    ]
    heads.nth(1).click()
    assert names_of(shown.page)[:36] == supported.sort_values("pov", ascending=False)["district"].tolist()
    assert shown.page.get_attribute("#geolive-columns th:nth-child(2)", "aria-sort") == "descending"
    heads.nth(6).click()
    images = [
        int(text.replace(",", "")) for text in shown.page.locator("#geolive-rows td:last-child").all_inner_texts()
    ]
    assert images == sorted(table["n_images"])
    heads.nth(6).press("Enter")
    images = [
        int(text.replace(",", "")) for text in shown.page.locator("#geolive-rows td:last-child").all_inner_texts()
    ]
    assert images == sorted(table["n_images"], reverse=True)
    assert shown.page.locator("#geolive-columns th[aria-sort]").count() == 1


def test_districts_without_a_value_come_last_either_way(shown):
    heads = shown.page.locator("#geolive-columns button")
    for _ in range(2):
        heads.nth(1).click()
        assert set(names_of(shown.page)[-2:]) == {"Sheohar", "Kishanganj"}


def test_search_finds_names_whatever_their_marks(shown):
    for typed, found in (("saran", ["Sāraṇ"]), ("PATNA", ["Patna"]), ("champ", 2), ("nowhere", 0)):
        shown.page.fill("#geolive-search", typed)
        names = names_of(shown.page)
        assert names == found if isinstance(found, list) else len(names) == found
    assert shown.page.inner_text("#geolive-found") == "0 districts found"
    shown.page.fill("#geolive-search", "patna")
    assert shown.page.inner_text("#geolive-found") == "1 district found"
    shown.page.press("#geolive-search", "Enter")
    assert shown.page.get_attribute("#geolive-info", "data-district-id") == PATNA
    shown.page.press("#geolive-search", "Escape")
    assert len(names_of(shown.page)) == 38


def test_map_and_table_point_at_one_another(shown, made):
    page = shown.page
    row = made.districts.index[made.districts["district_id"] == PATNA][0]
    page.hover(f"[data-district-id='{PATNA}']")
    assert page.locator("tr.geolive-marked").get_attribute("data-row") == str(row)
    page.click(f"[data-district-id='{PATNA}']")
    current = page.locator("tr[aria-current=true]")
    assert current.get_attribute("data-row") == str(row)
    assert current.is_visible()
    assert current.evaluate("e => e.getBoundingClientRect().bottom <= innerHeight"), "the row is scrolled into sight"
    other = page.locator("#geolive-rows tr").first
    other.hover()
    assert page.inner_text("#geolive-info h2") == other.locator("button").inner_text()
    page.mouse.move(5, 5)
    assert page.get_attribute("#geolive-info", "data-district-id") == PATNA, "what was chosen stays"
    button = other.locator("button")
    button.focus()
    assert page.inner_text("#geolive-info h2") == button.inner_text()
    button.press("Enter")
    assert page.locator("tr[aria-current=true] button").inner_text() == button.inner_text()


def test_a_link_opens_at_a_district_and_a_layer(chromium, page_file, shown):
    shown.page.check("#geolive-layer-uncertainty")
    shown.page.click(f"[data-district-id='{PATNA}']")
    address = shown.page.url.split("#")[1]
    assert address == f"district={PATNA}&show=uncertainty"
    with opened(chromium, page_file) as tab:
        tab.page.goto("about:blank")
        tab.page.goto(f"{page_file.resolve().as_uri()}#{address}")
        tab.page.wait_for_function(f"document.getElementById('geolive-info').dataset.districtId === '{PATNA}'")
        assert tab.page.is_checked("#geolive-layer-uncertainty")
        assert tab.page.inner_text("#geolive-legend-title") == "Width of the 90 % interval"
        tab.page.goto(f"{page_file.resolve().as_uri()}#district=%3Cimg%3E&show=__proto__")
        tab.page.wait_for_timeout(100)
        assert tab.errors == []


def test_the_layer_of_the_mean_says_who_is_told_apart(shown, made):
    page = shown.page
    compared = compare_with_mean(made)
    table = made.districts[made.districts["supported"]]
    assert region_mean(made) == pytest.approx(table["pov"].mean())
    assert (compared == 2).sum() == (table["pov_lower"] > table["pov"].mean()).sum() > 0
    assert (compared == 0).sum() == (table["pov_upper"] < table["pov"].mean()).sum() > 0
    assert page.is_checked("#geolive-layer-compared"), "most districts are not distinguished, so it comes first"
    counts = page.locator(".geolive-legend-item[data-kind=class] .geolive-count").all_inner_texts()
    assert [int(text) for text in counts] == [(compared == i).sum() for i in range(3)]
    marks = [text[0] for text in page.locator(".geolive-name").all_inner_texts() if text[0] in "▲▼"]
    assert set(marks) == {"▲", "▼"}, "the map tells them apart without colours, too"


def test_where_most_are_told_apart_the_values_come_first():
    certain = fake_district_map()
    districts = certain.districts.assign(
        pov_lower=certain.districts["pov"] - 0.01, pov_upper=certain.districts["pov"] + 0.01
    )
    from dataclasses import replace

    from geolive.mapping.page_data import page_data

    assert page_data(replace(certain, districts=districts))["first"] == "value"
    assert page_data(certain)["first"] == "compared"


def test_several_indicators_in_one_page(chromium, tmp_path):
    first, second = (
        fake_district_map(estimator="composite"),
        fake_district_map(name="bmi", seed=3, rename={"Gaya": EVIL}),
    )
    alone = first.to_file(tmp_path / "alone.html")[0].stat().st_size
    written = write_files(first, [tmp_path / "map.html", tmp_path / "map.csv"], exports=True, others=[second])
    names = {path.name for path in written}
    assert names >= {"map.html", "map_pov.csv", "map_bmi.csv", "map_pov.geojson", "map_bmi.geojson", "map_pov.qml"}
    assert {"map_pov_surface.tif", "map_bmi_surface.tif"} <= names
    assert "map.csv" not in names
    assert (tmp_path / "map.html").stat().st_size < 1.4 * alone, "the borders are there once"
    with opened(chromium, tmp_path / "map.html") as tab:
        page = tab.page
        assert page.locator("#geolive-indicator option").all_inner_texts() == [
            "Asset wealth",
            "Women's mean body-mass index",
        ]
        page.click(f"[data-district-id='{PATNA}']")
        page.select_option("#geolive-indicator", "bmi")
        page.wait_for_function("document.querySelector('h1').textContent.includes('body-mass')")
        assert page.get_attribute("#geolive-info", "data-district-id") == PATNA, "the district stays chosen"
        row = second.districts.set_index("district_id").loc[PATNA]
        assert float(page.get_attribute("#geolive-info .geolive-value", "data-value")) == row["bmi"]
        assert page.title() == "SIMULATED: Women's mean body-mass index in Bihar"
        assert "kg/m²" in page.inner_text(".geolive-unit")
        assert "indicator=bmi" in page.url
        page.click("#geolive-all summary")
        assert page.locator("#geolive-rows th button", has_text=EVIL).count() == 1
        with page.expect_download() as download:
            page.click("#geolive-save-csv")
        assert download.value.suggested_filename == "bmi-bihar-simulated.csv"
        page.select_option("#geolive-indicator", "pov")
        page.wait_for_function("document.querySelector('h1').textContent === 'Asset wealth in Bihar'")
        assert first.estimator_about in page.text_content("#geolive-how")
        assert tab.errors == tab.requests == []


def saved(page, kind, folder) -> Path:
    with page.expect_download() as download:
        page.click(f"#geolive-save-{kind}")
    assert download.value.suggested_filename == f"pov-bihar-simulated.{kind}"
    download.value.save_as(folder / f"saved.{kind}")
    return folder / f"saved.{kind}"


def test_files_saved_from_the_page_hold_the_values_of_the_exports(shown, made, tmp_path):
    columns = district_columns(made)
    text = saved(shown.page, "csv", tmp_path).read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    collection = json.loads(saved(shown.page, "geojson", tmp_path).read_text(encoding="utf-8"))
    assert "SIMULATED" in collection["name"]
    properties = [feature["properties"] for feature in collection["features"]]
    book = openpyxl.load_workbook(saved(shown.page, "xlsx", tmp_path))
    assert book.sheetnames == ["Districts", "Columns", "Method"]
    head, *cells = book["Districts"].iter_rows(values_only=True)
    for name, values in columns.items():
        assert [row[name] for row in properties] == values
        column = [row[head.index(name)] for row in cells]
        if name in ("district_id", "district", "state"):
            assert column == values
            assert [row[name].removeprefix("'") for row in rows] == values
        else:
            number = [np.nan if value is None else float(value) for value in values]
            np.testing.assert_allclose([np.nan if v is None else float(v) for v in column], number)
            if not isinstance(values[0], bool):
                np.testing.assert_allclose([float(row[name] or "nan") for row in rows], number)
    assert [row["district"] for row in rows if "1+1" in row["district"]] == ["'=1+1"], "no spreadsheet runs it"
    kinds = {cell.data_type for row in book["Districts"].iter_rows() for cell in row}
    assert kinds <= {"s", "inlineStr", "n", "b"}


def test_the_picture_is_what_is_on_the_screen(shown, tmp_path):
    shown.page.check("#geolive-overlay-sites")
    with Image.open(saved(shown.page, "png", tmp_path)) as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(2**24)}
        size = shown.page.evaluate("[document.getElementById('geolive-map').clientWidth]")
        assert picture.width > 2 * size[0]
    for colour in ("b35806", "2166ac", "dfe3e8"):
        assert tuple(bytes.fromhex(colour)) in colours


def test_paper_is_one_page_with_the_first_and_last_ten(shown, made, tmp_path):
    shown.page.pdf(path=tmp_path / "map.pdf", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "map.pdf").read_bytes())) == 1
    tables = shown.page.locator("#geolive-paper-table table")
    assert tables.locator("caption").evaluate_all("c => c.map(e => e.textContent)") == [
        "First ten: 1 is poorest",
        "Last ten",
    ]
    poorest = made.districts[made.districts["supported"]].sort_values("pov")["district"].tolist()
    assert tables.first.locator("th").evaluate_all("c => c.map(e => e.textContent)") == poorest[:10]
    assert tables.locator("tr").count() == 20


@pytest.mark.parametrize("width", [320, 768, 1920])
def test_every_width_shows_map_table_and_choices(chromium, page_file, width):
    with opened(chromium, page_file, width, 900, has_touch=width < 800) as tab:
        page = tab.page
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.click("#geolive-all summary")
        for at in ("#geolive-map", "#geolive-search", "#geolive-rows tr", "#geolive-legend", "#geolive-save-png"):
            page.locator(at).first.scroll_into_view_if_needed()
            assert page.locator(at).first.is_visible(), at
        page.fill("#geolive-search", "patna")
        page.press("#geolive-search", "Enter")
        assert page.get_attribute("#geolive-info", "data-district-id") == PATNA
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.errors == tab.requests == []


def test_the_keyboard_skips_the_districts(shown):
    page = shown.page
    page.evaluate("document.activeElement.blur()")
    page.focus(".geolive-skip")
    assert page.locator(".geolive-skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "geolive-search"


@needs_axe
@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 1400),
        ("dark", 320),
        pytest.param("light", 320, marks=pytest.mark.slow),
        pytest.param("dark", 1400, marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing(chromium, page_file, scheme, width):
    # the page's own policy lets no other script run
    with opened(chromium, page_file, width, 900, color_scheme=scheme, bypass_csp=True) as tab:
        tab.page.click("#geolive-all summary")
        tab.page.click("#geolive-how summary")
        tab.page.focus(f"[data-district-id='{PATNA}']")
        assert axe_violations(tab.page) == []


def test_brown_is_the_side_that_is_worse_off():
    from geolive.mapping.page_data import page_data

    made = fake_district_map()
    better, worse = (page_data(made.with_words(higher_is=side))["layers"][2]["items"] for side in ("better", "worse"))
    assert [item["colour"] for item in worse] == [item["colour"] for item in better][::-1]
    assert [item["label"] for item in worse] == [item["label"] for item in better]
