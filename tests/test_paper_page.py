"""The page docs/paper.md: options, rows and kinds of edges that it names exist; test_documentation.py parses its commands."""

import re
from pathlib import Path

import click

from geolive.cli.apps import app
from geolive.cli.parameters import running_command
from geolive.evaluation.model_specs import find_specs
from geolive.graphs.edges import parse_edges

PAGE = (Path(__file__).parent.parent / "docs" / "paper.md").read_text(encoding="utf-8")
# what the page says of their code stands in the first column of its tables
OURS = "\n".join(
    line.split("|")[2] if line.startswith("|") else line
    for line in re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL).splitlines()
)
SPANS = re.findall(r"`([^`]+)`", OURS)


def options_of(command: click.Command) -> set[str]:
    """All options of a command, or of the commands below it."""
    below = getattr(command, "commands", {}).values()
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*(options_of(one) for one in below))


def test_every_option_that_the_page_names_exists():
    named = {option for span in SPANS for option in re.findall(r"--[a-z][\w-]*", span)}
    assert {"--compat", "--min-images", "--iterations", "--pool", "--head", "--neighbour-images", "--keys"} <= named
    everywhere = options_of(running_command(app, []))
    assert named <= everywhere, named - everywhere


def test_an_option_beside_its_command_is_one_of_that_command():
    beside = [span for span in SPANS if re.match(r"(train \w+|evaluate|ingest \w+|fetch \w+) .*--", span)]
    assert len(beside) >= 6
    for span in beside:
        words = span.split()
        known = options_of(running_command(app, words))
        assert {word for word in words if word.startswith("--")} <= known, span


def test_rows_and_kinds_of_edges_that_the_page_names_exist():
    rows = {
        span for span in SPANS if re.fullmatch(r"(gcn|boosting|forest|neighbours|imagewise|knn|mlp)(-[\w-]+)?", span)
    }
    assert {"gcn-authors-obj", "boosting-7", "neighbours-images"} <= rows
    # `gcn` itself is an architecture
    assert find_specs(",".join(sorted(rows - {"gcn", "gcn-authors", "boosting-authors"})))
    edges = {span.partition(" ")[2] for span in SPANS if span.startswith("--edges ")}
    assert {"similarity:cosine", "similarity:jaccard", "complete"} <= edges
    for kind in edges:
        assert parse_edges(kind).parts
