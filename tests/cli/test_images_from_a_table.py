"""Images from a table, without photos: from files to a model and a page."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geolive.dataset_folder import read_dataset
from geolive.tables import vistas_classes

N_PLACES, N_IMAGES = 30, 4


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A survey of 30 places, whose wealth is in the cars of four images each, and three districts."""
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    place = np.repeat(np.arange(N_PLACES), N_IMAGES)
    lon = 84.95 + np.arange(N_PLACES) * 0.1
    wealth = rng.integers(0, 40, N_PLACES)
    pd.DataFrame({"lon": lon, "lat": 25.5, "wealth": wealth}).to_csv(folder / "survey.csv", index=False)
    images = pd.DataFrame(
        {
            "id": [f"image {i}" for i in range(len(place))],
            "x": lon[place] + rng.uniform(-0.01, 0.01, len(place)),
            "y": 25.5,
            "car": wealth[place] + 5,
            "Traffic light": rng.integers(0, 4, len(place)),
            "user": "ann",
        }
    )
    images.loc[len(images)] = ["lost", 0, 0, 9, 9, "ann"]
    images.to_csv(folder / "wide.csv", index=False)
    lists = [
        str(["car"] * car + ["traffic light"] * lights)
        for car, lights in zip(images["car"], images["Traffic light"], strict=True)
    ]
    images[["id", "x", "y"]].assign(objects=lists).to_parquet(folder / "lists.parquet")
    images.melt("id", ["car", "Traffic light"]).to_csv(folder / "long.csv.gz", index=False)
    squares = [shapely.box(84.9 + i, 25, 85.9 + i, 26) for i in range(3)]
    gpd.GeoDataFrame({"name": list("ABC")}, geometry=squares, crs=4326).to_file(folder / "districts.geojson")
    return folder


@pytest.fixture
def surveyed(run, files, tmp_path):
    where = ["--lon", "lon", "--lat", "lat", "--value", "pov=wealth"]
    assert run("ingest", "survey", files / "survey.csv", *where, "--out", tmp_path / "survey")[0] == 0
    return tmp_path / "survey"


def ingest(files, name, survey, out, *options):
    where = ["--key", "id", "--lon", "x", "--lat", "y", "--survey", survey, "--out", out]
    return ["ingest", "images", files / name, *where, *options]


def test_from_a_table_to_a_page(run, files, surveyed, tmp_path):
    data = tmp_path / "data"
    code, out, said = run(*ingest(files, "wide.csv", surveyed, data, "--counts", "--creator", "user"))
    assert code == 0, said
    assert f"{data}: 120 images with objects; 1 left out, listed in {data}/rejects.parquet" in out
    assert "120 images belong to 30 of 30 survey points" in out
    assert "1 row left out: not located: the position is 0, 0" in said
    assert read_dataset(data).rejects["key"].tolist() == ["lost"]
    assert read_dataset(data).command.count("--survey") == 1
    forest = tmp_path / "forest"
    code, _, said = run("train", "clusterwise", data, "--indicator", "pov", "--out", forest)
    assert code == 0, said
    page = tmp_path / "map.html"
    command = ["predict", "--dataset", data, "--model", forest, "--min-images", "1", "--out", page]
    code, _, said = run(*command, "--boundaries", files / "districts.geojson")
    assert code == 0, said
    districts = gpd.read_file(page.with_suffix(".geojson"))
    assert districts["n_images"].tolist() == [40, 40, 40]
    wealth = pd.read_csv(files / "survey.csv")["wealth"].to_numpy().reshape(3, 10).mean(axis=1)
    # the forest learns from cars, and is shown out of fold: close to the survey, and in its order
    assert np.abs(districts["pov_predicted"] - wealth).max() < 5
    assert np.array_equal(districts["pov"].argsort(), wealth.argsort())
    assert not districts["simulated"].any()


def test_every_form_of_counts_gives_the_same_dataset(run, files, surveyed, tmp_path):
    assert run(*ingest(files, "wide.csv", surveyed, tmp_path / "wide", "--counts"))[0] == 0
    assert run(*ingest(files, "lists.parquet", surveyed, tmp_path / "lists", "--list-column", "objects"))[0] == 0
    assert run(*ingest(files, "wide.csv", surveyed, tmp_path / "long"))[0] == 0
    columns = ["--key", "id", "--class-column", "variable", "--count-column", "value"]
    assert run("ingest", "objects", files / "long.csv.gz", "--dataset", tmp_path / "long", *columns)[0] == 0
    wide, *others = (read_dataset(tmp_path / name) for name in ("wide", "lists", "long"))
    names = vistas_classes()["name"].tolist()
    expected = pd.read_csv(files / "wide.csv")[["car", "Traffic light"]][:120]
    assert np.array_equal(wide.features["objects"][:, [names.index("Car"), names.index("Traffic Light")]], expected)
    for other in others:
        assert np.array_equal(other.features["objects"], wide.features["objects"])
        assert other.images["unique_cluster"].equals(wide.images["unique_cluster"])


def test_messages_are_in_the_words_of_the_command(run, files, tmp_path):
    base = ["ingest", "images", files / "wide.csv", "--out", tmp_path / "data", "--key", "id"]
    code, _, said = run(*base)
    assert (code, "name the columns of positions with --lon COLUMN and --lat COLUMN" in said) == (2, True)
    code, _, said = run(*base, "--lon", "x", "--lat", "y", "--radius", "3")
    assert (code, "add --survey DATASET" in said) == (2, True)
    code, _, said = run(*base, "--lon", "x", "--lat", "y", "--features", "user")
    assert (code, "give a name and its columns, for example --features 'net=f*'" in said) == (2, True)
    code, _, said = run(
        "ingest",
        "images",
        files / "lists.parquet",
        "--key",
        "id",
        "--lon",
        "x",
        "--lat",
        "y",
        "--counts",
        "--out",
        tmp_path / "d",
    )
    assert (code, "for lists of objects give --list-column COLUMN" in said) == (2, True)
    assert "for a table with one object in each row read the images without counts" in said
    assert "and add the objects by ingest objects FILE" in said
    assert "ingest objects FILE --dataset DATASET --class-column COLUMN, or name" in said
    assert not (tmp_path / "data").exists()


def test_columns_of_one_class_are_named(run, tmp_path):
    table, base = (
        tmp_path / "images.csv",
        ["ingest", "images", tmp_path / "images.csv", "--lon", "x", "--lat", "y", "--counts"],
    )
    table.write_text("key,x,y,traffic light,Traffic Light\na,85,25,1,2\n")
    code, _, said = run(*base, "--out", tmp_path / "data")
    assert (code, "columns 'traffic light' and 'Traffic Light' differ only in letter case or spaces" in said) == (
        2,
        True,
    )
    assert not (tmp_path / "data").exists()
    table.write_text("key,x,y,car,auto\na,85,25,1,2\n")
    (tmp_path / "classes.csv").write_text("name,class\nauto,Car\n")
    code, _, said = run(*base, "--classes", tmp_path / "classes.csv", "--out", tmp_path / "data")
    assert code == 0, said
    assert "class Car: the counts of 2 columns were added: car, auto" in said
    column = vistas_classes()["name"].tolist().index("Car")
    assert read_dataset(tmp_path / "data").features["objects"][:, column].tolist() == [3]


def test_a_workbook_is_named_so(run, tmp_path):
    import xlsxwriter

    path = tmp_path / "images.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_row(0, 0, ["key", "lon", "lat", "v"])
    where = ["--lon", "lon", "--lat", "lat", "--out", tmp_path / "data"]
    for options in (["images", path], ["survey", path, "--value", "v"]):
        code, _, said = run("ingest", *options, *where)
        assert code == 2
        assert f"{path}: is a workbook of Excel or LibreOffice; save its sheet as 'CSV UTF-8 (comma-delimited)'" in said
