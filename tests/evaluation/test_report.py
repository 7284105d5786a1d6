"""The report as a page: what it weighs and what it draws. Figures are tested elsewhere; in a browser, in `tests/cli`."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geolive.evaluation.protocols import answer
from geolive.evaluation.questions import ask
from geolive.evaluation.report import write_report
from geolive.evaluation.rows import Row
from geolive.models.fitting import Curve
from geolive.sources.surveys import read_survey
from geolive.splits import RandomSplit

KILOBYTES_A_QUESTION = 300
TASKS = ("classification", "regression")


class MadeUp:
    """Knows the answer up to noise; some say that they are networks."""

    def __init__(self, name, noise, networks=0, task="regression"):
        self.name, self.noise, self.task, self.params = name, noise, task, {}
        self.curve = [Curve((1 / np.arange(1, 31) + seed / 10).tolist(), [], 30) for seed in range(networks)]

    def fit(self, places, values):
        return self

    def predict(self, places):
        found = truth(*places.positions.T) + np.random.default_rng(0).normal(0, self.noise, len(places))
        return found if self.task == "regression" else np.clip(found / 4 + 0.5, 0, 1)


def truth(lon, lat):
    return np.sin(lon / 2) + np.cos(lat / 2)


def row(name, noise, networks=0):
    return Row(name, (lambda task, seed: MadeUp(name, noise, networks, task),))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of nine rows and both tasks at 1,000 clusters all over India, as text."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(73, 88, 1000), rng.uniform(12, 30, 1000)
    pd.DataFrame({"lon": lon, "lat": lat, "pov": truth(lon, lat)}).to_csv(folder / "survey.csv", index=False)
    survey = replace(
        read_survey(folder / "survey.csv", lon="lon", lat="lat", values={"pov": "pov"}), path=None, simulated=True
    )
    plain = [row(f"clusterwise-forest-{i}", 0.3 + i / 20) for i in range(3)]
    networks = [row(f"gcn-both-distance-{i}", 0.5 + i / 20, networks=1 + i % 2) for i in range(4)]
    rows = [*plain, *networks, row("gcn-both-distance-1+kriged", 0.55, networks=2), row("neighbours", 1.0)]
    answers = [answer(survey, rows, ask(survey, "pov", task, RandomSplit(), "random")) for task in TASKS]
    write_report(survey, answers, folder / "out", "nested")
    return (folder / "out" / "report.html").read_text()


@pytest.fixture(scope="module")
def figures(report):
    """Each plot and the sentence under it."""
    return re.findall(r"<figure>\s*(<svg.*?</svg>)\s*<figcaption>(.*?)</figcaption>", report, flags=re.DOTALL)


def test_a_question_weighs_little(report):
    assert len(report.encode()) < KILOBYTES_A_QUESTION * 1000 * len(TASKS)


def test_folds_are_drawn_once_a_split_and_maps_of_the_best_rows_alone(figures):
    sentences = [sentence for _, sentence in figures]
    assert sum("the fold in which each of 1,000 clusters is tested" in one for one in sentences) == 1
    maps = [one for one in sentences if "errors on the map" in one]
    assert len(maps) == 2 * len(TASKS)
    assert sum("neighbours" in one for one in maps) == len(TASKS)


def test_each_network_has_its_learning_curve_once(figures):
    drawn = [(svg, sentence) for svg, sentence in figures if "loss after each epoch" in sentence]
    for i in range(4):
        name = f"gcn-both-distance-{i}"
        assert sum(len(re.findall(rf"{name}\b(?!\+)", sentence)) for _, sentence in drawn) == len(TASKS)
        assert sum(svg.count(f">{name}<") for svg, _ in drawn) == len(TASKS)
    assert not any("kriged" in sentence for _, sentence in drawn)
    # five folds, and one or two networks in each
    assert all("mean and range of 10 trainings" in sentence for _, sentence in drawn)
    units = {"loss (cross-entropy, nats)", "loss (squared error / variance)"}
    assert {unit for unit in units if any(f">{unit}<" in svg for svg, _ in drawn)} == units


def test_every_plot_says_what_its_sides_are_and_that_it_is_simulated(figures):
    for svg, sentence in figures:
        words = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
        assert sum(len(word) > 3 and not re.match(r"[\d.°−]", word) for word in words) >= 2, sentence
        assert sentence.startswith("SIMULATED")
        assert sentence.endswith(".")
