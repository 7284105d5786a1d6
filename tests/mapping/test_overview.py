"""The picture of a dataset. Tested: what stands in the file and where marks are; not tested: how it looks."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.mapping.overview import draw_overview
from geolive.tables import points

BLUE = (95, 125, 149)  # images
PINK = (246, 229, 228)  # "SIMULATED" on white
RED = (209, 73, 91)  # clusters without an indicator


def pixels_near(path, colour, most=40):
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    inside = picture[100:775, 68:858]  # of the map, without what is written around it
    return np.argwhere(np.abs(inside - colour).sum(axis=2) < most)


def at(dataset, lon, lat, **changes):
    """A dataset of survey points only, at these places."""
    clusters = dataset.clusters.iloc[: len(lon)].set_geometry(points(lon, lat))
    return replace(dataset, clusters=clusters, images=dataset.images.iloc[:0], features={}, **changes)


def test_a_sample_says_that_it_is_simulated(small_sample, tmp_path):
    real = replace(small_sample.dataset, simulated=False)
    one = draw_overview(small_sample.dataset, tmp_path / "one.png")
    two = draw_overview(real, tmp_path / "two.png")
    assert Image.open(one).info["Description"] == "SIMULATED survey or imagery"
    assert "SIMULATED" not in Image.open(two).info["Description"]
    marked = len(pixels_near(one, PINK, 12)), len(pixels_near(two, PINK, 12))
    assert marked[0] > 10 * marked[1] + 1000
    assert Image.open(one).size == (1200, 840)


def test_the_same_dataset_gives_the_same_bytes(small_sample, tmp_path):
    one = draw_overview(small_sample.dataset, tmp_path / "one.png", "bmi")
    two = draw_overview(small_sample.dataset, tmp_path / "two.png", "bmi")
    assert one.read_bytes() == two.read_bytes()


def test_marks_are_where_the_data_are(small_sample, tmp_path):
    """One survey point in the north-west, one in the south-east; images east of the second."""
    survey = at(small_sample.dataset, [10.0, 11.0], [50.0, 49.0], indicators=[], simulated=False)
    rows = survey.clusters.iloc[[1] * 50]
    images = small_sample.dataset.images.iloc[:50].set_geometry(points(rows.geometry.x + 0.3, rows.geometry.y))
    path = draw_overview(replace(survey, images=images), tmp_path / "map.png")
    red, blue = pixels_near(path, RED), pixels_near(path, BLUE)
    east = red[:, 1] > red[:, 1].mean()
    north_west, south_east = red[~east].mean(axis=0), red[east].mean(axis=0)
    assert south_east[0] - north_west[0] > 300  # rows count downwards
    across = (south_east[1] - north_west[1]) / (south_east[0] - north_west[0])
    # a degree of longitude is as long as it is there
    assert across == pytest.approx(np.cos(np.radians(49.5)), abs=0.02)
    assert len(blue) > 5
    assert blue[:, 1].min() > south_east[1] + 50


@pytest.mark.parametrize(("lon", "lat"), [
    ([179.95, -179.95], [-17.0, -17.1]), ([10.0], [20.0]), ([-180.0, 180.0], [0.0, 0.0]), ([0.0, 10.0], [89.9, -89.9]),
    ([85.1] * 5, [25.6] * 5), ([-170.0, 170.0, 0.0], [0.0, 1.0, 2.0]),
])  # fmt: skip
def test_anywhere_on_earth(small_sample, tmp_path, lon, lat):
    path = draw_overview(at(small_sample.dataset, lon, lat, indicators=[], simulated=False), tmp_path / "map.png")
    assert len(pixels_near(path, RED)) > 30


def test_names_are_drawn_as_text(small_sample, tmp_path):
    names = at(small_sample.dataset, [85.1], [25.6], source="$\\frac{$ <b>x</b> 中国\n\0" * 20)
    boundaries = tmp_path / "$x$.geojson"
    from geolive.regions import find_region

    find_region("bihar").districts.to_file(boundaries)
    # matplotlib would raise on such a name, if it took it for a formula
    path = draw_overview(
        read_dataset(write_dataset(names, tmp_path / "$\\y$")), tmp_path / "map.png", boundaries=boundaries
    )
    assert Image.open(path).size == (1200, 840)


def test_values_that_are_missing_are_grey(small_sample, tmp_path):
    lon, lat = np.linspace(10, 11, 5), np.full(5, 50.0)
    survey = at(small_sample.dataset, lon, lat, simulated=False)
    nothing = replace(survey, clusters=survey.clusters.assign(pov=np.nan), indicators=["pov"])
    path = draw_overview(nothing, tmp_path / "map.png")
    assert len(pixels_near(path, (217, 217, 217), 10)) > 30


def test_what_cannot_be_drawn(small_sample, tmp_path):
    dataset = small_sample.dataset
    with pytest.raises(InputError, match=r"written as \.png"):
        draw_overview(dataset, tmp_path / "map.pdf")
    with pytest.raises(InputError, match="'height' is not in the dataset"):
        draw_overview(dataset, tmp_path / "map.png", "height")
    empty = replace(dataset.select_clusters([]).select_images([]), indicators=[])
    with pytest.raises(InputError, match="nothing to draw"):
        draw_overview(empty, tmp_path / "map.png")
    (tmp_path / "mine.png").touch()
    with pytest.raises(InputError, match="geolive overwrites nothing"):
        draw_overview(dataset, tmp_path / "mine.png")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.png"]


def test_without_matplotlib_the_remedy_is_told(small_sample, tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install matplotlib"):
        draw_overview(small_sample.dataset, tmp_path / "map.png")


def test_a_survey_of_many_states_shows_the_whole_country():
    """From Ladakh to the Nicobar Islands, also where no survey place is."""
    from geolive.map_plots import region_view

    india = points(
        *np.array([[85.1, 25.6], [77.2, 28.6], [76.9, 8.5], [72.8, 19.0], [91.7, 26.1], [77.6, 13.0], [88.4, 22.6], [78.4, 17.4],
         [80.3, 13.1], [75.8, 26.9], [80.9, 26.8], [72.6, 23.0], [85.8, 20.3], [77.4, 23.3], [81.6, 21.2], [85.3, 23.4],
         [76.8, 30.7], [74.1, 15.4], [75.8, 30.9], [76.1, 29.1], [74.8, 34.1], [78.0, 30.3]]).T
    )  # fmt: skip
    where = np.column_stack([india.x, india.y])
    west, south, east, north = region_view(where, 1.4)
    assert west < 68.2
    assert east > 97.4
    assert south < 6.75
    assert north > 37.0
    # places in one state show that state
    west, south, east, north = region_view(where[:1], 1.4)
    assert 80 < west < 83.4
    assert 88.2 < east < 92
    assert 23 < south < 24.3
    assert 27.5 < north < 29


def test_places_outside_all_districts_are_shown_as_they_lie():
    from geolive.map_plots import map_view, region_view

    for where in (np.array([[10.0, 50.0], [11.0, 49.0]]), np.array([[179.0, -17.0], [181.0, -16.0]])):
        assert region_view(where, 1.4) == map_view(where, 1.4)
