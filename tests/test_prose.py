"""The English of the documentation: spelling, and the rules of the house."""

import re
import subprocess
import sys

import pytest

import geolive
from tests.markdown_blocks import ROOT, pages
from tests.prose import sentences

# words between two of . ! ? : ;
MOST_WORDS = 40
# what each pattern finds, and what to write instead
RULES = {
    r"^(Of|Nor|And|Told) ": "begin with the subject",
    r"\b(is|are|was|were) told\b": "say who tells: the report shows, the message names",
    r"\b(e\.g|i\.e|etc|resp|viz)\b": "write for example, that is, and so on",
    r"\b(?i:very|really|simply|obviously|clearly|basically|of course|please)\b": "leave the word out",
    r"\b(data set|data-set)s?\b": "write dataset",
    r"\b(street view|streetview|street-view)\b": "write street-level",
    r"\b(colou?rblind|color|neighbor|neighbors|behavior|center|optimize|analyze)\b": "spell as in British English",
    r"\b(utili[sz]e|leverage|in order to|due to the fact|it should be noted|note that)\b": "use plainer words",
    r"\b(\w{2,}) \1\b": "a word is there twice",
}


@pytest.mark.parametrize("pattern", RULES, ids=RULES.values())
def test_no_sentence_breaks_a_rule(pattern):
    broken = [str(one) for one in sentences() if re.search(pattern, one.text.replace("CODE", ""))]
    assert broken == [], RULES[pattern]


def test_no_sentence_is_too_long():
    assert len(sentences()) > 1000
    long = [f"{len(one.text.split())} words: {one}" for one in sentences() if len(one.text.split()) > MOST_WORDS]
    assert long == [], f"make two sentences of these, or split them by a colon; {MOST_WORDS} words are enough"


def test_codespell_finds_nothing():
    files = [*map(str, pages()), "CHANGELOG.md", "geolive"]
    # setup.cfg names the words that are right
    command = [sys.executable, "-m", "codespell_lib", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_changelog_is_in_the_form_of_keep_a_changelog():
    headings = re.findall(r"^(#+ .*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings[:2] == ["# Changelog", "## [Unreleased]"]
    kinds = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    form = re.compile(rf"## \[\d+\.\d+\.\d+\] - \d{{4}}-\d\d-\d\d|### ({'|'.join(kinds)})")
    assert [heading for heading in headings[2:] if not form.fullmatch(heading)] == []


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, flags=re.MULTILINE)[1] == geolive.__version__
    assert re.search(r"^cff-version: 1\.2\.0$", citation, flags=re.MULTILINE)
