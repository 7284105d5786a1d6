"""Tables of a report in one form, from which the page, CSV and LaTeX are made."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.evaluation.tables import figure_words
from geolive.files import write_csv

BEST_MARK, LEVEL_MARK = "\N{BLACK STAR}", "\N{ALMOST EQUAL TO}"
MARKS = {"best": BEST_MARK, "level": LEVEL_MARK}
MARK_WORDS = {
    "best": "the best of the column",
    "level": "not significantly different from the best: the 95 % interval of their paired difference holds 0",
}
OPTIMISTIC_MARK = "\N{DAGGER}"
OPTIMISTIC_WORDS = "optimistic: the tested clusters chose the checkpoint or the settings"
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "\N{MINUS SIGN}": "$-$", "\N{EN DASH}": "--", "²": r"\textsuperscript{2}", BEST_MARK: r"$\star$", LEVEL_MARK: r"$\approx$",
    OPTIMISTIC_MARK: r"\textdagger{}",
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval, as a cell of a table.

    Parameters
    ----------
    value, lower, upper : float
    digits : int
        Decimals that are shown.
    mark : {"", "best", "level"}
    """

    value: float
    lower: float = float("nan")
    upper: float = float("nan")
    digits: int = 2
    mark: str = ""

    @property
    def number(self) -> str:
        """The number as text."""
        return figure_words(self.value, np.nan, np.nan, self.digits)

    @property
    def interval(self) -> str:
        """The interval as text; "" where there is none."""
        words = figure_words(self.value, self.lower, self.upper, self.digits)
        return words.partition(" ")[2]

    @property
    def sign(self) -> str:
        """The mark as a character."""
        return MARKS.get(self.mark, "")

    @property
    def words(self) -> str:
        """The mark in words."""
        return MARK_WORDS.get(self.mark, "")


Cell = str | Figure


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    name : str
    group : str
        Head that stands over neighbouring columns.
    """

    name: str
    group: str = ""


@dataclass(frozen=True)
class ResultTable:
    """A table of a report.

    Parameters
    ----------
    caption : str
        What the table shows, in a sentence without a full stop.
    row_name : str
        Head of the first column.
    columns : list of Column
        The other columns.
    rows : list of (str, list of str or Figure)
        Name and cells of each row.
    note : str
        A sentence under the table.
    optimistic : frozenset of str
        Names of rows whose figures are optimistic.

    Examples
    --------
    >>> table = ResultTable("R² by model", "model", [Column("random", "pov")], [("mean", [Figure(0.0, -0.1, 0.1)])])
    >>> table.groups
    [('pov', 1)]
    """

    caption: str
    row_name: str
    columns: list[Column]
    rows: list[tuple[str, list[Cell]]]
    note: str = ""
    optimistic: frozenset[str] = frozenset()

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The heads over columns, each with the number of its columns."""
        groups: list[tuple[str, int]] = []
        for column in self.columns:
            if groups and groups[-1][0] == column.group:
                groups[-1] = (column.group, groups[-1][1] + 1)
            else:
                groups.append((column.group, 1))
        return groups

    @property
    def is_grouped(self) -> bool:
        """Whether heads stand over the columns."""
        return any(column.group for column in self.columns)

    @property
    def marks(self) -> list[tuple[str, str]]:
        """The marks that the table has, each with its meaning."""
        used = {cell.mark for _, cells in self.rows for cell in cells if isinstance(cell, Figure)}
        marks = [(MARKS[mark], MARK_WORDS[mark]) for mark in MARKS if mark in used]
        return marks + [(OPTIMISTIC_MARK, OPTIMISTIC_WORDS)] * any(name in self.optimistic for name, _ in self.rows)

    def sign_of(self, name: str) -> str:
        """Return the mark after the name of a row; "" for most."""
        return OPTIMISTIC_MARK if name in self.optimistic else ""

    def as_frame(self) -> pd.DataFrame:
        """Return the table with each interval and mark in columns of its own."""
        frame: dict[str, list] = {self.row_name: [name for name, _ in self.rows]}
        if self.optimistic:
            frame["optimistic"] = [name in self.optimistic for name, _ in self.rows]
        for number, column in enumerate(self.columns):
            name = ", ".join(filter(None, (column.group, column.name)))
            cells = [cells[number] for _, cells in self.rows]
            if not any(isinstance(cell, Figure) for cell in cells):
                frame[name] = cells
                continue
            figures = [cell if isinstance(cell, Figure) else Figure(float("nan")) for cell in cells]
            frame |= {f"{name}{end}": [getattr(one, end.strip() or "value") for one in figures] for end in _ENDS}
            if any(one.mark for one in figures):
                frame[f"{name} mark"] = [one.mark for one in figures]
        return pd.DataFrame(frame)


_ENDS = ("", " lower", " upper")


def write_table(table: ResultTable, stem: Path, simulated: bool) -> None:
    """Write a table as STEM.csv and STEM.tex.

    Parameters
    ----------
    table : ResultTable
    stem : Path
        The files without their endings.
    simulated : bool
        Whether the data are simulated, which both files then say.
    """
    frame = table.as_frame()
    write_csv(frame.assign(simulated=True) if simulated else frame, stem.with_name(f"{stem.name}.csv"))
    text = latex_table(table, stem.name, simulated)
    stem.with_name(f"{stem.name}.tex").write_text(text, encoding="utf-8", errors="replace")


def latex_table(table: ResultTable, label: str, simulated: bool = False) -> str:
    r"""Return a table in LaTeX, for the package booktabs; text from data is escaped.

    Parameters
    ----------
    table : ResultTable
    label : str
        For references.
    simulated : bool
        Whether the data are simulated, which the caption then says.

    Examples
    --------
    >>> table = ResultTable("R²", "model", [Column("a_b")], [("100 %", [Figure(-0.5, -1, 0, mark="best")])])
    >>> print(latex_table(table, "r2"))
    % \usepackage{booktabs} in the preamble
    \begin{table}
    \centering
    \caption{R\textsuperscript{2}. $\star$: the best of the column.}
    \label{tab:r2}
    \begin{tabular}{lr}
    \toprule
    model & a\_b \\
    \midrule
    100 \% & \textbf{$-$0.50} [$-$1.00, 0.00] $\star$ \\
    \bottomrule
    \end{tabular}
    \end{table}
    <BLANKLINE>
    """
    legend = "; ".join(f"{mark}: {words}" for mark, words in table.marks)
    caption = " ".join(f"{part}." for part in ("SIMULATED data" if simulated else "", table.caption, legend) if part)
    lines = [r"% \usepackage{booktabs} in the preamble", r"\begin{table}", r"\centering"]
    lines += [rf"\caption{{{latex_text(caption)}}}", rf"\label{{tab:{re.sub(r'[^a-z0-9-]', '', label)}}}"]
    lines += [rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}", r"\toprule"]
    if table.is_grouped:
        lines += _group_lines(table)
    heads = [table.row_name, *(column.name for column in table.columns)]
    lines += [_latex_row(map(latex_text, heads)), r"\midrule"]
    lines += [
        _latex_row([latex_text(name + table.sign_of(name)), *map(_latex_cell, cells)]) for name, cells in table.rows
    ]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def latex_text(text: str) -> str:
    r"""Escape text for LaTeX, on one line.

    Examples
    --------
    >>> latex_text("50 % of {a_b}\n\\input{x}")
    '50 \\% of \\{a\\_b\\} \\textbackslash{}input\\{x\\}'
    """
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(str(text).split()))


def _group_lines(table: ResultTable) -> list[str]:
    heads, rules, first = [], [], 2
    for name, width in table.groups:
        heads.append(rf"\multicolumn{{{width}}}{{c}}{{{latex_text(name)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    return [_latex_row(["", *heads]), " ".join(rules)]


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return latex_text(cell)
    number = rf"\textbf{{{latex_text(cell.number)}}}" if cell.mark == "best" else latex_text(cell.number)
    return " ".join(filter(None, (number, latex_text(cell.interval), latex_text(cell.sign))))
