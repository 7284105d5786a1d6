"""The findings of targeting as a paragraph in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from geolive.estimation.target_report import TargetReport


def describe_target(report: TargetReport) -> str:
    """Write who is chosen, how sure that choice is, and how the rules compare.

    Examples
    --------
    >>> from geolive.estimation.target_report import assess_target
    >>> from geolive.estimation.target_table import TargetTable
    >>> from geolive.estimation.targeting import Budget
    >>> districts = pd.DataFrame({"name": list("abc"), "estimate": [1.0, 2.0, 9.0], "standard_error": 0.5}, index=list("abc"))
    >>> print(describe_target(assess_target(TargetTable(districts, "pov", [], False), Budget(1, False))))
    A budget of 1 district chooses the lowest values of pov: a. Of these, 1 is among the truly lowest with a probability
    of 90 % or more, and 1 further district has a probability of 5 % or more. With 90 % confidence the lowest one is among
    2 districts. The choice is expected to miss 8 % of those that it should reach.
    """
    return " ".join([_choice(report), _sureness(report), _expected(report), *_real(report), *_left_out(report)])


def _end(report: TargetReport) -> str:
    return "highest" if report.highest else "lowest"


def _choice(report: TargetReport) -> str:
    chosen = report.districts[report.districts["chosen"]]
    names = _listed(list(chosen["name"]))
    mark = "SIMULATED: " if report.table.simulated else ""
    return f"{mark}A budget of {report.budget} chooses the {_end(report)} values of {report.table.value}: {names}."


def _sureness(report: TargetReport) -> str:
    made = report.districts
    sure = int((made["chosen"] & (made["probability"] >= 0.9)).sum())
    further = int((~made["chosen"] & (made["probability"] >= 0.05)).sum())
    tau, size = int(made["chosen"].sum()), int(made["in_confidence_set"].sum())
    several = f"the {tau} {_end(report)} are" if tau > 1 else f"the {_end(report)} one is"
    return (
        f"Of these, {sure or 'none'} {'are' if sure > 1 else 'is'} among the truly {_end(report)} with a probability of 90 % or "
        f"more, and {further or 'no'} further district{'s have' if further > 1 else ' has'} a probability of 5 % or more. With "
        f"{report.level:.0%} confidence {several} among {size} districts.".replace("%", " %").replace("  %", " %")
    )


def _expected(report: TargetReport) -> str:
    at = _at_budget(report)
    whom = "of the people" if report.budget.of_people else "of those"
    words = f"The choice is expected to miss {_percent(at.loc['estimate', 'exclusion'])} {whom} that it should reach"
    others = [
        f"{_percent(at.loc[name, 'exclusion'])} by {rule}"
        for name, rule in (("predicted", "the model alone"), ("direct", "the survey alone"))
        if name in at.index
    ]
    return f"{words} ({', '.join(others)})." if others else f"{words}."


def _real(report: TargetReport) -> list[str]:
    if not report.roc:
        return []
    at = _at_budget(report)
    rules = {"estimate": "the estimate", "predicted": "the model alone", "direct": "the survey alone"}
    parts = [
        f"{_percent(at.loc[name, 'real_exclusion'])} by {rule} (AUC {report.roc[name][2]:.2f})"
        for name, rule in rules.items()
        if name in at.index
    ]
    return [f"Against the truth table, what is really missed is {', '.join(parts)}."]


def _left_out(report: TargetReport) -> list[str]:
    names = report.table.left_out
    return [f"Not considered, since they have no estimate: {_listed(names)}."] if names else []


def _at_budget(report: TargetReport) -> pd.DataFrame:
    errors = report.errors
    return errors[errors["budget"] == report.budget.amount].set_index("rule")


def _listed(names: list[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
