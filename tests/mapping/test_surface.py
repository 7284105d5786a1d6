"""The surface is what inverse-distance interpolation of the sites says, and no more than that."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.mapping.surface import interpolate_surface
from geolive.tables import lonlat, points
from tests.mapping.districtmaps import fake_district_map


def map_with_sites(lon, lat, values, area):
    made = fake_district_map()
    values = np.asarray(values, float)
    sites = made.sites.iloc[: len(values)].copy()
    sites["pov"], sites["pov_lower"], sites["pov_upper"] = values, values - 1, values + 2
    return replace(made, sites=sites.set_geometry(points(lon, lat)), area=area)


def middles(surface):
    height, width = surface.values.shape[1:]
    column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return surface.transform.c + column * surface.transform.a, surface.transform.f + row * surface.transform.e


def km(lon1, lat1, lon2, lat2):
    """The haversine formula."""
    lon1, lat1, lon2, lat2 = map(np.radians, (lon1, lat1, lon2, lat2))
    a = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0088 * np.arcsin(np.sqrt(a))


@pytest.fixture(scope="module")
def made():
    return fake_district_map(n_sites=150)


@pytest.fixture(scope="module")
def surface(made):
    return interpolate_surface(made)


def test_pixels_are_aligned_and_cover_the_region(made, surface):
    west, south, east, north = made.area.bounds
    transform, (_, height, width) = surface.transform, surface.values.shape
    assert surface.values.dtype == np.float32
    assert transform.a == -transform.e == 0.01
    for edge in (transform.c, transform.f):
        assert edge == round(edge, 2)
    assert 0 <= west - transform.c < 0.01
    assert 0 <= transform.f - north < 0.01
    assert 0 <= transform.c + 0.01 * width - east < 0.01
    assert 0 <= south - (transform.f - 0.01 * height) < 0.01


def test_two_sites_by_hand():
    at = map_with_sites([85.005, 85.105], [25.005, 25.005], [1.0, 3.0], shapely.box(85, 25, 85.11, 25.02))
    surface = interpolate_surface(at)
    d1, d2 = km(85.035, 25.015, 85.005, 25.005), km(85.035, 25.015, 85.105, 25.005)
    expected = (1 / d1**2 + 3 / d2**2) / (1 / d1**2 + 1 / d2**2)
    np.testing.assert_allclose(surface.values[:, 0, 3], [expected, expected - 1, expected + 2], rtol=1e-6)
    # halfway the two weigh the same, whatever the power
    for power in (1, 2, 3):
        assert interpolate_surface(at, power=power).values[0, 1, 5] == pytest.approx(2.0)
    nearest = interpolate_surface(at, n_neighbors=1).values[0, 1]
    assert nearest[:5].tolist() == [1.0] * 5
    assert nearest[6:].tolist() == [3.0] * 5


def test_a_pixel_with_a_site_has_its_value(made, surface):
    where = lonlat(made.sites.geometry)
    column = np.floor((where[:, 0] - surface.transform.c) / 0.01).astype(int)
    row = np.floor((surface.transform.f - where[:, 1]) / 0.01).astype(int)
    shown = surface.values[:, row, column]
    alone = ~made.sites.assign(row=row, column=column).duplicated(["row", "column"], keep=False).to_numpy()
    inside = np.isfinite(shown[0]) & alone
    # only sites at the border may lie in a pixel whose middle is outside
    assert inside.mean() > 0.95
    expected = made.sites[["pov", "pov_lower", "pov_upper"]].to_numpy(np.float32)
    np.testing.assert_array_equal(shown.T[inside], expected[inside])


def test_sites_in_one_pixel_share_it():
    area = shapely.box(85, 25, 85.05, 25.05)
    at = map_with_sites([85.023, 85.023, 85.028], [25.023, 25.023, 25.022], [1.0, 3.0, 8.0], area)
    assert interpolate_surface(at).values[0, 2, 2] == 4.0


def test_no_value_outside_the_region_or_out_of_reach(made, surface):
    lon, lat = middles(surface)
    inside = shapely.contains_xy(made.area, lon, lat)
    nearest = np.min([km(lon, lat, *at) for at in lonlat(made.sites.geometry)], axis=0)
    has = np.isfinite(surface.values)
    np.testing.assert_array_equal(has[0], has[1])
    np.testing.assert_array_equal(has[0], has[2])
    # rasterio and shapely may differ on a middle that lies on the border
    assert np.mean(has[0] != (inside & (nearest <= 15))) < 1e-4
    assert 0.1 < has[0].mean() < inside.mean() < 1, "the map has pixels of each kind"
    assert (inside & (nearest > 15)).sum() > 1000


def test_the_reach_can_be_chosen(made, surface):
    lon, lat = middles(surface)
    near = interpolate_surface(made, reach_km=4)
    nearest = np.min([km(lon, lat, *at) for at in lonlat(made.sites.geometry)], axis=0)
    assert nearest[np.isfinite(near.values[0])].max() <= 4
    assert np.isfinite(near.values[0]).sum() < np.isfinite(surface.values[0]).sum()


def test_strips_leave_no_seam(made, surface, monkeypatch):
    monkeypatch.setattr("geolive.mapping.surface.PIXELS_AT_ONCE", 2000)
    np.testing.assert_array_equal(interpolate_surface(made).values, surface.values)


def test_sites_without_a_value_do_not_count(made):
    sites = made.sites.copy()
    sites.loc[sites.index[::2], ["pov", "pov_lower", "pov_upper"]] = np.nan
    without = interpolate_surface(replace(made, sites=sites))
    dropped = interpolate_surface(replace(made, sites=sites.dropna(subset=["pov"])))
    np.testing.assert_array_equal(without.values, dropped.values)


def test_no_sites_no_values(made):
    assert np.isnan(interpolate_surface(replace(made, sites=made.sites.iloc[:0])).values).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(84.9, 85.4), st.floats(24.9, 25.4), st.floats(-1e3, 1e3)), min_size=1, max_size=20))
def test_between_the_lowest_and_the_highest_site(sites):
    lon, lat, values = map(np.array, zip(*sites, strict=True))
    shown = interpolate_surface(map_with_sites(lon, lat, values, shapely.box(85, 25, 85.3, 25.3))).values
    finite = np.isfinite(shown[0])
    value, lower, upper = shown[:, finite].astype(float)
    slack = 1e-6 * (1 + np.abs(values).max())
    assert (values.min() - slack <= value).all()
    assert (value <= values.max() + slack).all()
    assert (lower <= value).all()
    assert (value <= upper).all()
