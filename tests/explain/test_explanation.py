"""What a model looks at, where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from geolive.errors import InputError
from geolive.explain.explanation import explain
from geolive.explain.importance import correlated_groups
from geolive.explain.occlusion import weightiest
from geolive.models.attention import MeanPooling
from geolive.models.baselines import Mean
from geolive.models.clusterwise import Forest
from geolive.models.registry import find_kind
from geolive.models.training import train, train_together
from geolive.simulation.sample import make_sample

MOTORCYCLIST, CAR = 33, 58
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def dataset(small_sample):
    return small_sample.dataset


@pytest.fixture(scope="module")
def few_photos():
    """60 clusters of at most four photos, with image features."""
    return make_sample("bihar", seed=3, n_clusters=60, n_sites=38, most_images=4, with_features=True)


def planted_in(dataset, in_one_photo=False):
    """The values follow the number of motorcyclists alone: in all photos of a place, or in its first beside cars."""
    places = dataset.cluster_places(dataset.clusters)
    objects = np.array(dataset.features["objects"])
    level = dict(zip(places.ids, np.random.default_rng(0).uniform(0, 9, len(places)), strict=True))
    of_image = dataset.images["unique_cluster"].map(level).fillna(0).to_numpy(float)
    if in_one_photo:
        of_image = np.expm1(of_image / 2) * ~dataset.images["unique_cluster"].duplicated()
        objects[:, np.arange(objects.shape[1]) != CAR] = 0
    objects[:, MOTORCYCLIST] = np.round(of_image)
    changed = replace(dataset, features=dataset.features | {"objects": objects})
    counts = changed.cluster_places(changed.clusters).counts()[:, MOTORCYCLIST]
    return replace(changed, clusters=dataset.clusters.assign(pov=np.log1p(counts)))


@pytest.fixture(scope="module")
def planted(dataset):
    return planted_in(dataset)


@pytest.fixture(scope="module")
def explained(planted):
    trained = train(planted, Forest(n_estimators=20), "pov")
    return trained, explain(planted, trained)


def test_what_decides_ranks_first_and_nothing_else_matters(explained):
    table = explained[1].importance
    assert MOTORCYCLIST in table["columns"][0]
    assert table["lower"][0] > 0.5
    assert (table["value"][1:] < 0.1).all()
    assert (table["lower"] <= table["value"]).all()
    assert (table["value"] <= table["upper"]).all()


def test_dependence_rises_with_it_and_the_tree_follows_the_forest(explained):
    found = explained[1]
    name, curve = next(iter(found.dependence.items()))
    assert name == found.tree.names[MOTORCYCLIST]
    assert np.all(np.diff(curve[:, 1]) >= -1e-9)
    assert curve[-1, 1] > curve[0, 1] + 1
    assert found.tree.tree.tree_.feature[0] == MOTORCYCLIST
    assert 0.7 < found.tree.fidelity < 1


def test_classes_that_go_together_are_exchanged_together():
    rng = np.random.default_rng(0)
    one, other = rng.poisson(30, (2, 200))
    counts = np.column_stack([one, one + rng.poisson(1, 200), other, np.ones(200)])
    assert correlated_groups(counts) == [(0, 1), (2,)]
    assert correlated_groups(counts[:, 3:]) == []


def test_columns_are_joined_where_there_are_too_many_groups():
    table = np.random.default_rng(0).normal(size=(50, 20))
    groups = correlated_groups(table, most=5)
    assert len(groups) <= 5
    assert sorted(column for group in groups for column in group) == list(range(20))


def test_the_page_needs_no_network_and_names_are_only_text(explained, planted, tmp_path):
    found = explained[1]
    bad = replace(planted, source=EVIL)
    assert replace(found, dataset=bad).write_report(tmp_path / "why") == ["explain.html", "importance.csv"]
    page = (tmp_path / "why" / "explain.html").read_text()
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert page.count("<figure><svg") == 8
    assert "SIMULATED data" in page
    assert "src=" not in page
    assert 'href="http' not in page


@pytest.mark.parametrize("inputs", ["features", "objects,features"])
def test_a_forest_on_image_features_names_them_by_set_and_column(few_photos, tmp_path, inputs):
    values = few_photos.cluster_places(few_photos.clusters, "simfeats")
    telling = np.array(
        [values.features.read(slice(*values.offsets[i : i + 2]))[:, 5].mean() for i in range(len(values))]
    )
    array, evil = np.array(few_photos.features["simfeats"])[:, :12], "<script>"
    features = {"objects": few_photos.features["objects"], evil: array}
    data = replace(few_photos, clusters=few_photos.clusters.assign(pov=telling), features=features)
    trained = train(data, Forest(n_estimators=20, inputs=inputs), "pov", features=evil)
    found = explain(data, trained)
    assert found.importance["columns"][0] == (5,)
    assert found.importance["group"][0] == f"{evil} 5"
    assert next(iter(found.dependence)) == f"{evil} 5"
    assert found.truth is None
    with pytest.raises(InputError, match="lacks the image features '<script>'"):
        explain(few_photos, trained)
    assert any("counted from 0" in note for note in found.notes)
    found.write_report(tmp_path / "why")
    page = (tmp_path / "why" / "explain.html").read_text()
    assert "&lt;script&gt; 5" in page
    assert "<script" not in page


def test_what_decides_ranks_first_for_a_network(few_photos):
    data = planted_in(few_photos)
    trained = train(data, MeanPooling(epochs=25), "pov")
    found = explain(data, trained)
    table = found.importance
    assert MOTORCYCLIST in table["columns"][0]
    assert table["lower"][0] > 0.2
    assert table["value"][0] > 3 * table["value"][1]
    assert found.weights.objects is not None
    top = weightiest(found.weights.objects, found.weights.shown["highest"], 1)
    assert top["object"].item() == "Motorcyclist"
    assert top["change"].item() < -0.5


def test_the_photo_that_carries_all_weighs_most(few_photos):
    data = planted_in(few_photos, in_one_photo=True)
    found = explain(data, train(data, MeanPooling(epochs=25), "pov"))
    photos, carrier = found.weights.photos, data.images["key"][data.features["objects"][:, MOTORCYCLIST] > 0]
    top = weightiest(photos, found.weights.shown["highest"], 3)
    assert top["key"].isin(carrier).tolist() == [True, False, False]
    assert top["change"].iloc[0] < 0
    changes = photos["change"].abs().groupby(photos["key"].isin(carrier)).median()
    assert changes[True] > 2 * changes[False]
    assert set(found.weights.photos["unique_cluster"]) == set(data.clusters["unique_cluster"])


def test_the_only_photo_of_a_place_has_no_change(few_photos):
    alone = few_photos.clusters["unique_cluster"][0]
    kept = (few_photos.images["unique_cluster"] != alone) | ~few_photos.images["unique_cluster"].duplicated()
    features = {name: np.asarray(array)[kept] for name, array in few_photos.features.items()}
    data = replace(few_photos, images=few_photos.images[kept].reset_index(drop=True), features=features)
    photos = explain(data, train(data, MeanPooling(epochs=1), "pov")).weights.photos
    assert photos.loc[photos["unique_cluster"] == alone, "change"].isna().tolist() == [True]
    assert photos.loc[photos["unique_cluster"] != alone, "change"].notna().all()


@pytest.fixture(scope="module")
def goa():
    return make_sample("goa", 1, most_images=5, with_features=True)


@pytest.mark.parametrize(
    ("arch", "inputs"),
    [("gcn", "objects"), ("gcn", "objects,features"), ("attention", "features"), ("stacked", "objects")],
)
def test_every_network_of_photos_is_explained(goa, tmp_path, arch, inputs):
    features = None if inputs == "objects" else "simfeats"
    data = goa
    if features:
        data = replace(goa, features=goa.features | {"simfeats": np.array(goa.features["simfeats"])[:, :20]})
    network = find_kind(arch).load_class()("classification", inputs=inputs, epochs=1)
    trained = train(data, network, "pov", features=features)
    found = explain(data, trained)
    assert (found.truth is not None) == (inputs == "objects")
    assert np.isfinite(found.importance["value"]).all()
    if arch == "attention":
        again = explain(data, trained)
        assert again.importance.equals(found.importance)
        assert again.weights.photos.equals(found.weights.photos)
    assert found.weights.photos["cluster_prediction"].between(0, 1).all()
    named = found.weights.objects["object"].str.startswith("simfeats")
    assert (named.any(), (~named).any()) == ("features" in inputs, "objects" in inputs)
    written = found.write_report(tmp_path / "why")
    assert written == ["explain.html", "importance.csv", "photos.csv", "objects.csv"]
    page = (tmp_path / "why" / "explain.html").read_text()
    assert "<img" not in page
    assert "explain --gallery" in page


def test_a_network_that_learnt_several_indicators_is_explained_for_its_own(goa):
    trained = train_together(goa, MeanPooling(epochs=1), ["pov", "bmi"])["bmi"]
    assert any("trained on this indicator only" in note for note in explain(goa, trained).notes)


def test_other_models_and_other_datasets_are_refused(explained, planted):
    trained = explained[0]
    mean = train(planted, Mean(), "pov")
    with pytest.raises(InputError, match="is not explained; give a model of train clusterwise"):
        explain(planted, mean)
    fewer = replace(planted, clusters=planted.clusters.iloc[5:])
    with pytest.raises(InputError, match="lacks 5 of the 80 clusters"):
        explain(fewer, trained)
