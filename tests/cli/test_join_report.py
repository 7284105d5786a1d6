"""`info --boundaries`: which names of districts in a dataset or table are those of a file."""

import json

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geolive.dataset_folder import write_dataset
from geolive.join_report import join_report
from geolive.sources.survey.reader import read_survey

DISTRICTS = ["Ouémé", "Zou", "Mono", "Borgou", "Zou"]
IDS = ["BJ01", "BJ02", "BJ03", "BJ04", "BJ05"]
NAMES = ["OUEME", "Mono", "mono", "BJ04", "Zou", "Bourgou", "Paris", ""]


@pytest.fixture
def boundaries(tmp_path):
    columns = {"dist_name": DISTRICTS, "pcode": IDS}
    squares = [shapely.box(i, 6, i + 1, 7) for i in range(5)]
    gpd.GeoDataFrame(columns, geometry=squares, crs=4326).to_file(tmp_path / "benin.geojson")
    return tmp_path / "benin.geojson"


@pytest.fixture
def table(tmp_path):
    rows = pd.DataFrame({"x": [i % 6 + 0.5 for i in range(8)], "y": 6.5, "wealth": range(8), "place": NAMES})
    rows.to_csv(tmp_path / "survey.csv", index=False)
    return tmp_path / "survey.csv"


def options(boundaries):
    return ["--boundaries", boundaries, "--name-column", "dist_name", "--id-column", "pcode"]


def test_each_name_has_its_status(boundaries):
    columns = {"district_id": IDS, "district": DISTRICTS, "state": ""}
    districts = gpd.GeoDataFrame(columns, geometry=[shapely.box(i, 6, i + 1, 7) for i in range(5)], crs=4326)
    found = join_report(NAMES, districts).set_index("name")
    expected = {
        "Zou": ("ambiguous", "Zou"),
        "OUEME": ("other spelling", "Ouémé"),
        "mono": ("other spelling", "Mono"),
        "Bourgou": ("near", "Borgou"),
        "Paris": ("unmatched", ""),
        "BJ04": ("matched", "Borgou"),
        "Mono": ("matched", "Mono"),
    }
    assert {name: (row["status"], row["districts"]) for name, row in found.iterrows()} == expected
    assert found["rows"].tolist() == [1] * 7
    states = join_report(
        ["Zou", "Zou", "Atacora"], districts.assign(state=["Zou", "Zou", "Zou", "Atlantique", "Mono"]), "state"
    )
    assert states[states["status"] == "matched"][["name", "rows"]].values.tolist() == [["Zou", 2]]
    assert states[states["status"] == "without rows"]["districts"].tolist() == ["Atlantique", "Mono"]


def test_a_dataset_is_compared_with_a_file(run, tmp_path, boundaries, table):
    survey = read_survey(table, "x", "y", {"wealth": "wealth"}, group="place", drop_invalid=True)
    folder = write_dataset(survey, tmp_path / "data")
    code, out, err = run("info", folder, *options(boundaries), "--join-report", tmp_path / "names.csv")
    assert code == 0, err
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "near Bourgou 1 Borgou" in lines
    assert "unmatched Paris 1" in lines
    assert "ambiguous Zou 1 Zou" in lines
    assert any(
        line.startswith("Names of 'district_id' in benin.geojson: 1 ambiguous (1 rows), 2 other spelling")
        for line in lines
    )
    # the last of seven places is beyond the fifth district, as is the sixth
    assert "Positions: 6 of 7 clusters lie in 5 of the 5 districts of benin.geojson" in lines
    written = pd.read_csv(tmp_path / "names.csv")
    assert written["status"].value_counts().to_dict() == {
        "other spelling": 2,
        "matched": 2,
        "ambiguous": 1,
        "near": 1,
        "unmatched": 1,
    }
    assert set(written["column"]) == {"district_id"}


def test_a_table_is_compared_with_a_file(run, tmp_path, boundaries, table):
    code, out, err = run(
        "info", table, *options(boundaries), "--column", "place", "--join-report", tmp_path / "names.json"
    )
    assert code == 0, err
    rows = {row["name"]: row for row in json.loads((tmp_path / "names.json").read_text(encoding="utf-8"))}
    assert rows["OUEME"] == {
        "column": "place",
        "status": "other spelling",
        "name": "OUEME",
        "rows": 1,
        "districts": "Ouémé",
    }
    assert "Positions" not in out


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--column", "place"], "--column needs a file of districts"),
        (["--boundaries", "B"], "is a table; name its column of districts with --column"),
        (["--boundaries", "B", "--column", "town"], "no column 'town'"),
        (["--boundaries", "B", "--column", "place", "--join-report", "names.xlsx"], "must be named .csv or .json"),
    ],
)
def test_options_that_do_not_go_together(run, boundaries, table, words, cause):
    given = [boundaries if word == "B" else word for word in words]
    if boundaries in given:
        given += ["--name-column", "dist_name", "--id-column", "pcode"]
    code, _, err = run("info", table, *given)
    assert code == 2
    assert cause in err.splitlines()[-1]
