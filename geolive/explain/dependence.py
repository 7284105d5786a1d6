"""How predictions follow single inputs: partial dependence (Friedman 2001, doi 10.1214/aos/1013203451), and a small tree."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from geolive.models.clusterwise import ClusterwiseModel
from geolive.models.cross_validation import fold_pairs

DEPTH, LEAST_LEAF = 3, 8


@dataclass(frozen=True)
class SmallTree:
    """A small tree fitted to the predictions of a model.

    Parameters
    ----------
    tree : sklearn.tree.DecisionTreeRegressor
    names : list of str
        Names of its inputs.
    fidelity : float
        R² of such trees against the model's predictions, at places of folds that they were not fitted to.
    """

    tree: Any
    names: list[str]
    fidelity: float


def partial_dependence(model: ClusterwiseModel, numbers: np.ndarray, column: int) -> np.ndarray:
    """Compute the mean prediction if every place had the same amount of one input and all else was unchanged.

    Parameters
    ----------
    model : ClusterwiseModel
        A fitted model.
    numbers : array of float, shape (n, p)
        The inputs of places, as `ClusterwiseModel.table` returns them.
    column : int
        The input.

    Returns
    -------
    array, shape (m, 2)
        Amounts from the 5th to the 95th percentile of places, and the mean prediction for each. Amounts are whole numbers where
        the column has no others.

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
    """Fit a tree of three questions to a model's predictions, and measure how much of them it explains.

    Parameters
    ----------
    predicted : array, shape (n,)
        Predictions of the model.
    numbers : array, shape (n, p)
        The inputs of places, as `ClusterwiseModel.table` returns them.
    folds : array of int, shape (n,)
    names : list of str
        Names of the inputs.

    Returns
    -------
    SmallTree

    Examples
    --------
    >>> numbers = np.arange(40.0)[:, None]
    >>> small_tree(numbers[:, 0] // 20, numbers, np.arange(40) % 2, ["a"]).fidelity > 0.8
    True
    """
    from sklearn.tree import DecisionTreeRegressor

    def fitted(rows: np.ndarray) -> DecisionTreeRegressor:
        tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=LEAST_LEAF, random_state=0)
        return tree.fit(numbers[rows], predicted[rows])

    left_out = np.zeros(len(predicted))
    for train, test in fold_pairs(folds):
        left_out[test] = fitted(train).predict(numbers[test])
    spread = ((predicted - predicted.mean()) ** 2).sum()
    fidelity = 1 - ((predicted - left_out) ** 2).sum() / spread if spread > 0 else 1.0
    return SmallTree(fitted(np.arange(len(predicted))), names, float(fidelity))
