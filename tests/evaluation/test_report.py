"""The report as a page: what it weighs and what it draws. Figures are tested elsewhere; in a browser, in `tests/cli`."""

import re
from dataclasses import replace
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from geolive.evaluation.model_specs import ModelSpec
from geolive.evaluation.protocols import run_task
from geolive.evaluation.report import write_report
from geolive.evaluation.tasks import make_task
from geolive.sources.survey.reader import read_survey
from geolive.splits import RandomSplit

KILOBYTES_A_QUESTION = 350


class MadeUp:
    """Knows the answer up to noise; some say that they are networks."""

    params, task = MappingProxyType({}), "regression"

    def __init__(self, name, noise, networks=0):
        self.name, self.noise = name, noise
        losses = [(1 / np.arange(1, 31) + seed / 10).tolist() for seed in range(networks)]
        self.curves = [SimpleNamespace(train=one, validation=[], best=30) for one in losses]

    def fit(self, places, values):
        return self

    def predict(self, places):
        return truth(*places.positions.T) + np.random.default_rng(0).normal(0, self.noise, len(places))


def truth(lon, lat):
    return np.sin(lon / 2) + np.cos(lat / 2)


def row(name, noise, networks=0):
    return ModelSpec(name, (lambda task, random_state: MadeUp(name, noise, networks),))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of nine rows at 1,000 clusters all over India, as text."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(73, 88, 1000), rng.uniform(12, 30, 1000)
    pd.DataFrame({"lon": lon, "lat": lat, "pov": truth(lon, lat)}).to_csv(folder / "survey.csv", index=False)
    survey = replace(read_survey(folder / "survey.csv", lon="lon", lat="lat", values={"pov": "pov"}), simulated=True)
    plain = [row(f"clusterwise-forest-{i}", 0.3 + i / 20) for i in range(3)]
    networks = [row(f"gcn-both-distance-{i}", 0.5 + i / 20, networks=1 + i % 2) for i in range(4)]
    rows = [*plain, *networks, row("gcn-both-distance-1+kriged", 0.55, networks=2), row("neighbours", 1.0)]
    found = run_task(survey, rows, make_task(survey, "pov", "regression", RandomSplit(), "random"))
    write_report(survey, [found], folder / "out", "nested")
    return (folder / "out" / "report.html").read_text()


@pytest.fixture(scope="module")
def figures(report):
    """Each plot and the sentence under it."""
    return re.findall(r"<figure>\s*(<svg.*?</svg>)\s*<figcaption>(.*?)</figcaption>", report, flags=re.DOTALL)


def test_a_question_weighs_little(report):
    assert len(report.encode()) < KILOBYTES_A_QUESTION * 1000


def test_folds_are_drawn_once_a_split_and_maps_of_the_best_rows_alone(figures):
    sentences = [sentence for _, sentence in figures]
    assert sum("the fold in which each of 1,000 clusters is tested" in one for one in sentences) == 1
    maps = [one for one in sentences if "errors on the map" in one]
    assert len(maps) == 2
    assert sum("neighbours" in one for one in maps) == 1


def test_each_network_has_its_learning_curve_once(figures):
    drawn = [(svg, sentence) for svg, sentence in figures if "loss after each epoch" in sentence]
    for i in range(4):
        name = f"gcn-both-distance-{i}"
        assert sum(len(re.findall(rf"{name}\b(?!\+)", sentence)) for _, sentence in drawn) == 1
        assert sum(svg.count(f">{name}<") for svg, _ in drawn) == 1
    assert not any("kriged" in sentence for _, sentence in drawn)
    # five folds, and one or two networks in each
    assert all("mean and range of 5 or 10 trainings" in sentence for _, sentence in drawn)
    assert all(">loss (squared error / variance)<" in svg for svg, _ in drawn)


def test_every_plot_says_what_its_sides_are_and_that_it_is_simulated(figures):
    for svg, sentence in figures:
        words = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
        assert sum(len(word) > 3 and not re.match(r"[\d.°−]", word) for word in words) >= 2, sentence
        assert sentence.startswith("SIMULATED")
        assert sentence.endswith(".")
