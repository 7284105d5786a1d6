"""What every command does with its arguments: options given twice, the help, and the defaults of `predict`."""

import pandas as pd
import pytest

from tests.commands import run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--indicator", "pop", "--indicator", "bmi"),
            "--indicator: is given twice; join its values by commas: --indicator A,B",
        ),
        (("--level", "0.8", "--level=0.9"), "--level: is given twice; give it once"),
    ],
)
def test_an_option_with_one_value_is_not_taken_twice(tmp_path, words, said):
    done = run("predict", "--region", "bihar", "--out", tmp_path / "map.html", *words)
    assert (done.returncode, done.stderr.splitlines()) == (2, [f"error: {said}"])
    assert not list(tmp_path.iterdir())


def test_the_help_of_an_option_has_most_of_the_line():
    lines = run("predict", "--help").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("  --region REGION ") for line in lines)
    assert len(lines) < 160


def test_the_only_indicator_of_a_dataset_is_the_one_that_is_mapped(tmp_path):
    rows = "".join(f"{84 + i * 0.1:.1f},{25 + i % 5 * 0.2:.1f},{i % 7}\n" for i in range(40))
    (tmp_path / "survey.csv").write_text(f"x,y,wealth\n{rows}")
    folder, out = tmp_path / "survey", tmp_path / "map.csv"
    run("ingest", "survey", tmp_path / "survey.csv", "--lon", "x", "--lat", "y", "--value", "wealth", "--out", folder)
    done = run("predict", "--dataset", folder, "--model", "mean", "--boundaries", "hex:100km", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "wealth" in pd.read_csv(out)


def test_hexagons_over_the_sample_of_a_region(tmp_path):
    out = tmp_path / "map.csv"
    done = run("predict", "--region", "bihar", "--model", "mean", "--boundaries", "hex:100km", "--out", out)
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(out)["district"].str.fullmatch(r"H\d+/\d+").all()
    assert f"Predicting {len(pd.read_csv(out))} hexagons" in done.stderr
    nowhere = run("predict", "--boundaries", "hex:100km", "--out", tmp_path / "other.csv")
    assert "add --dataset DIR, or --region bihar" in nowhere.stderr
