"""The command line without a process of its own."""

import sys

import pytest

from geolive import cli


@pytest.fixture
def run(monkeypatch, capfd):
    """The command line in this process, which has torch already: exit code, standard output, standard error."""

    def run_here(*words):
        monkeypatch.setattr(sys, "argv", ["geolive", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capfd.readouterr()

    return run_here
