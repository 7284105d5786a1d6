import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from geolive.errors import InputError
from geolive.splits import (
    BlockSplit,
    KnndmSplit,
    RandomSplit,
    between_folds_km,
    fold_numbers,
    parse_split,
    place_numbers,
    prediction_grid,
)
from geolive.tables import points


@pytest.fixture(scope="module")
def towns():
    """A clustered survey: 12 towns of 25 clusters; and targets everywhere between them."""
    rng = np.random.default_rng(0)
    middle = rng.uniform([78, 20], [86, 28], (12, 2))
    return np.repeat(middle, 25, axis=0) + rng.normal(0, 0.05, (300, 2)), rng.uniform([78, 20], [86, 28], (500, 2))


def mismatch(splitter, positions, wanted):
    return wasserstein_distance(between_folds_km(positions, fold_numbers(splitter, positions)), wanted)


def test_folds_are_as_far_apart_as_targets_are_from_the_survey(towns):
    survey, targets = towns
    knndm = KnndmSplit(targets=targets)
    wanted, found = knndm.distances_km(points(*survey.T))
    assert wasserstein_distance(found, wanted) < 0.5 * mismatch(RandomSplit(), survey, wanted)
    assert np.median(found) > 5 * np.median(between_folds_km(survey, fold_numbers(RandomSplit(), survey)))


def test_a_survey_at_random_gets_nearly_random_folds(towns):
    survey = np.random.default_rng(1).uniform([78, 20], [86, 28], (300, 2))
    knndm = KnndmSplit(targets=towns[1])
    wanted, found = knndm.distances_km(points(*survey.T))
    assert np.median(found) == pytest.approx(np.median(wanted), rel=0.25)
    assert wasserstein_distance(found, wanted) <= mismatch(RandomSplit(), survey, wanted)
    assert wasserstein_distance(found, wanted) < mismatch(BlockSplit(km=200), survey, wanted)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(70, 80), st.integers(-5, 5)), min_size=3, max_size=25).map(np.array),
    st.integers(2, 3),
    st.integers(0, 2),
)
def test_every_row_is_tested_once_and_no_place_is_parted(positions, n_splits, seed):
    splitter = KnndmSplit(n_splits=n_splits, random_state=seed)
    place = place_numbers(positions)
    if place.max() + 1 < n_splits:
        with pytest.raises(InputError, match="folds"):
            fold_numbers(splitter, positions)
        return
    folds = fold_numbers(splitter, positions)
    assert set(folds) == set(range(n_splits))
    for unit in (place, splitter.units(points(*positions.T))):
        for number in np.unique(unit):
            assert len(set(folds[unit == number])) == 1
    assert np.bincount(folds).max() < len(positions)


def test_the_order_of_rows_plays_no_part(towns):
    survey, targets = towns
    order = np.random.default_rng(2).permutation(len(survey))
    splitter = KnndmSplit(targets=targets)
    first, shuffled = fold_numbers(splitter, survey), fold_numbers(splitter, survey[order])
    assert np.array_equal(first[order][:, None] == first[order], shuffled[:, None] == shuffled)


def test_thousands_of_places_are_put_together_first():
    survey = np.random.default_rng(3).uniform([78, 20], [86, 28], (6000, 2))
    folds = fold_numbers(KnndmSplit(), survey)
    assert np.bincount(folds).min() > 0


def test_the_grid_lies_within_the_survey(towns):
    grid = prediction_grid(towns[0])
    assert 1500 < len(grid) < 2500
    assert (grid.min(axis=0) > towns[0].min(axis=0)).all()
    assert (grid.max(axis=0) < towns[0].max(axis=0)).all()
    on_a_line = np.column_stack([np.arange(5.0), np.zeros(5)])
    assert np.array_equal(prediction_grid(on_a_line), on_a_line)


def test_no_place_to_predict_is_said():
    with pytest.raises(InputError, match="no place to predict"):
        fold_numbers(KnndmSplit(n_splits=2, targets=np.zeros((0, 2))), np.array([[80.0, 25.0], [81.0, 25.0]]))
    assert parse_split("knndm", random_state=2, n_splits=4) == KnndmSplit(n_splits=4, random_state=2)


def test_a_survey_across_the_antimeridian_is_surrounded_by_its_own_grid():
    rng = np.random.default_rng(0)
    survey = np.column_stack([rng.uniform(177, 182, 60), rng.uniform(-19, -16, 60)])
    survey[:, 0] = np.where(survey[:, 0] > 180, survey[:, 0] - 360, survey[:, 0])
    grid = prediction_grid(survey)
    assert 1500 < len(grid) < 2500
    # not one place on the other side of the globe
    assert (np.abs(grid[:, 0]) >= 177).all()
    elsewhere = prediction_grid(np.column_stack([survey[:, 0] % 360 - 100, survey[:, 1]]))
    np.testing.assert_allclose((grid[:, 0] % 360) - 100, elsewhere[:, 0], atol=1e-6)
