"""Surveys whose positions stand in a second file, such as MICS: households of SPSS files, and points or centroids of clusters."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from geolive.dataset_folder import read_dataset
from geolive.errors import InputError
from geolive.sources.survey.reader import read_survey
from tests.commands import run

POSITIONS = pd.DataFrame(
    {"cluster": ["001", "002", "003", "007"], "lon": [85.1, 84.0, 0.0, 86.0], "lat": [25.6, 25.0, 0.0, 26.0]}
)
# cluster, household, area, region, members, score, weight
HOUSEHOLDS = pd.DataFrame(
    [
        (1, 1, 1, 10, 4, 0.5, 1.0),
        (1, 2, 1, 10, 2, 1.5, 3.0),
        (2, 1, 2, 20, 5, -1.0, 1.0),
        (2, 2, 2, 20, 99, -2.0, 1.0),
        (3, 1, 2, 20, 3, -1.5, 1.0),
        (4, 1, 2, 20, 3, -1.5, 1.0),
    ],
    columns=["HH1", "HH2", "HH6", "HH7", "HH48", "wscore", "hhweight"],
).astype(float)
OPTIONS = {"households": "HH1", "urban": "HH6", "group": "HH7", "weight": "hhweight", "lon": "lon", "lat": "lat"}


@pytest.fixture
def clusters(tmp_path):
    POSITIONS.to_csv(tmp_path / "clusters.csv", index=False)
    return tmp_path / "clusters.csv"


@pytest.fixture
def households(tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    labels = {"HH6": {1: "Urban", 2: "Rural"}, "HH7": {10: "Centre", 20: "North"}}
    pyreadstat.write_sav(HOUSEHOLDS, tmp_path / "hh.sav", variable_value_labels=labels)
    return tmp_path / "hh.sav"


def test_a_mics_survey_becomes_clusters_with_the_means_of_their_households(tmp_path, households, clusters):
    words = [
        "ingest",
        "survey",
        households,
        "--positions",
        clusters,
        "--on",
        "HH1=cluster",
        "--lon",
        "lon",
        "--lat",
        "lat",
    ]
    words += [
        "--households",
        "HH1",
        "--value",
        "pov=wscore",
        "--urban",
        "HH6",
        "--group",
        "HH7",
        "--weight",
        "hhweight",
    ]
    done = run(*words, "--out", tmp_path / "mics")
    assert done.returncode == 0, done.stderr
    assert "1 row of 1 place left out: the file of positions lacks 4" in done.stderr
    assert "1 row left out: the position is 0, 0" in done.stderr
    assert "1 place of the file of positions without a row of the survey" in done.stderr
    found = read_dataset(tmp_path / "mics").clusters
    assert found["unique_cluster"].tolist() == ["1", "2"]
    # (0.5 + 3 · 1.5) / 4, and the plain mean of -1 and -2
    np.testing.assert_allclose(found["pov"], [1.25, -1.5])
    assert found["urban"].tolist() == [True, False]
    assert found["district_id"].tolist() == ["Centre", "North"]
    assert found["n_households"].tolist() == [2, 2]
    np.testing.assert_allclose(np.column_stack([found.geometry.x, found.geometry.y]), [[85.1, 25.6], [84.0, 25.0]])
    rejects = read_dataset(tmp_path / "mics").rejects
    assert rejects["row"].tolist() == [5, 6]


def test_the_recorded_command_makes_the_same_survey(tmp_path, households, clusters):
    command = read_survey(households, values={"pov": "wscore"}, positions=clusters, on="HH1=cluster", **OPTIONS).command
    assert f"--positions {clusters} --on HH1=cluster" in command


def test_points_of_any_format_and_crs_can_be_the_positions(tmp_path, households, clusters):
    expected = read_survey(households, values={"pov": "wscore"}, positions=clusters, on="HH1=cluster", **OPTIONS)
    points = gpd.points_from_xy(POSITIONS["lon"], POSITIONS["lat"], crs=4326)
    # names of variables differ in capitals from file to file
    table = gpd.GeoDataFrame({"hh1": POSITIONS["cluster"].astype(int)}, geometry=points).to_crs(32645)
    table[table["hh1"] != 3].to_file(tmp_path / "clusters.gpkg")
    options = OPTIONS | {"lon": None, "lat": None}
    found = read_survey(households, values={"pov": "wscore"}, positions=tmp_path / "clusters.gpkg", on="HH1", **options)
    pd.testing.assert_frame_equal(
        pd.DataFrame(found.clusters.drop(columns="geometry")), pd.DataFrame(expected.clusters.drop(columns="geometry"))
    )
    assert found.clusters.geometry.geom_equals_exact(expected.clusters.geometry, 1e-7).all()


def test_a_csv_survey_takes_positions_from_a_second_file_too(tmp_path, clusters):
    HOUSEHOLDS.to_csv(tmp_path / "hh.csv", index=False)
    found = read_survey(
        tmp_path / "hh.csv", "lon", "lat", {"pov": "wscore"}, households="HH1", positions=clusters, on="HH1=cluster"
    )
    np.testing.assert_allclose(found.clusters["pov"], [1.0, -1.5])


def test_members_that_are_not_known_are_named(households, clusters):
    with pytest.raises(InputError, match=r"row 4, column 'HH48': missing number of members, by its code '99'"):
        read_survey(
            households, values={"pov": "wscore"}, positions=clusters, on="HH1=cluster", household_size="HH48", **OPTIONS
        )


@pytest.mark.parametrize(
    ("change", "on", "cause"),
    [
        (lambda table: table, "HH1", r"no column 'HH1'; its columns are"),
        (lambda table: table, "HH9=cluster", r"no column 'HH9'; its columns are: 'HH"),
        (
            lambda table: table.assign(cluster=["A", "B", "C", "D"]),
            "HH1=cluster",
            r"no value of column 'HH1' \(such as '1'\) is in",
        ),
        (
            lambda table: table.assign(cluster=["1", "01", "3", "7"]),
            "HH1=cluster",
            r"line 3, column 'cluster': '01' has another pos",
        ),
        (lambda table: table.assign(lon=["a", 1, 2, 3]), "HH1=cluster", r"line 2, column 'lon': not a number 'a'"),
    ],
)
def test_files_of_positions_that_do_not_fit_are_refused(tmp_path, households, change, on, cause):
    change(POSITIONS).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(InputError, match=cause):
        read_survey(households, values={"pov": "wscore"}, positions=tmp_path / "other.csv", on=on, **OPTIONS)


def test_a_file_of_positions_needs_the_column_that_joins(households, clusters):
    with pytest.raises(InputError, match="positions and on belong together"):
        read_survey(households, values={"pov": "wscore"}, positions=clusters, **OPTIONS)
    with pytest.raises(InputError, match="files of this kind have no positions"):
        options = OPTIONS | {"lon": None, "lat": None}
        read_survey(households, values={"pov": "wscore"}, positions=clusters, on="HH1=cluster", **options)
