"""`target` as a user runs it: what is written, what is told, and bad input."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from tests.commands import run


@pytest.fixture
def folder(tmp_path):
    """A table of twelve districts with all three values, and their truth in another order, with numbers as ids."""
    rng = np.random.default_rng(0)
    truth = np.arange(12.0)
    table = pd.DataFrame(
        {"district_id": np.arange(101, 113), "district": [f"Town {i:02}" for i in range(12)], "pov": truth}
    )
    table["pov_direct"], table["pov_predicted"] = truth + rng.normal(0, 2, 12), truth + rng.normal(0, 4, 12)
    table["pov_mse"], table["people"], table["simulated"] = 0.25, 1000 * np.arange(1, 13), False
    table.to_csv(tmp_path / "districts.csv", index=False)
    real = table[["district_id"]].assign(poverty=truth).sample(frac=1, random_state=1)
    real.to_csv(tmp_path / "truth.csv", index=False)
    return tmp_path


def test_writes_table_errors_and_plot_and_tells_in_words(folder):
    options = ["--value", "pov", "--budget", "3", "--truth", folder / "truth.csv", "--truth-column", "poverty"]
    out, plot = folder / "target.csv", folder / "target.png"
    done = run("target", folder / "districts.csv", *options, "--out", out, "--plot", plot)
    assert done.returncode == 0, done.stderr
    assert "chooses the lowest values of pov: Town 00, Town 01, Town 02." in done.stdout
    assert "what is really missed is 0 % by the estimate (AUC 1.00)" in done.stdout
    assert "SIMULATED" not in done.stdout
    made = pd.read_csv(out, index_col="district_id")
    assert made.index[made["chosen"]].to_list() == [101, 102, 103]
    assert made.loc[101, "probability"] > 0.99
    assert made["probability"].sum() == pytest.approx(3)
    assert made.loc[101, ["rank_best", "rank_worst"]].to_list() == [1, 2]
    assert (made.index[made["truly_poorest"]] == [101, 102, 103]).all()
    errors = pd.read_csv(folder / "target_errors.csv")
    assert set(errors["rule"]) == {"estimate", "predicted", "direct"}
    assert (errors.loc[errors["rule"] == "estimate", "real_exclusion"] == 0).all()
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_highest_end_and_share_of_people(folder):
    out = folder / "target.csv"
    done = run(
        "target",
        folder / "districts.csv",
        "--value",
        "pov",
        "--budget",
        "30%",
        "--people",
        "people",
        "--highest",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    made = pd.read_csv(out)
    # of 78,000 people 23,400: the richest two have 12,000 and 11,000
    assert made.loc[made["chosen"], "name"].to_list() == ["Town 11", "Town 10"]
    assert "30 % of the people chooses the highest values" in done.stdout


def test_simulated_map_is_marked_everywhere(folder):
    table = pd.read_csv(folder / "districts.csv").assign(simulated=True, pov_lower=-1.0, pov_upper=1.0)
    table.loc[4, "pov"] = np.nan
    shapes = gpd.GeoDataFrame(
        table.drop(columns="pov_mse"), geometry=gpd.points_from_xy(range(12), range(12), crs="EPSG:4326")
    )
    shapes.to_file(folder / "map.geojson")
    out = folder / "target.csv"
    done = run("target", folder / "map.geojson", "--budget", "2", "--out", out, "--plot", folder / "target.svg")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SIMULATED: ")
    assert "Not considered, since they have no estimate: Town 04." in done.stdout
    made = pd.read_csv(out)
    assert made["simulated"].all()
    assert len(made) == 11
    # the interval of 90 % is 2 wide on either side of 1.645 standard errors
    assert made["standard_error"].to_numpy() == pytest.approx(2 / (2 * 1.6449), rel=1e-3)
    assert pd.read_csv(folder / "target_errors.csv")["simulated"].all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "12"], "--budget 12: 12 districts have an estimate"),
        (["--budget", "0"], "--budget 0: a number of districts must be whole and at least 1"),
        (["--budget", "120%"], "--budget 120%: a share of people must be above 0 %"),
        (["--budget", "few"], "--budget few: is neither"),
        (["--budget", "10%"], "needs the people of each district"),
        (["--budget", "3", "--mse", "simulated"], "must be a number above 0"),
        (["--budget", "3", "--direct", "no"], "no column 'no'"),
        (["--budget", "3", "--id", "no"], "no column 'no'; name it with --id COLUMN"),
        (
            ["--budget", "3", "--truth", "TRUTH", "--truth-column", "poverty"],
            "has no number for 1 of 12 districts, the first '105'",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder, options, words):
    pd.read_csv(folder / "truth.csv").query("district_id != 105").to_csv(folder / "short.csv", index=False)
    options = [str(folder / "short.csv") if word == "TRUTH" else word for word in options]
    done = run("target", folder / "districts.csv", "--value", "pov", *options, "--out", folder / "target.csv")
    assert (done.returncode, done.stderr.count("error:")) == (2, 1)
    assert words in done.stderr
    assert not (folder / "target.csv").exists()


def test_an_input_is_never_overwritten(folder):
    file = folder / "districts.csv"
    done = run("target", file, "--value", "pov", "--budget", "3", "--out", file)
    assert done.returncode == 2
    assert "geolive does not overwrite inputs" in done.stderr


def test_ids_keep_the_zeros_in_front(folder):
    table = folder / "codes.csv"
    table.write_text("area,estimate,mse\n01,0.1,0.01\n02,0.5,0.01\n10,0.9,0.01\n")
    (folder / "codes_truth.csv").write_text("area,estimate\n10,0.8\n02,0.6\n01,0.2\n")
    done = run(
        "target", table, "--budget", "1", "--out", folder / "codes_out.csv", "--truth", folder / "codes_truth.csv"
    )
    assert done.returncode == 0, done.stderr
    assert "chooses the lowest values of estimate: 01." in " ".join(done.stdout.split())
    assert pd.read_csv(folder / "codes_out.csv", dtype=str)["area"].tolist() == ["01", "02", "10"]


def test_the_indicator_of_a_map_is_the_value_although_its_prediction_has_an_interval_too(folder):
    text = "district_id,pov_predicted,pov_predicted_lower,pov_predicted_upper,pov,pov_lower,pov_upper\n"
    (folder / "map.csv").write_text(text + "a,9,8,10,1,0.5,1.5\nb,0,-1,1,2,1.5,2.5\n")
    done = run("target", folder / "map.csv", "--budget", "1", "--lowest", "--out", folder / "target.csv")
    assert done.returncode == 0, done.stderr
    assert "chooses the lowest values of pov: a." in " ".join(done.stdout.split())
