import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.clusters import form_sites, join_images
from geolive.errors import InputError
from geolive.geodesy import chord_to_km, unit_sphere
from geolive.tables import lonlat, points


def table(lon, lat):
    keys = [f"k{i:04d}" for i in range(len(lon))]
    return gpd.GeoDataFrame({"key": keys}, geometry=points(lon, lat))


def great_circle(a, b):
    return chord_to_km(np.linalg.norm(unit_sphere(a) - unit_sphere(b), axis=1))


positions = st.lists(st.tuples(st.floats(84.0, 84.4), st.floats(25.0, 25.4)), min_size=1, max_size=60)


@settings(deadline=None)
@given(positions)
def test_every_image_is_in_one_site_within_reach(where):
    images = table(*np.array(where).T)
    sites, of_image = form_sites(images)
    assert of_image.notna().all()
    assert of_image.value_counts().reindex(sites["site_id"]).tolist() == sites["n_images"].tolist()
    middle = sites.set_index("site_id").geometry.loc[of_image]
    away = great_circle(np.column_stack([middle.x, middle.y]), np.array(where))
    assert away.max() < 2 * 5.0 + 1.5  # both within the radius of one cell of about 1 km


@settings(deadline=None, max_examples=30)
@given(positions, st.randoms())
def test_sites_do_not_depend_on_the_order_of_rows(where, random):
    order = list(range(len(where)))
    random.shuffle(order)
    images = table(*np.array(where).T)
    _, of_image = form_sites(images)
    _, of_shuffled = form_sites(images.iloc[order].reset_index(drop=True))
    assert of_shuffled.tolist() == of_image.iloc[order].tolist()


def test_a_site_across_the_antimeridian_stays_there():
    sites, _ = form_sites(table([179.99, -179.99], [0.0, 0.0]))
    assert np.abs(sites.geometry.x).min() > 179.9


def test_no_image_gives_no_site():
    sites, of_image = form_sites(table([], []))
    assert len(sites) == len(of_image) == 0


def survey(where, urban=None):
    ids = [f"c{i:02d}" for i in range(len(where))]
    lon, lat = np.reshape(where, (-1, 2)).T
    urban = pd.array(urban if urban is not None else [None] * len(ids), dtype="boolean")
    return gpd.GeoDataFrame({"unique_cluster": ids, "country": "ia", "urban": urban}, geometry=points(lon, lat))


def oracle_km(images, clusters):
    """Great-circle distances by the haversine formula, a row an image."""
    a, b = np.radians(lonlat(images.geometry))[:, None], np.radians(lonlat(clusters.geometry))[None]
    part = np.sin((a - b) / 2) ** 2
    inner = part[..., 1] + np.cos(a[..., 1]) * np.cos(b[..., 1]) * part[..., 0]
    return 2 * 6371.0088 * np.arcsin(np.sqrt(np.clip(inner, 0, 1)))


anywhere = st.tuples(st.floats(-180, 180), st.floats(-90, 90))
crowded = st.tuples(st.sampled_from([179.95, -179.98, 180.0, -180.0]), st.sampled_from([0.0, 0.02, 0.04, -0.02]))
nearby = st.tuples(st.floats(84.0, 84.2), st.floats(25.0, 25.2))
close_to_the_pole = st.tuples(st.floats(-180, 180), st.floats(89.95, 90))
areas = st.sampled_from([anywhere, nearby, crowded, close_to_the_pole])
scenes = areas.flatmap(
    lambda area: st.tuples(
        st.lists(area, max_size=25), st.lists(st.tuples(area, st.sampled_from([True, False, None])), max_size=12)
    )
)


@settings(deadline=None, max_examples=80)
@given(scenes, st.floats(0.1, 30), st.floats(0.1, 30), st.booleans())
def test_an_image_belongs_to_the_nearest_point_that_reaches_it(scene, near_km, far_km, by_kind):
    where, kinds = scene[0], scene[1]
    images = table(*np.reshape(where, (-1, 2)).T).assign(country="")
    clusters = survey([at for at, _ in kinds], [kind for _, kind in kinds])
    by_kind = by_kind and any(kind is not None for _, kind in kinds)
    joined, counted = join_images(images, clusters, {"urban": near_km, "rural": far_km} if by_kind else near_km)
    km = {True: near_km, False: far_km, None: 5.0}
    radius = np.array([km[kind] if by_kind else near_km for _, kind in kinds])
    away = oracle_km(images, clusters)
    slack = 1e-6  # km: two formulas for one distance
    for image, of in enumerate(joined["unique_cluster"]):
        surely = away[image] <= radius - slack
        if pd.isna(of):
            assert not surely.any()
            continue
        row = counted.index[counted["unique_cluster"] == of][0]
        assert away[image, row] <= radius[row] + slack
        assert not (away[image][surely] < away[image, row] - slack).any()
        same_place = (away[image] == away[image, row]) & (radius == radius[row])
        assert same_place.argmax() == row or len(kinds) > 4  # the first by name of those equally near
    assert counted["n_images"].tolist() == [
        int((joined["unique_cluster"] == of).sum()) for of in counted["unique_cluster"]
    ]
    assert (joined["country"] == np.where(joined["unique_cluster"].notna(), "ia", "")).all()
    assert list(joined["key"]) == list(images["key"])


@settings(deadline=None, max_examples=25)
@given(scenes, st.randoms())
def test_the_join_does_not_depend_on_the_order_of_rows(scene, random):
    where, kinds = scene[0], scene[1]
    images = table(*np.reshape(where, (-1, 2)).T).assign(country="")
    clusters = survey([at for at, _ in kinds])
    order = list(range(len(kinds)))
    random.shuffle(order)
    joined, counted = join_images(images, clusters)
    shuffled, recounted = join_images(images, clusters.iloc[order].reset_index(drop=True))
    assert joined["unique_cluster"].equals(shuffled["unique_cluster"])
    assert counted["n_images"].iloc[order].tolist() == recounted["n_images"].tolist()


def test_urban_points_reach_less_far_where_that_is_known():
    clusters = survey([(85.0, 25.0), (85.07, 25.0), (86.0, 25.0)], [True, False, None])
    images = table([85.03, 86.04], [25.0, 25.0]).assign(country="")
    one, _ = join_images(images, clusters)
    assert one["unique_cluster"].tolist() == ["c00", "c02"]
    by_kind, counted = join_images(images, clusters, {"urban": 2.0, "rural": 5.0})
    assert by_kind["unique_cluster"].tolist() == ["c01", "c02"]  # 3 km from an urban point, 4 km from a rural one
    assert counted["n_images"].tolist() == [0, 1, 1]


def test_many_surveys_of_one_place_do_not_crowd_out_each_other():
    clusters = survey([(85.0, 25.0)] * 30)
    joined, counted = join_images(table([85.01], [25.0]).assign(country=""), clusters.iloc[::-1].reset_index(drop=True))
    assert joined["unique_cluster"].tolist() == ["c00"]
    assert counted["n_images"].sum() == 1


def test_the_join_changes_nothing_that_it_was_given():
    images, clusters = table([85.0], [25.0]).assign(country=""), survey([(85.0, 25.0)])
    before = images.copy(), clusters.copy()
    join_images(images, clusters)
    assert images.equals(before[0])
    assert clusters.equals(before[1])


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan"), "5", {"urban": 2.0, "rural": 0.0}])
def test_radii_that_reach_nothing(radius):
    with pytest.raises(InputError, match="must be above 0"):
        join_images(table([85.0], [25.0]).assign(country=""), survey([(85.0, 25.0)], [True]), radius)


@pytest.mark.parametrize("radius", [{"urban": 2.0}, {"urban": 2.0, "rural": 5.0, "other": 1.0}, {}])
def test_a_distance_for_each_kind_of_point_or_one_for_all(radius):
    with pytest.raises(InputError, match="give one distance in kilometres, or one each for 'urban' and 'rural'"):
        join_images(table([85.0], [25.0]).assign(country=""), survey([(85.0, 25.0)], [True]), radius)
