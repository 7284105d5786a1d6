import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsRegressor

from geolive.models.baselines import InverseDistance, Mean, Neighbours, Random, average_at_places
from geolive.places import Places
from tests.panels import panel_table

positions = st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=1, max_size=20).map(np.array)


def places_at(where):
    where = np.asarray(where, float).reshape(-1, 2)
    return Places.without_images(np.array([f"p{i}" for i in range(len(where))], object), where)


@pytest.fixture(scope="module")
def panel_places():
    table = panel_table()
    return places_at(table[["lon", "lat"]].to_numpy()), table["wealth"].to_numpy()


def test_neighbours_are_scikit_learns(panel_places):
    places, values = panel_places
    radians = np.radians(places.positions[:, ::-1])
    expected = KNeighborsRegressor(10, metric="haversine").fit(radians, values).predict(radians)
    assert Neighbours(n_neighbors=10).fit(places, values).predict(places) == pytest.approx(expected, abs=1e-9)


def test_neighbours_are_near_on_the_sphere_not_in_degrees():
    # at 70° north two degrees of longitude are 76 km, one of latitude 111 km; 179.9° and −179.9° are neighbours
    model = Neighbours(n_neighbors=1).fit(places_at([[2, 70], [0, 71], [-179.9, 0]]), np.array([1.0, 2.0, 3.0]))
    assert model.predict(places_at([[0, 70], [179.9, 0]])).tolist() == [1, 3]


def test_fewer_clusters_than_neighbours():
    for model in (Neighbours(n_neighbors=10), InverseDistance(n_neighbors=10, power=0)):
        assert model.fit(places_at([[0, 0], [1, 0]]), np.array([1.0, 3.0])).predict(
            places_at([[5, 5]])
        ) == pytest.approx(2)


def test_inverse_distance_by_hand():
    model = InverseDistance(n_neighbors=3, power=2).fit(places_at([[0, 0], [3, 0], [0, 6]]), np.array([1.0, 2.0, 4.0]))
    weights = 1 / np.array([1.0, 2.0, np.hypot(1, 6)]) ** 2
    assert model.predict(places_at([[1, 0]])) == pytest.approx(weights @ [1, 2, 4] / weights.sum(), rel=1e-3)


def test_inverse_distance_at_a_training_place_is_the_mean_there():
    model = InverseDistance(n_neighbors=1).fit(
        places_at([[0, 0], [0, 0], [1, 0], [0, 1e-12]]), np.array([1.0, 2.0, 9.0, 6.0])
    )
    assert model.predict(places_at([[0, 0]])) == pytest.approx(3)


def test_a_place_of_two_rows_weighs_twice():
    model = InverseDistance(n_neighbors=2).fit(places_at([[-1, 0], [1, 0], [1, 0]]), np.array([0.0, 3.0, 3.0]))
    assert model.predict(places_at([[0, 0]])) == pytest.approx(2)


@given(positions, positions, st.sampled_from([0.0, 1.0, 2.0, 300.0]))
def test_averages_stay_within_the_values(known, asked, power):
    values = np.sin(np.arange(len(known)))
    for model in (Neighbours(n_neighbors=3), InverseDistance(n_neighbors=3, power=power)):
        found = model.fit(places_at(known), values).predict(places_at(asked))
        assert found.shape == (len(asked),)
        assert ((found >= values.min() - 1e-9) & (found <= values.max() + 1e-9)).all()


def test_the_mean_and_the_majority(panel_places):
    places, values = panel_places
    assert Mean().name == "mean"
    assert Mean(task="classification").name == "majority"
    assert (Mean().fit(places, values).predict(places_at([[0, 0]])) == values.mean()).all()
    labels = (values > np.quantile(values, 0.3)).astype(float)
    assert (Mean(task="classification").fit(places, labels).predict(places) >= 0.5).all()


def test_chance_is_seeded_fair_and_bound_to_the_place(panel_places):
    places, values = panel_places
    drawn = Random(random_state=1).fit(places, values).predict(places)
    assert np.isin(drawn, values).all()
    assert abs(np.corrcoef(drawn, values)[0, 1]) < 0.25
    assert np.array_equal(drawn, Random(random_state=1).fit(places, values).predict(places))
    assert not np.array_equal(drawn, Random(random_state=2).fit(places, values).predict(places))
    assert np.array_equal(drawn[5:9], Random(random_state=1).fit(places, values).predict(places.take(np.arange(5, 9))))
    coins = Random(task="classification").fit(places, (values > 0).astype(float)).predict(places)
    assert set(coins) == {0, 1}
    assert 0.35 < coins.mean() < 0.65


def test_no_place_asked_for_none_answered(panel_places):
    nothing = places_at(np.zeros((0, 2)))
    for model in (Random(), Mean(), Neighbours(), InverseDistance()):
        assert model.fit(*panel_places).predict(nothing).shape == (0,)


def test_rows_at_a_place_are_averaged():
    found = average_at_places(np.array([[1, 2], [0, 2], [1, 2]]), np.array([1.0, 5.0, 2.0]))
    assert found.positions.tolist() == [[0, 2], [1, 2]]
    assert (found.means.tolist(), found.rows.tolist(), found.variance) == ([5, 1.5], [1, 2], 0.5)


def test_rates_at_a_place_are_weighted_by_persons():
    where, rates, sizes = np.array([[1, 2], [0, 2], [1, 2]]), np.array([0.5, 0.1, 0.2]), np.array([10, 30, 20])
    found = average_at_places(where, rates, sizes, np.array([[1.0], [5.0], [3.0]]))
    assert found.means == pytest.approx([0.1, (5 + 4) / 30])
    assert (found.sizes.tolist(), found.covariates.ravel().tolist()) == ([30, 30], [5, 2])
