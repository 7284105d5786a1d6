"""Docstrings of the public names: numpydoc's checks, and the page that lists them."""

import inspect
import re

import pytest
from numpydoc.validate import validate

import geolive
from tests.markdown_blocks import ROOT

PUBLIC = sorted(set(geolive.__all__) - {"__version__"})
# order and form of sections (GL), the summary (SS), documented parameters (PR), returns (RT), related names (SA), an example (EX)
CHECKS = {
    *(f"GL{number:02}" for number in (3, 5, 6, 7, 8, 9, 10)),
    *(f"SS{number:02}" for number in range(1, 7)),
    *("PR01", "PR02", "PR05", "PR06", "PR09", "PR10", "RT01", "YD01"),
    *("SA01", "SA02", "SA03", "SA04", "EX01"),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_docstring_is_as_numpydoc_wants_it(name):
    public = getattr(geolive, name)
    found = validate(f"{public.__module__}.{public.__qualname__}")["errors"]
    # nothing is like the error
    allowed = {"SA01"} if name == "InputError" else set()
    assert [(code, what) for code, what in found if code in CHECKS - allowed] == []


def test_related_names_are_public_and_others():
    for name in PUBLIC:
        section = re.search(r"See Also\n-+\n(.*?)(\n\n|\Z)", inspect.getdoc(getattr(geolive, name)), flags=re.DOTALL)
        related = re.findall(r"^geolive\.(\w+) :", section[1], flags=re.MULTILINE) if section else []
        assert set(related) <= set(PUBLIC) - {name}, name


def test_the_page_of_the_api_lists_each_public_name_once():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   (\w+)$", page, flags=re.MULTILINE)
    assert sorted(listed) == PUBLIC
