import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save

from geolive.errors import InputError
from geolive.files import cache_folder
from geolive.geodesy import EARTH_RADIUS_KM, unit_sphere
from geolive.models.cache import fit_places_cached
from geolive.models.cross_validation import fit_model
from geolive.models.kriging import Kriging
from geolive.places import Places

RANGE_KM = 150.0


def places_at(where):
    where = np.asarray(where, float).reshape(-1, 2)
    return Places.without_images(np.array([f"p{i}" for i in range(len(where))], object), where)


def exponential(first, second):
    xyz = [EARTH_RADIUS_KM * unit_sphere(where) for where in (first, second)]
    return np.exp(-np.linalg.norm(xyz[0][:, None] - xyz[1][None], axis=2) / RANGE_KM)


@pytest.fixture(scope="module")
def field():
    """400 places of a field with sill 4, range 150 km, nugget 1, mean 10; the field without nugget beside."""
    rng = np.random.default_rng(0)
    where = np.column_stack([rng.uniform(78, 88, 400), rng.uniform(20, 28, 400)])
    smooth = 10 + 2 * np.linalg.cholesky(exponential(where, where) + 1e-9 * np.eye(400)) @ rng.normal(size=400)
    return where, smooth + rng.normal(size=400), smooth


def test_the_covariance_of_a_known_field_is_found(field):
    where, values, _ = field
    model = Kriging().fit(places_at(where), values)
    assert 2 < model.covariance_.sill < 8
    assert 75 < model.covariance_.range_km < 300
    assert 0.5 < model.covariance_.nugget < 1.5


def test_it_solves_the_kriging_equations(field):
    where, values, _ = field
    known, asked = where[:40], where[40:50]
    model = Kriging(n_neighbors=40).fit(places_at(known), values[:40])

    def covariance(first, second):
        xyz = [EARTH_RADIUS_KM * unit_sphere(w) for w in (first, second)]
        return model.covariance_.sill * np.exp(
            -np.linalg.norm(xyz[0][:, None] - xyz[1][None], axis=2) / model.covariance_.range_km
        )

    system = np.ones((41, 41))
    system[:40, :40] = covariance(known, known) + model.covariance_.nugget * np.eye(40)
    system[40, 40] = 0
    weights = np.linalg.solve(system, np.vstack([covariance(known, asked), np.ones((1, 10))]))[:40]
    assert model.predict(places_at(asked)) == pytest.approx(weights.T @ values[:40], abs=1e-6)


def test_it_predicts_a_field_almost_as_well_as_who_knows_it(field):
    where, values, smooth = field
    found = Kriging().fit(places_at(where[:300]), values[:300]).predict(places_at(where[300:]))
    known = 4 * exponential(where[:300], where[:300]) + np.eye(300)
    best = 10 + 4 * exponential(where[300:], where[:300]) @ np.linalg.solve(known, values[:300] - 10)
    assert ((smooth[300:] - found) ** 2).mean() < 1.1 * ((smooth[300:] - best) ** 2).mean()
    at_training = Kriging().fit(places_at(where), values).predict(places_at(where))
    assert ((at_training - smooth) ** 2).mean() < 0.8 * ((values - smooth) ** 2).mean()


def test_far_away_it_is_a_mean(field):
    where, values, _ = field
    far = Kriging(n_neighbors=400).fit(places_at(where), values).predict(places_at([[-60, -20]]))
    assert values.min() < far[0] < values.max()
    assert far == pytest.approx(values.mean(), abs=1.5)


def test_a_place_of_many_rows_counts_more_than_one_of_a_single_row():
    rng = np.random.default_rng(0)
    where = np.array([[80.0, 25.0]] * 50 + [[80.2, 25.0]] + [[80.0 + i, 20.0] for i in range(8)])
    values = np.concatenate([5 + rng.normal(0, 2, 50), [0.0], rng.normal(2.5, 2, 8)])
    found = Kriging().fit(places_at(where), values).predict(places_at([[80.0, 25.0], [80.2, 25.0], [80.1, 25.0]]))
    single = abs(found[1] - values[50])
    assert abs(found[0] - values[:50].mean()) < single


def test_labels_stay_probabilities(field):
    where, values, smooth = field
    labels = (values >= np.median(values)).astype(float)
    found = Kriging(task="classification").fit(places_at(where), labels).predict(places_at(where))
    assert ((found >= 0) & (found <= 1)).all()
    assert ((found >= 0.5) == (smooth >= np.median(values))).mean() > 0.75


@pytest.mark.parametrize(
    ("where", "values", "expected"),
    [
        ([[80, 25]], [3.0], 3),
        ([[80, 25], [81, 25]], [3.0, 3.0], 3),
        ([[80, 25]] * 4, [1.0, 2.0, 3.0, 6.0], 3),
        ([[80, 25], [82, 25]], [1.0, 5.0], 3),
        ([[80, 25], [80 + 1e-7, 25], [80, 25 + 1e-7], [82, 25]], [1e30, 1e30, 1e30, 1e30], 1e30),
    ],
)
def test_little_to_learn_from(where, values, expected):
    assert Kriging().fit(places_at(where), np.array(values)).predict(places_at([[81, 25]])) == pytest.approx(expected)


def test_the_same_whatever_the_order_of_rows(field):
    where, values, _ = field
    order = np.random.default_rng(1).permutation(400)
    first = Kriging().fit(places_at(where), values).predict(places_at(where[:20] + 0.01))
    second = Kriging().fit(places_at(where[order]), values[order]).predict(places_at(where[:20] + 0.01))
    assert first == pytest.approx(second, rel=1e-6)


def test_batches_do_not_show(field):
    where, values, _ = field
    model = Kriging().fit(places_at(where), values)
    asked = np.random.default_rng(2).uniform([78, 20], [88, 28], (1100, 2))
    together = model.predict(places_at(asked))
    assert together[[0, 600, 1099]] == pytest.approx(model.predict(places_at(asked[[0, 600, 1099]])), rel=1e-9)
    assert model.predict(places_at(np.zeros((0, 2)))).shape == (0,)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90), st.floats(-1e9, 1e9)), min_size=1, max_size=12))
def test_any_places_and_values_give_numbers(rows):
    table = np.array(rows)
    found = Kriging().fit(places_at(table[:, :2]), table[:, 2]).predict(places_at([[0, 0], *table[:, :2]]))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("n_neighbors", [None, 8])
@pytest.mark.parametrize("inputs", [None, "covariates"])
def test_a_bundle_keeps_it_exactly(field, tmp_path, n_neighbors, inputs):
    where, values, _ = field
    rain = np.random.default_rng(3).normal(size=(60, 1))
    places = replace(places_at(where[:60]), covariates=rain, covariate_names=("rain",))
    model = Kriging(n_neighbors=n_neighbors, inputs=inputs).fit(places, values[:60])
    read = Kriging.load(tmp_path, json.loads(json.dumps(model.save(tmp_path))))
    assert np.array_equal(read.predict(places), model.predict(places))
    assert read.params == model.params
    # what was read can be written again, and learns anew
    written = (tmp_path / "model.safetensors").read_bytes()
    read.save(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == written
    assert np.array_equal(read.fit(places, values[:60]).predict(places), model.predict(places))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("xyz", np.zeros((3, 3))),
        ("weights", np.zeros(3)),
        ("coefficients", np.zeros(2)),
        ("residuals", np.full(30, np.nan)),
        ("covariance", np.array([1.0, -1.0, 0.0])),
        ("noise", np.zeros(30, np.float32)),
        ("other", np.zeros(3)),
    ],
)
def test_arrays_that_it_did_not_write_are_refused(field, tmp_path, name, array):
    where, values, _ = field
    settings = Kriging().fit(places_at(where[:30]), values[:30]).save(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors") | {name: array}
    (tmp_path / "model.safetensors").write_bytes(save(tensors))
    with pytest.raises(InputError, match="not kriging that geolive wrote"):
        Kriging.load(tmp_path, settings)
    with pytest.raises(InputError, match="not the settings of a model of the class Kriging"):
        Kriging.load(tmp_path, settings | {"trees": 3})


def test_a_fit_to_places_is_kept_until_anything_that_it_learnt_from_changes(field, tmp_path, monkeypatch):
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path))
    where, values, _ = field
    places, fits = places_at(where[:40]), []
    monkeypatch.setattr(
        "geolive.models.cache.fit_model", lambda *args, **how: fits.append(1) or fit_model(*args, **how)
    )
    first = fit_places_cached(Kriging(), places, values[:40])
    again = fit_places_cached(Kriging(), places_at(where[:40]), values[:40].copy())
    assert len(fits) == 1
    assert np.array_equal(first.predict(places), again.predict(places))
    fit_places_cached(Kriging(n_neighbors=5), places, values[:40])
    fit_places_cached(Kriging(), places, values[:40] + 1)
    fit_places_cached(Kriging(), places_at(where[:40] + 0.1), values[:40])
    assert len(fits) == 4
    # a damaged file is made again
    for path in (cache_folder() / "models").rglob("model.safetensors"):
        path.write_bytes(b"damaged")
    assert np.array_equal(fit_places_cached(Kriging(), places, values[:40]).predict(places), first.predict(places))
    assert len(fits) == 5
