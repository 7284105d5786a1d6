"""Every control of the page, by mouse, touch and keyboard, on a phone, a tablet and a wide screen, without a network.

What the controls show is tested in test_webmap.py and test_page_table.py; here, that each of them answers.
"""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from geolive.mapping.exports import write_files
from geolive.mapping.webmap import TILES
from tests.browser import browser, needs_browser, opened
from tests.mapping.districtmaps import EVIL, fake_district_map

pytestmark = needs_browser
PATNA = "230"
# each control of the page belongs to one of these, which the tests below drive; the last lead out of the page
CONTROLS = [
    ".geolive-skip", "#geolive-indicator", ".leaflet-control-zoom a", ".geolive-home", "#geolive-map", "path.geolive-district",
    "#geolive-layers input", "#geolive-overlays input", "[id^=geolive-save-]", "#geolive-how summary", "#geolive-all summary",
    "#geolive-search", "#geolive-scroll", ".geolive-sort", "#geolive-rows .geolive-link", ".leaflet-control-attribution a",
]  # fmt: skip
SIZES = {320: 640, 768: 1024, 1920: 1080}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    maps = [fake_district_map(estimator="composite", rename={"Gaya": EVIL}), fake_district_map(name="bmi", seed=2)]
    path = tmp_path_factory.mktemp("controls") / "map.html"
    write_files(maps[0], [path], others=maps[1:])
    return path


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


# each hand on one screen; the other pairs are slow ones
HANDS = {"touch": 320, "mouse": 768, "keyboard": 1920}


@pytest.fixture(
    params=[
        pytest.param((hand, width), id=f"{hand}-{width}", marks=[] if width == usual else [pytest.mark.slow])
        for hand, usual in HANDS.items()
        for width in SIZES
    ]
)
def tab(request, chromium, page_file) -> Iterator[SimpleNamespace]:
    """The page, and `press`, which presses a control by the hand in question."""
    hand, width = request.param
    touch = {"has_touch": True, "is_mobile": True} if hand == "touch" else {}
    with opened(chromium, page_file, width, SIZES[width], **touch) as tab:

        def press(selector: str, at: int = 0) -> None:
            control = tab.page.locator(selector).nth(at)
            if hand == "mouse":
                control.click()
            elif hand == "touch":
                control.tap()
            else:
                control.focus()
                kind = control.evaluate("e => e.type || e.tagName")
                tab.page.keyboard.press("Space" if kind in ("radio", "checkbox") else "Enter")

        tab.press, tab.hand = press, hand
        yield tab
        assert tab.errors == []
        assert tab.requests == []


def test_every_control_is_known(chromium, page_file):
    with opened(chromium, page_file) as tab:
        focusable = "a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex='-1'])"
        unknown = tab.page.locator(focusable).evaluate_all(
            "(all, known) => all.filter(e => !e.matches(known)).map(e => e.outerHTML.slice(0, 120))",
            ", ".join(CONTROLS),
        )
        assert unknown == []
        for selector in CONTROLS:
            assert tab.page.locator(selector).count(), f"{selector} matches nothing"


def test_layers_and_overlays(tab):
    page = tab.page
    layers = page.locator("#geolive-layers input").evaluate_all("all => all.map(e => e.id)")
    titles = []
    for layer in layers:
        tab.press(f"#{layer}")
        assert page.is_checked(f"#{layer}")
        titles.append(page.inner_text("#geolive-legend-title"))
    assert len(set(titles)) == len(layers) >= 3
    assert page.is_checked("#geolive-overlay-names")
    tab.press("#geolive-overlay-names")
    assert page.locator(".geolive-name").count() == 0
    tab.press("#geolive-overlay-sites")
    assert page.locator("path.geolive-sites").count() > 0
    tab.press("#geolive-overlay-sites")
    assert page.locator("path.geolive-sites").count() == 0
    overlays = set(page.locator("#geolive-overlays input").evaluate_all("all => all.map(e => e.id)"))
    assert overlays == {"geolive-overlay-names", "geolive-overlay-sites", "geolive-overlay-basemap"}
    # the only control that asks the network for anything
    tab.press("#geolive-overlay-basemap")
    page.wait_for_timeout(200)
    assert tab.requests
    assert all(address.startswith(TILES) for address in tab.requests)
    tab.press("#geolive-overlay-basemap")
    page.wait_for_timeout(200)
    tab.requests.clear()
    tab.errors.clear()


def test_zoom_and_home(tab):
    page = tab.page
    room = "document.querySelector('path.geolive-district').getBoundingClientRect().width"

    def wait_until(condition: str) -> None:
        # while the map moves to another zoom, it takes no further step; the page forbids Playwright's own way to wait
        for _ in range(200):
            if page.evaluate(f"{condition} && !document.querySelector('.leaflet-zoom-anim')"):
                return
            page.wait_for_timeout(50)
        raise AssertionError(condition)

    before = page.evaluate(room)
    for button, changed in (("in", ">"), ("out", "<"), ("in", ">")):
        at = page.evaluate(room)
        tab.press(f".leaflet-control-zoom-{button}")
        wait_until(f"{room} {changed} {at}")
    tab.press(".geolive-home")
    wait_until(f"Math.abs({room} / {before} - 1) < 0.01")
    if tab.hand == "keyboard":
        left = "document.querySelector('path.geolive-district').getBoundingClientRect().left"
        at = page.evaluate(left)
        page.focus("#geolive-map")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(600)
        assert page.evaluate(left) < at, "the arrows move the map"


def test_districts(tab):
    page = tab.page
    district = page.locator(f"path[data-district-id='{PATNA}']")
    district.scroll_into_view_if_needed()
    if tab.hand == "keyboard":
        district.focus()
    else:
        tab.press(f"path[data-district-id='{PATNA}']")
    assert page.get_attribute("#geolive-info", "data-district-id") == PATNA
    assert "Patna" in page.inner_text("#geolive-info")
    assert f"district={PATNA}" in page.evaluate("location.hash")


def test_table_search_and_sorting(tab):
    page = tab.page
    tab.press("#geolive-all summary")
    assert page.evaluate("document.querySelector('#geolive-all').open")
    for at in range(page.locator(".geolive-sort").count()):
        tab.press(".geolive-sort", at)
        head = page.locator("#geolive-columns th").nth(at)
        first = head.get_attribute("aria-sort")
        tab.press(".geolive-sort", at)
        assert {first, head.get_attribute("aria-sort")} == {"ascending", "descending"}
    search = page.locator("#geolive-search")
    search.focus() if tab.hand == "keyboard" else tab.press("#geolive-search")
    page.keyboard.type("patna")
    rows = page.locator("#geolive-rows tr:not([hidden])")
    assert rows.count() == 1
    tab.press("#geolive-rows tr:not([hidden]) .geolive-link")
    assert page.get_attribute("#geolive-info", "data-district-id") == PATNA
    search.focus()
    page.keyboard.press("Escape")
    assert rows.count() == 38
    # a name that looks like HTML is text
    assert page.locator("#geolive-rows .geolive-link", has_text=EVIL).count() == 1
    assert page.evaluate("window.evil") is None
    box = "document.querySelector('#geolive-scroll').scrollTop"
    if tab.hand == "keyboard":
        page.focus("#geolive-scroll")
        page.keyboard.press("End")
        page.wait_for_timeout(400)
        assert page.evaluate(box) > 0, "the table is scrolled by keys"


def test_files_method_and_skip_link(tab):
    page = tab.page
    for kind in ("csv", "xlsx", "geojson", "png"):
        with page.expect_download() as download:
            tab.press(f"#geolive-save-{kind}")
        assert download.value.suggested_filename.endswith(f".{kind}")
    tab.press("#geolive-how summary")
    assert page.evaluate("document.querySelector('#geolive-how').open")
    page.focus(".geolive-skip")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "geolive-search"


def test_another_indicator(tab):
    page = tab.page
    first = page.inner_text("#geolive-head h1")
    if tab.hand == "keyboard":
        page.focus("#geolive-indicator")
        with page.expect_navigation():
            page.keyboard.press("ArrowDown")
    else:
        # the list of a select element is drawn by the system, which a test cannot point at
        with page.expect_navigation():
            page.select_option("#geolive-indicator", "bmi")
    page.wait_for_selector("path.geolive-district", state="attached")
    assert page.inner_text("#geolive-head h1") != first
    assert "indicator=bmi" in page.evaluate("location.hash")
