"""The page of all commands: each reads only what an earlier one has made (test_documentation.py parses them)."""

import re
import shlex
from pathlib import Path

import click

from geolive.cli.apps import app
from geolive.cli.parameters import running_command

PAGE = (Path(__file__).parent.parent / "docs" / "commands.md").read_text(encoding="utf-8")
# capitals stand for a file of the user's; the file of the last step of a list of areas is the user's, too
COMMANDS = [
    shlex.split(line.partition("#")[0].partition("python cli.py")[2].partition("&&")[0])
    for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    for line in block.splitlines()
    if "python cli.py" in line
]


def parsed(words: list[str]) -> click.Context:
    """Parse a command without running it."""
    command = running_command(app, words)
    depth = words.index(command.name) + 1
    return command.make_context(command.name, words[depth:])


def test_a_command_of_the_page_reads_what_an_earlier_one_made():
    made: set[str] = set()
    for words in COMMANDS:
        out = parsed(words).params.get("out")
        for word in words:
            if word.startswith("data/") and word not in map(str, out if isinstance(out, list | tuple) else [out]):
                assert word in made, f"{' '.join(words)}: no earlier command makes {word}"
        made |= set(map(str, out if isinstance(out, list | tuple) else [out]))
