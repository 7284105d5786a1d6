"""The page in Hindi and French, in a real browser: no English is left, whatever its reader does."""

import re
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from geolive.languages import open_language
from geolive.mapping.page_data import page_data
from geolive.mapping.page_sentences import district_sentences
from geolive.mapping.region_mean import compare_with_mean
from tests.browser import axe_violations, browser, needs_axe, needs_browser, opened
from tests.mapping.districtmaps import fake_district_map

pytestmark = needs_browser
PATNA, SHEOHAR = "230", "238"


def fixed_parts(language: str) -> set[str]:
    """The parts of a catalogue's texts between their placeholders."""
    found = set()
    for text in open_language(language).words.values():
        for each in text.values() if isinstance(text, dict) else [text]:
            found |= {part.strip(" .,;:()") for part in re.split(r"\{\w+\}", each)}
    return found - {""}


def made_map(**options):
    """A map with everything that a page may say: estimates, people, two states, several kinds of texts."""
    from geolive.languages import phrase

    made = fake_district_map(estimator="composite", **options)
    districts = made.districts.assign(people=1000.0, people_supported=0.9)
    districts.loc[:9, "state"] = "Jharkhand"
    about = phrase("about.composite", how=phrase("about.survey_weights", how=phrase("about.nested_error")))
    support = phrase(
        "support.sites_images", sites=phrase("counts.sites", count=3), images=phrase("counts.images", count=50)
    )
    provenance = replace(
        made.provenance,
        model_about=phrase("models.forest", n_estimators="100", inputs="objects"),
        dataset="geolive's sample (SIMULATED survey and imagery on real districts), Bihar, seed 0",
        boundaries=phrase("source.india"),
    )
    return replace(
        made,
        districts=districts,
        estimator_about=about,
        support=support,
        provenance=provenance,
        weights_about=phrase("about.sites_alike"),
    )


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module", params=["hi", "fr"])
def language(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def page_file(language, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / f"{language}.html"
    made_map().to_file(path, language=language)
    return path


@pytest.fixture
def shown(chromium, page_file):
    with opened(chromium, page_file) as tab:
        tab.page.click("#geolive-all summary")
        tab.page.click("#geolive-how summary")
        yield tab
        assert tab.errors == tab.requests == []


def texts_of(page) -> str:
    """All visible text, and all texts that a screen reader or a pointer finds in attributes."""
    attributes = page.evaluate(
        """[...document.querySelectorAll('*')].flatMap(e => ['aria-label', 'title', 'alt', 'placeholder']
            .map(name => e.getAttribute(name)).filter(Boolean))"""
    )
    command = page.locator(".geolive-command").inner_text()
    return "\n".join([page.title(), page.locator("body").inner_text().replace(command, ""), *attributes])


def english_in(text: str, language: str) -> list[str]:
    """The English parts of two words or more, and some single ones, that stand in a text; not what both languages write alike."""
    own = "\n".join(fixed_parts(language))
    single = {"Value", "Rank", "Images", "District", "Below", "Above", "SIMULATED", "Show", "Save", "Sites"}
    parts = {part for part in fixed_parts("en") if len(part.split()) > 1} | single
    return sorted(
        part
        for part in parts
        if re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text)
        and not re.search(rf"(?<!\w){re.escape(part)}(?!\w)", own)
    )


def test_no_english_is_left_whatever_the_reader_does(shown, language):
    page, seen = shown.page, []
    for layer in ("value", "uncertainty", "compared"):
        page.check(f"#geolive-layer-{layer}")
        seen.append(texts_of(page))
    page.check("#geolive-overlay-sites")
    for district in (PATNA, SHEOHAR):
        page.hover(f"[data-district-id='{district}']")
        page.click(f"[data-district-id='{district}']")
        seen.append(texts_of(page))
    for typed in ("patna", "champ", "nowhere"):
        page.fill("#geolive-search", typed)
        seen.append(texts_of(page))
    page.fill("#geolive-search", "")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    seen.append(texts_of(page))
    text = "\n".join(seen)
    assert english_in(text, language) == []
    assert page.get_attribute("html", "lang") == language
    words = open_language(language)
    for key in (
        "page.simulated_about",
        "facts.value",
        "how.limits_text",
        "says.no_survey",
        "script.whole",
        "script.zoom_in",
    ):
        assert words.words[key] in text, key


def test_english_is_found_where_it_is():
    assert open_language("en").words["page.skip"] in english_in(f"x {open_language('en').words['page.skip']} y", "fr")
    assert english_in("Valeur\nValue", "fr") == ["Value"]
    assert english_in("Valeur, Images", "fr") == []
    assert english_in("Images", "hi") == ["Images"]


def test_numbers_have_the_form_of_the_language(shown, language):
    page = shown.page
    page.click(f"[data-district-id='{PATNA}']")
    row = made_map().districts.set_index("district_id").loc[PATNA]
    panel = page.inner_text("#geolive-info")
    assert open_language(language).number(row["pov"], 2) in panel
    assert open_language(language).number(row["n_images"]) in panel
    assert open_language(language).share(0.9) in panel
    assert ("," in page.inner_text("#geolive-info .geolive-value")) == (language == "fr")


def test_the_sentence_of_the_page_is_that_of_python(shown, language):
    made, page = made_map(), shown.page
    compared = compare_with_mean(made)
    whole = page.inner_text("#geolive-words-text")
    assert whole == page_data(made, language)["region"]
    for district in (PATNA, SHEOHAR):
        at = int((made.districts["district_id"] == district).to_numpy().argmax())
        page.hover(f"[data-district-id='{district}']")
        said = district_sentences(made, made.districts.iloc[at].to_dict(), int(compared[at]))
        assert page.inner_text("#geolive-words-text") == open_language(language).of(said)
        assert open_language("en").of(said) == said != open_language(language).of(said)


def test_files_saved_from_the_page_are_in_the_language(shown, language, tmp_path):
    words = open_language(language)
    with shown.page.expect_download() as download:
        shown.page.click("#geolive-save-xlsx")
    download.value.save_as(tmp_path / "saved.xlsx")
    book = openpyxl.load_workbook(tmp_path / "saved.xlsx")
    assert book.sheetnames == [words.words[f"script.sheet_{name}"] for name in ("districts", "columns", "method")]
    ids = [cell.value for cell in next(book.worksheets[0].iter_rows())]
    assert ids[:4] == ["district_id", "district", "state", "pov"], "names of columns stay"
    meanings = dict(book.worksheets[1].iter_rows(min_row=2, values_only=True))
    assert meanings["rank_best"] == words.text("columns.rank_best", first=words.text("first.poorest"))
    cells = "\n".join(
        str(cell) for sheet in book.worksheets[1:] for row in sheet.iter_rows(values_only=True) for cell in row
    )
    assert english_in(cells, language) == []


def test_every_language_finds_a_district_in_any_spelling(chromium, tmp_path):
    made = fake_district_map(rename={"Gaya": "Đắk Lắk", "Siwan": "Île-de-France", "Saran": "बिहार शरीफ़"})
    made.districts.loc[:9, "state"] = "Odisha"
    made.to_file(tmp_path / "map.html", language="fr")
    with opened(chromium, tmp_path / "map.html") as tab:
        page = tab.page
        page.click("#geolive-all summary")
        for typed, found in (
            ("DAK LAK", 1),
            ("ile de france", 1),
            ("île-de", 1),
            ("बिहार शरीफ़", 1),
            ("Orissa", 10),
            ("xyz", 0),
        ):
            page.fill("#geolive-search", typed)
            assert page.locator("#geolive-rows tr:not([hidden])").count() == found, typed
            assert page.inner_text("#geolive-found") == open_language("fr").text("script.found", count=found)
        assert tab.errors == []


def test_texts_of_a_catalogue_are_never_run(chromium, tmp_path):
    import json

    evil = "<img src=x onerror=window.evil=1></script><script>window.evil=2</script>"
    english = open_language("en").words
    words = {key: f"{text}{evil}" for key, text in english.items() if isinstance(text, str)}
    (tmp_path / "own.json").write_text(json.dumps({"language": "xx", "base": "en", "words": words}))
    made_map().to_file(tmp_path / "map.html", language=tmp_path / "own.json")
    with opened(chromium, tmp_path / "map.html") as tab:
        page = tab.page
        page.click("#geolive-all summary")
        page.check("#geolive-overlay-sites")
        page.hover(f"[data-district-id='{PATNA}']")
        with page.expect_request("https://tile.openstreetmap.org/**"):
            page.check("#geolive-overlay-basemap")
        for at in ("h1", "#geolive-info", "#geolive-legend", ".leaflet-control-attribution", "#geolive-columns"):
            assert evil in page.text_content(at), at
        assert page.evaluate("window.evil") is None
        assert page.locator("img[onerror]").count() == 0


@needs_axe
@pytest.mark.parametrize(
    ("language", "width", "options"),
    [
        # each language may make a part of the narrowest page too wide; colours and zoom are those of any language
        ("hi", 320, {}),
        ("fr", 320, {}),
        ("fr", 700, {"device_scale_factor": 2}),
        ("hi", 1400, {"forced_colors": "active"}),
        ("fr", 2560, {"color_scheme": "dark"}),
    ],
    indirect=["language"],
)
def test_axe_finds_nothing_at_any_width(chromium, page_file, width, options):
    """Also at 200 % zoom, which gives a page of 1,400 pixels 700, and with forced colours."""
    # the page's own policy lets no other script run
    with opened(chromium, page_file, width, 900, bypass_csp=True, **options) as tab:
        page = tab.page
        page.click("#geolive-all summary")
        page.click("#geolive-how summary")
        page.focus(f"[data-district-id='{PATNA}']")
        assert axe_violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert "maximum-scale" not in page.get_attribute("meta[name=viewport]", "content")
        if "forced_colors" in options:
            colours = page.locator("path.geolive-district").evaluate_all("p => p.map(e => getComputedStyle(e).fill)")
            assert len(set(colours)) > 2, "the classes keep their colours"


def test_escape_lets_a_chosen_district_go(shown):
    page = shown.page
    page.click(f"[data-district-id='{PATNA}']")
    page.mouse.move(5, 5)
    assert page.get_attribute("#geolive-info", "data-district-id") == PATNA
    page.keyboard.press("Escape")
    assert page.get_attribute("#geolive-info", "data-district-id") is None
    assert "district=" not in page.url


def test_states_have_outlines_where_there_are_several(chromium, shown, tmp_path):
    made = made_map()
    drawn = shown.page.locator("path.geolive-states")
    assert drawn.count() == 1
    length = drawn.evaluate("e => e.getTotalLength()")
    parts = made.districts.dissolve("state").geometry
    outline = shown.page.locator(f"[data-district-id='{PATNA}']").evaluate("e => e.getTotalLength()")
    share = parts.iloc[0].boundary.intersection(parts.iloc[1].boundary.buffer(1e-4)).length
    patna = made.districts.set_index("district_id").geometry[PATNA].boundary.length
    assert length / outline == pytest.approx(share / patna, rel=0.1), "only what two states share"
    fake_district_map().to_file(tmp_path / "one.html")
    with opened(chromium, tmp_path / "one.html") as tab:
        assert tab.page.locator("path.geolive-states").count() == 0
