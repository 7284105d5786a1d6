"""Picture of a targeting report: probabilities of districts, errors over budgets, and ROC curves where the truth is known."""

from pathlib import Path
from typing import Any

import numpy as np

from geolive.estimation.target_report import RULES, TargetReport
from geolive.extras import require_extra
from geolive.files import replacing
from geolive.map_plots import GREY, INK, mark_simulated, one_line, plain_matplotlib, short

# colours that colour-blind readers can distinguish (Okabe and Ito 2008)
_COLOURS = {"estimate": "#0072b2", "predicted": "#d55e00", "direct": "#009e73"}
_MOST_BARS = 40


def plot_target(report: TargetReport, path: str | Path) -> None:
    """Draw a report.

    Parameters
    ----------
    report : TargetReport
    path : str or Path
        A .png, .svg or .pdf file.

    Raises
    ------
    InputError
        matplotlib is not installed, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from geolive.estimation.target_report import assess_target
    >>> from geolive.estimation.target_table import TargetTable
    >>> from geolive.estimation.targeting import Budget
    >>> districts = pd.DataFrame({"name": list("abc"), "estimate": [1.0, 2.0, 9.0], "standard_error": 0.5}, index=list("abc"))
    >>> path = Path(tempfile.mkdtemp()) / "target.png"
    >>> plot_target(assess_target(TargetTable(districts, "pov", [], False), Budget(1, False)), path)
    >>> path.exists()
    True
    """
    require_extra("plots")
    panels = [_draw_probabilities, draw_errors, *([_draw_roc] if report.roc else [])]
    with plain_matplotlib() as figure_class:
        figure = figure_class(figsize=(5.4 * len(panels), 6.6), layout="constrained")
        for i, draw in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), i + 1)
            draw(axes, report)
            axes.tick_params(length=3, color=GREY, labelcolor=INK, labelsize=8)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
            if report.table.simulated:
                mark_simulated(axes, points=42)
        end = "highest" if report.highest else "lowest"
        figure.suptitle(one_line(f"The {end} values of {report.table.value}, budget: {report.budget}"), fontsize=11)
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=150)


def _draw_probabilities(axes: Any, report: TargetReport) -> None:
    """Draw bars of the probability to be among the poorest; the chosen districts are filled."""
    made = report.districts
    likely = made[made["chosen"] | (made["probability"] >= 0.005)]
    shown = likely.sort_values(["probability", "estimate"], ascending=[False, not report.highest], kind="stable")
    shown = shown.head(_MOST_BARS)
    rows = np.arange(len(shown))
    chosen = shown["chosen"].to_numpy()
    colours = [_COLOURS["estimate"] if c else "white" for c in chosen]
    axes.barh(rows, 100 * shown["probability"], color=colours, edgecolor=_COLOURS["estimate"], height=0.72, zorder=2)
    axes.set_yticks(rows, [short(name, 24) for name in shown["name"]])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.grid(axis="x", color="#e3e6e8", linewidth=0.5, zorder=0)
    end = "highest" if report.highest else "lowest"
    axes.set_xlabel(f"Probability to be among the {end} within the budget, %")
    more = f"; {len(likely) - len(shown)} more not shown" if len(likely) > len(shown) else ""
    axes.set_title(f"Filled: chosen by the estimate{more}", fontsize=9)


def draw_errors(axes: Any, report: TargetReport) -> None:
    """Draw the exclusion error over budgets; the real one, where the truth is known, is dashed."""
    scale = 100 if report.budget.of_people else 1
    for name, part in report.errors.groupby("rule", sort=False):
        x, colour = scale * part["budget"], _COLOURS[str(name)]
        axes.plot(x, 100 * part["exclusion"], color=colour, lw=1.8, label=f"{_title(str(name))}, expected")
        if name == "estimate":
            low, high = 100 * part["exclusion_lower"], 100 * part["exclusion_upper"]
            axes.fill_between(x, low, high, color=colour, alpha=0.12, lw=0, label="90 % of draws")
        if "real_exclusion" in part:
            axes.plot(
                x, 100 * part["real_exclusion"], color=colour, lw=1.2, ls="--", label=f"{_title(str(name))}, real"
            )
    axes.axvline(scale * report.budget.amount, color=GREY, lw=0.8, ls=":")
    axes.set_ylim(0, None)
    axes.set_xlim(0, None)
    axes.grid(color="#e3e6e8", linewidth=0.5)
    axes.set_xlabel("Budget, % of the people" if report.budget.of_people else "Budget, districts")
    whom = "people" if report.budget.of_people else "districts"
    axes.set_ylabel(f"Exclusion error, % of the {whom} that should be reached")
    axes.set_title("Whom the choice misses, by what it is made by", fontsize=9)
    axes.legend(fontsize=7.5, frameon=False)


def _draw_roc(axes: Any, report: TargetReport) -> None:
    """Draw the receiver operating characteristic of each rule against the truth."""
    axes.plot([0, 100], [0, 100], color=GREY, lw=0.8, ls=":")
    for name, (others, reached, area) in report.roc.items():
        label = f"{_title(name)}, AUC {area:.2f}"
        axes.plot(100 * others, 100 * reached, color=_COLOURS[name], lw=1.8, label=label)
    axes.set_xlim(-1, 101)
    axes.set_ylim(-1, 101)
    axes.set_aspect("equal")
    axes.grid(color="#e3e6e8", linewidth=0.5)
    axes.set_xlabel("Chosen of the other districts, %")
    axes.set_ylabel("Chosen of the truly poorest, %")
    axes.set_title("Against the truth table", fontsize=9)
    axes.legend(fontsize=7.5, frameon=False, loc="lower right")


def _title(rule: str) -> str:
    return RULES[rule].removeprefix("the ").capitalize()
