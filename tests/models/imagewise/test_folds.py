"""The image-wise network trained anew on each fold's clusters."""

import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")

from geolive.errors import InputError
from geolive.models.imagewise.folds import TrainedInFolds, decode_library
from geolive.vision.images import photo_files
from tests.models.imagewise.helpers import pretrained, write_coloured_survey


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A coloured survey, one of whose clusters has broken photos only."""
    folder = tmp_path_factory.mktemp("data") / "survey"
    dataset = write_coloured_survey(folder)
    broken = dataset.images["unique_cluster"].eq(dataset.clusters["unique_cluster"][3])
    for path in dataset.images.loc[broken, "img_path"]:
        (folder / path).write_bytes(b"no photo")
    return dataset


@pytest.fixture(scope="module")
def library(survey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pixels") / "pixels"
    return decode_library(survey, photo_files(survey), pretrained().preprocessing, folder)


def make(library, task="regression", **more):
    settings = {"epochs": 10, "batch_size": 16, "learning_rate": 1e-2, "device": "cpu"} | more
    return TrainedInFolds(task, library=library, load_network=partial(pretrained, seed=0), **settings)


def asked(survey, library):
    clusters = survey.clusters[survey.clusters["unique_cluster"].isin(library.ids)].reset_index(drop=True)
    places = survey.cluster_places(clusters)
    return places, clusters["pov"].to_numpy(), np.arange(len(places)) % 4 == 0


def test_photos_tell_clusters_that_were_left_out(survey, library):
    places, values, test = asked(survey, library)
    learn, left = np.flatnonzero(~test), np.flatnonzero(test)
    model = make(library).fit(places.take(learn), values[learn])
    assert np.corrcoef(model.predict(places.take(left)), values[left])[0, 1] > 0.6
    (curve,) = model.curves
    assert len(curve.train) == len(curve.validation) > 1
    assert curve.best == 1 + np.argmin(curve.validation)
    again = make(library).fit(places.take(learn), values[learn])
    assert np.array_equal(again.predict(places.take(left)), model.predict(places.take(left)))
    # in any order, and each place by its own photos
    turned = model.predict(places.take(left[::-1]))
    assert turned[::-1] == pytest.approx(model.predict(places.take(left)))
    # a place is the mean of its photos, which are predicted one by one
    row, of_photos = model.predict_images(places.take(left[::-1]))
    assert np.bincount(row, of_photos) / np.bincount(row) == pytest.approx(turned)
    assert len(row) == np.isin(library.cluster, library.numbers(places.ids[left])).sum()


def test_labels_and_a_validation_part_that_is_given(survey, library):
    places, values, test = asked(survey, library)
    labels, learn, left = (values > np.median(values)).astype(float), np.flatnonzero(~test), np.flatnonzero(test)
    held_out = (places.take(left), labels[left])
    model = make(library, "classification", epochs=2).fit(places.take(learn), labels[learn], validation=held_out)
    found = model.predict(places.take(left))
    assert ((found >= 0) & (found <= 1)).all()
    assert len(model.curves[0].validation) == 2
    last = model.last_checkpoint().predict(places.take(left))
    assert np.array_equal(last, found) == (model.curves[0].best == 2)


def test_photos_vote_only_for_labels(survey, library):
    places, values, test = asked(survey, library)
    labels, learn, left = (values > np.median(values)).astype(float), np.flatnonzero(~test), np.flatnonzero(test)
    model = make(library, "classification", epochs=1, pool="vote").fit(places.take(learn), labels[learn])
    row, of_photo = model.predict_images(places.take(left))
    votes = [(of_photo[row == number] > 0.5).mean() for number in range(len(left))]
    assert model.predict(places.take(left)) == pytest.approx(votes)
    assert model.params["pool"] == "vote"
    with pytest.raises(InputError, match="photos vote for labels"):
        make(library, pool="vote").fit(places, values)


def test_it_is_an_estimator(survey, library):
    places, values, _ = asked(survey, library)
    model = make(library, epochs=1)
    copied = clone(model).for_task("classification", 4)
    assert (copied.task, copied.random_state, copied.epochs, model.task) == ("classification", 4, 1, "regression")
    with pytest.raises(NotFittedError):
        model.predict(places)
    model.fit(places, values)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(places), model.predict(places))
    with pytest.raises(InputError, match=r"^epochs=0"):
        make(library, epochs=0).fit(places, values)


def test_a_cluster_without_a_usable_photo_is_known_beforehand(survey, library):
    broken = survey.clusters["unique_cluster"][3]
    assert broken not in library.ids
    assert len(library.ids) == len(survey.clusters) - 1
    assert (library.cluster < 0).sum() == survey.images["unique_cluster"].eq(broken).sum()
    with pytest.raises(InputError, match="has no photo that can be used"):
        library.numbers(np.array([broken]))
