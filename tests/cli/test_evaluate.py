"""`evaluate` as a user meets it: tables, report, going on after a stop, exit codes."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from tests.browser import axe_violations, browser, needs_axe, needs_browser, opened
from tests.commands import run
from tests.panels import panel_table


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A survey of two countries, one with a hostile name, as a dataset folder."""
    folder = tmp_path_factory.mktemp("survey")
    table = panel_table()
    table["nation"] = ["<script>alert(1)</script>" if lon > 83 else "ia" for lon in table["lon"]]
    table["when"] = 2010 + 5 * table.duplicated(["lon", "lat"])
    table.to_csv(folder / "panel.csv", index=False)
    words = "--lon lon --lat lat --value wealth --group region --country nation --year when"
    given = words.split()
    done = run("ingest", "survey", folder / "panel.csv", *given, "--out", folder / "panel")
    assert done.returncode == 0, done.stderr
    return folder / "panel"


@pytest.fixture(scope="module")
def report(survey, tmp_path_factory):
    """A report of all rows on two splits, and how the command ended."""
    out = tmp_path_factory.mktemp("reports") / "report"
    splits = [word for name in ("random", "country") for word in ("--split", name)]
    tasks = ["--tasks", "regression,classification"]
    return out, run("evaluate", survey, "--models", "all", *tasks, *splits, "--repeats", "2", "--out", out)


def test_a_survey_without_imagery_fills_its_rows_and_the_others_say_what_they_lack(report):
    out, done = report
    assert done.returncode == 0, done.stderr
    names = [
        "differences.csv",
        "figures",
        "predictions.parquet",
        "report.html",
        "results.csv",
        "results.md",
        "strata.csv",
    ]
    names.append("tables")
    assert sorted(path.name for path in out.iterdir()) == names
    assert [path.name for path in out.parent.iterdir()] == ["report"]
    results = pd.read_csv(out / "results.csv")
    columns = ["model", "params", "indicator", "task", "split", "protocol", "metric", "value", "lower", "upper", "n"]
    assert results.columns.tolist() == columns
    main = results[(results["metric"] == "r2") & (results["task"] == "regression")].set_index(["model", "split"])
    assert main.loc["neighbours", "value"].notna().all()
    assert main.loc[("previous-survey", "random"), "n"] < main.loc[("neighbours", "random"), "n"]
    assert main.loc[("forest", "random"), "protocol"].startswith("not run: needs object counts")
    assert main.loc[("previous-survey", "random"), "protocol"].startswith("not out of fold")
    assert main.loc[("kriging", "random"), "protocol"].startswith("nested, 5 folds")
    assert "2 partitions" in main.loc[("kriging", "country"), "protocol"]
    assert results["params"].map(json.loads).map(type).eq(dict).all()
    assert "note: not run: gcn-feats" in " ".join(done.stderr.split()) or "gcn-feats" in done.stderr
    printed = done.stdout
    assert printed.index("wealth, regression, split random") < printed.index("wealth, regression, split country")


def test_markdown_has_splits_side_by_side(report):
    text = (report[0] / "results.md").read_text()
    assert "| model | wealth, random | wealth, country |" in text
    row = next(line for line in text.splitlines() if line.startswith("| kriging"))
    assert len(re.findall(r"\d\.\d\d \[", row)) == 2
    assert "<script" not in text


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


class TestInABrowser:
    pytestmark = needs_browser

    @pytest.mark.parametrize("width", [1280, 390])
    def test_the_report_shows_all_offline(self, chromium, report, width):
        with opened(chromium, report[0] / "report.html", width=width) as seen:
            page = seen.page
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert (seen.errors, seen.requests) == ([], [])
            captions = page.locator("figcaption").all_text_contents()
            assert len(captions) >= 12
            assert all("." in caption for caption in captions)
            shown = "[...document.querySelectorAll('figure svg')].filter(s => s.checkVisibility())"
            assert min(page.evaluate(f"{shown}.map(s => s.querySelectorAll('text').length)")) > 3
            # type of the main figure is large enough to read
            size = page.evaluate(
                f"Math.min(...{shown}.map(s => s.getBoundingClientRect().width / s.viewBox.baseVal.width))"
            )
            assert size * 9 >= 9
            assert page.get_by_role("heading", name="Splits", level=2).is_visible()

    @needs_axe
    @pytest.mark.parametrize("width", [1280, 390])
    def test_axe_finds_nothing(self, chromium, report, width):
        with opened(chromium, report[0] / "report.html", width=width, bypass_csp=True) as seen:
            page = seen.page
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            page.focus("tbody a.named >> nth=1")
            assert axe_violations(page) == []

    def test_names_are_explained_by_mouse_and_by_keyboard(self, chromium, report):
        with opened(chromium, report[0] / "report.html", width=390) as seen:
            page, tip = seen.page, seen.page.locator(".tip")
            assert not tip.is_visible()
            page.focus("tbody a.named >> text=/^kriging$/ >> nth=0")
            assert tip.inner_text().startswith("Kriging with an exponential covariance")
            box = tip.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            page.keyboard.press("Escape")
            assert not tip.is_visible()
            page.hover("tbody a.named >> text=/^mean$/ >> nth=0")
            assert tip.inner_text().startswith("The mean of the training clusters")
            legend = page.get_attribute("tbody a.named >> text=/^mean$/ >> nth=0", "href")
            assert page.inner_text(legend) == "mean"

    def test_wide_tables_scroll_by_keyboard(self, chromium, report):
        with opened(chromium, report[0] / "report.html", width=390) as seen:
            region = seen.page.get_by_role("region", name="Table 1.")
            region.focus()
            assert region.evaluate("one => one.scrollWidth > one.clientWidth")
            # the page's policy lets no script wait for it
            for _ in range(40):
                seen.page.keyboard.press("ArrowRight")
                if region.evaluate("one => one.scrollLeft") > 0:
                    break
                seen.page.wait_for_timeout(100)
            assert region.evaluate("one => one.scrollLeft") > 0

    def test_print_shows_every_table_and_no_links_to_files(self, chromium, report):
        with opened(chromium, report[0] / "report.html", width=800) as seen:
            seen.page.emulate_media(media="print")
            tables = seen.page.locator("table")
            assert all(tables.nth(i).is_visible() for i in range(tables.count()))
            assert not seen.page.locator(".files").first.is_visible()


def test_the_terminal_prints_the_names_of_splits_and_data_as_they_are(survey, tmp_path):
    """rich would print an emoji for ":100:" and swallow "[red]"."""
    folder = tmp_path / "a :100: [red]"
    folder.symlink_to(survey)
    done = run("evaluate", folder, "--models", "mean", "--split", "blocks:100", "--out", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    assert "split blocks:100, out of fold" in done.stdout
    assert "Reading " + str(folder) in " ".join(done.stderr.split())
    assert "\N{HUNDRED POINTS SYMBOL}" not in done.stdout + done.stderr


def test_names_in_the_report_are_text(report):
    html = (report[0] / "report.html").read_text()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert len(re.findall(r'\bid="([^"]+)"', html)) == len(set(re.findall(r'\bid="([^"]+)"', html)))
    assert "R² within countries" in html
    for path in (*(report[0] / "figures").glob("*.svg"), *(report[0] / "tables").glob("*")):
        assert "<script>alert" not in path.read_text() or path.suffix == ".csv"


def test_simulated_is_written_everywhere(small_folder, tmp_path):
    out = tmp_path / "report"
    done = run(
        "evaluate", small_folder, "--models", "mean,forest", "--indicators", "pov", "--split", "random", "--out", out
    )
    assert done.returncode == 0, done.stderr
    assert "SIMULATED: pov" in done.stdout
    assert (out / "results.md").read_text().startswith("# SIMULATED")
    html = (out / "report.html").read_text()
    assert "<title>SIMULATED" in html
    captions = re.findall(r"<figcaption><strong>.*?</strong> (.*?)</figcaption>", html)
    captions += re.findall(r'<p class="caption".*?</strong> (.*?)</p>', html)
    assert len(captions) > 4
    assert all(caption.startswith("SIMULATED") for caption in captions)


def test_the_image_wise_network_is_a_row_where_it_is_named(survey, tmp_path):
    lacking = run("evaluate", survey, "--models", "imagewise-trained", "--split", "random", "--out", tmp_path / "none")
    assert lacking.returncode == 2
    assert "imagewise-trained (wealth, random) needs photos (ingest photos" in lacking.stderr.splitlines()[-1]
    wrong = run("evaluate", survey, "--imagewise", "resnet34:0", "--out", tmp_path / "wrong")
    assert wrong.returncode == 2
    assert "must be ARCH, ARCH:EPOCHS or ARCH:EPOCHS:SIZE" in wrong.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_image_wise_network_is_trained_in_every_fold(tmp_path):
    pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")
    from tests.models.imagewise.helpers import TINY, write_coloured_survey

    write_coloured_survey(tmp_path / "photos")
    out = tmp_path / "report"
    given = ["--models", "mean,imagewise-trained", "--imagewise", f"{TINY}:2:32", "--weights", "none"]
    done = run("evaluate", tmp_path / "photos", *given, "--indicators", "pov", "--split", "random", "--out", out)
    assert done.returncode == 0, done.stderr
    results = pd.read_csv(out / "results.csv").set_index(["model", "metric"])
    assert np.isfinite(results.loc[("imagewise-test_resnet", "r2"), "value"])
    assert json.loads(results.loc[("imagewise-test_resnet", "r2"), "params"])["weights"] == {
        "source": "none",
        "seed": 0,
    }
    assert (
        "imagewise-test_resnet: loss after each epoch, mean and range of 5 trainings"
        in (out / "report.html").read_text()
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "report"]


@pytest.mark.slow
def test_a_stopped_evaluation_goes_on_and_ends_with_the_same_figures(survey, report, tmp_path):
    out = tmp_path / "report"
    code = (
        "import sys, geolive.evaluation.comparison as p\n"
        "real, done = p.predict_spec, []\n"
        "def predict(*args, **kwargs):\n"
        "    done.append(1)\n"
        "    if len(done) > 3: import os; os.kill(os.getpid(), 9)\n"
        "    return real(*args, **kwargs)\n"
        "p.predict_spec = predict\n"
    )
    words = ["evaluate", str(survey), "--models", "baselines", "--split", "random", "--out", str(out)]
    killed = run_python(code, words)
    assert killed.returncode == -9
    assert not out.exists()
    assert len(list((tmp_path / ".report.rows").glob("*.npz"))) == 3
    counted = code.replace("if len(done) > 3: import os; os.kill(os.getpid(), 9)", "print('FITTED', file=sys.stderr)")
    again = run_python(counted, words)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("FITTED") == 2
    assert not (tmp_path / ".report.rows").exists()
    whole = pd.read_csv(report[0] / "results.csv")
    found = pd.read_csv(out / "results.csv")
    keys = ["model", "task", "split", "metric"]
    both = found.merge(whole, on=keys, suffixes=("", "_whole"))
    assert len(both) == len(found)
    assert both["value"].equals(both["value_whole"])
    assert both["lower"].equals(both["lower_whole"])


def run_python(code, words):
    import subprocess
    import sys

    from tests.commands import ROOT

    program = f"{code}\nimport geolive.cli\nsys.argv[1:] = {words!r}\ngeolive.cli.main()"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--models", "neighbors"], "did you mean 'neighbours'"),
        (["--split", "blocks:9000km"], "smaller blocks"),
        (["--split", "official"], "ingest paper --splits"),
        (["--buffer", "900km", "--split", "random"], "smaller buffer"),
        (["--indicators", "height"], "height is not in the dataset"),
        (["--pool", "vote"], "--pool vote: photos vote for labels, not for values; choose --pool mean, or --task"),
        (["--min-images", "3"], "--min-images 3: the cluster of"),
    ],
)
def test_bad_input_is_one_line_and_2(survey, tmp_path, words, match):
    done = run("evaluate", survey, *words, "--out", tmp_path / "report")
    assert done.returncode == 2, done.stderr
    assert match in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_authors_protocol_shows_best_and_last_checkpoints_and_warns(small_folder, tmp_path):
    out = tmp_path / "report"
    models = ["--models", "mean,gcn-obj", "--indicators", "pov", "--split", "random", "--folds", "2"]
    training = ["--iterations", "4", "--batch-size", "8", "--lr", "0.01"]
    done = run("evaluate", small_folder, *models, *training, "--protocol", "authors", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "such figures flatter" in " ".join(done.stderr.split())
    assert "such figures flatter, except those of rows whose names end in +last" in (out / "report.html").read_text()
    assert "+last" not in done.stderr  # which rows there are is not known when the command starts
    results = pd.read_csv(out / "results.csv").query("metric == 'r2'").set_index("model")
    assert results["protocol"].to_dict() == {
        "mean": "authors (takes no validation set), 2 folds",
        "gcn-obj-distance": "authors (best checkpoint on validation, optimistic), 2 folds",
        "gcn-obj-distance+last": "authors (last checkpoint), 2 folds",
    }
    params = json.loads(results.loc["gcn-obj-distance", "params"])
    assert (params["iterations"], params["batch_size"], params["learning_rate"]) == (4, 8, 0.01)
    marked = pd.read_csv(out / "tables" / "table-01-regression-r2.csv").set_index("model")["optimistic"]
    assert marked.to_dict() == {"mean": False, "gcn-obj-distance": True, "gcn-obj-distance+last": False}
    printed = " ".join(done.stdout.split())
    assert "gcn-obj-distance+last" in printed
    assert "SIMULATED: pov, regression." in printed
    assert "has the highest R² of 3 models" in printed
    assert "gcn-obj-distance\N{DAGGER}" in (out / "results.md").read_text()
    assert "Figures under the protocol authors flatter" in printed


def test_the_authors_protocol_names_no_rows_that_are_not_there(tmp_path):
    goa, out = tmp_path / "goa", tmp_path / "report"
    assert run("sample", "--region", "goa", "--out", goa).returncode == 0
    words = ["--models", "mean,neighbours", "--indicators", "pov", "--split", "random", "--protocol", "authors"]
    done = run("evaluate", goa, *words, "--out", out)
    assert done.returncode == 0, done.stderr
    page = (out / "report.html").read_text()
    assert "such figures flatter" in page
    assert "+last" not in page
    assert "14 clusters say little" in " ".join(done.stdout.split())
    assert "14 clusters say little" in page


@pytest.mark.slow
def test_a_model_of_our_own_fault_is_1_and_the_others_are_there(survey, tmp_path):
    code = (
        "import sys, geolive.models.baselines as b\n"
        "def broken(self, places, values): raise ZeroDivisionError('by chance')\n"
        "b.InverseDistance.fit = broken\n"
    )
    done = run_python(code, ["evaluate", str(survey), "--split", "random", "--out", str(tmp_path / "report")])
    assert done.returncode == 1
    assert "idw (wealth, random) failed: ZeroDivisionError: by chance" in done.stderr.splitlines()[-1]
    results = pd.read_csv(tmp_path / "report" / "results.csv").set_index(["model", "metric"])
    assert results.loc[("kriging", "r2"), "value"] > 0
    assert results.loc[("idw", "r2"), "protocol"] == "failed: fold 1 of 5: ZeroDivisionError: by chance"


@pytest.mark.parametrize("one_place", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("task", ["regression", pytest.param("classification", marks=pytest.mark.slow)])
def test_coincident_points_leave_no_nan_in_what_is_read(tmp_path, one_place, task):
    # surveys of several years at one place: folds of rows leave intervals without two places to compare
    rows = [(83.0 + (0 if one_place else i % 2), 25.0, i % 7) for i in range(24)]
    (tmp_path / "survey.csv").write_text("lon,lat,wealth\n" + "".join(f"{x},{y},{z}\n" for x, y, z in rows))
    words = ["--value", "wealth", "--lon", "lon", "--lat", "lat"]
    done = run("ingest", "survey", tmp_path / "survey.csv", *words, "--out", tmp_path / "survey")
    assert done.returncode == 0, done.stderr
    options = ["--models", "mean,random,neighbours,idw,kriging", "--split", "rows", "--tasks", task]
    done = run("evaluate", tmp_path / "survey", *options, "--out", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    read = {"the terminal": done.stdout + done.stderr}
    read |= {name: (tmp_path / "report" / name).read_text() for name in ("results.md", "report.html")}
    for name, text in read.items():
        found = list(re.finditer(r"\bnan\b|\bNaN\b|\[, ", text))
        assert not found, (name, text[max(0, found[0].start() - 80) : found[0].end() + 20])
    assert "neighbours" in read["the terminal"]
