"""The map drawn with matplotlib. Tested: what stands on the axes; not tested: how it looks."""

from dataclasses import replace

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_hex

from geolive.errors import InputError
from geolive.indicators import WIDTH_COLOURS, class_colours, class_of
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
    hatched = [c for c in axes.collections if c.get_hatch()]
    assert len(hatched) == 1
    assert len(hatched[0].get_paths()) == 2
    assert legend_texts(axes)[-1] == "Not supported  (2)"


def test_title_unit_and_limits():
    made = fake_district_map()
    axes = made.plot()
    assert axes.get_title(loc="left") == "Asset wealth in Bihar"
    assert "DHS asset-wealth index" in axes.get_legend().get_title().get_text()
    west, south, east, north = made.districts.total_bounds
    assert axes.get_xlim()[0] < west < east < axes.get_xlim()[1]
    assert axes.get_ylim()[0] < south < north < axes.get_ylim()[1]
    # a degree of longitude is as long as it is there
    assert 1 / axes.get_aspect() == pytest.approx(np.cos(np.radians((south + north) / 2)))


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
