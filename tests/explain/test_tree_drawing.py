"""The small tree as a picture."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from geolive.explain.dependence import small_tree
from geolive.explain.tree_drawing import draw_tree

EVIL = '<script>alert("1")</script> & ]]> $x$'


@pytest.fixture(scope="module")
def tree():
    numbers = np.random.default_rng(0).poisson(5, (120, 3)).astype(float)
    return small_tree(numbers[:, 0] - numbers[:, 1], numbers, np.arange(120) % 4, [EVIL, "<b>bold</b>", "plain"])


def texts(svg):
    """The texts of a drawing, which must be XML without elements that do anything."""
    root = ElementTree.fromstring(svg)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "g", "defs", "clipPath", "path", "polygon", "rect", "text", "use", "style", "metadata", "RDF",
                     "Work", "type", "date", "format", "creator", "Agent", "title", "tspan"}  # fmt: skip
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]


def test_every_box_has_its_question_its_places_and_its_mean(tree):
    said = texts(draw_tree(tree, simulated=False))
    inner, nodes = tree.tree.tree_.children_left >= 0, tree.tree.tree_
    assert sum(line.endswith("?") for line in said) == inner.sum()
    places = sorted(int(line.removesuffix(" places")) for line in said if line.endswith(" places"))
    assert places == sorted(nodes.n_node_samples)
    means = [
        float(line.removeprefix("mean ").replace("\N{MINUS SIGN}", "-")) for line in said if line.startswith("mean ")
    ]
    assert sorted(means) == pytest.approx(sorted(nodes.value.ravel()), abs=0.006)
    assert said.count("yes   ") + said.count("yes") == 1


def test_names_are_text_and_simulated_stands_across_it(tree):
    svg = draw_tree(tree, simulated=True)
    assert "<script" not in svg
    assert "http" not in svg.replace("http://www.w3.org/", "")
    assert any("<script>" in line for line in texts(svg))
    mark = re.compile("#b[23]261[ef]")  # the colour of SIMULATED, which is drawn as a path
    assert mark.search(svg)
    assert not mark.search(draw_tree(tree, simulated=False))
    assert draw_tree(tree, simulated=True) == svg
