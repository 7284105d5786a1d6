"""The command line as a user meets it: files made, one line for each error, exit codes."""

import json
import signal
import subprocess
import sys
import time

import geopandas as gpd
import pandas as pd
import pytest
import rasterio

from tests.commands import ROOT, run

LSMS = ROOT.parent / "shared" / "data" / "lsms_clusters.csv"
SURVEY = "x,y,wealth,age,place\n" + "\n".join(
    f"{84 + i * 0.1:.1f},{25 + i % 5 * 0.2:.1f},{i % 7},3,p{i}" for i in range(40)
)


def said(done):
    return " ".join(done.stdout.split())


def refused(*words, match):
    """The command ends with one line that says `match`, exit code 2 and no traceback."""
    done = run(*words)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1
    assert done.stderr.splitlines()[-1] == lines[0]
    assert "Traceback" not in done.stderr
    assert match in lines[0]


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    path = tmp_path_factory.mktemp("survey") / "survey.csv"
    path.write_text(SURVEY)
    return path


def test_the_main_job_writes_page_districts_and_surface(main_job):
    folder, done = main_job
    assert done.returncode == 0, done.stderr
    stems = ["pov.geojson", "pov.html", "pov.qmd", "pov.qml", "pov_surface.qmd", "pov_surface.qml", "pov_surface.tif"]
    assert sorted(p.name for p in folder.iterdir()) == stems
    assert "SIMULATED" in said(done)
    assert "First five of" in said(done)
    assert "(tied)" in said(done)
    assert "districts, with fewer than 3 sites or 50 images, and fewer than 3 surveyed places (" in said(done)
    assert "✓ Writing the map" in done.stderr
    districts = gpd.read_file(folder / "pov.geojson")
    assert len(districts) == 38
    assert districts["simulated"].all()
    assert districts.loc[~districts["supported"], "pov"].isna().all()
    with rasterio.open(folder / "pov_surface.tif") as surface:
        assert surface.tags()["SIMULATED"] == "yes"
        assert surface.descriptions == ("value", "lower", "upper")


def test_the_main_job_again_gives_the_same_bytes(main_job, tmp_path):
    folder, _ = main_job
    again = run("predict", "--region", "bihar", "--out", tmp_path / "pov.html")
    assert again.returncode == 0, again.stderr
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


def test_names_of_outputs_choose_what_is_written(main_job, tmp_path):
    done = run(
        "predict", "--region", "bihar", "--out", tmp_path / "a.geojson", "--out", tmp_path / "b.html", "--no-exports"
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.geojson", "a.qmd", "a.qml", "b.html"]


def test_a_baseline_a_box_and_other_boundaries(main_job, tmp_path):
    folder, _ = main_job
    done = run("predict", "--region", "84.5,25,85.5,25.8", "--model", "kriging", "--indicator", "bmi",
               "--boundaries", folder / "pov.geojson", "--out", tmp_path / "bmi.geojson", "--min-sites", "1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    drawn = gpd.read_file(tmp_path / "bmi.geojson")
    assert "Patna" in set(drawn["district"])
    assert len(drawn) < 20
    assert drawn["bmi"].notna().any()


def test_boundaries_alone_are_mapped_whole(main_job, small_folder, tmp_path):
    folder, _ = main_job
    done = run("predict", "--boundaries", folder / "pov.geojson", "--dataset", small_folder, "--model", "idw",
               "--out", tmp_path / "all.html", "--out", tmp_path / "all.gpkg")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(gpd.read_file(tmp_path / "all.gpkg", layer="districts")) == 38
    without = run(
        "predict", "--boundaries", folder / "pov.geojson", "--out", tmp_path / "sample.csv", "--model", "mean"
    )
    assert without.returncode == 0, without.stderr
    assert "SIMULATED" in without.stderr


def test_the_recorded_command_works_when_pasted(small_folder, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    done = run("predict", "--region", "bihar", "--dataset", small_folder, "--model", "idw", "--min-sites", "1", "--no-exports",
               "--indicator", "bmi", "--out", first / "bmi.html", "--out", first / "bmi.geojson")  # fmt: skip
    assert done.returncode == 0, done.stderr
    recorded = json.loads((first / "bmi.geojson").read_text())["description"].split(": ")[-1]
    assert recorded.startswith("python cli.py predict --out bmi.html --out bmi.geojson --region bihar --indicator bmi")
    second.mkdir()
    pasted = recorded.replace("python cli.py", f"{sys.executable} {ROOT / 'cli.py'}", 1)
    again = subprocess.run(pasted, shell=True, cwd=second, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert {p.name: p.read_bytes() for p in first.iterdir()} == {p.name: p.read_bytes() for p in second.iterdir()}


def test_train_and_predict_with_a_bundle(small_folder, tmp_path):
    bundle = tmp_path / "bundle"
    done = run("train", "clusterwise", small_folder, "--indicator", "bmi", "--trees", "20", "--out", bundle)
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in said(done)
    assert "R²" in said(done)
    done = run("predict", "--region", "bihar", "--dataset", small_folder, "--model", bundle, "--indicator", "bmi",
               "--out", tmp_path / "bmi.geojson")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert gpd.read_file(tmp_path / "bmi.geojson")["bmi"].notna().any()
    refused("predict", "--region", "bihar", "--dataset", small_folder, "--model", bundle, "--indicator", "pov",
            "--out", tmp_path / "p.html", match="was trained on 'bmi', not on 'pov'; give --indicator bmi")  # fmt: skip
    # a bundle knows its indicator
    again = run(
        "predict", "--region", "bihar", "--dataset", small_folder, "--model", bundle, "--out", tmp_path / "b.csv"
    )
    assert again.returncode == 0, again.stderr
    assert pd.read_csv(tmp_path / "b.csv")["bmi"].notna().any()
    refused("train", "clusterwise", small_folder, "--out", bundle, match="exists already")


def test_sample_then_evaluate(tmp_path):
    folder, report = tmp_path / "goa", tmp_path / "report"
    assert run("sample", "--region", "goa", "--out", folder, "--seed", "4").returncode == 0
    done = run("evaluate", folder, "--indicators", "pov", "--split", "random", "--split", "rows", "--out", report)
    assert done.returncode == 0, done.stderr
    assert "SIMULATED: pov" in said(done)
    assert "flatter" in done.stderr
    results = pd.read_csv(report / "results.csv")
    assert set(results["split"]) == {"random", "rows"}
    assert set(results["model"]) == {"random", "mean", "neighbours", "idw", "kriging"}
    assert (results.loc[(results["model"] == "mean") & (results["metric"] == "r2"), "value"] == 0).all()
    assert len(pd.read_parquet(report / "predictions.parquet")) > 0


def test_survey_to_evaluation(survey, tmp_path):
    folder = tmp_path / "data"
    done = run("ingest", "survey", survey, "--lon", "x", "--lat", "y", "--value", "wealth", "--value", "years=age", "--id",
               "place", "--out", folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "40 survey rows with wealth, years" in said(done)
    done = run("evaluate", folder, "--indicators", "wealth", "--split", "blocks:50km", "--out", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    done = run("predict", "--region", "bihar", "--dataset", folder, "--model", "idw", "--indicator", "wealth",
               "--out", tmp_path / "wealth.geojson")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not gpd.read_file(tmp_path / "wealth.geojson")["simulated"].any()


@pytest.mark.skipif(not LSMS.is_file(), reason="the real survey table is not here (../shared/data/lsms_clusters.csv)")
def test_the_real_panel_survey(tmp_path):
    data, report = tmp_path / "lsms", tmp_path / "report"
    ingested = run("ingest", "survey", LSMS, "--lon", "lon", "--lat", "lat", "--value", "asset_index", "--out", data)
    assert ingested.returncode == 0, ingested.stderr
    splits = [word for name in ("rows", "random", "blocks:100km") for word in ("--split", name)]
    done = run("evaluate", data, "--models", "neighbours", *splits, "--out", report)
    assert done.returncode == 0, done.stderr
    results = pd.read_csv(report / "results.csv").query("metric == 'r2'").set_index("split")["value"]
    assert results["rows"] == pytest.approx(0.60, abs=0.02)
    assert results["random"] == pytest.approx(0.56, abs=0.02)
    assert results["blocks:100km"] == pytest.approx(0.50, abs=0.02)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--region", "biharr"], "nearest: Bihar"),
        (["--region", "kerala"], "python cli.py sample --region Kerala --out data/kerala"),
        (["--region", "85,26,84,25"], "bounding box"),
        (["--region", "bihar", "--model", "no/bundle"], "no such bundle"),
        (["--region", "bihar", "--dataset", "no/data"], "no such dataset folder"),
        (["--region", "bihar", "--boundaries", "no.geojson"], "no such file"),
        (["--region", "bihar", "--level", "7"], "--level"),
        (["--boundaries", "cli.py"], "cli.py: a .py file is not accepted; save it as .gpkg"),
        (["--region", "goa", "--dataset", "no/data"], "no such dataset folder"),
        (["--region", "bihar", "--indicator", "height"], "it has: pov, pop, bmi"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_predict_refuses_in_one_line(tmp_path, words, match):
    refused("predict", *words, "--out", tmp_path / "x.html", match=match)
    assert list(tmp_path.iterdir()) == []


def test_predict_overwrites_nothing_of_the_users(tmp_path):
    mine = tmp_path / "pov.geojson"
    mine.write_text('{"type": "FeatureCollection", "features": []}')
    refused("predict", "--region", "bihar", "--out", tmp_path / "pov.html", match="pov.geojson")
    assert [p.name for p in tmp_path.iterdir()] == ["pov.geojson"]
    assert mine.read_text().startswith('{"type"')
    refused(
        "predict",
        "--region",
        "bihar",
        "--out",
        tmp_path / "pov.doc",
        match="cannot write .doc files",
    )


@pytest.mark.parametrize(
    ("change", "words", "match"),
    [
        (lambda t: t, ["--lon", "longitude"], "no column 'longitude'"),
        (lambda t: t, ["--value", "place"], "column 'place'"),
        (lambda t: t.replace("84.3,", ",", 1), [], "line 5"),
        (lambda t: t.replace("84.3,", "nan,", 1), [], "line 5"),
        (lambda t: t.replace("84.3,", "284.3,", 1), [], "line 5"),
        (lambda t: t.replace("p7", "p8", 1), ["--id", "place"], "p8"),
        (lambda t: t.splitlines()[0] + "\n", [], "no row"),
        (lambda t: "", [], "empty"),
        (lambda t: t, ["--lon", "y", "--lat", "x"], ""),
    ],
)
def test_surveys_are_refused_in_one_line(tmp_path, change, words, match):
    path = tmp_path / "bad.csv"
    path.write_text(change(SURVEY))
    given = {"--lon": "x", "--lat": "y", "--value": "wealth"} | dict(zip(words[::2], words[1::2], strict=True))
    if words[:1] == ["--lon"] and len(words) == 4:
        path.write_text(change(SURVEY).replace("84.", "98."))  # no town is at 98° north
    flat = [word for pair in given.items() for word in pair]
    refused("ingest", "survey", path, *flat, "--out", tmp_path / "new", match=match)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.csv"]


def test_missing_and_unreadable_files(tmp_path, survey):
    given = ["--lon", "x", "--lat", "y", "--value", "wealth"]
    refused("ingest", "survey", tmp_path / "none.csv", *given, "--out", tmp_path / "new", match="none.csv")
    (tmp_path / "photo.csv").write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)))
    refused("ingest", "survey", tmp_path / "photo.csv", *given, "--out", tmp_path / "new", match="photo.csv")
    (tmp_path / "file").touch()
    refused("ingest", "survey", survey, *given, "--out", tmp_path / "file" / "new", match="choose another folder")
    refused("evaluate", tmp_path / "none", "--out", tmp_path / "report", match="no such dataset folder")
    assert not (tmp_path / "new").exists()


def test_unknown_models_splits_and_tasks(small_folder, tmp_path):
    refused(
        "evaluate", small_folder, "--models", "neighbors", "--out", tmp_path / "r", match="did you mean 'neighbours'"
    )
    refused("evaluate", small_folder, "--split", "blocks:big", "--out", tmp_path / "r", match="blocks:100km")
    refused(
        "train",
        "clusterwise",
        small_folder,
        "--task",
        "guess",
        "--out",
        tmp_path / "b",
        match="regression or classification",
    )
    refused("train", "gcn", small_folder, "--edges", "nearest", "--out", tmp_path / "b", match="nearest")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_model_is_reported_and_the_others_go_on(survey, tmp_path):
    data = tmp_path / "data"
    run("ingest", "survey", survey, "--lon", "x", "--lat", "y", "--value", "wealth", "--out", data)
    done = run("evaluate", data, "--models", "mean,forest", "--split", "random", "--out", tmp_path / "report")
    assert done.returncode == 2
    assert "forest (wealth, random) needs object counts" in done.stderr.splitlines()[-1]
    results = pd.read_csv(tmp_path / "report" / "results.csv")
    assert results.loc[results["model"] == "mean", "value"].notna().any()


def test_an_error_of_our_own_is_one_line_and_1(tmp_path):
    code = "import geolive.regions, geolive.cli, sys; geolive.regions.find_region = None; sys.argv[1:] = " + json.dumps(
        ["predict", "--region", "bihar", "--out", str(tmp_path / "x.html")]
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; geolive.cli.main()"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 1
    assert "geolive failed: TypeError" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_interrupted_command_leaves_nothing_and_130(tmp_path):
    command = [sys.executable, str(ROOT / "cli.py"), "sample", "--region", "bihar", "--out", str(tmp_path / "new")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    # while it writes: after a fixed time a fast machine would be done, and a slow one not have begun
    while not any(tmp_path.iterdir()) and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert (
        errors.splitlines()[-1]
        == "error: stopped; nothing was left half-written: run the same command again to start over"
    )
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_help_of_every_command():
    done = run("--help")
    assert done.returncode == 0
    for command in ("sample", "ingest", "train", "evaluate", "predict"):
        assert command in done.stdout
        assert run(command, "--help").returncode == 0
