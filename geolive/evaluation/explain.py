"""What a cluster-wise forest looks at: permutation importance out of fold, partial dependence, and a readable tree."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from geolive.clusters import Places
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.models.clusterwise import Forest
from geolive.models.training import Trained
from geolive.sources.streets import draw_loadings
from geolive.sources.worlds import DEFAULT_WORLD
from geolive.tables import vistas_classes

CORRELATED = 0.7
REPEATS = 5
RESAMPLES = 1000
DEPTH, LEAST_LEAF = 3, 8


@dataclass(frozen=True)
class Explanation:
    """What a model looks at.

    Parameters
    ----------
    importance : DataFrame
        A row a group of classes, the most important first: `group`, `classes` (tuple of row numbers), `value`, `lower`,
        `upper`: by how much the mean squared error out of fold grows when the group's counts are exchanged among the places of a
        fold, as a share of the values' variance, with a 95 % interval by bootstrap over whole units.
    dependence : dict of str to array, shape (m, 2)
        For the most important classes, counts a place and the mean prediction over all places that would have them.
    tree : object
        scikit-learn's tree, fitted to the forest's predictions.
    names : list of str
        Of its inputs.
    fidelity : float
        R² of such a tree against the forest's predictions at places of folds that the tree did not see.
    truth : tuple of float and int, or None
        On a simulated sample: Spearman's correlation between importance and the size of the true loadings over classes, and
        how many of the classes with true loadings stand among as many of the most important.
    """

    importance: pd.DataFrame
    dependence: dict[str, np.ndarray]
    tree: object
    names: list[str]
    fidelity: float
    truth: tuple[float, int, int] | None


def explain_forest(dataset: Dataset, trained: Trained, seed: int = 0, shown: int = 6) -> Explanation:
    """Explain a forest on object counts by the places that it was trained on.

    Parameters
    ----------
    dataset : Dataset
        That it was trained on.
    trained : Trained
    seed : int
    shown : int
        Of how many classes the partial dependence is wanted.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        The model is no forest on object counts, or the dataset lacks clusters that it was trained on.

    Examples
    --------
    >>> from geolive.models.training import train
    >>> from geolive.sources.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10).dataset
    >>> found = explain_forest(dataset, train(dataset, lambda: Forest(trees=5), "pov"))
    >>> found.importance.columns.tolist(), len(found.dependence)
    (['group', 'classes', 'value', 'lower', 'upper'], 6)
    """
    from scipy.stats import spearmanr

    places, values, folds, units = _training(dataset, trained)
    counts, names = places.counts(), [*vistas_classes()["name"], "Void", "Number of images"]
    alone = [(i,) for i in np.flatnonzero(counts.std(axis=0) > 0)]
    groups = correlated_groups(counts)
    rng = np.random.default_rng(seed)
    grown = _growth(trained.model, places, values, folds, groups + alone, rng)
    table = _importance_table(grown[: len(groups)], groups, names, units, rng)
    of_class = np.zeros(len(names))
    of_class[[group[0] for group in alone]] = grown[len(groups) :].mean(axis=1)
    ranked = np.argsort(-of_class, kind="stable")
    dependence = {names[i]: _dependence(trained.model, places, i) for i in ranked[:shown]}
    tree, fidelity = _tree(trained.model.predict(places), counts, folds)
    truth, column = None, _true_column(dataset, trained)
    if column is not None:
        size = np.abs(draw_loadings(dataset.extra["seed"])[:, column])
        telling = np.flatnonzero(size > 0)
        most = np.argsort(-of_class[: len(size)], kind="stable")[: len(telling)]
        truth = (
            float(spearmanr(size, of_class[: len(size)]).statistic),
            int(np.isin(most, telling).sum()),
            len(telling),
        )
    return Explanation(table, dependence, tree, names, fidelity, truth)


def correlated_groups(counts: np.ndarray) -> list[tuple[int, ...]]:
    """Groups of columns whose ranks go together: permuted alone, each would look dispensable beside the others.

    Parameters
    ----------
    counts : array, shape (n, p)
        Constant columns are in no group.

    Returns
    -------
    list of tuple of int
        Average linkage of 1 − |Spearman's correlation|, cut where that correlation is 0.7.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> correlated_groups(np.column_stack([x, x**2, [3, 1, 5, 2, 4], np.ones(5)]))
    [(0, 1), (2,)]
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from scipy.stats import rankdata

    varying = np.flatnonzero(np.ptp(counts, axis=0) > 0)
    if len(varying) < 2:
        return [(int(i),) for i in varying]
    distance = 1 - np.abs(np.corrcoef(rankdata(counts[:, varying], axis=0), rowvar=False))
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(np.clip((distance + distance.T) / 2, 0, None)), "average")
    number = fcluster(tree, 1 - CORRELATED, "distance")
    groups = [tuple(int(i) for i in varying[number == k]) for k in np.unique(number)]
    return sorted(groups)


def _training(dataset: Dataset, trained: Trained) -> tuple[Places, np.ndarray, np.ndarray, np.ndarray]:
    model = trained.model
    if not isinstance(model, Forest) or model.vertices != "obj":
        raise InputError(
            f"{trained.card['model']}: only a forest on object counts is explained so far; train one with: train clusterwise"
        )
    residuals = trained.residuals
    missing = ~residuals["unique_cluster"].isin(dataset.clusters["unique_cluster"])
    if missing.any():
        raise InputError(
            f"{dataset.name}: lacks {int(missing.sum())} of the {len(residuals)} clusters that the bundle was trained on, "
            f"for example {residuals['unique_cluster'][missing].iloc[0]!r}; name the dataset it was trained on"
        )
    clusters = dataset.clusters.set_index("unique_cluster").loc[residuals["unique_cluster"]].reset_index()
    places = dataset.cluster_places(clusters)
    columns = (residuals[name].to_numpy() for name in ("value", "fold", "district_id"))
    return places, *columns


def _growth(model: Forest, places: Places, values, folds, groups, rng) -> np.ndarray:
    """By how much each place's squared error grows when a group is permuted, over the values' variance; (groups, places)."""
    make, counts = partial(Forest, model.task, model.seed, model.trees), places.counts()
    grown = np.zeros((len(groups), len(values)))
    for fold in np.unique(folds):
        learn, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        fitted = make().fit(places.take(learn), values[learn])
        plain = (fitted.predict_counts(counts[test]) - values[test]) ** 2
        changed = np.tile(counts[test], (len(groups) * REPEATS, 1, 1))
        for number, group in enumerate(groups):
            for repeat in range(REPEATS):
                # one order for the whole group, so that its classes stay together
                order = rng.permutation(test)
                changed[number * REPEATS + repeat][:, group] = counts[order][:, group]
        predicted = fitted.predict_counts(changed.reshape(-1, counts.shape[1]))
        error = (predicted.reshape(len(groups), REPEATS, len(test)) - values[test]) ** 2
        grown[:, test] = (error - plain).mean(axis=1)
    return grown / (values.var() or 1.0)


def _importance_table(grown: np.ndarray, groups, names, units, rng) -> pd.DataFrame:
    _, unit = np.unique(np.asarray(units).astype(str), return_inverse=True)
    n_units = unit.max() + 1
    sums = np.stack([np.bincount(unit, row, n_units) for row in grown])
    times = rng.multinomial(n_units, np.full(n_units, 1 / n_units), RESAMPLES)
    resampled = (sums @ times.T) / (np.bincount(unit) @ times.T)
    lower, upper = np.quantile(resampled, [0.025, 0.975], axis=1)
    rows = {"group": [" + ".join(names[i] for i in group) for group in groups], "classes": groups}
    table = pd.DataFrame(rows | {"value": grown.mean(axis=1), "lower": lower, "upper": upper})
    return table.sort_values("value", ascending=False, kind="stable", ignore_index=True)


def _dependence(model: Forest, places: Places, column: int) -> np.ndarray:
    counts = places.counts()
    grid = np.unique(np.quantile(counts[:, column], np.linspace(0.05, 0.95, 19)).round())
    curve = []
    for amount in grid:
        changed = counts.copy()
        changed[:, column] = amount
        curve.append((amount, model.predict_counts(changed).mean()))
    return np.array(curve)


def _tree(predicted: np.ndarray, counts: np.ndarray, folds: np.ndarray) -> tuple[object, float]:
    from sklearn.tree import DecisionTreeRegressor

    def tree() -> DecisionTreeRegressor:
        return DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=LEAST_LEAF, random_state=0)

    told = np.zeros(len(predicted))
    for fold in np.unique(folds):
        learn = folds != fold
        told[~learn] = tree().fit(counts[learn], predicted[learn]).predict(counts[~learn])
    spread = ((predicted - predicted.mean()) ** 2).sum()
    fidelity = 1 - ((predicted - told) ** 2).sum() / spread if spread > 0 else 1.0
    return tree().fit(counts, predicted), float(fidelity)


def _true_column(dataset: Dataset, trained: Trained) -> int | None:
    """The column of the true loadings, where the dataset is a sample of the world in which they are as drawn."""
    from geolive.sources.countryside import INDICATORS

    indicator, known = trained.card["indicator"], dataset.simulated and "sample_version" in dataset.extra
    plain = dataset.extra.get("world", DEFAULT_WORLD) == DEFAULT_WORLD
    return INDICATORS.index(indicator) if known and plain and indicator in INDICATORS else None
