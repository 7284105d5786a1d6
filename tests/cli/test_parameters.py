"""Messages of the library in the words of the command line, and commands that work when pasted."""

import sys

import pytest

from geolive.cli.apps import app
from geolive.cli.parameters import as_options, running_command
from geolive.command_line import command_line
from geolive.errors import InputError
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
