"""Evaluation tasks: clusters, values and folds; bad input in one line; planted leaks are reported."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.evaluation.evaluate import choose_features
from geolive.evaluation.leaks import label_rule
from geolive.evaluation.split_setup import splitter_for, with_buffer
from geolive.evaluation.tasks import make_task, units_in_words
from geolive.splits import BlockSplit, BufferedSplit, KnndmSplit, OfficialSplit, RandomSplit, RowSplit, fold_numbers
from geolive.tables import points
from tests.panels import panel


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return panel(tmp_path_factory.mktemp("panel"))


def with_clusters(dataset, **columns):
    return replace(dataset, clusters=dataset.clusters.assign(**columns))


def test_clusters_in_training_that_copy_tested_ones_are_told(dataset):
    clusters = dataset.clusters
    moved = points(*(clusters.get_coordinates().to_numpy()[:20] + np.array([0.05, 0.0])).T)
    copies = clusters.iloc[:20].assign(unique_cluster=[f"copy{i}" for i in range(20)]).set_geometry(moved.to_numpy())
    leaking = replace(dataset, clusters=pd.concat([clusters, copies.set_crs(4326)], ignore_index=True))
    # a few of the places have two rows, so the copies' originals and the copies may share a fold
    notes = make_task(leaking, "wealth", "regression", RandomSplit(random_state=1), "random").notes
    assert any("equal a training cluster in all its known values (a copy)" in note for note in notes)
    assert not make_task(dataset, "wealth", "regression", RandomSplit(random_state=1), "random").notes


def test_equal_rates_of_few_persons_are_no_copies(dataset):
    # pairs of neighbours with equal rates
    order = np.argsort(dataset.clusters.geometry.x.to_numpy(), kind="stable")
    persons = np.empty(len(order), int)
    persons[order] = 100 + np.arange(len(order)) // 2
    rates = 40 / persons
    clusters = dataset.clusters.drop(columns=[c for c in dataset.clusters if c.startswith("wealth")])
    clusters = clusters.assign(stunted=rates, stunted_label=(rates > 0.2) * 1.0, stunted_n=persons)
    made = replace(dataset, clusters=clusters, indicators=["stunted"], thresholds={})
    notes = make_task(made, "stunted", "regression", RandomSplit(random_state=1), "random").notes
    assert not any("copy" in note for note in notes)
    unknown = replace(made, clusters=clusters.drop(columns="stunted_n"))
    notes = make_task(unknown, "stunted", "regression", RandomSplit(random_state=1), "random").notes
    assert any("copy" in note for note in notes), "the same values would be taken for copies where they are no rates"


def test_copies_are_told_by_their_objects_wherever_they_stand(small_sample):
    dataset = small_sample.dataset
    first = dataset.clusters.iloc[0]["unique_cluster"]
    images = dataset.images[dataset.images["unique_cluster"] == first]
    copied = images.assign(key="copy-" + images["key"], unique_cluster="copy", sequence_id="another")
    row = dataset.clusters.iloc[[0]].assign(unique_cluster="copy").set_geometry([points([88.0], [27.0])[0]])
    leaking = replace(
        dataset,
        images=gpd.GeoDataFrame(pd.concat([dataset.images, copied], ignore_index=True), crs=4326),
        clusters=gpd.GeoDataFrame(pd.concat([dataset.clusters, row.set_crs(4326)], ignore_index=True), crs=4326),
        features={"objects": np.concatenate([dataset.features["objects"], dataset.features["objects"][images.index]])},
    )
    assert any("copy" in note for note in make_task(leaking, "pov", "regression", RowSplit(n_splits=40), "rows").notes)


def test_places_and_sequences_on_both_sides_are_told(dataset, small_sample):
    notes = make_task(dataset, "wealth", "regression", RowSplit(), "rows").notes
    assert any("are at a training cluster's place" in note for note in notes)
    images = small_sample.dataset.images.assign(sequence_id="one walk")
    leaking = replace(small_sample.dataset, images=images)
    notes = make_task(leaking, "pov", "regression", RandomSplit(), "random").notes
    assert any("share a photo sequence with a training cluster" in note for note in notes)
    # and what evaluate does about it: with one sequence everywhere, nothing is left to learn from
    with pytest.raises(InputError, match="shares a photo sequence"):
        make_task(leaking, "pov", "regression", splitter_for(leaking, "random"), "random")


def test_labels_made_fold_by_fold_are_told(dataset):
    folds = fold_numbers(RandomSplit(), dataset.clusters)
    wealth = dataset.clusters["wealth"]
    by_fold = (wealth >= wealth.groupby(folds).transform("median")).astype(float)
    assert label_rule(dataset.clusters, "wealth") == ""
    assert "do not follow from one threshold" in label_rule(dataset.clusters.assign(wealth_label=by_fold), "wealth")
    notes = make_task(
        with_clusters(dataset, wealth_label=by_fold), "wealth", "classification", RandomSplit(), "random"
    ).notes
    assert any(note.startswith("LEAK") and "labels" in note for note in notes)


def test_bad_input_says_what_to_change(dataset):
    def refused(data, match, task="regression", splitter=None):
        with pytest.raises(InputError, match=match):
            make_task(data, "wealth", task, splitter or RandomSplit(), "random")

    refused(with_clusters(dataset, wealth=1.5), "values of 'wealth' are 1.5; leave it out of the indicators")
    refused(with_clusters(dataset, wealth_label=1.0), "one class only; evaluate regression", "classification")
    refused(with_clusters(dataset, wealth=np.nan), "no cluster of .* has a value")
    refused(replace(dataset, clusters=dataset.clusters.iloc[:3]), "fewer folds")
    refused(dataset, "smaller blocks", splitter=BlockSplit(km=9000))
    refused(dataset, "no cluster is in a split list", splitter=OfficialSplit())
    with pytest.raises(InputError, match="all clusters lie in one country"):
        splitter_for(with_clusters(dataset, country="ia"), "country")
    for name, match in (("country", "have no country"), ("kmeans", "no split 'kmeans'")):
        with pytest.raises(InputError, match=match):
            splitter_for(dataset, name)


def test_few_units_are_dealt_in_several_partitions(dataset):
    task = make_task(
        dataset, "wealth", "regression", splitter_for(dataset, "district", n_splits=5), "district", repeats=3
    )
    units = len(np.unique(task.unit_numbers[0]))
    assert (len(task.partitions) == 3) == (units < 30)
    few = make_task(dataset, "wealth", "regression", BlockSplit(km=200), "blocks:200km", repeats=3)
    assert len(few.partitions) == 3
    assert not np.array_equal(few.folds(0), few.folds(1))
    assert "3 partitions" in few.notes[0]
    assert len(make_task(dataset, "wealth", "regression", RandomSplit(), "random").partitions) == 1


def test_buffers_and_targets_by_kind_of_split(dataset, small_sample):
    assert with_buffer(BlockSplit(), dataset).km == 10
    assert with_buffer(RandomSplit(), dataset).km == 0
    assert with_buffer(RandomSplit(), dataset, 25).km == 25
    assert with_buffer(RowSplit(), dataset) == RowSplit()
    assert with_buffer(OfficialSplit(), dataset, 25) == OfficialSplit()
    knndm = splitter_for(small_sample.dataset, "knndm")
    assert isinstance(knndm, BufferedSplit)
    assert knndm.km == 0
    assert len(knndm.splitter.targets) > 30
    assert isinstance(knndm.splitter, KnndmSplit)
    assert splitter_for(dataset, "knndm").splitter.targets is None


def test_the_feature_set_to_look_at(small_sample):
    data = small_sample.dataset
    two = replace(
        data, features=data.features | {"a": np.zeros((len(data.images), 2)), "b": np.zeros((len(data.images), 2))}
    )
    assert choose_features(two, "a") == "a"
    with pytest.raises(InputError, match=r"features=None: .*several feature sets; choose one of a, b"):
        choose_features(two, None)
    with pytest.raises(InputError, match="features='c' is not in the dataset; it has a, b"):
        choose_features(two, "c")


def test_all_models_are_judged_on_the_clusters_with_images_and_places_are_held_once(small_sample):
    data = small_sample.dataset
    first = data.clusters.iloc[0]["unique_cluster"]
    of_image = data.images["unique_cluster"].where(data.images["unique_cluster"] != first)
    without = replace(data, images=data.images.assign(unique_cluster=of_image))
    held = {}
    seen = make_task(without, "pov", "regression", RandomSplit(), "random", needs_images=True, held=held)
    again = make_task(without, "bmi", "regression", RandomSplit(), "random", needs_images=True, held=held)
    assert len(seen.clusters) == len(data.clusters) - 1
    assert seen.places is again.places
    assert (seen.places.n_images > 0).all()
    assert seen.places.ids.tolist() == seen.clusters["unique_cluster"].tolist()
    assert "1 of 80 clusters have no images" in seen.notes[0]
    assert len(make_task(without, "pov", "regression", RandomSplit(), "random").clusters) == len(data.clusters)


def test_a_split_that_parts_its_units_does_not_say_that_they_stay_together(dataset):
    assert "stay together" in units_in_words(make_task(dataset, "wealth", "regression", RandomSplit()))
    assert (
        units_in_words(make_task(dataset, "wealth", "regression", RowSplit()))
        == "RowSplit, which parts rows at one place"
    )


def test_the_name_of_a_split_is_the_splitters(dataset):
    assert make_task(dataset, "wealth", "regression", BlockSplit("80km")).split == "blocks:80km"


def test_clusters_with_few_images_are_left_out_for_all_models_and_counted(small_sample):
    dataset = small_sample.dataset
    photos = dataset.cluster_places(dataset.clusters).n_images
    fewest = int(photos.max())
    task = make_task(dataset, "pov", "regression", RandomSplit(), min_images=fewest)
    assert set(task.clusters["unique_cluster"]) == set(dataset.clusters["unique_cluster"][photos >= fewest])
    left_out = f"{(photos < fewest).sum()} of {len(photos)} clusters have fewer than {fewest} images"
    assert f"{left_out}, and are left out for all models" in task.notes
    assert not any("fewer than" in note for note in make_task(dataset, "pov", "regression", RandomSplit()).notes)
    with pytest.raises(InputError, match=r"^min_images=9999: the cluster .* with the most images has"):
        make_task(dataset, "pov", "regression", RandomSplit(), min_images=9999)
