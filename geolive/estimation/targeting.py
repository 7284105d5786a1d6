"""Which districts a programme would reach: probabilities to be among the poorest, and the errors of a rule that chooses."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolive.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

N_DRAWS = 2000


@dataclass(frozen=True)
class Budget:
    """How many districts, or which share of the people, a programme reaches.

    Attributes
    ----------
    amount : float
        A number of districts, or a share of people between 0 and 1.
    of_people : bool
        Whether it is a share of people.

    Examples
    --------
    >>> str(Budget.parse("10")), str(Budget.parse("25%"))
    ('10 districts', '25 % of the people')
    """

    amount: float
    of_people: bool

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read "10" as 10 districts and "25%" as that share of the people.

        Raises
        ------
        InputError
            It is neither.
        """
        share = text.strip().endswith("%")
        try:
            amount = float(text.strip().removesuffix("%"))
        except ValueError as error:
            raise InputError(
                f"budget={text!r}: is neither a number of districts (10) nor a share of people (25%)", "budget"
            ) from error
        if share and not 0 < amount < 100:
            raise InputError(f"budget={text!r}: a share of people must be above 0 % and below 100 %", "budget")
        if not share and (amount != int(amount) or amount < 1):
            raise InputError(
                f"budget={text!r}: a number of districts must be whole and at least 1; for people give a share such as 25%",
                "budget",
            )
        return cls(amount / 100 if share else int(amount), share)

    def __str__(self) -> str:
        if self.of_people:
            return f"{100 * self.amount:g} % of the people"
        return f"{self.amount:g} district{'s' if self.amount != 1 else ''}"


def choose_districts(values: Array, budget: Budget, people: Array | None = None) -> Mask:
    """Choose the poorest districts that a budget reaches.

    Parameters
    ----------
    values : array of shape (..., n)
        Lower is poorer.
    budget : Budget
        Of a share of people, districts are taken from the poorest on until the next would go beyond the share; the
        poorest one is always taken.
    people : array of shape (n,), optional
        People in each district; needed for a share of people.

    Returns
    -------
    array of bool, shape (..., n)

    Raises
    ------
    InputError
        The budget reaches all districts, or there are no people.

    Examples
    --------
    >>> choose_districts(np.array([3.0, 1.0, 2.0]), Budget(2, False))
    array([False,  True,  True])
    >>> choose_districts(np.array([3.0, 1.0, 2.0]), Budget(0.5, True), np.array([1.0, 2.0, 3.0]))
    array([False,  True, False])
    """
    return _Ordered.of(values, people).within(budget)


@dataclass(frozen=True)
class _Ordered:
    """Districts in order, so that many budgets need one sorting; arrays of shape (..., n), in the order of the districts.

    Attributes
    ----------
    position : array of int
        0 for the poorest.
    share : array of float or None
        Share of the people in districts that are as poor or poorer.
    """

    position: NDArray[np.int_]
    share: Array | None

    @classmethod
    def of(cls, values: Array, people: Array | None) -> "_Ordered":
        order = np.argsort(values, axis=-1, kind="stable")
        position = np.empty_like(order)
        np.put_along_axis(position, order, np.broadcast_to(np.arange(values.shape[-1]), order.shape), axis=-1)
        if people is None:
            return cls(position, None)
        share = np.empty(values.shape)
        np.put_along_axis(share, order, np.cumsum(people[order], axis=-1) / people.sum(), axis=-1)
        return cls(position, share)

    def within(self, budget: Budget) -> Mask:
        n = self.position.shape[-1]
        if not budget.of_people:
            if budget.amount >= n:
                raise InputError(
                    f"budget='{budget.amount:g}': {n} districts have an estimate, so nothing is left to choose; give fewer",
                    "budget",
                )
            return np.asarray(self.position < budget.amount)
        if self.share is None:
            raise InputError(
                "budget: a share of people needs the people of each district; name their column with people='COLUMN'",
                "people",
            )
        # sums in another order must not leave out the district that fills the budget exactly
        return (self.share <= budget.amount * (1 + 1e-9)) | (self.position == 0)


def draw_values(estimate: Array, standard_error: Array, *, n_draws: int = N_DRAWS, seed: int = 0) -> Array:
    """Draw the true values, normal about the estimates and independent; shape (draws, n).

    Examples
    --------
    >>> draw_values(np.zeros(3), np.ones(3), n_draws=10).shape
    (10, 3)
    """
    return estimate + standard_error * np.random.default_rng(seed).standard_normal((n_draws, len(estimate)))


def target_probability(draws: Array, budget: Budget, people: Array | None = None) -> Array:
    """Compute the probability of each district to be among the poorest that a budget reaches; shape (n,).

    Parameters
    ----------
    draws : array of shape (draws, n)
        As `draw_values` gives them; lower is poorer.
    budget, people
        As in `choose_districts`.

    Examples
    --------
    >>> draws = draw_values(np.array([0.0, 0.0, 5.0]), np.ones(3))
    >>> target_probability(draws, Budget(1, False)).round(1)
    array([0.5, 0.5, 0. ])
    """
    return choose_districts(draws, budget, people).mean(axis=0)


def targeting_errors(chosen: Mask, poorest: Mask, people: Array | None = None) -> tuple[Array, Array]:
    """Compute the exclusion and inclusion error of a choice, where the poorest are known or drawn.

    Parameters
    ----------
    chosen : array of bool, shape (n,)
        What the rule reaches.
    poorest : array of bool, shape (..., n)
        What it should reach.
    people : array of shape (n,), optional
        People in each district, to count them; districts are counted without it.

    Returns
    -------
    exclusion : array of shape (...)
        Share of the poorest that the rule leaves out (undercoverage).
    inclusion : array of shape (...)
        Share of those reached that are not among the poorest (leakage).

    Notes
    -----
    With a budget in districts and none of people both errors are equal, since as many are left out as are let in.

    Source: Coady, Grosh and Hoddinott (2004), Targeting of Transfers in Developing Countries, section 2.

    Examples
    --------
    >>> targeting_errors(np.array([True, True, False]), np.array([False, True, True]))
    (np.float64(0.5), np.float64(0.5))
    """
    weight = np.ones(len(chosen)) if people is None else people
    both = (weight * (chosen & poorest)).sum(axis=-1)
    return 1 - both / (weight * poorest).sum(axis=-1), 1 - both / (weight * chosen).sum()


def expected_errors(
    rules: dict[str, Array], draws: Array, budgets: list[Budget], people: Array | None = None
) -> pd.DataFrame:
    """Compute the expected exclusion and inclusion errors of rules that choose by an estimate, for each budget.

    Parameters
    ----------
    rules : dict of str to array of shape (n,)
        The estimate that each rule chooses by; lower is poorer. NaN is chosen last.
    draws : array of shape (draws, n)
    budgets : list of Budget
    people : array of shape (n,), optional

    Returns
    -------
    DataFrame
        `rule`, `budget` (number of districts, or share of people), `exclusion`, `inclusion`, and `exclusion_lower`,
        `exclusion_upper` between which 90 % of the draws lie.

    Examples
    --------
    >>> draws = draw_values(np.array([0.0, 1.0, 5.0]), np.ones(3))
    >>> expected_errors({"estimate": np.array([0.0, 1.0, 5.0])}, draws, [Budget(1, False)]).round(1)
           rule  budget  exclusion  inclusion  exclusion_lower  exclusion_upper
    0  estimate       1        0.2        0.2              0.0              1.0
    """
    rows, drawn = [], _Ordered.of(draws, people)
    ordered = {name: _Ordered.of(np.where(np.isnan(values), np.inf, values), people) for name, values in rules.items()}
    for budget in budgets:
        poorest = drawn.within(budget)
        for name, rule in ordered.items():
            chosen = rule.within(budget)
            exclusion, inclusion = targeting_errors(chosen, poorest, people)
            rows.append(
                {
                    "rule": name,
                    "budget": budget.amount,
                    "exclusion": float(exclusion.mean()),
                    "inclusion": float(inclusion.mean()),
                    "exclusion_lower": float(np.quantile(exclusion, 0.05)),
                    "exclusion_upper": float(np.quantile(exclusion, 0.95)),
                }
            )
    return pd.DataFrame(rows)


def real_errors(
    rules: dict[str, Array], truth: Array, budgets: list[Budget], people: Array | None = None
) -> pd.DataFrame:
    """Compute the exclusion and inclusion errors of rules where the true values are known, for each budget.

    Parameters
    ----------
    rules, budgets, people
        As in `expected_errors`.
    truth : array of shape (n,)
        Lower is poorer.

    Returns
    -------
    DataFrame
        `rule`, `budget`, `exclusion`, `inclusion`.

    Examples
    --------
    >>> real_errors({"direct": np.array([0.0, 1.0, 5.0])}, np.array([2.0, 1.0, 3.0]), [Budget(1, False)])
         rule  budget  exclusion  inclusion
    0  direct       1        1.0        1.0
    """
    errors = expected_errors(rules, truth[None, :], budgets, people)
    return errors.drop(columns=["exclusion_lower", "exclusion_upper"])


def roc_curves(rules: dict[str, Array], poorest: Mask) -> dict[str, tuple[Array, Array, float]]:
    """Compute the receiver operating characteristic of each rule at finding the truly poorest.

    Parameters
    ----------
    rules : dict of str to array of shape (n,)
        Lower is poorer. Districts without a value count as the richest.
    poorest : array of bool, shape (n,)
        Must hold both True and False.

    Returns
    -------
    dict of str to tuple
        Share of the others that are chosen, share of the poorest that are chosen, and the area under that curve (AUC).

    Examples
    --------
    >>> curve = roc_curves({"direct": np.array([0.0, 1.0, 2.0])}, np.array([True, False, False]))
    >>> curve["direct"][2]
    1.0
    """
    from sklearn.metrics import auc, roc_curve

    curves = {}
    for name, values in rules.items():
        known = values[np.isfinite(values)]
        score = -np.where(np.isfinite(values), values, known.max() + 1 if len(known) else 0.0)
        others, reached, _ = roc_curve(poorest, score)
        curves[name] = (others, reached, float(auc(others, reached)))
    return curves
