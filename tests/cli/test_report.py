"""`report` as a user runs it."""

import inspect

import pytest

from geolive.cli.drawn_maps import draw_maps
from geolive.cli.predict import predict
from geolive.cli.report import _OF_FILES, report
from tests.commands import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    assert run("sample", "--region", "goa", "--out", folder / "goa").returncode == 0
    return folder


def options(folder, *more):
    return ("report", "--region", "goa", "--dataset", folder / "goa", "--model", "neighbours", *more)


def test_a_brief_is_written_as_page_and_pdf(folder):
    done = run(*options(folder, "--out", folder / "goa.html", "--out", folder / "goa.pdf", "--title", "Goa's wealth"))
    assert done.returncode == 0, done.stderr
    assert "SIMULATED: Goa's wealth, 3 districts" in done.stdout
    assert done.stdout.strip().splitlines()[-1] == f"Next: open {folder / 'goa.html'} in a browser."
    assert "Goa&#39;s wealth" in (folder / "goa.html").read_text()
    assert (folder / "goa.pdf").read_bytes().startswith(b"%PDF-")


def test_it_takes_the_options_of_predict():
    theirs, ours = (set(inspect.signature(command).parameters) for command in (predict, report))
    assert theirs - _OF_FILES <= ours
    assert ours - theirs == {"budget"}
    # what is not used by the brief itself goes to the maps
    drawn = set(inspect.signature(draw_maps).parameters)
    assert ours - {"out", "budget", "indicator", "indicators"} <= drawn


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--out", "brief.docx"), "must end with .html or .pdf"),
        (("--out", "brief.pdf", "--budget", "many"), "--budget many: is neither a number of districts"),
        (("--out", "brief.pdf", "--indicator", "pov,bmi"), "a brief shows one indicator"),
        (("--out", "brief.pdf", "--budget", "1"), "too few to choose from"),
    ],
)
def test_wrong_options_end_with_code_2(folder, tmp_path, more, said):
    words = [tmp_path / word if str(word).startswith("brief.") else word for word in more]
    done = run(*options(folder, *words))
    assert done.returncode == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []
