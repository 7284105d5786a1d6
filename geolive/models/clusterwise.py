"""Cluster-wise models: a forest on the objects counted in a place's images (Lee et al. 2021, "Cluster-wise learning")."""

from pathlib import Path

import numpy as np

from geolive.clusters import Places
from geolive.errors import InputError
from geolive.models.interface import check_images
from geolive.tables import N_CLASSES

FILE = "model.skops"
# the one type beyond skops' own that a fitted forest consists of; its node numbers are checked after loading
ALLOWED_TYPES = ["sklearn.tree._tree.Tree"]
N_INPUTS = N_CLASSES + 1


class Forest:
    """A random forest on 67 numbers a place: object counts summed over its images, and the number of images.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
    trees : int

    Examples
    --------
    >>> from geolive.sources.sample import make_sample
    >>> dataset = make_sample("goa", seed=0).dataset
    >>> places = dataset.cluster_places(dataset.clusters)
    >>> forest = Forest("regression", seed=0, trees=10).fit(places, dataset.clusters["pov"].to_numpy())
    >>> forest.predict(places).shape == (len(places),)
    True
    """

    inputs = "object counts summed over a place's images (66), number of images"

    def __init__(self, task: str = "regression", seed: int = 0, trees: int = 100):
        self.task, self.seed, self.trees = task, seed, trees
        self.name = f"clusterwise-forest-{trees}"
        self.params = {"trees": trees}
        self._forest = None

    def fit(self, places: Places, values: np.ndarray) -> "Forest":
        """Fit to the values of places that have images.

        Raises
        ------
        InputError
            A place has no images.
        """
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        check_images(places, self.name)
        kind = RandomForestRegressor if self.task == "regression" else RandomForestClassifier
        # trees have a seed each, so they grow the same on any number of cores; sums of predictions would not
        self._forest = kind(self.trees, random_state=self.seed, n_jobs=-1).fit(places.counts(), values)
        self._forest.n_jobs = 1
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Values of places, or the probability of label 1; shape (n,)."""
        check_images(places, self.name)
        if self.task == "regression":
            return self._forest.predict(places.counts())
        classes = self._forest.classes_
        probability = self._forest.predict_proba(places.counts())
        return probability[:, classes == 1].sum(axis=1)

    def save(self, folder: Path) -> dict:
        """Write the forest to `folder`; what comes back is needed to load it."""
        import skops.io

        skops.io.dump(self._forest, folder / FILE)
        return {"task": self.task, "seed": self.seed, "trees": self.trees}

    @classmethod
    def load(cls, folder: Path, settings: dict) -> "Forest":
        """Read a forest that `save` wrote; nothing but a forest is ever built from the file.

        Raises
        ------
        InputError
            The file is damaged, or holds something else.
        """
        import skops.io

        model = cls(settings["task"], settings["seed"], settings["trees"])
        try:
            model._forest = skops.io.load(folder / FILE, trusted=ALLOWED_TYPES)
            _check_forest(model._forest)
        except Exception as error:  # whatever skops, zipfile and scikit-learn say of a damaged or foreign file
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"{folder / FILE}: not a forest that geolive wrote ({reason}); train it again") from error
        return model


def _check_forest(forest) -> None:
    """Raise ValueError where a node points outside its tree or its inputs: scikit-learn would follow it blindly."""
    if type(forest).__name__ not in ("RandomForestRegressor", "RandomForestClassifier"):
        raise ValueError(f"it holds a {type(forest).__name__}")
    for estimator in forest.estimators_:
        tree = estimator.tree_
        node = np.arange(tree.node_count)
        inner = tree.children_left != -1
        children = np.stack([tree.children_left, tree.children_right])[:, inner]
        after = (children > node[inner]) & (children < tree.node_count)
        feature = tree.feature[inner]
        if tree.n_features != N_INPUTS or not (after.all() and (feature >= 0).all() and (feature < N_INPUTS).all()):
            raise ValueError("a node points outside its tree")
