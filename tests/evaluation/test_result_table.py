"""Tables as files: the numbers are there, and text from data stays text in CSV and LaTeX."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from geolive.evaluation.result_table import Column, Figure, ResultTable, latex_table, latex_text, write_table

HOSTILE = ["<script>alert(1)</script>", "=1+1", r"\input{/etc/passwd}", "a_b & 50 % #1 $x$ ~^{}"]


@pytest.fixture
def table():
    cells = [[Figure(0.5123, 0.4, 0.6, mark="best"), "12"], [Figure(-0.25, mark="level"), "9"], ["–", "0"], ["–", "1"]]
    return ResultTable(
        "R² of each model",
        "model",
        [Column("random", "pov"), Column("n", "pov")],
        list(zip(HOSTILE, cells, strict=True)),
    )


def test_csv_has_numbers_with_intervals_and_marks_in_columns_of_their_own(table, tmp_path):
    write_table(table, tmp_path / "table-01-a", simulated=True)
    read = pd.read_csv(tmp_path / "table-01-a.csv")
    assert read["pov, random"].tolist()[:2] == [0.5123, -0.25]
    assert read.loc[0, ["pov, random lower", "pov, random upper"]].tolist() == [0.4, 0.6]
    assert read["pov, random"].isna().tolist() == [False, False, True, True]
    assert read["pov, random mark"].tolist()[:2] == ["best", "level"]
    assert read["model"].tolist() == [HOSTILE[0], "'=1+1", *HOSTILE[2:]]
    assert read["simulated"].all()


def test_latex_escapes_what_data_hold(table):
    text = latex_table(table, "table-01-a", simulated=True)
    assert r"\textbf{0.51} [0.40, 0.60] $\star$" in text
    assert r"$-$0.25 $\approx$" in text
    assert r"\textbackslash{}input\{/etc/passwd\}" in text
    assert r"a\_b \& 50 \% \#1 \$x\$ \textasciitilde{}\textasciicircum{}\{\}" in text
    assert r"\caption{SIMULATED data. R\textsuperscript{2} of each model." in text
    assert r"& \multicolumn{2}{c}{pov} \\" in text
    assert r"\cmidrule(lr){2-3}" in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:]
    assert [len(re.findall(r"(?<!\\)&", line)) for line in body] == [2] * 4
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def test_optimistic_rows_are_marked_in_every_form(table):
    marked = replace(table, optimistic=frozenset([HOSTILE[0]]))
    assert marked.as_frame()["optimistic"].tolist() == [True, False, False, False]
    text = latex_table(marked, "a")
    assert r"/script\textgreater{}\textdagger{} &" in text
    assert r"\textdagger{}: optimistic: the tested clusters chose" in text
    assert "optimistic" not in latex_table(table, "a")


def test_latex_has_no_character_that_pdflatex_cannot_set():
    assert latex_text("R² −1 – 2").isascii()
