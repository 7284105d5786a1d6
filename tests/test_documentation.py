"""Every code block of the documentation runs as the site is built, is run or parsed here, or says why it is not run.

- `{code-cell}` blocks run as the site is built, and one that fails ends the build.
- Blocks of `python` run here, in a folder of their own, with the names of the fixture `names`. One that is marked is compiled.
- Commands of geolive in blocks of `sh` are parsed by the command line itself, options and all. Commands of `benchmarks/` name a
  script and options that are there, and `pip install -e .[…]` extras that setup.cfg has.
- `json` and `toml` are parsed.
- Anything else needs a line `<!-- not run: REASON -->` before the block.
"""

import ast
import configparser
import importlib
import json
import re
import tomllib

import pytest

from geolive.cli.apps import app
from geolive.cli.parameters import running_command
from geolive.evaluation.model_specs import find_specs
from tests.markdown_blocks import ROOT, blocks_of, commands_of, pages

BLOCKS = [block for page in pages() for block in blocks_of(page)]
# directives of Sphinx, and what is no code: a picture in letters, a reference
NO_CODE = ("text", "bibtex")
SHELL = [block for block in BLOCKS if block.language in ("sh", "bash", "console")]
PYTHON = [block for block in BLOCKS if block.language == "python"]
OURS = (["python", "cli.py"], ["geolive"])
# commands that nothing of geolive can make wrong
PLAIN = (["cd"], ["mkdir"], ["export"], ["python", "-m", "pytest"], ["python", "-m", "sphinx"])
INSTALL = ["pip", "install", "-e"]


def of_geolive(words):
    """The words behind `geolive` or `python cli.py`; None for other commands."""
    return next((words[len(first) :] for first in OURS if words[: len(first)] == first), None)


def of_benchmark(words):
    """The script of `python benchmarks/NAME.py` or `python -m benchmarks.NAME`; None for other commands."""
    if words[0] != "python" or len(words) < 2:
        return None
    name = words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]
    return ROOT / name if name.startswith("benchmarks/") else None


def is_known(words):
    """Whether a command is one that a test here looks at, or that cannot be wrong."""
    plain = any(words[: len(first)] == first for first in (*PLAIN, INSTALL))
    return plain or bool(of_geolive(words) or of_benchmark(words))


GEOLIVE = [(str(block), words) for block in SHELL for words in map(of_geolive, commands_of(block.text)) if words]
BENCHMARKS = [(str(block), words) for block in SHELL for words in commands_of(block.text) if of_benchmark(words)]


def test_blocks_are_found_with_their_reasons(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Text\n\n<!-- not run: needs\na token -->\n```sh\ncurl x\n```\n\n```sh\ngeolive a \\\n  --b  # c\nX=1 d && e\n```\n"
    )
    first, second = blocks_of(page)
    assert (first.line, first.not_run, second.not_run) == (5, "needs a token", None)
    assert commands_of(second.text) == [["geolive", "a", "--b"], ["d"], ["e"]]


def test_every_block_is_run_or_parsed_or_says_why_not():
    assert len(BLOCKS) > 50
    unknown = []
    for block in BLOCKS:
        if block.language.startswith("{") or block.language in (*NO_CODE, "python", "json", "toml") or block.not_run:
            continue
        if block not in SHELL or not all(map(is_known, commands_of(block.text))):
            unknown.append(f"{block}: ```{block.language}")
    assert unknown == [], "put <!-- not run: REASON --> in the line before these blocks"


def test_every_command_is_one_that_the_command_line_takes():
    assert len(GEOLIVE) > 50
    for place, words in GEOLIVE:
        try:
            command = running_command(app, words)
            parsed = command.make_context(command.name, words[words.index(command.name) + 1 :])
            assert parsed.command.callback is not None
            if command.name == "evaluate":
                # models of the example package are installed by tests/test_plugins.py only
                own = [name for name in parsed.params["models"].split(",") if not name.startswith("example-")]
                assert find_specs(own)
        except Exception as error:
            pytest.fail(f"{place}: geolive {' '.join(words)}: {error}")


def test_every_benchmark_exists_and_has_the_options_that_pages_give_it():
    assert len(BENCHMARKS) > 10
    for place, words in BENCHMARKS:
        script = of_benchmark(words)
        assert script.is_file(), place
        text = script.read_text(encoding="utf-8")
        own = words[: words.index("--")] if "--" in words else words
        missing = [word for word in own if word.startswith("--") and f'"{word.partition("=")[0]}"' not in text]
        assert missing == [], f"{place}: {script.name} does not have {missing}"


def test_extras_that_pages_install_are_those_of_setup():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    installs = [
        words for block in SHELL if not block.not_run for words in commands_of(block.text) if words[:3] == INSTALL
    ]
    assert len(installs) > 2
    named = {name for words in installs for name in re.findall(r"[\w-]+", words[3])}
    assert named <= set(setup["options.extras_require"])


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_compiles_and_what_it_imports_exists(block):
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "geolive":
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "gl":
            assert hasattr(importlib.import_module("geolive"), node.attr), node.attr


@pytest.fixture(scope="module")
def names(small_sample):
    """What blocks of Python may use without making it: a small simulated dataset, a model and a map."""
    import geolive as gl

    dataset = small_sample.dataset
    trained = gl.train(dataset, gl.Forest(n_estimators=20), "pov")
    result = gl.predict(dataset, trained, region="bihar")
    made = {"clusters": dataset.clusters, "sites": result.sites, "districts": result.districts}
    return {"gl": gl, "dataset": dataset, "trained": trained, "result": result, **made}


# this page's block is run from an installed package (tests/test_notebook.py)
@pytest.mark.parametrize(
    "block", [block for block in PYTHON if not block.not_run and block.page != "docs/notebook.md"], ids=str
)
def test_python_runs(block, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, str(block), "exec"), dict(names))


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in ("json", "toml")], ids=str)
def test_json_and_toml_are_valid(block):
    (json if block.language == "json" else tomllib).loads(block.text)
