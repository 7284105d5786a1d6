"""Files of districts as a user meets them: `predict --boundaries`, from files to a page."""

import json
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from geolive.dataset_folder import read_dataset

DATA = Path(__file__).parent.parent / "data"
# a district each; Cakaudrove lies on both sides of 180°
BOXES = {
    "Ba": [(177.2, -18.2, 178.2, -17.3)],
    "Bua": [(178.4, -17.2, 179.2, -16.5)],
    "Cakaudrove": [(179.3, -17.1, 180, -16.3), (-180, -17.1, -179.6, -16.3)],
    "Lau": [(-179.5, -19, -178.3, -17.2)],
}


def survey(path):
    """Eight places in each district of Fiji, whose value is the district's number."""
    rng = np.random.default_rng(0)
    rows = ["lon,lat,wealth"]
    for value, boxes in enumerate(BOXES.values()):
        for i in range(8):
            west, south, east, north = boxes[i % len(boxes)]
            rows.append(
                f"{rng.uniform(west, east):.4f},{rng.uniform(south, north):.4f},{value + rng.normal(0, 0.1):.3f}"
            )
    path.write_text("\n".join(rows))
    return path


@pytest.mark.parametrize("name", ["antimeridian", "antimeridian_over"])
def test_a_map_across_the_antimeridian(run, tmp_path, name):
    columns = ["--lon", "lon", "--lat", "lat", "--value", "pov=wealth"]
    code, _, said = run("ingest", "survey", survey(tmp_path / "survey.csv"), *columns, "--out", tmp_path / "fiji")
    assert code == 0, said
    page = tmp_path / "fiji.html"
    command = ["predict", "--dataset", tmp_path / "fiji", "--model", "idw", "--boundaries", DATA / f"{name}.geojson"]
    code, _, said = run(*command, "--min-images", "0", "--out", page)
    assert code == 0, said
    written = json.loads(page.with_suffix(".geojson").read_text())
    assert written["bbox"] == [177.2, -19, -178.3, -16.3]
    districts = gpd.read_file(page.with_suffix(".geojson")).set_index("district")
    assert districts.to_crs("EPSG:6933").area["Cakaudrove"] / 1e6 == pytest.approx(10386, rel=2e-3)
    assert districts["pov"].round().to_dict() == {"Ba": 0, "Bua": 1, "Cakaudrove": 2, "Lau": 3}
    # surveyed places and those of a grid, on both sides
    assert (districts["n_sites"] > 60).all()
    with rasterio.open(tmp_path / "fiji_surface.tif") as surface:
        assert (surface.bounds.left, surface.bounds.right) == (177.2, 181.7)
        assert [float(v) for v in next(surface.sample([(180.2, -16.7)]))] == pytest.approx([2, 2, 2], abs=1)
    # the page draws both sides beside each other
    [bounds] = re.findall(r'"bounds":(\[\[.*?\]\])', page.read_text())
    assert np.array(json.loads(bounds)) == pytest.approx(np.array([[-19.0, 177.2], [-16.3, 181.7]]))
    assert read_dataset(tmp_path / "fiji").clusters.geometry.x.abs().max() <= 180


def test_options_of_boundaries(run, tmp_path, small_folder):
    out = tmp_path / "map.csv"
    base = ["predict", "--dataset", small_folder, "--model", "mean", "--out", out]
    code, _, said = run(*base, "--boundaries", DATA / "projected_without_crs.geojson")
    assert code == 2
    assert "give its coordinate reference system, for example --crs EPSG:32645 for UTM zone 45 north" in said
    code, _, said = run(
        *base, "--boundaries", DATA / "projected_without_crs.geojson", "--crs", "EPSG:3857", "--min-images", "0"
    )
    assert code == 0, said
    out.unlink()
    code, _, said = run(*base, "--layer", "districts", "--region", "bihar")
    assert (code, said.splitlines()[-1]) == (2, "error: --layer needs a file of districts; add --boundaries FILE")
    code, _, said = run(*base, "--boundaries", DATA / "b_ISO-8859-1.shp")
    assert code == 2  # the dataset lies elsewhere
    assert (
        "note: b_ISO-8859-1.shp does not state the encoding of its texts: read as CP1252; choose another with --encoding"
        in said
    )
    code, _, said = run(*base, "--boundaries", DATA / "spike.geojson", "--min-images", "0")
    assert code == 0, said
    assert "note: borders that cross themselves, or have a spike, were repaired: A" in said
    code, _, said = run(*base[:-1], tmp_path / "other.csv", "--boundaries", DATA / "nested_units.geojson")
    assert code == 2
    assert "'Whole country' holds 'A'" in said


def test_info_draws_borders_across_the_antimeridian(run, tmp_path):
    columns = ["--lon", "lon", "--lat", "lat", "--value", "pov=wealth"]
    assert run("ingest", "survey", survey(tmp_path / "survey.csv"), *columns, "--out", tmp_path / "fiji")[0] == 0
    code, out, said = run("info", tmp_path / "fiji")
    assert code == 0, said
    west, _, east, _ = (float(x) for x in re.findall(r"bounds: +(\S+) ", out)[0].split(","))
    assert west > 177
    assert -179 < east < -178


def test_borders_of_both_sides_are_in_the_view():
    from geolive.map_plots import draw_borders, plain_matplotlib

    with plain_matplotlib() as figure:
        axes = figure().add_subplot()
        draw_borders(axes, (176, -20, 182, -15), DATA / "antimeridian.geojson")
        drawn = np.concatenate([path.vertices for shapes in axes.collections for path in shapes.get_paths()])
    assert drawn[:, 0].min() == pytest.approx(177.2)
    assert drawn[:, 0].max() == pytest.approx(181.7)
