"""The map drawn with matplotlib. Tested: what stands on the axes; not tested: how it looks."""

from dataclasses import replace

import geopandas as gpd
import matplotlib
import matplotlib.image
import numpy as np
import pytest
import shapely
from matplotlib.colors import to_hex

from geolive.errors import InputError
from geolive.indicators import WIDTH_COLOURS, class_colours, class_of
from geolive.mapping.map_insets import find_insets
from geolive.mapping.region_mean import NOT_DISTINGUISHED, compare_with_mean
from geolive.regions import Region
from tests.mapping.districtmaps import fake_district_map

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _figures_closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def filled(axes):
    """Number of areas of each fill colour."""
    found = {}
    for collection in axes.collections:
        if len(collection.get_facecolor()):
            found[to_hex(collection.get_facecolor()[0])] = len(collection.get_paths())
    return found


def legend_texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_districts_have_the_colours_and_classes_of_the_legend():
    made = fake_district_map()
    axes = made.plot()
    counts = np.bincount(class_of(made.districts["pov"].dropna().to_numpy(), made.breaks))
    drawn = filled(axes)
    assert [drawn[colour] for colour in class_colours(made.indicator.colours, 5)] == counts.tolist()
    assert [text.rsplit("(", 1)[1] for text in legend_texts(axes)[:5]] == [f"{n})" for n in counts]
    hatched = {c.get_hatch(): len(c.get_paths()) for c in axes.collections if c.get_hatch()}
    alike = int((compare_with_mean(made) == NOT_DISTINGUISHED).sum())
    assert alike > 5
    assert hatched == {"/////": 2, "....": alike}
    assert legend_texts(axes)[-2] == "Not supported  (2)"
    assert legend_texts(axes)[-1].replace("\n", " ") == f"90 % interval holds the region's mean  ({alike})"


def test_title_unit_and_limits():
    made = fake_district_map()
    axes = made.plot()
    assert axes.get_title(loc="left") == "Asset wealth in Bihar"
    assert "asset-wealth index" in axes.get_legend().get_title().get_text()
    west, south, east, north = made.districts.total_bounds
    assert axes.get_xlim()[0] < west < east < axes.get_xlim()[1]
    assert axes.get_ylim()[0] < south < north < axes.get_ylim()[1]
    # a degree of longitude is as long as it is there
    assert 1 / axes.get_aspect() == pytest.approx(np.cos(np.radians((south + north) / 2)))


def test_a_picture_of_hexagons_calls_them_so():
    made = fake_district_map()
    ids = [f"hex25km_5_{i}_0" for i in range(len(made.districts))]
    axes = replace(made, districts=made.districts.assign(district_id=ids)).plot()
    words = " ".join([axes.get_legend().get_title().get_text(), *(text.get_text() for text in axes.texts)])
    assert "(number of hexagons)" in words
    assert "district" not in words


def test_simulated_stands_across_the_map_while_it_is():
    simulated, real = fake_district_map().plot(), fake_district_map(simulated=False).plot()
    assert (len(simulated.patches), len(real.patches)) == (1, 0)
    assert any("SIMULATED" in text.get_text() for text in simulated.texts)
    assert not any("SIMULATED" in text.get_text() for text in real.texts)


def test_uncertainty_has_classes_of_its_own():
    axes = fake_district_map().plot(show="uncertainty")
    assert set(WIDTH_COLOURS) <= set(filled(axes))
    assert axes.get_legend().get_title().get_text().startswith("Width of the 90 % interval")
    with pytest.raises(InputError, match="show='width': must be 'value' or 'uncertainty'"):
        fake_district_map().plot(show="width")


def test_sites_and_names_where_they_are_wanted():
    made = fake_district_map()
    plain, full = made.plot(names=False), made.plot(sites=True)
    names = set(made.districts["district"])
    assert not names & {text.get_text() for text in plain.texts}
    assert len(names & {text.get_text() for text in full.texts}) > 20
    marks = sorted(len(line.get_xdata()) for line in full.lines if line.get_marker() == "o")
    assert marks == [made.sites["surveyed"].sum(), (~made.sites["surveyed"]).sum()]


def test_axes_of_the_user_are_drawn_on():
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2)
    made = fake_district_map()
    assert made.plot(left) is left
    assert made.plot(right, show="uncertainty") is right


def test_names_are_text_and_no_formula(tmp_path):
    made = fake_district_map(rename={"Patna": "a$b$_{"})
    axes = made.plot()
    axes.figure.savefig(tmp_path / "map.png")
    assert "a$b$_{" in {text.get_text() for text in axes.texts}


def test_a_map_without_any_value(tmp_path):
    made = fake_district_map()
    districts = made.districts.assign(pov=np.nan, pov_lower=np.nan, pov_upper=np.nan, supported=False)
    nothing = replace(made, districts=districts, sites=made.sites.iloc[:0])
    for show in ("value", "uncertainty"):
        axes = nothing.plot(show=show, sites=True)
        axes.figure.savefig(tmp_path / "map.png")
        assert legend_texts(axes) == ["Not supported  (38)"]


def test_holes_are_not_filled(tmp_path):
    import shapely
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

    from geolive.map_plots import polygon_path

    figure = Figure(figsize=(1, 1), dpi=90)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 3), ylim=(0, 3))
    ring = shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2))
    axes.add_collection(PathCollection([polygon_path(ring)], facecolors="red", edgecolors="none"))
    axes.set_axis_off()
    figure.savefig(tmp_path / "ring.png")
    picture = matplotlib.image.imread(tmp_path / "ring.png")
    assert picture[10, 10, :3].tolist() == [1, 0, 0]
    assert picture[45, 45, :3].tolist() == [1, 1, 1]


def city_and_island() -> Region:
    """A country of nine large districts, a city of four small ones between them, and an island far away."""
    large = [shapely.box(x, y, x + 3, y + 3) for x in (70, 73, 76) for y in (20, 23, 26)]
    city = [shapely.box(74.5 + x, 24.5 + y, 74.55 + x, 24.55 + y) for x in (0, 0.05) for y in (0, 0.05)]
    large[4] = large[4].difference(shapely.union_all(city))
    shapes = [shapely.MultiPolygon([shape]) for shape in (*large, *city, shapely.box(84, 21, 84.05, 21.1))]
    columns = {
        "district_id": [str(i) for i in range(14)],
        "district": [f"District {i}" for i in range(14)],
        "state": ["Land"] * 9 + ["City"] * 4 + ["Island"],
    }
    districts = gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")
    return Region("Land", shapely.union_all(shapes), districts, "invented")


def test_islands_and_cities_have_insets_where_the_map_is_empty():
    made = fake_district_map(region=city_and_island(), unsupported=())
    axes = made.plot()
    assert sorted(inset.get_title() for inset in axes.child_axes) == ["City", "Island"]
    to_data = axes.transData.inverted()
    for inset in axes.child_axes:
        # the whole of its state is in it, and it hides no district
        (west, east), (south, north) = inset.get_xlim(), inset.get_ylim()
        own = made.districts[made.districts["state"] == inset.get_title()]
        assert shapely.box(west, south, east, north).contains(own.geometry.union_all())
        corners = to_data.transform(inset.get_window_extent().corners())
        assert not made.area.intersects(shapely.box(*corners.min(axis=0), *corners.max(axis=0)))
        assert filled(inset), "its districts are drawn"
        # larger than on the map
        assert np.ptp(corners[:, 1]) > 1.5 * (north - south)


def test_a_state_whose_districts_can_be_seen_has_no_inset():
    made = fake_district_map()
    assert made.plot().child_axes == []
    assert find_insets(made.districts, tuple(made.districts.total_bounds), 0.9) == []


@pytest.mark.parametrize(
    ("size", "pixels"), [("slide", (4000, 2250)), ("column", (1050, 1560)), ("page", (2244, 2760))]
)
def test_pictures_of_a_set_size(tmp_path, size, pixels):
    made = fake_district_map(estimator="composite")
    (path,) = made.to_file(tmp_path / "pov.png", picture_size=size)
    height, width = matplotlib.image.imread(path).shape[:2]
    assert (width, height) == pytest.approx(pixels, abs=1)
    axes = made.plot(size=size)
    figure = axes.get_figure()
    figure.draw_without_rendering()
    # nothing stands outside of the picture, and no words on one another
    texts = [text for text in figure.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts] + [
        figure.legends[0].get_window_extent(),
        axes.get_window_extent(),
    ]
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)
    for i, box in enumerate(boxes):
        for other in boxes[i + 1 :]:
            assert not (box.x0 < other.x1 and other.x0 < box.x1 and box.y0 < other.y1 and other.y0 < box.y1)
    assert "Asset wealth in Bihar" in {text.get_text() for text in texts}


def test_a_size_that_does_not_exist_or_does_not_go_together():
    made = fake_district_map()
    with pytest.raises(InputError, match="choose slide, column or page"):
        made.plot(size="poster")
    with pytest.raises(InputError, match="leave ax and figsize out"):
        made.plot(size="slide", figsize=(3, 3))


def test_figures_after_a_map_are_shown_in_a_notebook():
    """A notebook's backend is loaded at the first figure and turns interaction on; a map must not turn it off again."""
    import matplotlib

    from geolive.map_plots import plain_matplotlib

    before = matplotlib.is_interactive()
    matplotlib.interactive(False)
    try:
        with plain_matplotlib({"font.size": 8}):
            matplotlib.interactive(True)
        assert matplotlib.is_interactive()
    finally:
        matplotlib.interactive(before)
