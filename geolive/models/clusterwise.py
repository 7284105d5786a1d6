"""Cluster-wise models: a forest on what a place's images show, summed or averaged (Lee et al. 2021, "Cluster-wise learning")."""

from pathlib import Path

import numpy as np

from geolive.errors import InputError
from geolive.models.interface import check_images
from geolive.places import Places
from geolive.tables import N_CLASSES

FILE = "model.skops"
# the one type beyond skops' own that a fitted forest consists of; its node numbers are checked after loading
ALLOWED_TYPES = ["sklearn.tree._tree.Tree"]
N_INPUTS = N_CLASSES + 1
_INPUTS = {
    "obj": "object counts summed over a place's images (66), number of images",
    "feats": "mean of the image features over a place's images, number of images",
    "both": "mean of the image features over a place's images, object counts summed over them (66), number of images",
}


class Forest:
    """A random forest on 67 numbers a place: object counts summed over its images, and the number of images.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
    trees : int
    vertices : {"obj", "feats", "both"}
        The object counts, the mean of the images' features and the number of images, or all of these.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("goa", seed=0)
    >>> places = dataset.cluster_places(dataset.clusters)
    >>> forest = Forest("regression", seed=0, trees=10).fit(places, dataset.clusters["pov"].to_numpy())
    >>> forest.predict(places).shape == (len(places),)
    True
    """

    def __init__(self, task: str = "regression", seed: int = 0, trees: int = 100, vertices: str = "obj"):
        if vertices not in _INPUTS:
            raise InputError(f"--vertices {vertices!r}: no such vertices; choose {', '.join(_INPUTS)}")
        self.task, self.seed, self.trees, self.vertices = task, seed, trees, vertices
        self.name = f"clusterwise-forest-{trees}" + ("" if vertices == "obj" else f"-{vertices}")
        self.params = {"trees": trees} | ({} if vertices == "obj" else {"vertices": vertices})
        self.inputs = _INPUTS[vertices]
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
        self._forest = kind(self.trees, random_state=self.seed, n_jobs=-1).fit(self.numbers(places), values)
        self._forest.n_jobs = 1
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Values of places, or the probability of label 1; shape (n,)."""
        check_images(places, self.name)
        return self.predict_counts(self.numbers(places))

    def predict_counts(self, numbers: np.ndarray) -> np.ndarray:
        """As `predict`, from the numbers that the trees see, shape (n, p)."""
        if self.task == "regression":
            return self._forest.predict(numbers)
        classes = self._forest.classes_
        return self._forest.predict_proba(numbers)[:, classes == 1].sum(axis=1)

    def numbers(self, places: Places) -> np.ndarray:
        """What the trees see of places, shape (n, p): in the order of `inputs`."""
        if self.vertices == "obj":
            return places.counts()
        means = mean_features(places)
        if self._forest is not None and hasattr(self._forest, "n_features_in_"):
            other = N_INPUTS if self.vertices == "both" else 1
            if self._forest.n_features_in_ != means.shape[1] + other:
                raise InputError(
                    f"the images have {means.shape[1]} features each, and training saw {self._forest.n_features_in_ - other}; "
                    "use the feature set of training"
                )
        return np.column_stack([means, places.counts() if self.vertices == "both" else places.n_images])

    @property
    def importances(self) -> np.ndarray:
        """How much each of its numbers lowers the error in the trees, summing to 1."""
        return self._forest.feature_importances_

    def save(self, folder: Path) -> dict:
        """Write the forest to `folder`; what comes back is needed to load it."""
        import skops.io

        skops.io.dump(self._forest, folder / FILE)
        settings = {"task": self.task, "seed": self.seed, **self.params}
        return settings if self.vertices == "obj" else settings | {"n_inputs": int(self._forest.n_features_in_)}

    @classmethod
    def load(cls, folder: Path, settings: dict) -> "Forest":
        """Read a forest that `save` wrote; nothing but a forest is ever built from the file.

        Raises
        ------
        InputError
            The file is damaged, or holds something else.
        """
        import skops.io

        model = cls(settings["task"], settings["seed"], settings["trees"], settings.get("vertices", "obj"))
        try:
            model._forest = skops.io.load(folder / FILE, trusted=ALLOWED_TYPES)
            _check_forest(model._forest, settings.get("n_inputs", N_INPUTS))
        except Exception as error:  # whatever skops, zipfile and scikit-learn say of a damaged or foreign file
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"{folder / FILE}: not a forest that geolive wrote ({reason}); train it again") from error
        return model


def mean_features(places: Places) -> np.ndarray:
    """The mean of the features of each place's images, shape (n, f).

    Raises
    ------
    InputError
        The places have no image features, or some are no numbers.

    Examples
    --------
    >>> mean_features(Places.without_images(np.array(["a"]), np.zeros((1, 2))))
    Traceback (most recent call last):
    geolive.errors.InputError: the places have no image features; add some with embed or ingest features
    """
    if places.features is None:
        raise InputError("the places have no image features; add some with embed or ingest features")
    means = np.empty((len(places), places.features.size))
    for row, (start, stop) in enumerate(zip(places.offsets[:-1], places.offsets[1:], strict=True)):
        means[row] = places.features.read(np.arange(start, stop)).mean(axis=0, dtype=np.float64)
    if not np.isfinite(means).all():
        place = places.ids[int(np.argmin(np.isfinite(means).all(axis=1)))]
        raise InputError(
            f"feature set {places.features.name!r}: an image of place {str(place)!r} has features that are no numbers; "
            "make the feature set again"
        )
    return means


def _check_forest(forest, n_inputs: int) -> None:
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
        if tree.n_features != n_inputs or not (after.all() and (feature >= 0).all() and (feature < n_inputs).all()):
            raise ValueError("a node points outside its tree")
