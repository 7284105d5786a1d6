"""A brief on a region: the same contents as a page and as a PDF, honest and escaped."""

import html
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from geolive.brief.document import Brief, Picture, Section, Table
from geolive.brief.files import check_brief_file, write_brief
from geolive.brief.html_page import html_text
from geolive.brief.sentences import coverage_sentences, read_aloud
from geolive.brief.writing import make_brief
from geolive.errors import InputError
from geolive.estimation.targeting import Budget
from tests.browser import axe_violations, browser, needs_axe, needs_browser, opened
from tests.mapping import districtmaps
from tests.mapping.districtmaps import EVIL, SCRIPT

needs_pdftotext = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is missing (poppler-utils)")


def fake_district_map(**options):
    """A map of invented values, with a site that is unlike the survey."""
    made = districtmaps.fake_district_map(**options)
    return replace(made, sites=made.sites.assign(applicable=np.arange(len(made.sites)) > 0))


@pytest.fixture(scope="module")
def made():
    return fake_district_map(estimator="composite")


@pytest.fixture(scope="module")
def brief(made):
    return make_brief(made)


@pytest.fixture(scope="module")
def files(brief, tmp_path_factory):
    folder = tmp_path_factory.mktemp("brief")
    return {kind: write_brief(brief, folder / f"brief.{kind}") for kind in ("html", "pdf")}


def plain(text):
    """Letters and digits, without spaces and line breaks that depend on the layout."""
    return re.sub(r"[\s\u00ad]+", "", text)


def pages_of(path):
    text = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True).stdout
    return text.split("\f")[:-1]


def test_three_sentences_name_the_ends_of_the_map(made):
    values = made.districts.loc[made.districts["supported"].astype(bool)].set_index("district")["pov"].sort_values()
    ends, apart, unknown = read_aloud(made)
    lowest, highest = ends.split("highest in")
    assert all(name in lowest for name in values.index[:3])
    assert all(name in highest for name in values.index[-3:])
    assert apart.startswith("Of 36 districts with a value, ")
    assert unknown.startswith("2 districts have no value, since they have")
    assert unknown.endswith("Kishanganj and Sheohar.")


def test_counts_in_the_second_sentence_are_those_of_the_intervals(made):
    table = made.districts[made.districts["supported"].astype(bool)]
    mean = table["pov"].mean()
    below, above = int((table["pov_upper"] < mean).sum()), int((table["pov_lower"] > mean).sum())
    said = read_aloud(made)[1]
    numbers = [int(n) for n in re.findall(r"(?<![\d.−])\d+(?![\d.]*\d)(?= (?:is|are|cannot|districts))", said)]
    assert numbers == [36, below, above, 36 - below - above]


def test_places_and_photos_are_those_that_entered_the_districts(made):
    sites = made.sites.assign(applicable=np.arange(len(made.sites)) >= 20)
    surveyed = int((sites["surveyed"] & sites["applicable"]).sum())
    used, photos = int(made.districts["n_sites"].sum()), int(made.districts["n_images"].sum())
    said = coverage_sentences(replace(made, sites=sites))
    places = f"The map rests on predictions at {used:,} places with {photos:,} photos"
    assert said[0] == f"{places}; {surveyed:,} of these places were surveyed."
    assert f"20 of {len(sites)} places are too unlike the surveyed places and were left out." in said


def test_widths_of_intervals_are_the_ends_of_their_legend(made):
    table = made.districts.assign(pov_upper=lambda table: table["pov_lower"] + np.linspace(0.6357, 1.1841, len(table)))
    table["supported"] = True
    table["pov"] = (table["pov_lower"] + table["pov_upper"]) / 2
    drawn = replace(made, districts=table)
    legend = drawn.plot(show="uncertainty").get_legend()
    labels = [text.get_text().rpartition("  (")[0] for text in legend.get_texts() if " to " in text.get_text()]
    assert (labels[0].split(" to ")[0], labels[-1].split(" to ")[1]) == ("0.64", "1.18")
    assert any("intervals of districts are 0.64 to 1.18 wide" in words for words in coverage_sentences(drawn))


def test_districts_that_are_not_told_apart_are_not_called_lowest_or_highest(made):
    values = 0.4 + 1e-8 * np.arange(len(made.districts))
    table = made.districts.assign(supported=True, pov=values, pov_lower=values - 6.9, pov_upper=values + 6.9)
    table["n_clusters"] = np.arange(len(table)) < 3
    alike = replace(made, districts=table)
    first, second, third = read_aloud(alike)
    assert first == (
        "Districts cannot be distinguished from the region's mean of asset wealth, so none is called the lowest or the highest."
    )
    assert second == "Of 38 districts with a value, none can be distinguished from the region's mean of 0.4."
    assert third == "Every district has a value; in the 35 districts without a surveyed place it is predicted only."
    said = coverage_sentences(alike)
    assert "35 of 38 districts have no surveyed place." in said
    assert "The 90 % intervals of districts are 13.8 wide." in said
    for show, shown in (("value", "0.4"), ("uncertainty", "13.8")):
        labels = [text.get_text() for text in alike.plot(show=show).get_legend().get_texts()]
        assert labels[0] == f"{shown}  (38)"


@needs_pdftotext
def test_a_table_is_not_parted_for_fewer_than_three_rows(tmp_path):
    def rows_of_pages(n_rows):
        table = Table(["Name", "Value"], [[f"row{i}", "1"] for i in range(n_rows)], (0.5, 0.5))
        brief = Brief("Wealth", "In Goa", [Section("Ranking", [table])], False, "", "2026-01-01", "0.1.0")
        return [page.count("row") for page in pages_of(write_brief(brief, tmp_path / f"{n_rows}.pdf"))]

    full = rows_of_pages(80)[0]
    assert rows_of_pages(full) == [full]
    assert rows_of_pages(full + 1) == [full - 2, 3]
    assert rows_of_pages(full + 3) == [full, 3]


def test_the_page_holds_every_text_of_the_brief(brief, files):
    text = plain(html.unescape(re.sub(r"<[^>]+>", "", files["html"].read_text())))
    assert [words for words in brief.texts if plain(words) not in text] == []


@needs_pdftotext
def test_the_pdf_holds_every_text_of_the_brief(brief, files):
    pages = pages_of(files["pdf"])
    assert 2 <= len(pages) <= 4
    subprocess_text = subprocess.run(
        ["pdftotext", files["pdf"], "-"], capture_output=True, text=True, check=True
    ).stdout
    words = set(subprocess_text.split())
    missing = [word for text in brief.texts for word in text.split() if word not in words]
    assert missing == []
    assert all("SIMULATED" in page for page in pages)
    assert f"1 of {len(pages)}" in pages[0]


def test_fonts_are_inside_the_pdf(files):
    content = files["pdf"].read_bytes()
    assert content.count(b"/FontFile2") >= 2
    assert b"/Type3" not in content
    assert b"SIMULATED" in content  # the title


def test_equal_maps_give_equal_files(brief, files, tmp_path):
    for kind, path in files.items():
        assert write_brief(brief, tmp_path / f"again.{kind}").read_bytes() == path.read_bytes()


def test_hostile_text_stays_text(tmp_path):
    evil = fake_district_map(rename={"Patna": EVIL, "Gaya": SCRIPT, "Siwan": "$x$ \\alpha"}, estimator="composite")
    evil = replace(evil, heading=SCRIPT, provenance=replace(evil.provenance, dataset=EVIL, command=SCRIPT))
    text = html_text(make_brief(evil))
    assert "<script" not in text
    assert "<img" not in text
    assert "default-src 'none'" in text
    assert write_brief(make_brief(evil), tmp_path / "evil.pdf").stat().st_size > 10_000


def test_real_data_is_not_called_simulated():
    text = html_text(make_brief(fake_district_map(simulated=False)))
    assert "SIMULATED" not in text


def test_a_map_without_any_value_says_so(made):
    none = made.districts.assign(supported=False, **dict.fromkeys(("pov", "pov_lower", "pov_upper"), np.nan))
    brief = make_brief(replace(made, districts=none))
    assert "No district has a value." in brief.texts
    assert html_text(brief)


def test_the_budget_is_chosen_or_given(made):
    titles = {section.title: section for section in make_brief(made).sections}
    assert "A budget of 7 districts" in titles["If a budget reaches some districts only"].blocks[0].text
    given = make_brief(made, budget=Budget(2, False))
    assert any("A budget of 2 districts" in text for text in given.texts)
    with pytest.raises(InputError, match="nothing is left to choose"):
        make_brief(made, budget=Budget(99, False))


def test_pictures_of_a_simulation_are_marked(made):
    """Each chart says whether SIMULATED is drawn across it; maps draw it themselves."""
    blocks = [block for section in make_brief(made).sections for block in section.blocks if isinstance(block, Picture)]
    assert len(blocks) == 5
    assert sum(block.simulated for block in blocks) == 3


def test_a_picture_that_fails_leaves_no_file(brief, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no picture")

    monkeypatch.setattr("geolive.brief.pdf_pages.draw_on", fail)
    with pytest.raises(RuntimeError):
        write_brief(brief, tmp_path / "brief.pdf")
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_users_is_overwritten(brief, files, tmp_path):
    for name in ("mine.html", "mine.pdf"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(InputError, match="is not a brief of geolive"):
            write_brief(brief, tmp_path / name)
        assert (tmp_path / name).read_text() == "mine"
    for path in files.values():
        check_brief_file(path)  # an earlier brief may be replaced
    with pytest.raises(InputError, match=r"must end with \.html or \.pdf"):
        check_brief_file(tmp_path / "brief.docx")


class TestBrowser:
    pytestmark = needs_browser

    @needs_axe
    def test_axe_finds_nothing_and_nothing_is_loaded(self, files):
        with browser() as running:
            for width in (320, 1280):
                with opened(running, files["html"], width, bypass_csp=True) as tab:
                    assert axe_violations(tab.page) == []
                    assert tab.errors == tab.requests == []
                    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_higher_value_that_is_worse_comes_first():
    worse = fake_district_map().with_words(higher_is="worse")
    table = worse.districts[worse.districts["supported"].astype(bool)].set_index("district")["pov"]
    assert f"highest in {table.idxmax()}, " in read_aloud(worse)[0]
    brief = make_brief(worse)
    rows = next(block for block in brief.sections[2].blocks if hasattr(block, "rows")).rows
    assert (rows[0][0], rows[-1][0]) == (table.idxmax(), table.idxmin())
    assert rows[0][3].startswith("1 to ")
