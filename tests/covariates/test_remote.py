"""Rasters by address: only the windows around the places are asked for, and what fails is one line."""

import http.server
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from rasterio import Affine

from geolive import gdal_files
from geolive.covariates.raster_names import parse_raster
from geolive.covariates.sampling import covariates_at
from geolive.errors import InputError
from tests.rasters import write_raster


class Server(http.server.ThreadingHTTPServer):
    """Serves the files of a folder, whole or in ranges, and counts the bytes."""

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.sent, self.asked = folder, 0, []
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.reply(with_body=False)

    def do_GET(self):
        self.reply(with_body=True)

    def reply(self, with_body):
        self.server.asked.append(self.path)
        file = self.server.folder / self.path.lstrip("/").split("?")[0]
        if not file.is_file():
            self.send_error(404)
            return
        content, code = file.read_bytes(), 200
        size = len(content)
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
            content, code = content[first : last + 1], 206
        self.send_response(code)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content)))
        if code == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if with_body:
            self.wfile.write(content)
            self.server.sent += len(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    with Server(served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_only_the_windows_around_the_places_are_read(server, tmp_path):
    values = np.random.default_rng(0).integers(0, 30_000, (4096, 4096)).astype(np.int16)
    transform = Affine(0.001, 0, 84, 0, -0.001, 27)
    path = write_raster(server.folder / "noise.tif", values, transform, tiled=True, blockxsize=256, blockysize=256)
    size = Path(path).stat().st_size
    assert size > 33_000_000
    positions, radius = [[84.5, 26.5], [87.3, 23.4]], 2
    found = covariates_at([f"noise={server.address}/noise.tif"], positions, radius)
    assert found.equals(covariates_at([f"noise={path}"], positions, radius))
    # a circle of 2 km takes 41 × 36 cells, which lie in at most 4 blocks of 131,072 bytes
    assert 0 < server.sent < 2 * 4 * 131_072 + 200_000
    assert server.sent < size / 25
    # nothing beside the raster is asked for
    assert set(server.asked) == {"/noise.tif"}


def test_signed_addresses(server):
    write_raster(server.folder / "v.tif", np.full((30, 30), 4.5))
    text = f"v={server.address}/v.tif?sig=abc%2F1&se=2027"
    assert covariates_at([text], [[84.6, 25.4]])["v"].tolist() == [4.5]
    # what a dataset records holds no signature
    assert parse_raster(text).file_name == f"{server.address.removeprefix('http://')}/v.tif"


@pytest.mark.parametrize("name", ["missing.tif", "page.tif", "virtual.tif"])
def test_addresses_that_hold_no_geotiff(server, name):
    (server.folder / "page.tif").write_text("<html>Sign in</html>")
    write_raster(server.folder / "real.tif", np.ones((30, 30)))
    source = f"<SourceFilename>/vsicurl/{server.address}/real.tif</SourceFilename>"
    virtual = f'<VRTDataset rasterXSize="30" rasterYSize="30">{source}</VRTDataset>'
    (server.folder / "virtual.tif").write_text(virtual)
    with pytest.raises(InputError, match=f"{name}: cannot be read") as caught:
        covariates_at([f"v={server.address}/{name}"], [[84.6, 25.4]])
    assert "\n" not in str(caught.value)
    assert "/real.tif" not in server.asked


def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setitem(gdal_files._RASTER_SETTINGS, "GDAL_HTTP_MAX_RETRY", 0)
    with pytest.raises(InputError, match="check the address, and that the server is in reach"):
        covariates_at(["v=http://127.0.0.1:9/v.tif"], [[84.6, 25.4]])
