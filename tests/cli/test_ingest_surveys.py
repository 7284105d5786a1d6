"""`ingest survey` and `ingest dhs` as a user meets them."""

import geopandas as gpd
import pandas as pd
import pytest

from geolive.cli.ingest_dhs import parse_values
from geolive.dataset_folder import read_dataset
from geolive.errors import InputError
from tests.commands import run
from tests.sources.survey.data.make_dhs import CLUSTERS, WOMEN, make_dhs, write_gps, write_recode
from tests.sources.survey.test_formats import ROWS, save


def test_a_geopackage_needs_no_columns_of_positions(tmp_path):
    path = save(tmp_path / "survey.gpkg", ROWS)
    out = tmp_path / "data"
    done = run("ingest", "survey", path, "--value", "pov=wealth", "--value", "bmi", "--year", "year", "--urban", "zone",
               "--weight", "w", "--group", "region", "--country", "ke", "--out", out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "3 survey rows with pov, bmi" in done.stdout
    assert (
        "kept for the survey's own estimates of districts, and for the noise of rates; they are no inputs of models: weight"
        in done.stderr
    )
    clusters = read_dataset(out).clusters
    assert clusters["urban"].tolist() == [True, False, None]
    assert clusters["year"].tolist() == [2011, 2012, 2011]


def test_a_csv_needs_them(tmp_path):
    path = tmp_path / "survey.csv"
    ROWS.to_csv(path, index=False)
    done = run("ingest", "survey", path, "--value", "pov=wealth", "--out", tmp_path / "data")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "name their columns with --lon COLUMN and --lat COLUMN" in line
    assert not (tmp_path / "data").exists()


def test_dhs_files_become_a_dataset(tmp_path):
    files = make_dhs(tmp_path)
    out = tmp_path / "data"
    done = run("ingest", "dhs", files["gps"], "--recode", files["households"], "--recode", files["women"],
               "--value", "members=hv009:98", "--out", out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 clusters with pov, bmi, members; 3 left out" in done.stdout
    kept = "weight, n_households, pov_n, bmi_n, members_n, pov_se, bmi_se, members_se"
    assert f"no inputs of models: {kept}" in done.stderr
    assert "dropped clusters that are not located (their position is 0, 0): 1" in done.stderr
    assert (
        "bmi from 8 rows; left out: 1 no value, 2 special code, 1 pregnant, 1 birth in the last two months"
        in done.stdout
    )
    assert read_dataset(out).indicators == ["pov", "bmi", "members"]
    wrong = run("ingest", "dhs", files["gps"], "--recode", files["gps"], "--out", tmp_path / "other")
    assert wrong.returncode == 2
    assert "is not a file of Stata or SPSS" in wrong.stderr
    assert not (tmp_path / "other").exists()


@pytest.fixture
def larger(tmp_path):
    """Forty clusters in Bihar with three women each, heavier to the east."""
    number = range(1, 41)
    places = CLUSTERS.iloc[[0] * 40].assign(
        DHSCLUST=number, LONGNUM=[84 + n * 0.05 for n in number], LATNUM=[25 + n % 5 * 0.2 for n in number]
    )
    women = pd.concat(
        WOMEN.iloc[[0] * 40].assign(v001=number, v445=[1900 + 15 * n + 10 * i for n in number]) for i in range(3)
    )
    return write_gps(tmp_path / "GE.shp", places), write_recode(tmp_path / "IR.dta", women)


def test_dhs_files_become_a_map(larger, tmp_path):
    gps, recode = larger
    assert run("ingest", "dhs", gps, "--recode", recode, "--out", tmp_path / "data").returncode == 0
    done = run("evaluate", tmp_path / "data", "--indicators", "bmi", "--models", "neighbours", "--split", "random",
               "--out", tmp_path / "report")  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = pd.read_csv(tmp_path / "report" / "results.csv")
    assert results.query("metric == 'r2'")["value"].item() > 0.5
    done = run("predict", "--region", "bihar", "--dataset", tmp_path / "data", "--model", "idw", "--indicator", "bmi",
               "--min-sites", "1", "--min-images", "0", "--out", tmp_path / "bmi.geojson")  # fmt: skip
    assert done.returncode == 0, done.stderr
    drawn = gpd.read_file(tmp_path / "bmi.geojson").dropna(subset="bmi")
    assert len(drawn) > 5
    assert drawn["bmi"].between(19, 25).all()
    assert not drawn["simulated"].any()


@pytest.mark.parametrize("wrong", ["members", "people=", "a=b:c", "a b=c"])
def test_a_further_indicator_of_dhs_names_a_column(wrong):
    with pytest.raises(InputError, match="NAME=COLUMN"):
        parse_values([wrong])


def test_what_was_missing_is_told(tmp_path):
    rows = ["lon,lat,women_bmi,score"]
    rows += [f"{80 + i / 10},25,{20 + i / 10:.1f},{i / 10}" for i in range(20)]
    rows += ["0,0,21,1", "83,25,99.98,1", "84,25,,1", "85,25,22,-99"]
    path = tmp_path / "survey.csv"
    path.write_text("\n".join(rows))
    columns = ["--lon", "lon", "--lat", "lat", "--value", "bmi=women_bmi", "--value", "score"]
    done = run("ingest", "survey", path, *columns, "--out", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert "note: 1 row left out: the position is 0, 0, which means that it is not known" in done.stderr
    assert "note: column 'women_bmi': codes that count as missing, with their rows: 99.98 (1)" in done.stderr
    assert "note: 2 rows kept without a value of bmi" in done.stderr
    assert "column 'score': 1 value (-99) far from all others, which are from 0 to 1.9" in done.stderr
    assert "where they mean missing, add --missing -99" in done.stderr
    again = run("ingest", "survey", path, *columns, "--missing", "-99", "--out", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert read_dataset(tmp_path / "again").clusters["score"].min() == 0
    twice = run("ingest", "survey", path, *columns, "--value", "score=women_bmi", "--out", tmp_path / "twice")
    assert (twice.returncode, "'score' is given twice" in twice.stderr) == (2, True)


def test_households_become_places_with_a_headcount_and_a_gap(tmp_path):
    rows = "".join(f"c{i // 4},{85 + i // 4 * 0.1:.1f},25.0,{0.5 + i % 4},{1 + i % 3}\n" for i in range(12))
    (tmp_path / "households.csv").write_text("hv001,lon,lat,spent,hv009\n" + rows)
    done = run("ingest", "survey", tmp_path / "households.csv", "--lon", "lon", "--lat", "lat", "--value", "spent",
               "--households", "hv001", "--household-size", "hv009", "--threshold", "spent=1.9",
               "--out", tmp_path / "data")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "3 places of 12 households with spent, spent_below, spent_gap" in done.stdout
    clusters = read_dataset(tmp_path / "data").clusters
    # of the first place's members, 1 + 2 are in households below the line, of 1 + 2 + 3 + 1
    assert clusters["spent_below"].iloc[0] == pytest.approx(3 / 7)
    wrong = run("ingest", "survey", tmp_path / "households.csv", "--lon", "lon", "--lat", "lat", "--value", "spent",
                "--threshold", "other=1", "--out", tmp_path / "other")  # fmt: skip
    assert wrong.returncode == 2
    assert "a threshold is given for 'other', which is not an indicator; give one of: spent" in wrong.stderr
