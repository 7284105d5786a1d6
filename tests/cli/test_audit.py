"""`audit` as a user runs it."""

import json
import re
from pathlib import Path

import pytest

from geolive.auditing.rules import RULES
from tests.browser import axe_violations, browser, needs_axe, needs_browser, opened
from tests.commands import run

DOCS = Path(__file__).parent.parent.parent / "docs" / "passport.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    assert run("sample", "--region", "goa", "--out", folder / "goa").returncode == 0
    return folder


def test_a_dataset_is_audited_and_the_page_written(folder):
    done = run("audit", folder / "goa", "--out", folder / "audit.html")
    assert done.returncode == 0, done.stderr
    assert "1 FAIL" in done.stdout
    assert f"Next: open {folder / 'audit.html'} in a browser" in done.stdout
    assert "SIMULATED" in (folder / "audit.html").read_text()


def test_the_passport_is_read_back_from_a_map(folder):
    made = run(
        "predict", "--region", "goa", "--dataset", folder / "goa", "--model", "neighbours", "--out", folder / "goa.geojson"
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    done = run("audit", folder / "goa.geojson", "--out", folder / "audit.json")
    assert done.returncode == 0, done.stderr
    assert "Passport of Asset wealth in Goa" in done.stdout
    subjects = {check["subject"] for check in json.loads((folder / "audit.json").read_text())["checks"]}
    assert subjects == {"dataset", "model", "map"}


def test_a_bundle_is_audited_with_its_dataset(folder):
    assert run("train", "clusterwise", folder / "goa", "--out", folder / "bundle").returncode == 0
    done = run("audit", folder / "bundle", "--dataset", folder / "goa")
    assert done.returncode == 0, done.stderr
    assert "The model was trained on this dataset" not in done.stdout  # a check that passes is one row
    assert "Training data" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no/such"], "there is no such file or folder"),
        (["README.md"], "is neither a map that geolive wrote"),
        (["docs"], "is neither the folder of a dataset"),
    ],
)
def test_wrong_subjects_end_with_code_2_and_one_line(words, said):
    done = run("audit", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 or "✓" in done.stderr


def test_nothing_of_the_users_is_overwritten(folder):
    mine = folder / "mine.html"
    mine.write_text("my page")
    done = run("audit", folder / "goa", "--out", mine)
    assert done.returncode == 2
    assert mine.read_text() == "my page"


def test_the_documentation_states_the_thresholds_of_the_code():
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| [^|]* \| ([^|]*) \|", DOCS.read_text(), flags=re.MULTILINE))
    assert {id: words.strip() for id, words in rows.items()} == {id: rule.threshold for id, rule in RULES.items()}


class TestBrowser:
    pytestmark = needs_browser

    @needs_axe
    def test_axe_finds_nothing_on_the_page(self, folder):
        run("audit", folder / "goa", "--out", folder / "axe.html")
        with browser() as running:
            for width in (320, 1280):
                # the page's policy lets no script run, so axe comes from outside it
                with opened(running, folder / "axe.html", width, bypass_csp=True) as page:
                    assert axe_violations(page.page) == []
                    assert page.requests == []
