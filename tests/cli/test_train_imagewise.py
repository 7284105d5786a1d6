"""`train imagewise` as a user runs it."""

import json
import sys

import pandas as pd
import pytest

pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")

from geolive.errors import InputError
from geolive.models.imagewise.training import train_imagewise
from geolive.simulation.sample import make_sample
from tests.commands import run
from tests.models.imagewise.helpers import TINY, write_coloured_survey


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "survey"
    write_coloured_survey(folder)
    return folder


@pytest.mark.slow
def test_a_bundle_logs_and_a_map(survey, tmp_path):
    words = [
        "--arch",
        TINY,
        "--no-pretrained",
        "--size",
        "32",
        "--epochs",
        "2",
        "--batch-size",
        "16",
        "--device",
        "cpu",
    ]
    done = run("train", "imagewise", survey, *words, "--split", "random", "--out", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    assert "SIMULATED: imagewise-test_resnet; the test part, per cluster: R²" in done.stdout
    assert "per image: R²" in done.stdout
    card = json.loads((tmp_path / "bundle" / "card.json").read_text())
    assert card["kind"] == "imagewise"
    assert card["params"]["epochs"] == 2
    assert card["params"]["weights"] == {"source": "none", "seed": 0}
    epochs = pd.read_csv(tmp_path / "bundle.logs" / "model" / "metrics.csv")
    assert epochs["val_loss"].count() == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "bundle.logs"]  # no work is left behind
    drawn = run(
        "predict", "--dataset", survey, "--region", "bihar", "--model", tmp_path / "bundle", "--device", "cpu",
        "--min-images", "1", "--min-sites", "1", "--out", tmp_path / "map.geojson",
    )  # fmt: skip
    assert drawn.returncode == 0, drawn.stderr
    districts = json.loads((tmp_path / "map.geojson").read_text())["features"]
    assert sum(feature["properties"]["pov"] is not None for feature in districts) > 10


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--task", "ranking"], "--task ranking: must be 'regression' or 'classification'"),
        (["--from-authors", "a.pth", "--no-pretrained"], "--no-pretrained: --from-authors names weights already"),
        (["--indicator", "height"], "height is not in the dataset"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(survey, tmp_path, words, says):
    done = run("train", "imagewise", survey, *words, "--out", tmp_path / "bundle")
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_without_lightning_the_install_line_is_named(monkeypatch):
    dataset = make_sample("goa", seed=0)
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(
        InputError, match=r"need lightning, which is not installed; run: pip install lightning tensorboard$"
    ):
        train_imagewise(dataset, "pov")
