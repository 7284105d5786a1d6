"""The optional parts: the errors that name them, and the main job without any of them."""

import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest

from geolive.extras import EXTRAS, MissingExtraError, missing_extra, require_extra

ROOT = Path(__file__).parent.parent
# refuses every package that only an extra brings, as if it were not installed
BLOCKED = """
import importlib.abc, importlib.util, sys
from geolive.extras import EXTRAS
packages = {name for _, modules in EXTRAS.values() for name in modules}
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
whole = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name.split(".")[0] in packages else whole(name, package)
"""


def run_without_extras(code: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process that has none of the optional packages."""
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, "-c", f"{BLOCKED}\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, timeout=300)


def command_line(*words: str) -> str:
    return f"import sys; sys.argv = ['geolive', *{list(words)!r}]\nfrom geolive.cli import main\nmain()"


def test_every_extra_stands_in_setup_cfg_with_its_packages():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    listed = parser["options.extras_require"]
    for extra, (_, packages) in EXTRAS.items():
        for package in packages.values():
            assert package in listed[extra], f"{extra} lacks {package}"


def test_an_absent_package_is_an_error_that_names_the_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"run: pip install rasterio exactextract$"):
        require_extra("raster")
    assert isinstance(missing_extra("rasterio.features"), ImportError)


def test_the_main_job_runs_without_any_extra(tmp_path):
    code = command_line("predict", "--region", "bihar", "--out", "pov.html")
    done = run_without_extras(code, tmp_path)
    assert done.returncode == 0, done.stderr
    written = {path.name for path in tmp_path.iterdir()}
    assert {"pov.html", "pov.geojson"} <= written
    assert "pov_surface.tif" not in written
    assert "pip install rasterio" in done.stdout + done.stderr


def test_tiles_are_written_alone_without_the_extra_of_their_page(tmp_path):
    done = run_without_extras(command_line("predict", "--region", "bihar", "--out", "pov.pmtiles"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["pov.pmtiles"]
    assert "run: pip install maplibre" in " ".join((done.stdout + done.stderr).split())


def test_a_survey_is_evaluated_and_mapped_without_any_extra(tmp_path):
    rows = [f"{85 + i % 8 / 10},{25 + i // 8 / 10},{(i * 7) % 11}" for i in range(64)]
    (tmp_path / "survey.csv").write_text("lon,lat,wealth\n" + "\n".join(rows) + "\n")
    for words in (
        ("ingest", "survey", "survey.csv", "--lon", "lon", "--lat", "lat", "--value", "wealth", "--out", "survey"),
        (
            *("evaluate", "survey", "--models", "neighbours,kriging", "--split", "random", "--folds", "3"),
            *("--repeats", "1", "--out", "report"),
        ),
        (
            *("predict", "--region", "bihar", "--dataset", "survey", "--indicator", "wealth"),
            *("--model", "kriging", "--min-sites", "1", "--out", "wealth.geojson"),
        ),
    ):
        done = run_without_extras(command_line(*words), tmp_path)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a dataset, which is made without extras, too."""
    made = tmp_path_factory.mktemp("extras")
    assert run_without_extras(command_line("sample", "--region", "goa", "--out", "data"), made).returncode == 0
    return made


@pytest.mark.parametrize(
    ("words", "package"),
    [
        (("train", "gcn", "data", "--indicator", "pov", "--out", "gcn"), "torch"),
        pytest.param(("predict", "--region", "bihar", "--out", "pov.tif"), "rasterio", marks=pytest.mark.slow),
    ],
)
def test_what_needs_an_extra_says_so_in_one_line(folder, words, package):
    check_that_it_needs(package, words, folder)


@pytest.mark.slow
def test_an_explanation_needs_an_extra_and_the_training_before_it_none(folder):
    words = ("train", "clusterwise", "data", "--indicator", "pov", "--out", "forest")
    assert run_without_extras(command_line(*words), folder).returncode == 0
    check_that_it_needs("matplotlib", ("explain", "forest", "data", "--out", "why"), folder)


def check_that_it_needs(package, words, folder):
    done = run_without_extras(command_line(*words), folder)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert package in line
    assert "pip install" in line
