import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.simulation.sample import make_sample
from geolive.tables import bad_positions, check_clusters, check_images, points, swapped_hint, vistas_classes


@pytest.fixture(scope="module")
def goa():
    return make_sample("goa", seed=0)


def test_classes_are_the_papers():
    classes = vistas_classes()
    assert classes["paper_index"].tolist() == list(range(65))
    assert sorted(classes["vistas_index"]) == list(range(65))
    assert (classes["kind"] == "stuff").sum() == 28


def test_valid_tables_pass_unchanged(goa):
    before = goa.clusters.copy()
    assert check_clusters(goa.clusters, goa.indicators) is goa.clusters
    pd.testing.assert_frame_equal(pd.DataFrame(goa.clusters), pd.DataFrame(before))
    assert check_images(goa.images) is goa.images


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.drop(columns="key"), "no column 'key'"),
        (lambda t: t.assign(key=["same"] * len(t)), "column 'key', row 1: same occurs twice"),
        (lambda t: t.assign(key=range(len(t))), "column 'key', row 0: 0 is not text"),
        (lambda t: t.assign(country=None), "column 'country', row 0: None is missing"),
        (lambda t: t.assign(unique_cluster=3), "column 'unique_cluster', row 0: 3 is not text"),
        (lambda t: t.to_crs(3857), "EPSG:4326"),
        (lambda t: t.set_geometry(t.buffer(0.01)), "row 0: not a point"),
        (lambda t: t.set_geometry(gpd.GeoSeries([None, *t.geometry[1:]], crs=4326)), "row 0: not a point"),
    ],
)
@pytest.mark.filterwarnings("ignore:Geometry is in a geographic CRS")
def test_a_broken_images_table_is_told_where(goa, spoil, said):
    with pytest.raises(InputError, match=said):
        check_images(spoil(goa.images.iloc[:5].reset_index(drop=True)))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("pov", np.inf, "column 'pov', row 2: inf is not a finite number"),
        ("pov_label", 0.5, "column 'pov_label', row 2"),
        ("n_images", -1, "column 'n_images', row 2"),
        ("split", "training", "column 'split', row 2"),
        ("unique_cluster", "sim_0001", "column 'unique_cluster'"),
    ],
)
def test_a_broken_clusters_table_is_told_where(goa, column, value, said):
    clusters = goa.clusters.copy()
    clusters.loc[2, column] = value
    with pytest.raises(InputError, match=said):
        check_clusters(clusters, goa.indicators)


def test_positions_out_of_range():
    lon, lat = np.array([181.0, 85.0, np.inf, 85.0]), np.array([25.0, -91.0, 25.0, 25.0])
    assert bad_positions(lon, lat).tolist() == [True, True, True, False]
    table = gpd.GeoDataFrame(
        {"key": ["a"], "country": ["ia"], "unique_cluster": [None]}, geometry=points([200.0], [5.0])
    )
    with pytest.raises(InputError, match="row 0: out of range"):
        check_images(table)


def test_swapped_positions_are_suspected():
    india = np.array([[85.1, 25.6], [80.0, 12.0]]).T
    assert swapped_hint(*india) == ""
    assert "swapped" in swapped_hint(india[1], india[0])
