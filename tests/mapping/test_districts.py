import geopandas as gpd
import numpy as np
import pytest

from geolive.mapping.districts import Support, districts_from_sites
from geolive.regions import find_region
from geolive.tables import points
from geolive.uncertainty.district_intervals import DistrictError

ERROR = DistrictError(0.04, 0.2, 30)


@pytest.fixture(scope="module")
def districts():
    return find_region("bihar").districts


def table_of(districts, values, n_images, **options):
    """Sites in Patna with these values and numbers of images, one in Gaya, one abroad."""
    patna = [(85.14, 25.6), (85.2, 25.5), (85.1, 25.55), (85.15, 25.5)][: len(values)]
    where = np.array([*patna, (85.0, 24.8), (0.0, 0.0)])
    images = [*n_images, 500, 500]
    sites = gpd.GeoDataFrame({"pov": [*values, 9.0, 9.0], "n_images": images}, geometry=points(*where.T))
    given = {"support": Support(3, 50), "level": 0.9, "threshold": 0.0} | options
    return districts_from_sites(districts, sites, "pov", ERROR, **given).set_index("district")


def test_sites_count_equally_whatever_their_number_of_images(districts):
    patna = table_of(districts, [1.0, 2.0, 6.0], [1, 1, 200]).loc["Patna"]
    assert patna["pov"] == pytest.approx(3.0)
    assert (patna["n_sites"], patna["n_images"], patna["supported"]) == (3, 202, True)
    half = ERROR.of_means(np.array([1.0, 2.0, 6.0]), np.zeros(3), [0]).half_width(0.9)[0]
    assert (patna["pov_lower"], patna["pov_upper"]) == pytest.approx((3.0 - half, 3.0 + half))
    assert patna["pov_label"] == 1.0


def test_too_little_imagery_is_null_and_never_a_value(districts):
    table = table_of(districts, [1.0, 2.0, 6.0], [10, 10, 10])
    shown = ["pov", "pov_lower", "pov_upper", "pov_label", "rank_best", "rank_worst"]
    assert not table["supported"].any()
    assert table[shown].isna().all(axis=None)
    assert table.loc["Patna", "n_sites"] == 3
    assert table.loc["Gaya", ["n_sites", "n_images"]].tolist() == [1, 500]
    assert table.loc["Araria", ["n_sites", "n_images"]].tolist() == [0, 0]


def test_every_district_is_there_in_order(districts):
    table = table_of(districts, [1.0, 2.0, 6.0], [100, 100, 100])
    assert table["district_id"].tolist() == districts["district_id"].tolist()
    assert len(table) == 38


def test_probabilities_stay_within_0_and_1(districts):
    patna = table_of(districts, [0.9, 0.95, 1.0], [99, 99, 99], limits=(0.0, 1.0), threshold=0.5).loc["Patna"]
    assert 0 <= patna["pov_lower"] < patna["pov_upper"] <= 1


def test_without_a_threshold_there_is_no_label(districts):
    assert np.isnan(table_of(districts, [0.9, 0.95, 1.0], [99, 99, 99], threshold=None).loc["Patna", "pov_label"])


def test_the_rule_in_words():
    assert str(Support(3, 50)) == "fewer than 3 sites or 50 images"
    assert str(Support(2, 0)) == "fewer than 2 sites"
