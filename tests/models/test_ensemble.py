"""The default model: what it learns, that nothing but the training places enters, and that bundles keep it."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save
from sklearn.base import clone

from geolive.errors import InputError
from geolive.geodesy import chord_to_km, unit_sphere
from geolive.models.bundle import load_model, save_model
from geolive.models.clusterwise import Forest
from geolive.models.cross_validation import cross_val_predict, fold_pairs
from geolive.models.ensemble import Ensemble
from geolive.models.photo_sums import SummedPlaces, closeness, with_sums
from geolive.models.training import train
from geolive.places import ImageFeatures
from geolive.simulation.sample import make_sample
from geolive.splits import BlockSplit, fold_numbers


def survey(scenario="composition", seed=0):
    dataset = make_sample("bihar", seed, n_sites=38, scenario=scenario, most_images=60)
    return dataset, dataset.cluster_places(dataset.clusters), dataset.clusters["pov"].to_numpy()


@pytest.fixture(scope="module")
def composition():
    return survey()


@pytest.fixture(scope="module")
def fitted(composition):
    _, places, values = composition
    return Ensemble().fit(places, values)


def r2(model, dataset, places, values):
    folds = fold_numbers(BlockSplit(km=100, n_splits=3), dataset.clusters)
    found = cross_val_predict(model, places, values, folds)
    means = np.array([values[folds != fold].mean() for fold in range(3)])[folds]
    return 1 - ((values - found) ** 2).sum() / ((values - means) ** 2).sum()


def test_it_predicts_blocks_left_out_better_than_a_forest(composition):
    assert r2(Ensemble(), *composition) > r2(Forest(), *composition) + 0.08


def test_it_sees_where_objects_stand_when_their_sums_say_nothing():
    told = survey("arrangement")
    assert r2(Ensemble(), *told) > 0.4
    assert r2(Forest(n_estimators=20), *told) < 0.1


def test_where_photos_say_nothing_it_predicts_the_mean():
    dataset, places, values = survey("none")
    model = Ensemble().fit(places, values)
    assert model.predict(places).std() < 0.1 * values.std()
    assert -0.1 < r2(Ensemble(), dataset, places, values) < 0.05


def test_a_forest_of_its_own_predicts_what_no_line_can(composition):
    _, places, values = composition
    # a threshold of two classes at once, the same in each photo of a place
    counts = np.random.default_rng(0).poisson(3, (len(places), 66))
    photos = np.repeat(counts, places.n_images, axis=0).astype(np.uint16)
    own = ((counts[:, 0] > 2) == (counts[:, 1] > 2)).astype(float)
    model = Ensemble(n_estimators=40).fit(replace(places, objects=photos), own)
    assert model.weights_[-1] > model.weights_[:-1].sum()
    assert values.shape == own.shape


def test_places_left_out_do_not_matter(composition):
    _, places, values = composition
    (learn, test), *_ = fold_pairs(np.arange(len(places)) % 4)
    alone = Ensemble().fit(places.take(learn), values[learn]).predict(places.take(test))
    prepared = Ensemble().prepared(places)
    assert isinstance(prepared, SummedPlaces)
    # sums over photos that folds share change nothing, bit by bit
    shared = Ensemble().fit(prepared.take(learn), values[learn]).predict(prepared.take(test))
    assert np.array_equal(alone, shared)
    # neither do the values, nor the photos, of other places
    mixed = replace(places, objects=places.objects.copy())
    mixed.objects[places.offsets[test[0]] : places.offsets[test[0] + 1]] += 5
    again = Ensemble().fit(mixed.take(learn), values[learn]).predict(mixed.take(test))
    assert np.array_equal(alone[1:], again[1:])
    assert alone[0] != again[0]


def test_sums_are_of_the_photos_that_are_there(composition):
    _, places, _ = composition
    summed = with_sums(places, "objects")
    other = replace(summed, objects=summed.objects[::-1].copy())
    assert not np.array_equal(
        with_sums(other, "objects").sums["objects"].counts, with_sums(summed, "objects").sums["objects"].counts
    )
    some = np.arange(0, len(places.image_positions), 2)
    fewer = places.keep_images(some)
    assert np.array_equal(
        with_sums(summed.keep_images(some), "objects").sums["objects"].squares,
        with_sums(fewer, "objects").sums["objects"].squares,
    )
    rows = np.array([5, 2, 2])
    taken, own = summed.take(rows).sums["objects"], with_sums(places.take(rows), "objects").sums["objects"]
    assert all(
        np.array_equal(getattr(taken, name), getattr(own, name)) for name in ("x", "squares", "centrality", "counts")
    )


def test_closeness_is_that_of_its_definition(composition):
    _, places, _ = composition
    rows = slice(places.offsets[7], places.offsets[8])
    where = places.image_positions[rows]
    points = unit_sphere(where)
    km = chord_to_km(np.linalg.norm(points[:, None] - points, axis=2))
    weights = np.exp(-km / km.mean())
    assert closeness(places)[rows] == pytest.approx((weights / weights.sum(1, keepdims=True)).sum(0) - 1, abs=2e-3)
    one = replace(places.take(np.array([0])), image_positions=np.tile(where[:1], (places.n_images[0], 1)))
    assert closeness(one) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("inputs", ["objects", "features", "objects,features", "objects,covariates"])
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_bundle_keeps_it_exactly(composition, tmp_path, inputs, task):
    dataset, places, values = composition
    rng = np.random.default_rng(1)
    features = ImageFeatures("own", rng.normal(size=(len(places.objects), 3)) + np.repeat(values, places.n_images)[:, None],
                             np.arange(len(places.objects)))  # fmt: skip
    places = replace(places, features=features, covariates=values[:, None] + rng.normal(size=(len(values), 1)),
                     covariate_names=("rain",))  # fmt: skip
    labels = dataset.clusters["pov_label"].to_numpy(float) if task == "classification" else values
    model = Ensemble(task, inputs=inputs, n_estimators=2).fit(places, labels)
    read = Ensemble.load(tmp_path, json.loads(json.dumps(model.save(tmp_path))))
    assert np.array_equal(read.predict(places), model.predict(places))
    assert np.array_equal(read.importances_, model.importances_)
    assert model.importances_.sum() == pytest.approx(1)
    assert read.predict(places).min() >= labels.min()
    written = (tmp_path / "model.safetensors").read_bytes()
    read.save(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == written


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("weights", np.zeros(3)),
        ("means", np.array([0.0, np.nan, 1.0])),
        ("object spread.weights", np.zeros(5)),
        ("summaries.kinds.slopes", np.zeros((3, 4), np.float32)),
        ("summaries.objects.x", np.zeros(66, np.float32)),
        ("forest.left", np.zeros(2, np.int32)),
        ("other", np.zeros(1)),
    ],
)
def test_arrays_that_it_did_not_write_are_refused(fitted, tmp_path, name, array):
    settings = fitted.save(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors") | {name: array}
    (tmp_path / "model.safetensors").write_bytes(save(tensors))
    with pytest.raises(InputError, match="not an ensemble that geolive wrote"):
        Ensemble.load(tmp_path, settings)


def test_it_needs_photos_and_says_so(fitted, composition):
    _, places, values = composition
    with pytest.raises(InputError, match="ensemble needs photos; add objects or features"):
        Ensemble(inputs="covariates").fit(places, values)
    with pytest.raises(InputError, match="the places have no image features"):
        Ensemble(inputs="features").fit(places, values)
    bare = places.keep_images(np.arange(places.offsets[3]))
    with pytest.raises(InputError, match="needs images, and place"):
        fitted.predict(bare)
    assert fitted.predict(places.take(np.zeros(0, int))).shape == (0,)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_of_few_places_the_forest_alone_predicts(composition, n):
    _, places, values = composition
    model = Ensemble(n_estimators=4).fit(places.take(np.arange(n)), values[:n])
    found = model.predict(places)
    assert np.isfinite(found).all()
    assert values[:n].min() <= found.min() <= found.max() <= values[:n].max()


def test_rates_of_many_persons_weigh_more(composition):
    _, places, values = composition
    rng = np.random.default_rng(0)
    rates = 1 / (1 + np.exp(-values / values.std()))
    sizes = np.where(np.arange(len(rates)) % 2, 200.0, 2.0)
    noisy = np.where(sizes > 2, rates, rng.binomial(2, rates) / 2)
    plain, weighted = Ensemble().fit(places, noisy), Ensemble().fit(places, noisy, sample_sizes=sizes)
    errors = [((model.predict(places) - rates) ** 2).mean() for model in (plain, weighted)]
    assert errors[1] < errors[0]
    assert weighted.predict(places).min() >= 0


def test_a_map_of_a_kept_one_needs_neither_skops_nor_torch(composition, tmp_path):
    dataset, *_ = composition
    folder = save_model(train(dataset, Ensemble(n_estimators=2), "pov"), tmp_path / "bundle")
    assert load_model(folder).card.model == "ensemble"
    code = (
        "import sys; from geolive.models.bundle import load_model; load_model(sys.argv[1]); "
        "print([name for name in ('skops', 'torch', 'sklearn.ensemble', 'sklearn.cluster') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_it_is_a_scikit_learn_estimator(composition, fitted):
    _, places, values = composition
    again = clone(fitted).fit(places, values)
    assert np.array_equal(again.predict(places), fitted.predict(places))
    assert not np.array_equal(
        clone(fitted).set_params(random_state=1).fit(places, values).predict(places), again.predict(places)
    )
    free = fitted.unbounded()
    assert free.predict(places).max() >= fitted.predict(places).max()


def test_it_is_explained_by_its_photos():
    from geolive.explain.explanation import explain

    dataset = make_sample("bihar", seed=0, n_clusters=45, n_sites=10, most_images=8)
    explanation = explain(dataset, train(dataset, Ensemble(n_estimators=2), "pov"))
    assert explanation.weights.places == 45
    assert explanation.truth.correlation > 0.1
