"""Rasters and tables that cannot be used: each is one line that names the file, the cause and a remedy."""

import numpy as np
import pytest
import rasterio
from rasterio import Affine

import geolive
from geolive.covariates.raster_names import as_rasters, parse_raster
from geolive.errors import InputError
from geolive.simulation.sample import simulate
from tests.commands import run
from tests.rasters import write_raster

GOA = Affine(0.01, 0, 73.4, 0, -0.01, 16.0)
ONES = np.ones((130, 120), np.float32)


@pytest.fixture(scope="module")
def dataset():
    return simulate("goa", seed=1, n_clusters=12, n_sites=3, most_images=2).dataset


def missing(folder):
    return folder / "missing.tif"


def picture(folder):
    (folder / "map.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder / "map.png"


def named_as_geotiff(folder):
    (folder / "page.tif").write_text("<html>")
    return folder / "page.tif"


def cut_short(folder):
    values = np.random.default_rng(0).normal(size=(130, 120))
    path = write_raster(folder / "cut.tif", values, GOA)
    with open(path, "r+b") as file:  # noqa: PTH123
        file.truncate(60_000)
    return path


def without_crs(folder):
    return write_raster(folder / "nowhere.tif", ONES, GOA, crs=None)


def without_transform(folder):
    return write_raster(folder / "flat.tif", ONES, Affine.identity())


def of_an_engineer(folder):
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    return write_raster(folder / "site.tif", ONES, Affine(10, 0, 0, 0, -10, 0), crs=local)


def metres_called_degrees(folder):
    return write_raster(folder / "metres.tif", ONES, Affine(1000, 0, 300_000, 0, -1000, 1_770_000), crs=4326)


def another_country(folder):
    return write_raster(folder / "kenya.tif", ONES, Affine(0.01, 0, 36, 0, -0.01, 1))


def another_utm_zone(folder):
    return write_raster(folder / "zone.tif", ONES, Affine(1000, 0, 300_000, 0, -1000, 1_770_000), crs=32631)


def all_nodata(folder):
    return write_raster(folder / "empty.tif", -ONES, GOA, nodata=-1)


def complex_numbers(folder):
    return write_raster(folder / "wave.tif", ONES.astype(np.complex64), GOA)


def several_bands(folder):
    return write_raster(folder / "rgb.tif", np.stack([ONES] * 3), GOA, descriptions=("red", "green", "blue"))


def empty_folder(folder):
    (folder / "tiles").mkdir()
    return folder / "tiles"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (missing, r"missing\.tif: no such file; check the name"),
        (picture, r"map\.png: a \.png file is not accepted; save it as a GeoTIFF"),
        (named_as_geotiff, r"page\.tif: does not begin as a \.tif file does"),
        (cut_short, r"cut\.tif: cannot be read \(.*\); check that the file is whole"),
        (without_crs, r"nowhere\.tif: has no coordinate reference system; assign the one it is in"),
        (without_transform, r"flat\.tif: does not say where its cells are"),
        (of_an_engineer, r"site\.tif: its coordinate reference system has no relation to longitude and latitude"),
        (metres_called_degrees, r"metres\.tif: reaches from 300000, 1640000 to 420000, 1770000, which are not degrees"),
        (
            another_country,
            r"kenya\.tif: does not cover the region: all places lie from 73\..*reaches from 36,-0\.3 to 37\.2,1",
        ),
        (
            another_utm_zone,
            r"zone\.tif: does not cover the region: all places lie from 73\..*, and it reaches from 1\.",
        ),
        (all_nodata, r"empty\.tif: holds no data at any of the 12 clusters; check its nodata value"),
        (complex_numbers, r"wave\.tif: holds complex numbers"),
        (several_bands, r"rgb\.tif: has 3 bands \(1 \(red\), 2 \(green\), 3 \(blue\)\); choose one with v=FILE:BAND"),
        (empty_folder, r"tiles: holds no GeoTIFF"),
    ],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_rasters_that_cannot_be_used(dataset, tmp_path, make, said):
    with pytest.raises(InputError, match=said) as caught:
        geolive.add_covariates(dataset, {"v": make(tmp_path)})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("band", ["0", "4", "infrared", "-1"])
def test_bands_that_are_not_there(dataset, tmp_path, band):
    with pytest.raises(
        InputError, match=f"has no band '{band}'; choose one of its bands: 1 .red., 2 .green., 3 .blue."
    ):
        geolive.add_covariates(dataset, [f"v={several_bands(tmp_path)}:{band}"])


def test_a_raster_in_one_block_cannot_be_read_in_parts(dataset, tmp_path):
    about = {"driver": "GTiff", "count": 1, "width": 20_000, "height": 20_000, "dtype": "float32", "crs": 4326}
    options = {"sparse_ok": True, "tiled": True, "blockxsize": 16_384, "blockysize": 16_384}
    with rasterio.open(tmp_path / "block.tif", "w", transform=Affine(1e-4, 0, 73, 0, -1e-4, 16), **about, **options):
        pass
    with pytest.raises(
        InputError, match=r"blocks of 16,384 × 16,384 cells are too large .*gdal_translate -co TILED=YES"
    ):
        geolive.add_covariates(dataset, {"v": tmp_path / "block.tif"})


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["evi.tif"], r"rasters='evi\.tif': does not say which covariate comes from which file; give NAME=FILE"),
        (["=evi.tif"], "does not say which covariate"),
        (["evi="], "does not say which covariate"),
        (["my evi=evi.tif"], "the name 'my evi' is not usable; use letters"),
        (["../evi=evi.tif"], r"the name '\.\./evi' is not usable"),
        (["evi=a.tif", "evi=b.tif"], "the name 'evi' occurs twice"),
        ("evi=a.tif", r"is one text; give a list"),
    ],
)
def test_texts_that_name_no_raster(texts, said):
    with pytest.raises(InputError, match=said):
        as_rasters(texts)


@pytest.mark.parametrize(
    ("text", "file", "band"),
    [
        ("v=a.tif", "a.tif", None),
        ("v=a.tif:3", "a.tif", "3"),
        ("v = data/a b.tif:near infrared", "data/a b.tif", "near infrared"),
        ("v=C:\\maps\\a.tif", "C:\\maps\\a.tif", None),
        ("v=C:\\maps\\a.tif:2", "C:\\maps\\a.tif", "2"),
        ("v=https://example.org:8080/a.tif", "https://example.org:8080/a.tif", None),
        ("v=https://example.org:8080/a.tif:2", "https://example.org:8080/a.tif", "2"),
        ("v=https://example.org/a.tif?se=1%3A2", "https://example.org/a.tif?se=1%3A2", None),
        ("v=https://example.org/a.tif?sig=x:2", "https://example.org/a.tif?sig=x", "2"),
    ],
)
def test_files_and_bands(text, file, band):
    raster = parse_raster(text)
    assert (raster.name, raster.file, raster.band) == ("v", file, band)


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        ("id,x\n", {}, r"t\.csv: has column names but no rows"),
        (
            "id,x\na,1\n",
            {},
            r"t\.csv: column 'id' holds no unique_cluster or district_id of .*it begins with 'a', and the dataset",
        ),
        ("id,x\nSIM,one\n", {}, "none of its columns beside 'id' holds numbers only"),
        ("id,x\nSIM,one\n", {"columns": ["x"]}, r"t\.csv, line 2: column 'x': 'one' is not a number"),
        ("id,x\nSIM,inf\n", {"columns": ["x"]}, r"t\.csv, line 2: column 'x': 'inf' is not a number"),
        ("id,x\nSIM,1\nSIM,2\n", {}, r"t\.csv, line 3: column 'id': '.*' occurs twice"),
        ("id,x\nSIM,1\n,2\n", {}, r"t\.csv, line 3: column 'id': is empty"),
        ("id,x\nSIM,1,2\n", {}, r"t\.csv, line 2: 3 fields where the header has 2"),
        ("id,x\nSIM,1\n", {"columns": ["y"]}, r"no column 'y'; its columns are: '"),
        ("id,x\nSIM,1\n", {"join": "name"}, r"no column 'name'; its columns are: '"),
        ("id,x\nSIM,\n", {"columns": ["x"]}, "no cluster has a value of the covariate 'x'"),
        ("id,a b\nSIM,1\n", {}, r"the name 'a b' is not usable"),
        ("id,x\nSIM,1\n", {"join": "id,x,y"}, "must be one column of .* or two of longitude and latitude"),
        ("id,x\n1,1\n1,1\n", {"join": "id,x"}, r"t\.csv, line 3: column 'id,x': '1\.000000,1\.000000' occurs twice"),
        ("id,x,v\n1,1,1\n", {"join": "id,x"}, "holds no unique_cluster or district_id or position of"),
        ("id,x\nSIM,1\n", {"join": None}, "table and join belong together"),
        ("id,x\nSIM,1\n", {"boundaries": "none.geojson"}, r"none\.geojson: no such file"),
    ],
)
def test_tables_that_cannot_be_used(dataset, tmp_path, content, words, said):
    path = tmp_path / "t.csv"
    path.write_text(content.replace("SIM", dataset.clusters["unique_cluster"][3]))
    with pytest.raises(InputError, match=said) as caught:
        geolive.add_covariates(dataset, table=path, **({"join": "id"} | words))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("buffer", [-1, {"urban": 2}, {"urban": 1, "rural": 5, "town": 3}, "5", float("nan"), {}])
def test_buffers_that_are_none(dataset, tmp_path, buffer):
    path = write_raster(tmp_path / "v.tif", ONES, GOA)
    if buffer == "5":
        assert geolive.add_covariates(dataset, {"v": path}, buffer_km=buffer).covariates.names == ("v",)
        return
    with pytest.raises(InputError, match="buffer_km"):
        geolive.add_covariates(dataset, {"v": path}, buffer_km=buffer)


def test_nothing_is_asked_for(dataset):
    with pytest.raises(InputError, match="neither a raster nor a table is given"):
        geolive.add_covariates(dataset)
    with pytest.raises(InputError, match="columns and boundaries need a table"):
        geolive.add_covariates(dataset, {"v": "v.tif"}, columns=["x"])


def test_the_command_says_it_in_one_line_with_its_own_options(dataset, tmp_path):
    folder = geolive.write_dataset(dataset, tmp_path / "goa")
    before = sorted(folder.rglob("*"))
    cases = [
        (["--raster", f"v={several_bands(tmp_path)}:9"], "has no band '9'"),
        (["--raster", "evi.tif"], "--raster evi.tif: does not say"),
        (
            ["--raster", "v=v.tif", "--buffer", "far"],
            "--buffer 'far': gives no distance; give kilometres, for example 2km",
        ),
        (["--table", str(tmp_path / "t.csv")], "give --table FILE and --join COLUMN"),
        ([], "neither a raster nor a table"),
    ]
    for words, said in cases:
        ended = run("covariates", folder, *words)
        lines = [line for line in ended.stderr.splitlines() if "✓" not in line]
        assert (ended.returncode, len(lines)) == (2, 1), ended.stderr
        assert said in lines[0]
    assert sorted(folder.rglob("*")) == before


def test_the_command_tells_what_it_added(dataset, tmp_path):
    folder = geolive.write_dataset(dataset, tmp_path / "goa")
    half = np.where(np.arange(120) < 60, ONES, np.nan)
    path = write_raster(tmp_path / "half.tif", half, GOA)
    ended = run("covariates", folder, "--raster", f"half={path}", "--buffer", "2km")
    assert ended.returncode == 0, ended.stderr
    missing = geolive.read_dataset(folder).covariates.clusters["half"].isna().sum()
    row = next(line.split() for line in ended.stdout.splitlines() if line.startswith("half "))
    assert row[1] == "half.tif"
    assert int(row[3]) == missing > 0
    assert "SIMULATED: 1 covariate added (half) for 12 clusters" in ended.stdout
    assert "half.tif" in run("info", folder).stdout
    again = run("covariates", folder, "--raster", f"half={path}")
    assert again.returncode == 2
    assert "has a covariate 'half' already, and geolive overwrites nothing; choose another name" in again.stderr
