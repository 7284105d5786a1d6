"""Further cluster-wise models: any scikit-learn estimator, and those that Lee et al. 2021 compare with the forest."""

from typing import Any

import numpy as np

from geolive.errors import InputError
from geolive.model_inputs import canonical_inputs
from geolive.models.clusterwise import ClusterwiseModel, ForestModel
from geolive.models.interface import check_integer
from geolive.places import Places
from geolive.tables import N_CLASSES


class CountModel(ClusterwiseModel):
    """Any scikit-learn regressor or classifier, fitted to the object counts or features of a place's images, or to covariates.

    The task follows from the estimator: a regressor is fitted to values, and a classifier to labels. You can train,
    evaluate and map it like every model. `save_model` saves it if its types can be read safely: forests, boosted
    trees, linear models, nearest neighbours, and pipelines of these with scalers.

    Parameters
    ----------
    estimator : estimator
        An unfitted scikit-learn regressor, a classifier with `predict_proba`, or a pipeline. It is not changed:
        clones of it are fitted.
    inputs : str
        Some of objects (object counts summed over a place's images, 66 numbers), features (the mean of the images' features) and
        covariates, separated by commas. The number of images is added where images are used.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone.

    See Also
    --------
    geolive.Forest : A random forest on object counts.
    geolive.Model : The base class of all models.

    Examples
    --------
    >>> from sklearn.ensemble import GradientBoostingRegressor
    >>> from geolive.models.training import train
    >>> from geolive.simulation.sample import make_sample
    >>> model = CountModel(GradientBoostingRegressor(n_estimators=5))
    >>> train(make_sample("goa", seed=0), model, "pov").card.model
    'clusterwise-GradientBoostingRegressor'
    """

    kind = "count-model"

    def __init__(self, estimator: Any, *, inputs: str = "objects") -> None:
        self.estimator = estimator
        self.inputs = inputs

    @property
    def task(self) -> str:  # type: ignore[override]
        """ "classification" where the estimator is a classifier, else "regression"."""
        from sklearn.base import is_classifier

        return "classification" if is_classifier(self.estimator) else "regression"

    @property
    def name(self) -> str:
        """The class of the estimator, or of the last step of a pipeline."""
        last = self.estimator.steps[-1][1] if hasattr(self.estimator, "steps") else self.estimator
        return f"clusterwise-{type(last).__name__}" + self._ending

    @property
    def params(self) -> dict[str, Any]:
        """The estimator as scikit-learn prints it, and the inputs."""
        return {"estimator": " ".join(repr(self.estimator).split()), "inputs": self.inputs}

    @property
    def about(self) -> str:
        """The estimator's class, in a sentence."""
        return f"scikit-learn's {self.name.split('-')[1]} on the inputs of each place"

    def check_parameters(self) -> None:
        """Raise InputError if the estimator is neither a scikit-learn regressor nor a classifier with probabilities."""
        from sklearn.base import BaseEstimator, is_classifier, is_regressor

        estimator = self.estimator
        known = isinstance(estimator, BaseEstimator) and (is_regressor(estimator) or is_classifier(estimator))
        if not known:
            raise InputError(
                f"estimator={self.estimator!r} is not a scikit-learn regressor or classifier; give an unfitted one, "
                "for example "
                "ExtraTreesRegressor()"
            )
        if is_classifier(self.estimator) and not hasattr(self.estimator, "predict_proba"):
            raise InputError(
                f"estimator={self.estimator!r} gives no probabilities, which maps need; wrap it in "
                "sklearn.calibration.CalibratedClassifierCV"
            )
        super().check_parameters()

    def for_task(self, task: str, random_state: int) -> "CountModel":
        """Return an unfitted copy; the seed goes to those parts of the estimator that have none yet."""
        from sklearn.base import clone

        if task != self.task:
            needed = "classifier" if task == "classification" else "regressor"
            raise InputError(f"estimator={self.estimator!r} cannot do task={task!r}; give a {needed}")
        copy = clone(self)
        seeds = copy.estimator.get_params()
        unset = [k for k, v in seeds.items() if v is None and (k == "random_state" or k.endswith("__random_state"))]
        copy.estimator.set_params(**dict.fromkeys(unset, random_state))
        return copy

    def make_estimator(self) -> Any:
        """Make an unfitted clone of the estimator."""
        from sklearn.base import clone

        return clone(self.estimator)

    def _settings(self) -> dict[str, Any]:
        return {"inputs": canonical_inputs(self.inputs)}

    @classmethod
    def _of_settings(cls, settings: dict[str, Any], estimator: Any) -> "CountModel":
        from sklearn.base import clone

        return cls(clone(estimator), **settings)


class ExtraTrees(ForestModel):
    """Extremely randomised trees: as a random forest, with thresholds drawn at random, each tree on all clusters.

    Source: Geurts, Ernst & Wehenkel 2006, doi 10.1007/s10994-006-6226-1.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Seed of the random number generator.
    n_estimators : int
        Number of trees.
    inputs : str
        The inputs, as for `geolive.models.clusterwise.Forest`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> counts = rng.poisson(3, (60, 66)).astype(np.uint16)
    >>> places = Places(np.arange(60).astype(str), np.zeros((60, 2)), np.arange(61), np.zeros((60, 2)), counts)
    >>> model = ExtraTrees(n_estimators=20).fit(places, counts[:, 5].astype(float))
    >>> bool(np.corrcoef(model.predict(places), counts[:, 5])[0, 1] > 0.9)
    True
    """

    kind = "extra-trees"

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        n_estimators: int = 100,
        inputs: str = "objects",
    ) -> None:
        self.task = task
        self.random_state = random_state
        self.n_estimators = n_estimators
        self.inputs = inputs

    @property
    def name(self) -> str:
        """The number of trees, and the inputs where they are not the object counts."""
        return f"clusterwise-extra-trees-{self.n_estimators}" + self._ending

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the model cannot use."""
        super().check_parameters()
        check_integer("n_estimators", self.n_estimators, 1)

    def make_estimator(self) -> Any:
        """Make unfitted trees."""
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        kind = ExtraTreesRegressor if self.task == "regression" else ExtraTreesClassifier
        return kind(self.n_estimators, random_state=self.random_state)


class RidgeCounts(ClusterwiseModel):
    """Linear regression with a quadratic penalty, on standardised logarithms of object counts, image features and covariates.

    Leave-one-out errors choose the penalty. Labels are fitted as numbers, and predictions are clipped to 0 … 1.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Not used: the model has nothing random.
    inputs : str
        The inputs, as for `geolive.models.clusterwise.Forest`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> counts = rng.poisson(3, (60, 66)).astype(np.uint16)
    >>> places = Places(np.arange(60).astype(str), np.zeros((60, 2)), np.arange(61), np.zeros((60, 2)), counts)
    >>> model = RidgeCounts().fit(places, counts[:, 5].astype(float))
    >>> bool(np.corrcoef(model.predict(places), counts[:, 5])[0, 1] > 0.7)
    True
    """

    kind = "ridge"

    def __init__(self, task: str = "regression", *, random_state: int = 0, inputs: str = "objects") -> None:
        self.task = task
        self.random_state = random_state
        self.inputs = inputs

    @property
    def name(self) -> str:
        """The inputs where they are not the object counts."""
        return "clusterwise-ridge" + self._ending

    def make_estimator(self) -> Any:
        """Make an unfitted linear regression."""
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 16)))

    def table(self, places: Places) -> np.ndarray:
        """Return what other cluster-wise models see, with logarithms of counts."""
        table = super().table(places)
        if self.needs_images:
            # the counts, of which the number of images is the last; covariates follow
            end = table.shape[1] - len(getattr(self, "covariate_names_", ()))
            counts = slice(end - (N_CLASSES + 1 if self.uses("objects") else 1), end)
            table[:, counts] = np.log1p(table[:, counts])
        return table

    def predict_table(self, table: np.ndarray) -> np.ndarray:
        """Predict as `predict` does, from the rows that `table` gives, shape (n, p)."""
        predicted = super().predict_table(table)
        return np.clip(predicted, 0, 1) if self.task == "classification" else predicted

    @property
    def importances_(self) -> np.ndarray | None:
        """Absolute coefficients of the standardised inputs, summing to 1; None where all are 0."""
        self.check_fitted()
        if self.only_label_ is not None:
            return None
        sizes = np.abs(self.estimator_[-1].coef_)
        return sizes / sizes.sum() if sizes.any() else None


class NearestCounts(ClusterwiseModel):
    """The mean of the training clusters whose object counts are most alike; nothing is scaled, as in the paper.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Not used: the model has nothing random.
    n_neighbors : int
        Number of clusters that are averaged; all training clusters where there are fewer.

    Examples
    --------
    >>> counts = np.eye(3, 66, dtype=np.uint16)
    >>> places = Places(np.array(list("abc")), np.zeros((3, 2)), np.arange(4), np.zeros((3, 2)), counts)
    >>> NearestCounts(n_neighbors=1).fit(places, np.array([1.0, 2.0, 3.0])).predict(places)
    array([1., 2., 3.])
    """

    kind = "knn"

    def __init__(self, task: str = "regression", *, random_state: int = 0, n_neighbors: int = 3) -> None:
        self.task = task
        self.random_state = random_state
        self.n_neighbors = n_neighbors

    @property
    def name(self) -> str:
        """The number of neighbours."""
        return f"clusterwise-knn-{self.n_neighbors}"

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the model cannot use."""
        super().check_parameters()
        check_integer("n_neighbors", self.n_neighbors, 1)

    def make_estimator(self) -> Any:
        """Make an unfitted regressor: of labels, the mean is the share of 1 among the neighbours."""
        from sklearn.neighbors import KNeighborsRegressor

        return KNeighborsRegressor(self.n_neighbors)

    def _fit_estimator(self, table: np.ndarray, values: np.ndarray, weights: dict[str, np.ndarray]) -> None:
        # every neighbour counts the same, as in the paper: the estimator takes no weights of rows
        self.estimator_.set_params(n_neighbors=min(self.n_neighbors, len(values))).fit(table, values)
