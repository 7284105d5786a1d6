"""People in cells and districts: against shapely and exactextract on the whole raster; windows and blocks lose nobody."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from exactextract import exact_extract
from rasterio import Affine

from geolive.errors import InputError
from geolive.mapping import population_cells
from geolive.mapping.population_cells import read_population
from geolive.regions import find_region
from tests.commands import run
from tests.rasters import SOUTH_BIHAR, write_raster

UTM_45 = Affine(900, 0, 250_000, 0, -1100, 2_820_000)


def triangles(transform=SOUTH_BIHAR, crs=4326, n=7, seed=0, size=(120, 100)):
    """Districts whose borders cut cells anywhere: the parts that random lines leave of the middle of a raster."""
    rng = np.random.default_rng(seed)
    width, height = size

    def at(column, row):
        return transform.c + transform.a * column, transform.f + transform.e * row

    corners = np.array([at(5, 5), at(width - 5, height - 5)])
    box = shapely.box(*corners.min(axis=0), *corners.max(axis=0))
    lines = [shapely.LineString([at(-9, y), at(width + 9, z)]) for y, z in rng.uniform(0, height, (n, 2))]
    parts = shapely.get_parts(shapely.polygonize([shapely.union_all([box.boundary, *lines])]))
    parts = parts[shapely.contains(box.buffer(abs(transform.a) / 100), parts)]
    ids = [f"d{i:02d}" for i in range(len(parts))]
    return gpd.GeoDataFrame({"district_id": ids}, geometry=parts, crs=crs).to_crs(4326)


def numbers(seed=1, shape=(100, 120)):
    return np.random.default_rng(seed).gamma(0.3, 40, shape).astype(np.float32)


def of_districts(cells):
    return cells.shares.groupby("district_id")["people"].sum().sort_index()


def counted(people, districts, transform):
    """People of each district, with the share of each cell measured by shapely."""
    row, column = np.indices(people.shape).reshape(2, -1)
    x, y = transform.c + transform.a * column, transform.f + transform.e * row
    cells = shapely.box(x, y + transform.e, x + transform.a, y)
    share = [shapely.area(shapely.intersection(cells, one)) / shapely.area(cells[0]) for one in districts.geometry]
    return np.array([float(people.ravel() @ one) for one in share])


@pytest.mark.parametrize("most_cells", [10**6, 3_000, 50])
def test_shares_of_cut_cells_are_those_of_shapely_and_exactextract(tmp_path, most_cells):
    people, districts = numbers(), triangles()
    path = write_raster(tmp_path / "people.tif", people)
    found = of_districts(read_population(path, districts, most_cells=most_cells)).to_numpy()
    np.testing.assert_allclose(found, counted(people, districts, SOUTH_BIHAR), rtol=1e-6)
    whole = exact_extract(path, districts, ["sum"], output="pandas")["sum"].to_numpy()
    np.testing.assert_allclose(found, whole, rtol=1e-6)


def test_a_raster_in_metres(tmp_path):
    people = numbers()
    districts = triangles(UTM_45, 32645)
    path = write_raster(tmp_path / "people.tif", people, UTM_45, "EPSG:32645")
    found = read_population(path, districts)
    there = districts.to_crs(32645)
    np.testing.assert_allclose(of_districts(found), counted(people, there, UTM_45), rtol=1e-6)
    # cells lie where they were in the raster
    at = gpd.GeoSeries(gpd.points_from_xy(found.cells["lon"], found.cells["lat"]), crs=4326).to_crs(32645)
    grid = Affine(*found.grid.transform)
    np.testing.assert_allclose(at.x, grid.c + grid.a * (found.cells["column"] + 0.5), atol=0.01)
    np.testing.assert_allclose(at.y, grid.f + grid.e * (found.cells["row"] + 0.5), atol=0.01)
    assert "32645" in found.grid.crs


def test_windows_give_what_one_window_gives(tmp_path, monkeypatch):
    path, districts = write_raster(tmp_path / "people.tif", numbers()), triangles()
    for most_cells in (10**6, 700):
        one = read_population(path, districts, most_cells=most_cells)
        with monkeypatch.context() as context:
            context.setattr(population_cells, "CELLS_AT_ONCE", 500)
            many = read_population(path, districts, most_cells=most_cells)
        assert one.cells[["row", "column"]].equals(many.cells[["row", "column"]])
        np.testing.assert_allclose(one.cells, many.cells, rtol=1e-12)
        np.testing.assert_allclose(of_districts(one), of_districts(many), rtol=1e-12)


def test_joined_cells_lie_where_their_people_live(tmp_path):
    people = np.zeros((100, 120), np.float32)
    people[40, 50], people[41, 50] = 30, 10
    whole = gpd.GeoDataFrame({"district_id": ["a"]}, geometry=[shapely.box(84.5, 24.5, 85.7, 25.5)], crs=4326)
    found = read_population(write_raster(tmp_path / "people.tif", people), whole, most_cells=120)
    assert len(found) == 1
    assert found.cells["people"].tolist() == [40.0]
    np.testing.assert_allclose(found.positions, [[85.005, 25.5 - (0.75 * 40.5 + 0.25 * 41.5) / 100]])
    assert (found.grid.height, found.grid.width) == (10, 12)
    assert found.grid.transform[0] == pytest.approx(0.1)
    assert "10 x 10" in found.source


def test_no_data_is_nobody(tmp_path):
    people = numbers()
    people[:50] = -99999
    with_gaps = read_population(write_raster(tmp_path / "a.tif", people, nodata=-99999), triangles())
    people[:50] = 0
    np.testing.assert_allclose(
        of_districts(with_gaps), of_districts(read_population(write_raster(tmp_path / "b.tif", people), triangles()))
    )


def without_crs(folder):
    return write_raster(folder / "p.tif", numbers(), crs=None)


def all_nodata(folder):
    return write_raster(folder / "p.tif", np.full((100, 120), -1, np.int16), nodata=-1)


def negative(folder):
    return write_raster(folder / "p.tif", np.full((100, 120), -99999, np.float32))


def another_country(folder):
    return write_raster(folder / "p.tif", numbers(), Affine(0.01, 0, 2.5, 0, -0.01, 9.5))


def half_the_region(folder):
    return write_raster(folder / "p.tif", numbers()[:50])


def two_bands(folder):
    return write_raster(folder / "p.tif", np.stack([numbers(), numbers()]))


def turned(folder):
    return write_raster(folder / "p.tif", numbers(), Affine(0.01, 0.001, 84.5, 0.001, -0.01, 25.5))


def missing(folder):
    return str(folder / "p.tif")


BAD = [
    (without_crs, "has no coordinate reference system; .*gdal_edit.py -a_srs"),
    (all_nodata, "holds no people in the region"),
    (negative, "holds -99999 people in a cell; .*gdal_edit.py -a_nodata -99999"),
    (another_country, "covers nothing of the region's area"),
    (half_the_region, r"covers \d+ % of the region's area"),
    (two_bands, "has 2 bands where one is needed"),
    (turned, "is rotated"),
    (missing, "no such file"),
]


@pytest.mark.parametrize(("make", "said"), BAD)
def test_rasters_that_cannot_be_used(tmp_path, make, said):
    path = make(tmp_path)
    with pytest.raises(InputError, match=said) as raised:
        read_population(path, triangles())
    assert path in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("make", [another_country, missing])
def test_the_command_says_it_in_one_line(small_folder, tmp_path, make):
    done = run(
        "predict", "--region", "bihar", "--dataset", small_folder, "--model", "neighbours", "--population", make(tmp_path),
        "--out", tmp_path / "pov.html",
    )  # fmt: skip
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert "p.tif" in last
    assert "Fitting" not in done.stdout + done.stderr, "it is said before any long work"
    assert not (tmp_path / "pov.html").exists()


def test_a_raster_without_a_person_where_the_map_is_beyond_it(tmp_path):
    """Surveyed districts beyond the map need not be covered."""
    districts = triangles()
    far = gpd.GeoDataFrame({"district_id": ["far"]}, geometry=[shapely.box(10, 10, 11, 11)], crs=4326)
    both = gpd.GeoDataFrame(
        {"district_id": [*districts["district_id"], "far"]}, geometry=[*districts.geometry, *far.geometry], crs=4326
    )
    path = write_raster(tmp_path / "people.tif", numbers())
    found = read_population(path, both, mapped=len(districts))
    np.testing.assert_allclose(of_districts(found), of_districts(read_population(path, districts)), rtol=1e-9)


BENIN = Path(__file__).parents[2].parent / "shared" / "data" / "benin"


@pytest.mark.skipif(not BENIN.is_dir(), reason="the data of Benin are not part of the project")
def test_children_of_benins_communes_are_those_of_exactextract():
    communes = find_region(None, BENIN / "Benin_communes.gpkg").districts
    found = of_districts(read_population(BENIN / "under_5_population.tif", communes))
    whole = exact_extract(str(BENIN / "under_5_population.tif"), communes, ["sum"], output="pandas")["sum"]
    np.testing.assert_allclose(found.reindex(communes["district_id"]), whole, rtol=1e-6)
    assert found.sum() == pytest.approx(2_040_006, abs=1)
