"""What a forest looks at, where the truth is known."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from geolive.errors import InputError
from geolive.evaluation.explain import correlated_groups, explain_forest
from geolive.evaluation.explain_page import write_explanation
from geolive.models.baselines import Mean
from geolive.models.clusterwise import Forest
from geolive.models.training import train


@pytest.fixture(scope="module")
def dataset(small_sample):
    return small_sample.dataset


@pytest.fixture(scope="module")
def planted(dataset):
    """The values follow the number of benches alone."""
    places = dataset.cluster_places(dataset.clusters)
    objects = np.array(dataset.features["objects"])
    level = dict(zip(places.ids, np.random.default_rng(0).uniform(0, 9, len(places)), strict=True))
    of_image = dataset.images["unique_cluster"].map(level).fillna(0).to_numpy(float)
    objects[:, 33] = np.round(of_image)
    changed = replace(dataset, features={"objects": objects})
    counts = changed.cluster_places(changed.clusters).counts()[:, 33]
    return replace(changed, clusters=dataset.clusters.assign(pov=np.log1p(counts)))


@pytest.fixture(scope="module")
def explained(planted):
    trained = train(planted, partial(Forest, seed=0, trees=20), "pov")
    return trained, explain_forest(planted, trained)


def test_what_decides_ranks_first_and_nothing_else_matters(explained):
    table = explained[1].importance
    assert 33 in table["classes"][0]
    assert table["lower"][0] > 0.5
    assert (table["value"][1:] < 0.1).all()
    assert (table["lower"] <= table["value"]).all()
    assert (table["value"] <= table["upper"]).all()


def test_dependence_rises_with_it_and_the_tree_follows_the_forest(explained):
    found = explained[1]
    name, curve = next(iter(found.dependence.items()))
    assert name == found.names[33]
    assert np.all(np.diff(curve[:, 1]) >= -1e-9)
    assert curve[-1, 1] > curve[0, 1] + 1
    assert found.tree.tree_.feature[0] == 33
    assert 0.7 < found.fidelity < 1


def test_classes_that_go_together_are_exchanged_together():
    rng = np.random.default_rng(0)
    one, other = rng.poisson(30, (2, 200))
    counts = np.column_stack([one, one + rng.poisson(1, 200), other, np.ones(200)])
    assert correlated_groups(counts) == [(0, 1), (2,)]
    assert correlated_groups(counts[:, 3:]) == []


def test_the_page_needs_no_network_and_names_are_only_text(explained, planted, tmp_path):
    trained, found = explained
    evil = "<script>alert(1)</script>"
    bad = replace(planted, source=evil)
    assert write_explanation(bad, trained, found, tmp_path / "why") == ["explain.html", "importance.csv"]
    page = (tmp_path / "why" / "explain.html").read_text()
    assert evil not in page
    assert "&lt;script&gt;" in page
    assert page.count("<svg") == 8
    assert "SIMULATED data" in page
    assert "src=" not in page


def test_other_models_and_other_datasets_are_refused(explained, planted):
    trained = explained[0]
    mean = train(planted, Mean, "pov", needs_images=False)
    with pytest.raises(InputError, match="only a forest on object counts"):
        explain_forest(planted, mean)
    fewer = replace(planted, clusters=planted.clusters.iloc[5:])
    with pytest.raises(InputError, match="lacks 5 of the 80 clusters"):
        explain_forest(fewer, trained)
