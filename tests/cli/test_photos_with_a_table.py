"""Photos without positions of their own and a table of positions: from files to a page."""

import geopandas as gpd
import pytest
import shapely

from geolive.dataset_folder import read_dataset
from tests.sources.photos.photofiles import photo_bytes


@pytest.fixture
def files(tmp_path):
    (tmp_path / "photos").mkdir()
    rows, places = ["image,x,y,taken"], ["lon,lat,wealth"]
    for i in range(12):
        (tmp_path / "photos" / f"{i}.jpg").write_bytes(photo_bytes())
        rows.append(f"{i}.jpg,{84.95 + i / 10:.2f},25.5,2020-01-0{1 + i % 9}")
        places.append(f"{84.95 + i / 10:.2f},25.5,{i}")
    (tmp_path / "positions.csv").write_text("\n".join(rows))
    (tmp_path / "survey.csv").write_text("\n".join(places))
    squares = [shapely.box(84.9 + i * 0.4, 25, 85.3 + i * 0.4, 26) for i in range(3)]
    gpd.GeoDataFrame({"name": list("ABC")}, geometry=squares, crs=4326).to_file(tmp_path / "districts.geojson")
    return tmp_path


def test_from_files_to_a_page(run, files):
    table = ["--table", files / "positions.csv", "--key", "image", "--lon", "x", "--lat", "y", "--captured-at", "taken"]
    where = ["--lon", "lon", "--lat", "lat", "--value", "pov=wealth"]
    assert run("ingest", "survey", files / "survey.csv", *where, "--out", files / "survey")[0] == 0
    ends = ["--survey", files / "survey", "--radius", "4", "--out", files / "data"]
    code, out, said = run("ingest", "photos", files / "photos", *table, *ends)
    assert code == 0, said
    assert "12 photos belong to 12 of 12 survey points" in out
    data = read_dataset(files / "data")
    assert (data.command.count("--table"), data.command.count("--survey"), data.command.count("--radius")) == (1, 1, 1)
    assert data.images["captured_at"].notna().all()
    page = files / "map.html"
    command = ["predict", "--dataset", files / "data", "--model", "idw", "--min-images", "1", "--out", page]
    code, _, said = run(*command, "--boundaries", files / "districts.geojson")
    assert code == 0, said
    districts = gpd.read_file(page.with_suffix(".geojson"))
    assert districts["n_images"].tolist() == [4, 4, 4]
    assert districts["pov"].is_monotonic_increasing


def test_options_that_belong_together(run, files):
    base = ["ingest", "photos", files / "photos", "--out", files / "data"]
    code, _, said = run(*base, "--table", files / "positions.csv", "--key", "image")
    assert (code, "add --key COLUMN --lon COLUMN --lat COLUMN" in said) == (2, True)
    code, _, said = run(*base, "--key", "image")
    assert (code, "add --table FILE" in said) == (2, True)
    code, _, said = run(*base)
    assert (code, "none of its 12 photos can be used: no position: no EXIF (12)" in said) == (2, True)


def test_photos_and_rows_are_counted_apart(run, files):
    (files / "photos" / "more").mkdir()
    for name in ("0.jpg", "20.jpg"):
        (files / "photos" / "more" / name).write_bytes(photo_bytes())
    with (files / "positions.csv").open("a") as table:
        table.write("\n20.jpg,500,25,\n21.jpg,85,25,")
    table = ["--table", files / "positions.csv", "--key", "image", "--lon", "x", "--lat", "y"]
    code, out, said = run("ingest", "photos", files / "photos", *table, "--out", files / "data")
    assert code == 0, said
    assert "11 photos in " in out
    assert "; 3 left out, listed in" in out
    assert "2 of 14 photos left out: its name in the table fits several photos of the folder; give the path" in said
    assert "1 of 14 photos left out: column 'x': out of range" in said
    assert f"1 row of {files / 'positions.csv'} left out: without a photo in the folder" in said
    assert len(read_dataset(files / "data").rejects) == 4
