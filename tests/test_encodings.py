"""Every file is UTF-8, whatever the locale is, and a terminal that knows fewer letters gets escapes."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# a locale of ASCII in which Python does not switch to UTF-8 by itself, and pipes of one byte a letter
OLD_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LOCALES = [OLD_LOCALE, OLD_LOCALE | {"PYTHONIOENCODING": "cp1252"}, OLD_LOCALE | {"PYTHONIOENCODING": "latin-1"}]


def text_files_without_encoding(path):
    """The lines of a module that open a text without naming its encoding."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or any(word.arg in ("encoding", None) for word in node.keywords):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        opens = name == "open" and all(
            isinstance(one, ast.Constant) and isinstance(one.value, str) and "b" not in one.value for one in node.args
        )
        of_path = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call | ast.BinOp | ast.Name)
        if name in ("read_text", "write_text") or (opens and (name == "open" and (of_path or not node.args))):
            yield node.lineno


# objects whose open() takes no encoding
NOT_FILES = {
    "geolive/sources/imagery/client.py", "geolive/sources/download.py", "geolive/vision/weights.py",
    "geolive/mapping/geotiff.py", "geolive/mapping/qgis_project.py",
}  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "geolive").rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_text_file_names_its_encoding(path):
    if path.relative_to(ROOT).as_posix() in NOT_FILES:
        pytest.skip("opens no text file")
    assert list(text_files_without_encoding(path)) == []


@pytest.mark.parametrize(
    "locale",
    [LOCALES[0], *(pytest.param(each, marks=pytest.mark.slow) for each in LOCALES[1:])],
    ids=["ascii", "cp1252", "latin-1"],
)
def test_files_written_in_another_locale_are_read_everywhere(tmp_path, locale):
    source = tmp_path / "Đắk Lắk.csv"
    source.write_text("lon,lat,w,id\n108.1,12.7,1,Buôn Ma Thuột\n108.2,12.8,2,云南\n", encoding="utf-8")
    columns = ["--lon", "lon", "--lat", "lat", "--value", "pov=w", "--id", "id"]
    out = tmp_path / "data"

    def run(environment, *words):
        command = [sys.executable, str(ROOT / "cli.py"), *map(str, words)]
        return subprocess.run(command, capture_output=True, env=os.environ | environment, cwd=ROOT)

    done = run(locale, "ingest", "survey", source, *columns, "--out", out)
    assert done.returncode == 0, done.stderr
    facts = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
    assert facts["source"] == "Đắk Lắk.csv"
    for environment in (locale, {"PYTHONUTF8": "1"}):
        told = run(environment, "info", out)
        assert told.returncode == 0, told.stderr
        shown = "Đắk Lắk.csv" if environment == {"PYTHONUTF8": "1"} else r"\u1eafk L\u1eafk.csv"
        assert shown.encode() in told.stdout
