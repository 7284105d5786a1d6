"""Files that GDAL opens: none reads another file, sends a request, is opened by an unexpected driver, or gets files beside it."""

import contextlib
import http.server
import json
import shutil
import sqlite3
import threading
import zipfile

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely
from rasterio.transform import from_origin

from geolive.boundary_files import read_polygons
from geolive.errors import InputError
from geolive.estimation.target_table import read_table
from geolive.gdal_files import open_raster, vector_source
from geolive.regions import find_region
from geolive.sources.survey.reader import read_survey
from tests.commands import run

SQUARES = gpd.GeoDataFrame(
    {"name": ["A", "B"]}, geometry=[shapely.box(84, 25, 85, 26), shapely.box(85, 25, 86, 26)], crs=4326
)


@pytest.fixture
def requests():
    """Address of a server, and the paths that were asked of it."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()


def layer_of(source):
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{source}</SrcDataSource>'
        '<GeometryType>wkbPolygon</GeometryType><GeometryField encoding="WKT" field="shape"/></OGRVRTLayer></OGRVRTDataSource>'
    )


def disguised(folder, address):
    """Contents that would make GDAL read `secret.csv`, or ask `address`, by name of the kind."""
    secret = folder / "secret.csv"
    secret.write_text('name,wealth,shape\npassword,1,"POLYGON ((84 25, 86 25, 86 26, 84 25))"\n')
    pipeline = f"gdal vector pipeline ! read {secret} ! write --of stream streamed_dataset"
    return {
        "a layer of another file": layer_of(secret),
        "behind white space": "\n  " + layer_of(secret),
        "in a JSON text": '{"type": "FeatureCollection", "features": [], "about": "' + layer_of(secret).replace('"', "'") + '"}',
        "behind a brace": "{ " + layer_of(secret),
        "behind a KML": '<kml xmlns="http://www.opengis.net/kml/2.2"><Document/></kml>' + layer_of(secret),
        "behind an empty archive": "PK\x03\x04 " + layer_of(secret),
        "an algorithm": json.dumps({"type": "gdal_streamed_alg", "command_line": pipeline, "gdal_version": "3012000"}),
        "an address": layer_of(f"/vsicurl/{address}/a.csv"),
        "a service": f"<OGRWFSDataSource><URL>{address}/wfs</URL></OGRWFSDataSource>",
        "a service in a JSON text": '{"a": "' + f"<OGRWFSDataSource><URL>{address}/wfs</URL></OGRWFSDataSource>" + '"}',
    }  # fmt: skip


@pytest.mark.parametrize(
    "suffix", ["geojson", "json", "topojson", "kml", "kmz", "zip", "gpkg", "shp", "fgb", "gml", "vrt"]
)
def test_no_file_makes_gdal_open_another(tmp_path, requests, suffix):
    address, asked = requests
    for kind, content in disguised(tmp_path, address).items():
        path = tmp_path / f"districts.{suffix}"
        path.write_text(content)
        with pytest.raises(InputError) as refused:
            find_region(None, path)
        assert str(path) in str(refused.value), kind
        with pytest.raises(InputError):
            find_region(str(path))
        with pytest.raises(InputError):
            read_survey(path, values={"wealth": "wealth"})
        with contextlib.suppress(InputError):
            assert len(read_table(path)) == 0, kind
    assert asked == []


def test_the_published_page_holds_no_other_file(tmp_path):
    path = tmp_path / "d.geojson"
    path.write_text("{ " + disguised(tmp_path, "http://127.0.0.1:9")["a layer of another file"])
    for words in (["--boundaries", path], ["--region", path]):
        done = run("predict", *words, "--out", tmp_path / "map.html")
        assert done.returncode == 2, done.stderr
        assert "d.geojson: cannot be read" in done.stderr
    assert not (tmp_path / "map.html").exists()


@pytest.mark.parametrize("suffix", ["geojson", "gpkg", "shp", "fgb", "kml"])
def test_honest_files_are_read_and_nothing_is_written_beside_them(tmp_path, suffix):
    folder = tmp_path / "a, b.zip!"
    folder.mkdir()
    path = folder / f"nach|bar (1).{suffix}"
    if suffix == "kml":
        places = "".join(
            f"<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
            + " ".join(f"{x},{y},0" for x, y in shape.exterior.coords)
            + "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
            for name, shape in zip(SQUARES["name"], SQUARES.geometry, strict=True)
        )
        path.write_text(
            f'<?xml version="1.0"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{places}</Document></kml>'
        )
    else:
        SQUARES.to_file(tmp_path / f"plain.{suffix}")
        for part in tmp_path.glob("plain.*"):
            part.rename(path.with_suffix(part.suffix))
    before = sorted(p.name for p in folder.iterdir())
    assert sorted(find_region(None, path).districts["district"]) == ["A", "B"]
    assert read_polygons(path).total_bounds == pytest.approx([84, 25, 86, 26])
    if suffix != "kml":
        assert sorted(read_table(path)["name"]) == ["A", "B"]
    assert sorted(p.name for p in folder.iterdir()) == before


@pytest.mark.parametrize("suffix", ["shp", "gpkg", "geojson"])
def test_the_one_file_in_an_archive(tmp_path, suffix):
    SQUARES.to_file(tmp_path / f"inner.{suffix}")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        for part in tmp_path.glob("inner.*"):
            archive.write(part, f"some folder/{part.name}")
        archive.writestr("../../escape.txt", "no")
        archive.writestr("readme.html", "<p>")
    assert find_region(None, tmp_path / "outer.zip").districts["district"].tolist() == ["A", "B"]
    assert not (tmp_path.parent.parent / "escape.txt").exists()
    with zipfile.ZipFile(tmp_path / "outer.zip", "a") as archive:
        archive.writestr("second.geojson", "{}")
    with pytest.raises(InputError, match="where one vector file is needed; extract it"):
        find_region(None, tmp_path / "outer.zip")


def test_a_geopackage_under_way_is_read_without_new_files(tmp_path):
    path = tmp_path / "busy.gpkg"
    SQUARES.to_file(path)
    writer = sqlite3.connect(path)
    assert writer.execute("PRAGMA journal_mode=wal").fetchone() == ("wal",)
    writer.close()
    assert len(read_polygons(path)) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["busy.gpkg"]


def test_a_geopackage_with_a_table_of_another_file(tmp_path):
    for statement in (
        "CREATE VIRTUAL TABLE leak USING VirtualOGR('/etc/passwd')",
        "CREATE VIEW leak AS SELECT load_extension('/tmp/x.so')",
    ):
        path = tmp_path / "reaches.gpkg"
        SQUARES.to_file(path)
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA writable_schema=1")
            kind = "view" if "VIEW" in statement else "table"
            database.execute("INSERT INTO sqlite_master VALUES (?, 'leak', 'leak', 0, ?)", (kind, statement))
        with pytest.raises(InputError, match="holds a table that reads other files"):
            find_region(None, path)
        path.unlink()


def test_json_nested_deeply(tmp_path):
    path = tmp_path / "deep.geojson"
    path.write_text('{"type": "FeatureCollection", "geoBoundaries": ' + "[" * 200_000 + "]" * 200_000 + "}")
    with pytest.raises(InputError, match="cannot be read as polygons"):
        find_region(None, path)


def test_rasters_are_opened_by_their_driver_without_side_files(tmp_path):
    path = tmp_path / "people.tif"
    profile = {"driver": "GTiff", "width": 2, "height": 2, "count": 1, "dtype": "uint8", "crs": 4326}
    with rasterio.open(path, "w", transform=from_origin(84, 26, 1, 1), **profile) as raster:
        raster.write(np.array([[1, 2], [3, 4]], np.uint8), 1)
    path.with_suffix(".tif.aux.xml").write_text(
        "<PAMDataset><Metadata><MDI key='from'>beside</MDI></Metadata></PAMDataset>"
    )
    with open_raster(path) as raster:
        assert raster.read(1).tolist() == [[1, 2], [3, 4]]
        assert "from" not in raster.tags()
    vrt = tmp_path / "virtual.vrt"
    rasterio.shutil.copy(path, vrt, driver="VRT")
    shutil.copy(vrt, tmp_path / "virtual.tif")
    for name in ("virtual.vrt", "virtual.tif"):
        with pytest.raises(InputError, match=name), open_raster(tmp_path / name):
            pass
    (tmp_path / "cut.tif").write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="check that the file is whole"), open_raster(tmp_path / "cut.tif"):
        pass


def test_a_small_raster_of_one_large_block_is_refused(tmp_path):
    path, side = tmp_path / "large.tif", 49_152
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint8"}
    profile |= {"tiled": True, "blockxsize": side, "blockysize": side}
    # without cells: the file takes no more than its header
    with rasterio.open(path, "w", **profile, crs=4326, transform=from_origin(80, 30, 1e-4, 1e-4), sparse_ok=True):
        pass
    assert path.stat().st_size < 10_000
    with pytest.raises(InputError, match="its blocks of 49,152 × 49,152 cells are too large"), open_raster(path):
        pass


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
def test_errors_name_the_file_as_the_user_does_not_the_link_to_it(tmp_path, suffix):
    path = tmp_path / f"squares 2{suffix}"
    SQUARES.to_file(path)
    with pytest.raises(RuntimeError) as caught, vector_source(path) as source:
        raise RuntimeError(f"{source}: no such table; '{source}' cannot be opened")
    assert str(caught.value) == f"{path}: no such table; '{path}' cannot be opened"


def test_a_damaged_kml_file_is_named_as_the_user_does(tmp_path):
    path = tmp_path / "squares 2.kml"
    path.write_text("<kml><broken")
    with pytest.raises(InputError) as caught:
        read_polygons(path)
    assert "squares 2.kml" in str(caught.value)
    assert "squares_2" not in str(caught.value)
