"""Models, splitters, indicators and sources of other packages: the example of the documentation, and packages that are broken."""

import json
import shutil
import sys
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import geolive as gl
from geolive.cli import main
from geolive.errors import PluginWarning
from geolive.indicators import indicator
from geolive.models.registry import MODEL_KINDS, find_kind, make_model
from geolive.sources.added import read_added
from geolive.splits import parse_split
from tests.commands import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "geolive_example"


def install(package, project, site, code=None):
    """Put a package into a folder as pip does: its code, and a dist-info folder with the entry points of its pyproject.toml."""
    about = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    (site / about).mkdir(parents=True)
    (site / about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (site / about / "entry_points.txt").write_text("\n".join(groups))
    if code is None:
        shutil.copytree(package, site / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        (site / f"{package}.py").write_text(code)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(EXAMPLE / "geolive_example", project, folder)
    return folder


@pytest.fixture
def example(site, monkeypatch):
    monkeypatch.syspath_prepend(site)
    yield site
    for name in [name for name in sys.modules if name.split(".")[0] == "geolive_example"]:
        del sys.modules[name]


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Install a package `other` with one entry point, and return a function that names it."""

    def make(group, name, code, value="other:thing", package="other"):
        project = {"name": package, "version": "2.0", "entry-points": {group: {name: value}}}
        install("other", project, tmp_path / package, code)
        monkeypatch.syspath_prepend(tmp_path / package)

    yield make
    sys.modules.pop("other", None)


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A dataset whose values rise to the east."""
    folder = tmp_path_factory.mktemp("survey")
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(84, 88, 60), rng.uniform(25, 27, 60)
    pd.DataFrame({"lon": lon, "lat": lat, "wealth": lon - 86 + rng.normal(0, 0.1, 60)}).to_csv(folder / "survey.csv")
    gl.write_dataset(gl.read_survey(folder / "survey.csv", "lon", "lat", {"wealth": "wealth"}), folder / "data")
    return folder / "data"


@pytest.fixture
def geolive(monkeypatch, capsys):
    """Run a command in this process, and return its exit code, its results and its other lines."""

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["geolive", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code, printed.out, printed.err

    return command


def test_the_list_of_plugins_names_kind_package_and_state(example, geolive):
    code, out, _ = geolive("plugins")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["model", "example-trend", "geolive-example", "0.1.0", "ready"] in rows
    assert ["splitter", "example-strips", "geolive-example", "0.1.0", "ready"] in rows
    assert ["indicator", "safe_water", "geolive-example", "0.1.0", "ready"] in rows
    assert ["source", "example-round", "geolive-example", "0.1.0", "ready"] in rows


def test_a_model_is_trained_kept_and_mapped_by_commands(example, survey, geolive, tmp_path):
    bundle, page = tmp_path / "trend", tmp_path / "map.geojson"
    options = ("--indicator", "wealth", "--estimator", "example-trend", "--out", bundle)
    code, _, err = geolive("train", "clusterwise", survey, *options)
    assert code == 0, err
    card = json.loads((bundle / "card.json").read_text())
    assert card["kind"] == "example-trend"
    assert card["versions"] == {"geolive-example": "0.1.0"}
    assert card["metrics"]["r2"][0] > 0.95
    options = ("--indicator", "wealth", "--model", bundle, "--boundaries", "hex:100km", "--no-exports", "--out", page)
    code, _, err = geolive("predict", "--dataset", survey, *options)
    assert code == 0, err
    assert "plane in longitude and latitude" in (tmp_path / "map.geojson").read_text()


def test_a_bundle_says_which_package_it_needs(site, survey, tmp_path, monkeypatch):
    with monkeypatch.context() as there:
        there.syspath_prepend(site)
        gl.save_model(gl.train(gl.read_dataset(survey), make_model("example-trend"), "wealth"), tmp_path / "trend")
        assert gl.load_model(tmp_path / "trend").model.coefficients_.shape == (3,)
    with pytest.raises(
        gl.InputError, match=r"'example-trend' is none of geolive's \(geolive-example 0\.1\.0\); install"
    ):
        gl.load_model(tmp_path / "trend")


def test_model_and_splitter_are_evaluated_by_name(example, survey, geolive, tmp_path):
    options = (
        "--models",
        "mean,example-trend",
        "--split",
        "example-strips",
        "--folds",
        "4",
        "--out",
        tmp_path / "report",
    )
    code, _, err = geolive("evaluate", survey, *options)
    assert code == 0, err
    results = pd.read_csv(tmp_path / "report" / "results.csv")
    r2 = results[results["metric"] == "r2"].set_index("model")["value"]
    assert set(results["split"]) == {"example-strips"}
    assert r2["example-trend"] > 0.9
    assert r2["mean"] < 0.1


def test_a_splitter_keeps_its_strips_together(example):
    clusters = gl.make_sample("goa", seed=0).clusters
    lon = np.floor(clusters.geometry.x / 0.25)
    splitter = parse_split("example-strips", n_splits=2).__class__(degrees=0.25, n_splits=2)
    for train, test in splitter.split(clusters):
        assert not set(lon.iloc[train]) & set(lon.iloc[test])


def test_an_indicator_brings_its_words(example):
    assert indicator("safe_water").legend_title == "Households with safe water (higher is better)"
    assert indicator("safe_water").unit == "share of households"


def test_a_reader_makes_a_dataset(example, geolive, tmp_path):
    places = [{"name": f"p{i}", "lon": 85 + i / 10, "lat": 25.0, "safe_water": i / 10, "age": i} for i in range(5)]
    (tmp_path / "round.json").write_text(json.dumps({"places": places}))
    code, out, err = geolive("ingest", "plugin", "example-round", tmp_path / "round.json", "--out", tmp_path / "data")
    assert (code, "5 clusters" in out) == (0, True), err
    dataset = gl.read_dataset(tmp_path / "data")
    assert dataset.clusters["safe_water"].tolist() == [0, 0.1, 0.2, 0.3, 0.4]
    assert dataset.source == "monitoring system, round.json"
    assert read_added("example-round", tmp_path / "round.json", {"value": "age"}).indicators == ["age"]
    with pytest.raises(gl.InputError, match="has no option 'colour'; it has: value"):
        read_added("example-round", tmp_path / "round.json", {"colour": "red"})


def test_a_source_of_images_is_fetched(example, geolive, tmp_path):
    options = (
        "--source",
        "example-register",
        "--bbox",
        "85.09,25.59,85.12,25.62",
        "--no-images",
        "--out",
        tmp_path / "data",
    )
    code, out, err = geolive("fetch", "images", *options)
    assert (code, "2 images" in out) == (0, True), err
    dataset = gl.read_dataset(tmp_path / "data")
    assert dataset.images["key"].tolist() == ["camera-1", "camera-2"]
    assert dataset.extra["licence"] == "CC BY 4.0"


def test_a_model_that_cannot_be_imported_is_named_and_others_work(broken, geolive, survey, tmp_path):
    broken("geolive.models", "other-model", "import no_such_library")
    code, _, err = geolive("train", "clusterwise", survey, "--estimator", "other-model", "--out", tmp_path / "bundle")
    line = err.splitlines()[-1]
    assert code == 2
    assert "model 'other-model' of the package other 2.0: it cannot be loaded (ModuleNotFoundError" in line
    assert "pip uninstall other" in line
    assert make_model("mean").kind == "mean"
    code, out, err = geolive("plugins")
    assert code == 0
    assert "cannot be used" in out
    assert "no_such_library" in err


@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("thing = 3", "it is not a class that derives from geolive.Model"),
        ("class thing: kind = 'other-model'", "it is not a class that derives"),
        ("import geolive\nclass thing(geolive.Model): kind = 'x'", "kind = 'x', which must be the name"),
        ("raise SystemExit(0)", r"it cannot be loaded \(SystemExit"),
        ("other = 1", "it cannot be loaded .AttributeError"),
    ],
)
def test_what_is_no_model_is_refused(broken, code, match):
    broken("geolive.models", "other-model", code)
    with pytest.raises(gl.InputError, match=match):
        make_model("other-model")


@pytest.mark.parametrize("name", ["forest", "forest-9", "gcn-new", "all", "a,b", "Upper"])
def test_names_of_models_cannot_hide_geolives_own(broken, name):
    broken("geolive.models", name, "raise RuntimeError('was imported')")
    if name in MODEL_KINDS:
        assert find_kind(name).load_class().__module__.startswith("geolive.")
    else:
        with pytest.raises(gl.InputError, match="its authors must choose another name"):
            find_kind(name)
    assert "other" not in sys.modules


def test_splits_indicators_and_sources_keep_their_names(broken):
    broken("geolive.splitters", "random", "raise RuntimeError", package="one")
    broken("geolive.indicators", "pov", "raise RuntimeError", package="two")
    broken("geolive.sources", "survey", "raise RuntimeError", package="three")
    assert type(parse_split("random")).__module__ == "geolive.splits.spatial"
    assert indicator("pov").unit
    with pytest.raises(gl.InputError, match="geolive's own"):
        read_added("survey", Path(__file__))
    assert "other" not in sys.modules


def test_two_packages_cannot_add_one_name(broken):
    broken("geolive.models", "other-model", "thing = 3", package="one")
    broken("geolive.models", "other-model", "thing = 3", package="two")
    with pytest.raises(gl.InputError, match=r"the packages one 2\.0 and two 2\.0 both add it; uninstall one"):
        make_model("other-model")


def test_a_broken_indicator_is_left_out_with_a_warning(broken):
    broken("geolive.indicators", "water", "thing = 'water'")
    with pytest.warns(
        PluginWarning, match="indicator 'water' of the package other 2.0: it is no geolive.indicators.Indicator"
    ):
        assert indicator("water").title == "water"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert indicator("pov").title


def test_an_error_inside_a_package_names_the_package(broken, geolive, tmp_path):
    broken("geolive.sources", "other-reader", "def thing(path): return 1 / 0")
    (tmp_path / "file").write_text("x")
    code, _, err = geolive("ingest", "plugin", "other-reader", tmp_path / "file", "--out", tmp_path / "data")
    assert code == 1
    assert "the package other 2.0, which adds to geolive, failed: ZeroDivisionError" in err
    assert not (tmp_path / "data").exists()


def test_a_reader_must_return_a_dataset(broken, tmp_path):
    broken("geolive.sources", "other-reader", "def thing(path): return 'a dataset'")
    (tmp_path / "file").write_text("x")
    with pytest.raises(gl.InputError, match="of the package other returned a str, not a Dataset"):
        read_added("other-reader", tmp_path / "file")
