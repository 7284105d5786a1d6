"""Fitted forests as plain arrays: a file that is quick and safe to read, and that no version of scikit-learn changes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geolive.models.array_files import load_arrays, save_arrays, unreadable

# rows that go through all trees together, so that what a step needs stays in the processor's cache
_ROWS = 4096
_OF_NODES = ("feature", "threshold", "value")
# the arrays in the file: their type and number of dimensions
FOREST_TYPES = {
    "feature": ("int32", 1),
    "threshold": ("float64", 1),
    "left": ("int32", 1),
    "right": ("int32", 1),
    "value": ("float64", 2),
    "roots": ("int64", 1),
    "feature_importances_": ("float64", 1),
    "classes_": ("float64", 1),
}


class ForestArrays:
    """The trees of a fitted forest, one after the other, in arrays of nodes; it predicts what the forest does, bit by bit.

    Parameters
    ----------
    feature : array of int32, shape (n_nodes,)
        The input that each node asks for; 0 in leaves.
    threshold : array of float64, shape (n_nodes,)
        Rows whose input is at most the threshold go left.
    left, right : array of int32, shape (n_nodes,)
        The next node; a leaf's is the leaf itself.
    value : array of float64, shape (n_nodes, k)
        What each node predicts: the mean (k = 1), or the share of each class.
    roots : array of int64, shape (n_trees,)
        The first node of each tree.
    feature_importances_ : array of float64, shape (n_inputs,)
        How much each input lowers the error in the trees, summing to 1.
    classes_ : array of float64, shape (k,)
        The labels; empty for a regression.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> table, values = np.random.default_rng(0).normal(size=(2, 30, 1))
    >>> forest = RandomForestRegressor(5, random_state=0).fit(table, values[:, 0])
    >>> bool(np.array_equal(ForestArrays.of(forest).predict(table), forest.predict(table)))
    True
    """

    def __init__(self, **arrays: np.ndarray) -> None:
        self.feature, self.threshold = arrays["feature"], arrays["threshold"]
        self.left, self.right, self.value = arrays["left"], arrays["right"], arrays["value"]
        self.roots, self.classes_ = arrays["roots"], arrays["classes_"]
        self.feature_importances_ = arrays["feature_importances_"]
        self.n_features_in_ = len(self.feature_importances_)
        self.depths = _check_trees(self)
        # node i goes to next[2 i] on the right and to next[2 i + 1] on the left
        self._next = np.column_stack([self.right, self.left]).ravel()

    @classmethod
    def of(cls, forest: Any) -> "ForestArrays":
        """Take the arrays of a fitted forest of scikit-learn, whose trees are `forest.estimators_`."""
        trees = [tree.tree_ for tree in forest.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
        leaf = np.concatenate([tree.children_left == -1 for tree in trees])
        own = np.arange(len(leaf))

        def child(name: str) -> np.ndarray:
            moved = np.concatenate([getattr(tree, name) + root for tree, root in zip(trees, roots, strict=True)])
            return np.where(leaf, own, moved).astype(np.int32)

        return cls(
            feature=np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])).astype(np.int32),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            left=child("children_left"),
            right=child("children_right"),
            value=np.concatenate([tree.value[:, 0, :] for tree in trees]),
            roots=roots.astype(np.int64),
            feature_importances_=np.asarray(forest.feature_importances_, float),
            classes_=np.asarray(getattr(forest, "classes_", ()), float),
        )

    @classmethod
    def joined(cls, forests: Sequence["ForestArrays"]) -> "ForestArrays":
        """Join the trees of regression forests to one forest, whose importances are the means over trees."""
        first = np.cumsum([0, *(len(forest.feature) for forest in forests)])[:-1]
        trees = np.array([len(forest.roots) for forest in forests])

        def moved(name: str, dtype: type) -> np.ndarray:
            return np.concatenate([getattr(own, name) + at for own, at in zip(forests, first, strict=True)]).astype(
                dtype
            )

        together = {name: np.concatenate([getattr(own, name) for own in forests]) for name in _OF_NODES}
        return cls(
            **together,
            left=moved("left", np.int32),
            right=moved("right", np.int32),
            roots=moved("roots", np.int64),
            feature_importances_=trees @ np.stack([own.feature_importances_ for own in forests]) / trees.sum(),
            classes_=np.empty(0),
        )

    def predict(self, table: np.ndarray) -> np.ndarray:
        """Predict the mean over trees, shape (n,); of a classifier, the label that most of the trees' shares are for."""
        shares = self._means(table)
        return self.classes_[shares.argmax(axis=1)] if len(self.classes_) else shares[:, 0]

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Predict the probability of each of `classes_`, shape (n, k)."""
        return self._means(table)

    def _means(self, table: np.ndarray) -> np.ndarray:
        # scikit-learn compares numbers of this precision, too
        rows = np.asarray(table, np.float32)
        parts = [self._means_of(rows[at : at + _ROWS]) for at in range(0, len(rows), _ROWS)]
        return np.concatenate(parts) if parts else np.empty((0, self.value.shape[1]))

    def _means_of(self, rows: np.ndarray) -> np.ndarray:
        flat, first = rows.ravel(), np.arange(len(rows), dtype=np.int32) * np.int32(rows.shape[1])
        total = np.zeros((len(rows), self.value.shape[1]))
        for root, depth in zip(self.roots, self.depths, strict=True):
            node = np.full(len(rows), root, np.int32)
            for _ in range(depth):
                goes_left = flat.take(first + self.feature.take(node)) <= self.threshold.take(node)
                node = self._next.take(2 * node + goes_left)
            total += self.value.take(node, axis=0)
        return total / len(self.roots)


def save_forest(forest: Any, folder: Path) -> None:
    """Write a fitted forest of scikit-learn, or its arrays, to `folder`; equal forests give equal bytes.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> folder = Path(tempfile.mkdtemp())
    >>> save_forest(ExtraTreesRegressor(2, random_state=0).fit([[0.0], [1.0]], [0.0, 1.0]), folder)
    >>> load_forest(folder, 1).predict(np.array([[0.9]]))
    array([1.])
    """
    arrays = forest if isinstance(forest, ForestArrays) else ForestArrays.of(forest)
    save_arrays({name: getattr(arrays, name) for name in FOREST_TYPES}, folder)


def load_forest(folder: Path, n_inputs: int) -> ForestArrays:
    """Read a forest that `save_forest` wrote.

    Parameters
    ----------
    folder : Path
    n_inputs : int
        Number of inputs that the forest must have.

    Raises
    ------
    InputError
        The file is missing, damaged, or holds something else.

    Examples
    --------
    >>> load_forest(Path("no/such/folder"), 67)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/folder/model.safetensors: not a forest that geolive wrote (...); train it again
    """
    tensors = load_arrays(folder, FOREST_TYPES, "a forest")
    try:
        return checked_forest(tensors, n_inputs)
    except ValueError as error:
        raise unreadable(folder, "a forest", error) from error


def checked_forest(arrays: dict[str, np.ndarray], n_inputs: int) -> ForestArrays:
    """Make a forest from arrays of the types in `FOREST_TYPES`.

    Raises
    ------
    ValueError
        Arrays have lengths that do not fit together, or a node points outside its tree.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> forest = ForestArrays.of(RandomForestRegressor(2, random_state=0).fit([[0.0], [1.0]], [0.0, 1.0]))
    >>> checked_forest({name: getattr(forest, name) for name in FOREST_TYPES}, 2)
    Traceback (most recent call last):
    ValueError: it has 1 inputs, not 2
    """
    if len(arrays["feature_importances_"]) != n_inputs:
        raise ValueError(f"it has {len(arrays['feature_importances_'])} inputs, not {n_inputs}")
    if len({len(arrays[name]) for name in ("feature", "threshold", "left", "right", "value")}) != 1:
        raise ValueError("its arrays of nodes have different lengths")
    if arrays["value"].shape[1] != max(1, len(arrays["classes_"])):
        raise ValueError("it has other classes than values")
    return ForestArrays(**arrays)


def _check_trees(forest: ForestArrays) -> list[int]:
    """Return the depth of each tree; raise ValueError where a node points outside its tree or its inputs."""
    n_nodes, own = len(forest.feature), np.arange(len(forest.feature))
    roots = forest.roots
    if not len(roots) or roots[0] != 0 or not (np.diff([*roots, n_nodes]) > 0).all():
        raise ValueError("it has trees without nodes")
    tree = np.repeat(np.arange(len(roots)), np.diff([*roots, n_nodes]))
    inner = forest.left != own
    children = np.concatenate([forest.left[inner], forest.right[inner]]).astype(np.int64)
    parents = np.tile(own[inner], 2)
    inside = (children > parents) & (children < n_nodes)
    asked = forest.feature[inner]
    if not (inside.all() and (asked >= 0).all() and (asked < forest.n_features_in_).all()):
        raise ValueError("a node points outside its tree")
    # a root has no parent, and any other node has one
    parents_wanted = np.ones(n_nodes, int)
    parents_wanted[roots] = 0
    one_parent = np.array_equal(np.bincount(children, minlength=n_nodes), parents_wanted)
    if not one_parent or (forest.right[~inner] != own[~inner]).any():
        raise ValueError("a node points outside its tree")
    if not (tree[children] == tree[parents]).all() or (forest.feature[~inner] != 0).any():
        raise ValueError("a node points outside its tree")
    # each node has one parent, which stands before it, so that all levels together are the nodes
    depths, level, depth = np.zeros(len(roots), int), roots, 0
    while len(level := level[inner[level]]):
        depth += 1
        depths[tree[level]] = depth
        level = np.concatenate([forest.left[level], forest.right[level]])
    return [int(d) for d in depths]
