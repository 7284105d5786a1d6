"""The report as a page: what it weighs and what it draws. Figures are tested elsewhere; in a browser, in `tests/cli`."""

import re
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from geolive.evaluation.comparison import run_task
from geolive.evaluation.evaluation_result import Evaluation
from geolive.evaluation.model_specs import ModelSpec
from geolive.evaluation.plots import reliability_plot
from geolive.evaluation.tasks import make_task
from geolive.models.baselines import Mean
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
def folder(tmp_path_factory):
    """The report of nine rows at 1,000 clusters all over India."""
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
    return folder / "out"


@pytest.fixture(scope="module")
def report(folder):
    """The page as text."""
    return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def figures(report):
    """Each plot and the sentence under it; of the main figure that for wide screens."""
    found = re.findall(r"<figure>.*?(<svg.*?</svg>).*?<figcaption>(.*?)</figcaption>", report, flags=re.DOTALL)
    return [(svg, re.sub(r"<strong>.*?</strong> | <span.*", "", sentence)) for svg, sentence in found]


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


def test_every_figure_and_table_of_the_page_is_a_file_too(report, folder):
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["figures", "tables"]
    linked = re.findall(r'<a href="((?:tables|figures)/[^"]+)"', report)
    there = sorted(
        str(path.relative_to(folder)) for name in ("tables", "figures") for path in (folder / name).iterdir()
    )
    assert sorted(linked) == there
    for path in (folder / "figures").glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    for path in (folder / "figures").glob("*.pdf"):
        content = path.read_bytes()
        assert content.startswith(b"%PDF-")
        assert b"/FontFile2" in content
    for path in (folder / "tables").glob("*.tex"):
        assert r"\toprule" in path.read_text()
        assert "SIMULATED data." in path.read_text()
    main = pd.read_csv(folder / "tables" / "table-01-regression-r2.csv")
    results = pd.read_csv(folder / "results.csv").query("metric == 'r2'").set_index("model")
    assert main["pov, random"].is_monotonic_decreasing
    assert main["pov, random"].tolist() == results.loc[main["model"], "value"].tolist()
    assert main["pov, random upper"].tolist() == results.loc[main["model"], "upper"].tolist()


def test_the_best_is_marked_with_those_that_are_not_told_apart_from_it(folder):
    main = pd.read_csv(folder / "tables" / "table-01-regression-r2.csv", keep_default_na=False).set_index("model")
    differences = pd.read_csv(folder / "differences.csv")
    best = main.index[0]
    assert main["pov, random mark"].tolist().count("best") == 1
    assert main.loc[best, "pov, random mark"] == "best"
    for row in differences[(differences["model"] == best) | (differences["other"] == best)].itertuples():
        other = row.other if row.model == best else row.model
        assert (main.loc[other, "pov, random mark"] == "level") == (row.lower <= 0 <= row.upper)


def test_the_opening_names_the_best(report):
    opening = re.search(r'<section class="opening".*?</section>', report, flags=re.DOTALL)[0]
    assert "clusterwise-forest-0 has the highest R² of 9 models" in opening
    assert "in random folds" in opening
    assert "Only random folds were evaluated" in opening
    assert opening.count("<p>") == 1


def test_hostile_names_stay_text_in_every_file(tmp_path):
    hostile = "<img src=x onerror=alert(1)> $x$ & 'q' \\end{table}"
    table = pd.DataFrame({"lon": np.linspace(80, 83, 40), "lat": np.linspace(20, 24, 40), "pov": np.linspace(0, 1, 40)})
    table.to_csv(tmp_path / "survey.csv", index=False)
    survey = read_survey(tmp_path / "survey.csv", lon="lon", lat="lat", values={"pov": "pov"})
    specs = [ModelSpec("mean", Mean), ModelSpec(hostile, partial(MadeUp, hostile, 0.1, 1))]
    result = run_task(survey, specs, make_task(survey, "pov", "regression", RandomSplit(), f"split {hostile}"))
    Evaluation(survey, (result,), "nested").write_report(tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".html", ".md", ".svg", ".tex")]
    assert len(files) > 10
    for path in files:
        text = path.read_text()
        assert "<img" not in text or path.suffix == ".tex"
        if path.suffix == ".tex":
            assert text.count(r"\end{table}") == 1
            assert "$x$" not in text
    page = (tmp_path / "out" / "report.html").read_text()
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    main = pd.read_csv(tmp_path / "out" / "tables" / "table-01-regression-r2.csv")
    assert hostile in main["model"].tolist()


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
