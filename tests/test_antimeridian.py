import geopandas as gpd
import numpy as np
import pytest
import shapely

from geolive.antimeridian import bounds_of, cut, lies_across, running_bounds, side_by_side

WEST, EAST = shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -178, 1)
CUT = shapely.MultiPolygon([WEST, EAST])


@pytest.mark.parametrize(
    "written",
    [
        CUT,
        shapely.box(179, 0, 182, 1),
        shapely.box(-181, 0, -178, 1),
        shapely.Polygon([(179, 0), (-178, 0), (-178, 1), (179, 1)]),
        # with vertices on both sides of the line itself
        shapely.Polygon([(179, 0), (180, 0), (-180, 0), (-178, 0), (-178, 1), (-180, 1), (180, 1), (179, 1)]),
        shapely.MultiPolygon([shapely.box(179, 0, 180.00000000000017, 1), EAST]),
    ],
)
def test_however_it_is_written_a_district_across_is_cut(written):
    shape = cut([written])[0]
    assert shapely.is_valid(shape)
    assert shapely.symmetric_difference(shape, CUT).area == pytest.approx(0, abs=1e-9)
    assert bounds_of([shape]) == (179, 0, -178, 1)
    assert side_by_side([shape])[0].equals(shapely.box(179, 0, 182, 1))


def test_a_hole_stays_in_its_outline():
    ring, hole = [(178, 0), (-178, 0), (-178, 4), (178, 4)], [(-179, 1), (-179, 2), (-178.5, 2), (-178.5, 1)]
    shape = cut([shapely.Polygon(ring, [hole])])[0]
    assert shape.area == pytest.approx(4 * 4 - 0.5)
    assert not shapely.intersects_xy(shape, -178.75, 1.5)


@pytest.mark.parametrize(
    "wide",
    [
        shapely.box(-180, -90, 180, 90),
        shapely.box(-100, 0, 100, 10),
        # Antarctica: round the pole, and along the frame of the map
        shapely.Polygon([(-180, -80), (-60, -70), (60, -70), (180, -80), (180, -90), (-180, -90)]),
    ],
)
def test_what_is_as_wide_as_the_globe_is_left_alone(wide):
    assert cut([wide])[0].equals(wide)
    assert not lies_across([wide])


def test_bounds_of_points_and_of_both_sides_of_greenwich():
    fiji = gpd.GeoSeries(gpd.points_from_xy([178.0, -179.5], [-17.0, -18.0]))
    assert bounds_of(fiji) == (178, -18, -179.5, -17)
    assert running_bounds(fiji) == (178, -18, 180.5, -17)
    europe = [shapely.box(-10, 50, 5, 60), shapely.box(5, 40, 20, 50), shapely.box(-25, 63, -13, 67)]
    assert bounds_of(europe) == (-25, 40, 20, 67)
    assert side_by_side(europe).tolist() == europe
    # Alaska reaches over it, and the rest of the country lies on one side
    assert bounds_of([shapely.box(172, 51, 180, 53), shapely.box(-180, 51, -67, 71)]) == (172, 51, -67, 71)


def test_shared_borders_stay_shared_side_by_side():
    north = shapely.MultiPolygon([shapely.box(179, 1, 180, 2), shapely.box(-180, 1, -178, 2)])
    shown = side_by_side([CUT, north])
    assert shapely.coverage_is_valid(shown)
    assert np.ptp(shapely.bounds(shown)[:, [0, 2]]) == 3
