"""`info` as a user meets it."""

import numpy as np
import pandas as pd
from PIL import Image

from geolive.dataset import Dataset
from geolive.dataset_folder import write_dataset
from geolive.sources.survey.reader import read_survey
from tests.commands import run


def test_a_sample_and_its_picture(small_folder, tmp_path):
    done = run("info", small_folder, "--map", tmp_path / "map.png", "--indicator", "bmi")
    assert done.returncode == 0, done.stderr
    said = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert said[0].startswith("SIMULATED: ")
    assert any(line.startswith("ia Bihar 80 80") for line in said)
    assert any(line.startswith("SIMULATED: Images per cluster: min ") for line in said)
    assert any(line.startswith("pov 80 ") and line.endswith(" 0.5") for line in said)
    assert any(line.startswith("objects ") and line.endswith(" × 66 uint16") for line in said)
    assert any(line.startswith("2016 ") for line in said)
    assert said[-2] == f"Written: {tmp_path / 'map.png'}"
    assert np.asarray(Image.open(tmp_path / "map.png")).std() > 10
    again = run("info", small_folder, "--map", tmp_path / "map.png")
    assert again.returncode == 2
    assert "geolive overwrites nothing" in again.stderr.splitlines()[-1]
    assert again.stdout == ""


def test_a_survey_with_rejects(tmp_path):
    path = tmp_path / "survey.csv"
    rows = [f"{85 + i / 10},25.6,{i},[bold]{i % 2}" for i in range(6)]
    path.write_text("\n".join(["x,y,wealth,district", *rows, "200,25.6,1,a", "201,25.6,1,a", ",25.6,1,a"]))
    survey: Dataset = read_survey(path, "x", "y", {"wealth": "wealth"}, group="district", drop_invalid=True)
    years = survey.clusters.assign(state=survey.clusters["district_id"], year=pd.array([2019] * 6, dtype="Int64"))
    from dataclasses import replace

    done = run("info", write_dataset(replace(survey, clusters=years), tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" not in done.stdout
    assert "[bold]1" in done.stdout  # as it is, not as a style
    assert "6 of 6 clusters have none" in done.stdout
    assert "Left out, by reason" in done.stdout
    assert "missing coordinate" in done.stdout
    assert "2019  0" in done.stdout


def test_what_cannot_be_told(tmp_path, small_folder):
    for words, match in [
        ([tmp_path / "none"], "no such dataset folder"),
        ([small_folder, "--map", tmp_path / "map.jpg"], "written as .png"),
        ([small_folder, "--indicator", "bmi"], "add --map"),
    ]:
        done = run("info", *words)
        assert done.returncode == 2
        assert match in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_columns_of_a_file_of_districts(small_folder, tmp_path):
    from geolive.regions import find_region

    boundaries = tmp_path / "bihar.geojson"
    find_region("bihar").districts.rename(columns={"district": "what"})[["what", "geometry"]].to_file(boundaries)
    words = ["info", small_folder, "--map", tmp_path / "map.png", "--boundaries", boundaries]
    done = run(*words, "--name-column", "what")
    assert done.returncode == 0, done.stderr
    wrong = run(*words[:3], tmp_path / "other.png", *words[4:], "--name-column", "nothing")
    assert wrong.returncode == 2
    assert "--name-column nothing is not a column of" in wrong.stderr
