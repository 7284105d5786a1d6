"""The commands of tests run as copies of one server; a process for each would take minutes of the suite."""

import os
from pathlib import Path

import geolive
from tests import commands


def test_a_command_is_a_copy_of_the_server():
    assert commands.is_as_at_start(os.environ), "a library changed what Python reads at its start"
    done = commands.run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"geolive {geolive.__version__}\n", "")
    assert (Path(os.environ[commands.FOLDER]) / "socket").exists()


def test_another_locale_has_a_process_of_its_own():
    assert not commands.is_as_at_start(os.environ | {"LC_ALL": "C"})
    assert commands.run("--version", LC_ALL="C").stdout == f"geolive {geolive.__version__}\n"
