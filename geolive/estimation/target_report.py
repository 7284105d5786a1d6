"""The report of targeting: a table of districts, errors over budgets, and a paragraph in plain words."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolive.estimation.ranks import rank_sets, worst_set
from geolive.estimation.target_table import TargetTable
from geolive.estimation.targeting import (
    Budget,
    choose_districts,
    draw_values,
    expected_errors,
    real_errors,
    roc_curves,
    target_probability,
)
from geolive.indicators import indicator

Array = NDArray[np.float64]

RULES = {"estimate": "the estimate", "predicted": "the model alone", "direct": "the survey alone"}
_MOST_BUDGETS = 40


@dataclass(frozen=True)
class TargetReport:
    """Who would be reached, and how sure that is.

    Attributes
    ----------
    districts : DataFrame
        Index: the districts' ids, the poorest first. `name`, `estimate`, `standard_error`, `probability` (to be among the
        poorest that the budget reaches), `chosen` (by the estimate), `in_confidence_set` (may be among the so many poorest),
        `rank_best`, `rank_worst` (1 is the poorest), `simulated`; `chosen_direct`, `chosen_predicted`, `people`, `truth` and
        `truly_poorest` where known.
    errors : DataFrame
        Rows for each rule and budget, as `expected_errors` gives them, with `real_exclusion` and `real_inclusion` where the
        truth is known.
    roc : dict
        As `roc_curves` gives them at the budget; empty without the truth.
    budget : Budget
    level : float
        Of the confidence sets.
    highest : bool
        Whether the highest values are poor, as with a poverty rate.
    table : TargetTable
    """

    districts: pd.DataFrame
    errors: pd.DataFrame
    roc: dict[str, tuple[Array, Array, float]]
    budget: Budget
    level: float
    highest: bool
    table: TargetTable

    @property
    def words(self) -> str:
        """The findings as a paragraph."""
        from geolive.estimation.target_words import describe_target

        return describe_target(self)


def assess_target(
    table: TargetTable,
    budget: Budget,
    *,
    highest: bool | None = None,
    truth: pd.Series | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> TargetReport:
    """Choose the poorest districts within a budget, and estimate how sure and how good that choice is.

    Parameters
    ----------
    table : TargetTable
    budget : Budget
    highest : bool, optional
        Whether the highest values are poor, as with a poverty rate, or the lowest. By default the end from which maps of the
        indicator count ranks: the lowest, except for shares and gaps below a threshold and for population density.
    truth : Series, optional
        True values, indexed as the districts.
    level : float
        Level of the confidence sets.
    seed : int
        Seed of the random draws.

    Returns
    -------
    TargetReport

    Raises
    ------
    InputError
        The budget reaches all districts, or needs people that the table lacks.

    Notes
    -----
    The true values are drawn 2,000 times, normal and independent about the estimates. The errors of every rule, also of the
    model alone and the survey alone, are expected under these draws; so they are right as far as the estimates' errors are.

    Examples
    --------
    >>> districts = pd.DataFrame({"name": list("abc"), "estimate": [1.0, 2.0, 9.0], "standard_error": 0.5}, index=list("abc"))
    >>> report = assess_target(TargetTable(districts, "pov", [], False), Budget(1, False))
    >>> report.districts[["probability", "chosen", "in_confidence_set"]].round(1)
       probability  chosen  in_confidence_set
    a          0.9    True               True
    b          0.1   False               True
    c          0.0   False              False
    """
    if highest is None:
        highest = indicator(table.value).ranked_from == "highest"
    districts, sign = table.districts, -1.0 if highest else 1.0
    people = districts["people"].to_numpy(float) if "people" in districts else None
    rules = {name: sign * districts[name].to_numpy(float) for name in RULES if name in districts}
    value, error = rules["estimate"], districts["standard_error"].to_numpy(float)
    chosen = choose_districts(value, budget, people)
    draws = draw_values(value, error, seed=seed)
    best, worst = rank_sets(-value, error, level, seed=seed)
    columns = {
        "probability": target_probability(draws, budget, people),
        "chosen": chosen,
        "in_confidence_set": worst_set(value, error, int(chosen.sum()), level, seed=seed),
        "rank_best": best.astype(int),
        "rank_worst": worst.astype(int),
    }
    for name in set(rules) - {"estimate"}:
        own = np.where(np.isnan(rules[name]), np.inf, rules[name])
        columns[f"chosen_{name}"] = choose_districts(own, budget, people)
    made = districts.assign(**dict(sorted(columns.items(), key=lambda item: item[0].startswith("chosen_"))))
    counted = people if budget.of_people else None
    budgets = _budgets(budget, len(districts))
    errors, roc = expected_errors(rules, draws, budgets, counted), {}
    if truth is not None:
        true = sign * truth.reindex(districts.index).to_numpy(float)
        poorest = choose_districts(true, budget, people)
        made = made.assign(truth=truth.reindex(districts.index).to_numpy(float), truly_poorest=poorest)
        real = real_errors(rules, true, budgets, counted)
        errors = errors.assign(real_exclusion=real["exclusion"], real_inclusion=real["inclusion"])
        roc = roc_curves(rules, poorest)
    order = np.argsort(value, kind="stable")
    made = made.iloc[order].assign(simulated=table.simulated)
    return TargetReport(made, errors.assign(simulated=table.simulated), roc, budget, level, highest, table)


def _budgets(budget: Budget, n: int) -> list[Budget]:
    """Return the budgets of a curve, which include the given one."""
    if budget.of_people:
        amounts = sorted({*(round(share, 2) for share in np.arange(0.05, 0.96, 0.05)), budget.amount})
        return [Budget(amount, True) for amount in amounts]
    numbers = np.unique(np.linspace(1, n - 1, min(n - 1, _MOST_BUDGETS)).round().astype(int))
    return [Budget(int(number), False) for number in sorted({*numbers.tolist(), int(budget.amount)})]
