"""Every command ends with what to do next, and what it says can be pasted."""

import re
import shlex
from pathlib import Path

import pytest

from geolive.cli.apps import app
from geolive.cli.parameters import running_command
from tests.commands import run

FOLDER = Path(__file__).parent.parent.parent / "geolive" / "cli"
COMMANDS = [
    path for path in sorted(FOLDER.glob("*.py")) if re.search(r"^@\w+\.command\(", path.read_text(), re.MULTILINE)
]
SAYS = re.compile(r"\b(say_next|say_open|say_map_of_survey|show_map|_next)\(")


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_each_command_says_what_to_do_next(path):
    assert SAYS.search(path.read_text()), f"{path.name}: end with say_next or say_open"


def next_line(done):
    assert done.returncode == 0, done.stderr
    line = done.stdout.strip().splitlines()[-1]
    assert line.startswith("Next: "), line
    return line.removeprefix("Next: ")


def words_of(line):
    """The words of a command as the shell reads them, without its comment."""
    words = shlex.split(line, comments=True)
    assert words[:2] == ["python", "cli.py"], line
    return words[2:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("next steps")  # a space, which the shell must not split at


def test_what_is_said_can_be_pasted(folder):
    survey = folder / "points.csv"
    places = "".join(f"{85 + i / 50},{25 + i / 60},{i}\n" for i in range(12))
    survey.write_text("lon,lat,wealth\n" + places)
    started = [
        ("sample", "--region", "goa", "--out", folder / "goa"),
        ("info", folder / "goa"),
        ("train", "clusterwise", folder / "goa", "--out", folder / "forest"),
        ("ingest", "survey", survey, "--lon", "lon", "--lat", "lat", "--value", "wealth", "--out", folder / "survey"),
    ]
    for command in started:
        words = words_of(next_line(run(*command)))
        chosen = running_command(app, words)
        context = chosen.make_context(chosen.name, words[words.index(chosen.name) + 1 :])
        assert context.command.callback is not None


def test_what_is_said_after_a_sample_and_a_survey_runs(folder, tmp_path):
    for source in ("goa", "survey"):
        again = {
            "goa": ("sample", "--region", "goa", "--out", tmp_path / source),
            "survey": (
                "ingest", "survey", folder / "points.csv", "--lon", "lon", "--lat", "lat", "--value", "wealth", "--out",
                tmp_path / source,
            ),
        }[source]  # fmt: skip
        words = words_of(next_line(run(*again)))
        out = words.index("--out") + 1
        words[out] = str(tmp_path / words[out])
        assert "Next: open" in run(*words).stdout, words
