"""The readable tree as a picture, with and without dtreeviz and graphviz's dot."""

import shutil
import stat
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from geolive.explain.dependence import small_tree
from geolive.explain.tree_drawing import clean_svg, drawn_tree

EVIL = '<script>alert("1")</script> & ]]> $x$'


@pytest.fixture(scope="module")
def tree():
    numbers = np.random.default_rng(0).poisson(5, (120, 3)).astype(float)
    return small_tree(numbers[:, 0] - numbers[:, 1], numbers, np.arange(120) % 4, [EVIL, "<b>bold</b>", "plain"])


def texts(svg):
    """All text of a drawing, which must be XML and hold no element that does anything."""
    root = ElementTree.fromstring(svg)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "g", "defs", "clipPath", "path", "polygon", "rect", "text", "use", "style", "metadata", "RDF",
                     "Work", "type", "date", "format", "creator", "Agent", "title", "tspan"}  # fmt: skip
    return " ".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text"))


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz's dot (Debian's package graphviz)")
def test_dtreeviz_draws_it_where_dot_is(tree):
    pytest.importorskip("dtreeviz", reason="needs the extra trees (dtreeviz)")
    svg, reason = drawn_tree(tree, "<i>pov</i>", simulated=True)
    assert reason == ""
    assert "<script" not in svg
    assert "<style" not in svg
    assert "http" not in svg.replace("http://www.w3.org/", "")
    assert "<script>" in texts(svg)
    assert "SIMULATED" in texts(svg)
    assert "SIMULATED" not in texts(drawn_tree(tree, "pov", simulated=False)[0])
    assert drawn_tree(tree, "<i>pov</i>", simulated=True)[0] == svg


def test_without_dtreeviz_or_dot_it_is_drawn_plainly_and_the_reason_is_said(tree, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    svg, reason = drawn_tree(tree, "pov", simulated=False)
    assert "Debian's package graphviz" in reason
    assert "<script" not in svg
    assert "<script>" in texts(svg)
    monkeypatch.setitem(sys.modules, "dtreeviz", None)
    _, reason = drawn_tree(tree, "pov", simulated=False)
    assert "pip install 'geolive[trees]'" in reason


def test_a_broken_dot_breaks_nothing(tree, tmp_path, monkeypatch):
    pytest.importorskip("dtreeviz", reason="needs the extra trees (dtreeviz)")
    dot = tmp_path / "dot"
    dot.write_text("#!/bin/sh\nexit 1\n")
    dot.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(tmp_path))
    svg, reason = drawn_tree(tree, "pov", simulated=False)
    assert svg.startswith("<svg")
    assert reason.startswith("dtreeviz could not draw it here")


@pytest.mark.parametrize(
    ("evil", "kept"),
    [
        ("<script>x()</script>", ""),
        ("<foreignObject><b>x</b></foreignObject>", ""),
        ('<g onclick="x()" />', "<g />"),
        ('<use xlink:href="https://example.org/a.svg#b" />', "<use />"),
        ('<use xlink:href="#b" />', '<use xlink:href="#b" />'),
        ('<g style="fill: url(https://example.org)" />', "<g />"),
        ('<image xlink:href="file:///etc/passwd" />', ""),
        ("<text>&lt;script&gt;</text>", "<text>&lt;script&gt;</text>"),
    ],
)
def test_a_drawing_keeps_known_elements_only(evil, kept):
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    clean = clean_svg(f"{head}{evil}</svg>")
    inner = clean[clean.index(">") + 1 :].removesuffix("</svg>") if clean.endswith("</svg>") else ""
    assert inner == kept


@pytest.mark.parametrize("text", ["", "no XML", '<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>'])
def test_what_is_no_drawing_is_refused(text):
    with pytest.raises(ValueError, match="SVG"):
        clean_svg(text)
