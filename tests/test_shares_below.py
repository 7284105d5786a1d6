"""Shares below a threshold as indicators of a dataset: estimated like any rate."""

import numpy as np
import pandas as pd
import pytest

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.estimation.direct import direct_estimates
from geolive.mapping.prediction import predict
from geolive.models.clusterwise import Forest
from geolive.models.training import train
from geolive.regions import assign_districts, find_region
from geolive.shares_below import dataset_indicator, with_share_below
from geolive.simulation.sample import make_sample


@pytest.fixture(scope="module")
def sample():
    return make_sample("bihar", n_clusters=120, n_sites=80)


def test_a_share_is_a_rate_of_places_that_survives_a_folder(sample, tmp_path):
    made = read_dataset(write_dataset(with_share_below(sample, "pov", 0.1), tmp_path / "dataset"))
    assert made.indicators == [*sample.indicators, "pov_below"]
    assert made.is_rate("pov_below")
    assert (made.clusters["pov_below"] == (sample.clusters["pov"] < 0.1)).all()
    shown = dataset_indicator(made, "pov_below")
    assert shown.title == "Share of places with asset wealth below 0.1"
    assert shown.meaning == "Values are shares of surveyed places, not of people."
    assert dataset_indicator(made, "pov").title == "Asset wealth"
    # the dataset that was given is as before
    assert "pov_below" not in sample.clusters


def test_a_map_shows_the_share_of_places_below_the_threshold(sample, tmp_path):
    dataset = with_share_below(sample, "pov", 0.0)
    drawn = predict(dataset, train(dataset, Forest(n_estimators=20), "pov_below"), "bihar", min_sites=1)
    table = drawn.districts.set_index("district_id")
    shown = table[table["supported"]]
    columns = ["pov_below", "pov_below_lower", "pov_below_upper"]
    assert shown[columns].stack().between(0, 1).all()
    below = dataset.clusters.assign(
        below=(sample.clusters["pov"] < 0).astype(float),
        one=1.0,
        district_id=assign_districts(dataset.clusters.geometry, find_region("bihar").districts).to_numpy(),
    )
    expected = direct_estimates(below, "below", denominator="one")["direct"].reindex(table.index)
    assert np.allclose(table["pov_below_direct"], expected, equal_nan=True)
    # where the mean is high, the share below is low
    mean = predict(sample, train(sample, Forest(n_estimators=20), "pov"), "bihar", min_sites=1)
    mean = mean.districts.set_index("district_id")["pov"]
    assert np.corrcoef(mean[shown.index], shown["pov_below"])[0, 1] < -0.7
    drawn.to_file(tmp_path / "share.html")
    page = (tmp_path / "share.html").read_text()
    assert "Share of places with asset wealth below 0" in page
    assert "shares of surveyed places, not of people" in page


@pytest.mark.parametrize(
    ("name", "threshold", "words"),
    [
        ("wealth", 0.0, r"^indicator='wealth' is not in the dataset"),
        ("pov", np.nan, r"^threshold=nan: must be a number"),
        ("pov", -99.0, r"^threshold=-99: all values of 'pov' are at or above it; give one between"),
        ("pov", 99.0, r"^threshold=99: all values of 'pov' are below it"),
    ],
)
def test_a_threshold_that_cannot_be_is_one_line(sample, name, threshold, words):
    with pytest.raises(InputError, match=words) as error:
        with_share_below(sample, name, threshold)
    assert "\n" not in str(error.value)


def test_a_share_is_not_made_twice(sample):
    with pytest.raises(InputError, match="the dataset has 'pov_below' already"):
        with_share_below(with_share_below(sample, "pov", 0.0), "pov", 0.1)
    assert pd.notna(sample.clusters["pov"]).all()
