"""Permutation importance: how much a model's error at left-out places grows when an input is exchanged among the places.

Sources: Breiman 2001, doi 10.1023/A:1010933404324; Fisher, Rudin & Dominici 2019, arXiv 1801.01489.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.explain.inputs import Group, Inputs
from geolive.models.cross_validation import FittedFold
from geolive.models.trained_model import TrainedModel
from geolive.simulation.scenarios import DEFAULT_SCENARIO
from geolive.simulation.simulated_photos import draw_loadings

CORRELATED = 0.7
MOST_GROUPS = 80
RESAMPLES = 1000
_BYTES_AT_ONCE = 64_000_000


class Agreement(NamedTuple):
    """Agreement of importance with the truth, over single classes of objects.

    `correlation` is Spearman's correlation with the size of the true loadings, and `best` its largest possible value: classes
    without a loading are tied in the truth, but not in an estimate. `n_loadings` classes have a true loading, and
    `n_identified` of these are among the `n_loadings` most important classes.
    """

    correlation: float
    best: float
    n_identified: int
    n_loadings: int


def correlated_groups(table: np.ndarray, most: int = MOST_GROUPS) -> list[Group]:
    """Group columns whose ranks are correlated: if one was exchanged alone, the others would replace it.

    Parameters
    ----------
    table : array, shape (n, p)
        Constant columns belong to no group.
    most : int
        Largest number of groups; where there are more, the most similar ones are joined.

    Returns
    -------
    list of tuple of int
        Average linkage with the distance 1 − |Spearman's correlation|, cut at a correlation of 0.7.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> correlated_groups(np.column_stack([x, x**2, [3, 1, 5, 2, 4], np.ones(5)]))
    [(0, 1), (2,)]
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from scipy.stats import rankdata

    varying = np.flatnonzero(np.ptp(table, axis=0) > 0)
    if len(varying) < 2:
        return [(int(i),) for i in varying]
    distance = 1 - np.abs(np.corrcoef(rankdata(table[:, varying], axis=0), rowvar=False))
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(np.clip((distance + distance.T) / 2, 0, None)), "average")
    number = fcluster(tree, 1 - CORRELATED, "distance")
    if number.max() > most:
        number = fcluster(tree, most, "maxclust")
    groups = [tuple(int(i) for i in varying[number == k]) for k in np.unique(number)]
    return sorted(groups)


def growth(
    folds: list[FittedFold],
    inputs: Inputs,
    values: np.ndarray,
    groups: Sequence[Group],
    repeats: int,
    rng: np.random.Generator,
    progress: Callable[[str], None] | None = None,
) -> np.ndarray:
    """Compute how much the squared error of each place grows when a group of columns is exchanged, divided by the
    variance of the values.

    Parameters
    ----------
    folds : list of FittedFold
        Models that did not see the places of their fold.
    inputs : Inputs
    values : array of float, shape (n,)
    groups : sequence of tuple of int
    repeats : int
        Number of exchanges of each group.
    rng : Generator
    progress : callable, optional

    Returns
    -------
    array of float, shape (groups, n)

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from geolive.explain.inputs import Numbers
    >>> model = SimpleNamespace(predict_table=lambda numbers: numbers[:, 0])
    >>> first = FittedFold(0, np.arange(0), np.arange(4), model)
    >>> inputs = Numbers(np.array([[1.0, 7], [2, 8], [3, 9], [4, 7]]), ["telling", "not"])
    >>> grown = growth([first], inputs, np.array([1.0, 2, 3, 4]), [(0,), (1,)], 5, np.random.default_rng(0))
    >>> (grown.mean(axis=1) > 0.1).tolist()
    [True, False]
    """
    grown = np.zeros((len(groups), len(values)))
    for number, fold in enumerate(folds):
        truth = values[fold.test]
        plain = (inputs.predicted(fold, [()], rng)[0] - truth) ** 2
        at_once = max(1, _BYTES_AT_ONCE // max(inputs.size(fold.test) * repeats, 1))
        for start in range(0, len(groups), at_once):
            if progress:
                progress(f"fold {number + 1} of {len(folds)}: exchanged {start} of {len(groups)} groups")
            part = groups[start : start + at_once]
            predicted = inputs.predicted(fold, [group for group in part for _ in range(repeats)], rng)
            error = (predicted.reshape(len(part), repeats, -1) - truth) ** 2
            grown[start : start + len(part), fold.test] = (error - plain).mean(axis=1)
    return grown / (values.var() or 1.0)


def importance_table(
    grown: np.ndarray, groups: Sequence[Group], names: list[str], units: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Average over places, with 95 % intervals by bootstrap over whole units; the most important group comes first.

    Parameters
    ----------
    grown : array of float, shape (groups, n)
        As `growth` returns it.
    groups : sequence of tuple of int
    names : list of str
        Names of the columns.
    units : array, shape (n,)
        The unit of each place, which the bootstrap draws as a whole.
    rng : Generator

    Returns
    -------
    DataFrame
        `group`, `columns`, `value`, `lower`, `upper`.

    Examples
    --------
    >>> grown = np.array([[0.0, 0.2], [1.0, 1.0]])
    >>> importance_table(grown, [(0,), (1,)], ["a", "b"], np.array([0, 1]), np.random.default_rng(0))["group"].tolist()
    ['b', 'a']
    """
    _, unit = np.unique(np.asarray(units).astype(str), return_inverse=True)
    n_units = unit.max() + 1
    sums = np.stack([np.bincount(unit, row, n_units) for row in grown])
    times = rng.multinomial(n_units, np.full(n_units, 1 / n_units), RESAMPLES)
    resampled = (sums @ times.T) / (np.bincount(unit) @ times.T)
    lower, upper = np.quantile(resampled, [0.025, 0.975], axis=1)
    rows = {"group": [" + ".join(names[i] for i in group) for group in groups], "columns": list(groups)}
    table = pd.DataFrame(rows | {"value": grown.mean(axis=1), "lower": lower, "upper": upper})
    return table.sort_values("value", ascending=False, kind="stable", ignore_index=True)


def agreement_with_truth(dataset: Dataset, trained: TrainedModel, of_class: np.ndarray) -> Agreement | None:
    """Compare importance with the true loadings, which are known for a simulated sample.

    Parameters
    ----------
    dataset : Dataset
    trained : TrainedModel
    of_class : array of float, shape (66,)
        Importance of each single class of objects.

    Returns
    -------
    Agreement or None
        None where the truth is unknown.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from geolive.simulation.sample import make_sample
    >>> dataset, trained = make_sample("goa", seed=0), SimpleNamespace(card=SimpleNamespace(indicator="pov"))
    >>> agreement_with_truth(dataset, trained, np.abs(draw_loadings(0)[:, 0]))[2:]
    (12, 12)
    """
    from scipy.stats import spearmanr

    from geolive.simulation.countryside import INDICATORS

    indicator, known = trained.card.indicator, dataset.simulated and "sample_version" in dataset.extra
    plain = dataset.extra.get("scenario", DEFAULT_SCENARIO) == DEFAULT_SCENARIO
    if not (known and plain and indicator in INDICATORS):
        return None
    size = np.abs(draw_loadings(dataset.extra["seed"])[:, INDICATORS.index(indicator)])
    loaded = np.flatnonzero(size > 0)
    most = np.argsort(-of_class, kind="stable")[: len(loaded)]
    best = np.argsort(np.argsort(size, kind="stable"), kind="stable")
    correlation, highest = (float(spearmanr(size, other).statistic) for other in (of_class, best))
    return Agreement(correlation, highest, int(np.isin(most, loaded).sum()), len(loaded))
