"""The report as a page: what it weighs and what it draws. Figures are tested elsewhere; in a browser, in `tests/cli`."""

import re
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from geolive.evaluation.comparison import run_task
from geolive.evaluation.evaluation_result import Evaluation
from geolive.evaluation.model_specs import ModelSpec
from geolive.evaluation.plots import reliability_plot
from geolive.evaluation.tasks import make_task
from geolive.models.interface import Model
from geolive.sources.survey.reader import read_survey
from geolive.splits import RandomSplit

KILOBYTES_A_TASK = 350


class MadeUp(Model):
    """Knows the answer up to noise; some say that they are networks."""

    needs_images = False

    def __init__(self, label="", noise=0.0, networks=0, task="regression"):
        self.label, self.noise, self.networks, self.task = label, noise, networks, task

    @property
    def name(self):
        return self.label

    @property
    def curves(self):
        losses = [(1 / np.arange(1, 31) + seed / 10).tolist() for seed in range(self.networks)]
        return [SimpleNamespace(train=one, validation=[], best=30) for one in losses]

    def fit(self, places, values):
        return self

    def predict(self, places):
        noise = np.random.default_rng(0).normal(0, self.noise, len(places))
        return truth(*places.positions.T) + noise


def truth(lon, lat):
    return np.sin(lon / 2) + np.cos(lat / 2)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of nine rows at 1,000 clusters all over India, as text."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(73, 88, 1000), rng.uniform(12, 30, 1000)
    pd.DataFrame({"lon": lon, "lat": lat, "pov": truth(lon, lat)}).to_csv(folder / "survey.csv", index=False)
    survey = replace(read_survey(folder / "survey.csv", lon="lon", lat="lat", values={"pov": "pov"}), simulated=True)
    forests = {f"clusterwise-forest-{i}": (0.3 + i / 20, 0) for i in range(3)}
    networks = {f"gcn-both-distance-{i}": (0.5 + i / 20, 1 + i % 2) for i in range(4)}
    made_up = forests | networks | {"gcn-both-distance-1+kriged": (0.55, 2), "neighbours": (1.0, 0)}
    specs = [ModelSpec(name, partial(MadeUp, name, *settings)) for name, settings in made_up.items()]
    result = run_task(survey, specs, make_task(survey, "pov", "regression", RandomSplit()))
    of_images = [replace(one, uses_images=one.model != "neighbours") for one in result.predicted]
    Evaluation(survey, (replace(result, predicted=of_images),), "nested").write_report(folder / "out")
    return (folder / "out" / "report.html").read_text()


@pytest.fixture(scope="module")
def figures(report):
    """Each plot and the sentence under it."""
    return re.findall(r"<figure>\s*(<svg.*?</svg>)\s*<figcaption>(.*?)</figcaption>", report, flags=re.DOTALL)


def test_a_task_weighs_little(report):
    assert len(report.encode()) < KILOBYTES_A_TASK * 1000


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


def test_reliability_intervals_are_wilsons():
    """Ten clusters that all have label 1 leave a wide interval, and none reaches beyond 0 or 1."""
    labels = np.r_[np.zeros(50), np.ones(50)]
    probabilities = np.r_[np.linspace(0.01, 0.2, 50), np.linspace(0.8, 0.99, 50)]
    task = SimpleNamespace(values=labels)
    figure, axes = pyplot.subplots()
    reliability_plot(task, SimpleNamespace(values=probabilities[None]))(axes)
    (bars,) = axes.containers
    ends = np.array(bars.lines[2][0].get_segments())[:, :, 1]
    pyplot.close(figure)
    assert len(ends) == 10
    assert ends.min() >= 0
    assert ends.max() <= 1
    # scipy.stats.binomtest(10, 10).proportion_ci(method="wilson") is 0.7225 to 1
    assert ends[-1] == pytest.approx([0.7225, 1], abs=1e-4)
    assert ends[0] == pytest.approx([0, 0.2775], abs=1e-4)
