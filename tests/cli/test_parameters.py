"""Messages of the library in the words of the command line, and commands that work when pasted."""

import shlex
import sys

import PIL.Image
import pytest

import geolive
from geolive.cli.apps import app
from geolive.cli.parameters import as_options, running_command
from geolive.command_line import command_line
from geolive.errors import InputError
from geolive.sources.survey_join import join_survey
from tests.commands import ROOT, run

PREDICT = running_command(app, ["predict", "--region", "bihar"])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("indicator='x' is not in d; it has pov", "--indicator x is not in d; it has pov"),
        ("level=7: must be less than 1", "--level 7: must be less than 1"),
        ('x; give min_sites=1 or region="it\'s"', "x; give --min-sites 1 or --region 'it'\"'\"'s'"),
        ("random_state=-1: must be 0 or more", "--seed -1: must be 0 or more"),
        ("x; pass exports=False", "x; pass --no-exports"),
        ("x; give boundaries='FILE'", "x; give --boundaries FILE"),
        ("x; name it (read_survey(group='COLUMN'))", "x; name it (ingest survey --group COLUMN)"),
        ("x; add read_survey(values={'a': 'b', 'c': 'd/e'})", "x; add ingest survey --value a=b --value c=d/e"),
        (
            "x; run add_object_counts(path='F', folder='D', class_column='C')",
            "x; run ingest objects F --dataset D --class-column C",
        ),
        ("read_survey(group='x') is in a file; no", "read_survey(group='x') is in a file; no"),
        ("unknown=3: is unknown", "unknown=3: is unknown"),
        ("a.csv: row 3 says level=7; correct it", "a.csv: row 3 says level=7; correct it"),
        ("--level 7: stays; as --x=level", "--level 7: stays; as --x=level"),
    ],
)
def test_parameters_become_options_of_the_running_command(said, told):
    assert as_options(said, PREDICT) == told


def test_options_of_another_command_stay_parameters():
    info = running_command(app, ["info", "predict"])
    assert info.name == "info"
    assert as_options("level=7: is wrong", info) == "level=7: is wrong"


def test_lists_are_joined_and_names_are_those_of_the_command():
    evaluate = running_command(app, ["evaluate", "data"])
    assert as_options("indicator='x': no", evaluate) == "--indicators x: no"
    assert as_options("indicators=['x', 'y']: no", evaluate) == "--indicators x,y: no"


def test_an_input_error_is_a_value_error_that_names_its_parameter():
    with pytest.raises(ValueError, match="level=7") as caught:
        raise InputError("level=7: must be less than 1", parameter="level")
    assert caught.value.parameter == "level"
    assert InputError("x").parameter is None


def test_commands_name_the_program_that_runs(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/cli.py", "info"])
    assert command_line("info", "a b") == "python cli.py info 'a b'"
    monkeypatch.setattr(sys, "argv", ["/venv/bin/geolive", "info"])
    assert command_line("info", "a b") == "geolive info 'a b'"
    assert "Usage: python cli.py predict" in run("predict", "--help").stdout
    assert (ROOT / "cli.py").is_file()


def test_the_commands_that_datasets_record_work_when_pasted(tmp_path):
    survey_file = tmp_path / "survey.csv"
    survey_file.write_text("x,y,wealth\n85,25,1\n84,25,2\n")
    survey = geolive.read_survey(survey_file, "x", "y", {"pov": "wealth"})
    (tmp_path / "photos").mkdir()
    picture = PIL.Image.new("RGB", (8, 8))
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (25.0, 0.0, 0.0), 3: "E", 4: (85.0, 0.0, 0.0)})
    picture.save(tmp_path / "photos" / "a.jpg", exif=exif)
    photos = geolive.read_photos(tmp_path / "photos")
    joined = join_survey(photos, survey)
    for dataset in (survey, photos, joined, geolive.make_sample("goa", n_sites=2, most_images=3)):
        words = shlex.split(dataset.command)
        words = words[words.index("cli.py") + 1 if "cli.py" in words else 1 :]
        depth = 1 + (words[0] == "ingest")
        command = running_command(app, words[:depth])
        context = command.make_context(command.name, words[depth:])  # fails where an option is missing or unknown
        assert context.params["out"]
