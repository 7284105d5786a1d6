"""The notebook of the documentation, run from an installed package outside the checkout, and what the package shows of itself."""

import ast
import importlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import geolive

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder with the package as its wheel holds it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    names = listed.stdout.split("\n") if listed.returncode == 0 else []
    if not names:
        pytest.skip("building the package needs a git checkout")
    for name in filter(None, names):
        if name.startswith("geolive/") or "/" not in name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode != 0 and re.search("setuptools|connection|No matching distribution", built.stderr):
        pytest.skip("pip cannot get setuptools here, which the wheel is built with")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def python_of(text: str) -> str:
    """The Python code of the first fenced block of a Markdown text."""
    match = re.search(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert match is not None
    return match[1]


def test_the_documented_notebook_runs_from_an_installed_package(installed, tmp_path):
    code = python_of((ROOT / "docs" / "notebook.md").read_text(encoding="utf-8"))
    (tmp_path / "maps").mkdir()
    script = tmp_path / "notebook.py"
    script.write_text(f"import geolive\nassert {str(installed)!r} in geolive.__file__\n{code}", encoding="utf-8")
    env = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "maps" / "pov.geojson").is_file()


def test_dir_shows_the_public_names_and_each_has_an_example():
    assert dir(geolive) == sorted(geolive.__all__)
    for name in set(geolive.__all__) - {"__version__"}:
        doc = getattr(geolive, name).__doc__
        assert doc, name
        assert ">>> " in doc, f"{name} has no example"
        # an example of a user never needs the tests
        assert "tests" not in re.findall(r"from (\w+)", doc), name


def test_editors_see_the_names_that_are_imported_when_used():
    tree = ast.parse((ROOT / "geolive" / "__init__.py").read_text(encoding="utf-8"))
    seen = {(node.names[0].name, node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert seen - {("TYPE_CHECKING", "typing"), ("missing_extra", "geolive.extras")} == set(geolive._PUBLIC.items())


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(AttributeError, match=r"no attribute 'predikt'; it has .*predict"):
        _ = geolive.predikt


def test_the_import_is_light():
    code = "import sys, geolive; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert {"numpy", "pandas", "geopandas", "torch", "sklearn"} & set(loaded.split()) == set()


def test_types_are_declared():
    assert (Path(importlib.import_module("geolive").__file__ or "").parent / "py.typed").is_file()
