"""How a forest's predictions follow its inputs: partial dependence (Friedman 2001, doi 10.1214/aos/1013203451), and one tree."""

from dataclasses import dataclass

import numpy as np

from geolive.models.clusterwise import Forest

DEPTH, LEAST_LEAF = 3, 8


@dataclass(frozen=True)
class SmallTree:
    """A tree that tells what it can of a forest.

    Parameters
    ----------
    tree : object
        scikit-learn's, fitted to the forest's predictions.
    names : list of str
        Of its inputs.
    numbers : array, shape (n, p)
        The inputs of the places that it was fitted to.
    predicted : array, shape (n,)
        The forest's predictions there.
    fidelity : float
        R² of such trees against the forest's predictions at places of folds that they did not see.
    """

    tree: object
    names: list[str]
    numbers: np.ndarray
    predicted: np.ndarray
    fidelity: float


def partial_dependence(model: Forest, numbers: np.ndarray, column: int) -> np.ndarray:
    """The mean prediction if every place had the same amount of one input, all else as it is.

    Parameters
    ----------
    model : Forest
        Fitted.
    numbers : array of float, shape (n, p)
        As `Forest.table` gives them.
    column : int

    Returns
    -------
    array, shape (m, 2)
        Amounts from the 5th to the 95th percentile of places, whole numbers where the column has no others, and predictions.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(predict_table=lambda numbers: 2 * numbers[:, 0])
    >>> partial_dependence(model, np.array([[1.0], [2.0], [3.0]]), 0).tolist()
    [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]
    """
    grid = np.quantile(numbers[:, column], np.linspace(0.05, 0.95, 19))
    whole = (numbers[:, column] == np.round(numbers[:, column])).all()
    curve = []
    for amount in np.unique(grid.round() if whole else grid):
        changed = numbers.copy()
        changed[:, column] = amount
        curve.append((amount, model.predict_table(changed).mean()))
    return np.array(curve)


def small_tree(predicted: np.ndarray, numbers: np.ndarray, folds: np.ndarray, names: list[str]) -> SmallTree:
    """A tree of three questions fitted to a forest's predictions, and how much of these it tells.

    Parameters
    ----------
    predicted : array, shape (n,)
        By the forest.
    numbers : array, shape (n, p)
        As `Forest.table` gives them.
    folds : array of int, shape (n,)
    names : list of str
        Of the inputs.

    Examples
    --------
    >>> numbers = np.arange(40.0)[:, None]
    >>> small_tree(numbers[:, 0] // 20, numbers, np.arange(40) % 2, ["a"]).fidelity > 0.8
    True
    """
    from sklearn.tree import DecisionTreeRegressor

    def tree() -> DecisionTreeRegressor:
        return DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=LEAST_LEAF, random_state=0)

    told = np.zeros(len(predicted))
    for fold in np.unique(folds):
        learn = folds != fold
        told[~learn] = tree().fit(numbers[learn], predicted[learn]).predict(numbers[~learn])
    spread = ((predicted - predicted.mean()) ** 2).sum()
    fidelity = 1 - ((predicted - told) ** 2).sum() / spread if spread > 0 else 1.0
    return SmallTree(tree().fit(numbers, predicted), names, numbers, predicted, float(fidelity))
