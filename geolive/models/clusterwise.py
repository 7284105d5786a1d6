"""Cluster-wise models: scikit-learn estimators on what a place's images show, summed or averaged, and on covariates.

Source: Lee et al. 2021, "Cluster-wise learning".
"""

from pathlib import Path
from typing import Any

import numpy as np

from geolive.errors import InputError
from geolive.model_inputs import photo_inputs, short_name
from geolive.models.covariate_inputs import (
    checked_names,
    covariate_words,
    covariates_as_trained,
    training_covariates,
)
from geolive.models.estimator_files import load_estimator, save_estimator
from geolive.models.forest_arrays import ForestArrays, load_forest, save_forest
from geolive.models.interface import Model, check_images, check_integer, settings_of_bundle
from geolive.places import Places
from geolive.rates import rate_weights
from geolive.tables import N_CLASSES

# predicted at once: a row of numbers for each place, and the copies that estimators make of them
_PLACES = 1 << 16
_WORDS = {
    "features": "mean of the image features over a place's images",
    "objects": "object counts summed over a place's images (66)",
}


class ClusterwiseModel(Model):
    """A scikit-learn estimator on one row of numbers a place: the base class of `Forest`, `CountModel` and others.

    A subclass says in `make_estimator` which estimator; this class makes the rows, fits, predicts, saves and loads.

    Attributes
    ----------
    estimator_ : estimator
        The fitted scikit-learn estimator.
    only_label_ : float or None
        In classification the only label of the training places, which is then predicted everywhere.
    """

    inputs: str = "objects"
    takes_sample_sizes = True

    @property
    def _ending(self) -> str:
        """What the name ends in: the inputs where they are not the object counts."""
        short = short_name(self.inputs)
        return "" if short == "obj" else f"-{short}"

    def make_estimator(self) -> Any:
        """Make an unfitted scikit-learn estimator."""
        raise NotImplementedError(f"{type(self).__name__}.make_estimator")

    @property
    def input_words(self) -> str:  # type: ignore[override]
        """The inputs of the model, in words."""
        words = [text for name, text in _WORDS.items() if self.uses(name)]
        words += ["number of images"] * self.needs_images
        return ", ".join([*words, *covariate_words(self)])

    @property
    def needs_images(self) -> bool:  # type: ignore[override]
        """Whether the model uses object counts or image features; covariates need no image."""
        return bool(photo_inputs(self.inputs))

    def fit(self, places: Places, values: np.ndarray, *, sample_sizes: np.ndarray | None = None) -> "ClusterwiseModel":
        """Fit the estimator to places that have images, if it uses images.

        Parameters
        ----------
        places : Places
        values : array of float, shape (n,)
            Values, labels 0 and 1, or rates.
        sample_sizes : array of float, shape (n,), optional
            For rates: the number of persons that each was measured of. Rates of more persons then weigh more, if the estimator
            takes weights, and predictions stay within 0 and 1.

        Raises
        ------
        InputError
            A parameter has no such value, a place has no images, or its image features or a covariate are missing.
        """
        self.check_parameters()
        if self.uses("covariates"):
            training_covariates(places, self.name)
            self.covariate_names_ = places.covariate_names
        values, table = np.asarray(values, float), self.table(places)
        self.n_features_in_ = table.shape[1]
        self.only_label_ = float(values[0]) if self.task == "classification" and len(np.unique(values)) == 1 else None
        self.estimator_ = self.make_estimator()
        self.is_rate_ = sample_sizes is not None
        if self.only_label_ is None:
            weights = {}
            if sample_sizes is not None and (name := weight_parameter(self.estimator_)):
                weights = {name: rate_weights(values, np.asarray(sample_sizes, float))}
            self._fit_estimator(table, values, weights)
        return self

    def _fit_estimator(self, table: np.ndarray, values: np.ndarray, weights: dict[str, np.ndarray]) -> None:
        self.estimator_.fit(table, values, **weights)

    def predict(self, places: Places) -> np.ndarray:
        """Predict values of places, or probabilities of label 1, shape (n,); NaN where a place lacks a covariate."""
        self.check_fitted()
        return np.concatenate([self._predict(part) for part in places.parts(_PLACES)])

    def _predict(self, places: Places) -> np.ndarray:
        table = self.table(places)
        known = np.isfinite(table).all(axis=1)
        predicted = np.full(len(table), np.nan)
        if known.any():
            predicted[known] = self.predict_table(table[known])
        return predicted

    def predict_table(self, table: np.ndarray) -> np.ndarray:
        """Predict as `predict` does, from the rows that `table` gives, shape (n, p)."""
        self.check_fitted()
        if self.only_label_ is not None:
            return np.full(len(table), self.only_label_)
        if self.task == "regression" or not hasattr(self.estimator_, "predict_proba"):
            predicted = np.asarray(self.estimator_.predict(table), float)
            return np.clip(predicted, 0, 1) if self.is_rate_ else predicted
        return self.estimator_.predict_proba(table)[:, self.estimator_.classes_ == 1].sum(axis=1)

    def table(self, places: Places) -> np.ndarray:
        """Return what the estimator sees of places, in the order of `inputs`; shape (n, p).

        Raises
        ------
        InputError
            The places have no images, image features or covariates, or others than the training places.
        """
        parts = []
        if self.needs_images:
            check_images(places, self.name)
            parts.append(self._image_columns(places))
        if self.uses("covariates"):
            parts.append(covariates_as_trained(places, self.covariate_names_, self.name))
        return np.column_stack(parts)

    def _image_columns(self, places: Places) -> np.ndarray:
        """Return what images show: mean features, object counts, and the number of images, which is the last column."""
        if not self.uses("features"):
            return places.counts()
        means = mean_features(places)
        trained_with = getattr(self, "n_features_in_", None)
        other = (N_CLASSES + 1 if self.uses("objects") else 1) + len(getattr(self, "covariate_names_", ()))
        if trained_with not in (None, means.shape[1] + other):
            raise InputError(
                f"the images have {means.shape[1]} features each, but the model was trained with {trained_with - other}; "
                "use the feature set of training"
            )
        return np.column_stack([means, places.counts() if self.uses("objects") else places.n_images])

    @property
    def importances_(self) -> np.ndarray | None:
        """How much each of its inputs lowers the error in the trees, summing to 1; None for an estimator without trees."""
        self.check_fitted()
        return getattr(self.estimator_, "feature_importances_", None)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the estimator to `folder`; `load` needs the settings that come back.

        Raises
        ------
        InputError
            The estimator consists of types that cannot be read back safely.
        """
        self.check_fitted()
        if self.only_label_ is not None:
            raise InputError(f"{self.name} was trained on one label only; it cannot be saved in a bundle")
        self._write_estimator(folder)
        names = {"covariate_names": list(self.covariate_names_)} if self.uses("covariates") else {}
        return {**self._settings(), **names, "n_inputs": int(self.n_features_in_), "is_rate": self.is_rate_}

    def _write_estimator(self, folder: Path) -> None:
        save_estimator(self.estimator_, folder)

    def _settings(self) -> dict[str, Any]:
        return self.get_params(deep=False)

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "ClusterwiseModel":
        """Read what `save` wrote; nothing but the estimator is built from the file.

        Raises
        ------
        InputError
            The file is damaged or holds something else, or the settings are not those of `save`.
        """
        settings = dict(settings)
        with settings_of_bundle(folder, cls):
            n_inputs, names = int(settings.pop("n_inputs")), settings.pop("covariate_names", ())
            is_rate = bool(settings.pop("is_rate"))
            model = cls._of_settings(settings, estimator := cls._read_estimator(folder, n_inputs))
            model.check_parameters()
            if model.uses("covariates"):
                model.covariate_names_ = checked_names(names)
        model.estimator_, model.n_features_in_, model.only_label_ = estimator, n_inputs, None
        model.is_rate_ = is_rate
        model._check_estimator_read(folder)
        return model

    @classmethod
    def _read_estimator(cls, folder: Path, n_inputs: int) -> Any:
        return load_estimator(folder, n_inputs)

    def _check_estimator_read(self, folder: Path) -> None:
        made, read = type(self.make_estimator()).__name__, type(self.estimator_).__name__
        if made != read:
            raise InputError(f"{folder}: holds a {read}, not a {made} that geolive wrote; train it again")

    @classmethod
    def _of_settings(cls, settings: dict[str, Any], estimator: Any) -> "ClusterwiseModel":
        return cls(**settings)


class ForestModel(ClusterwiseModel):
    """A clusterwise model whose estimator is a forest, which bundles keep as plain arrays: the base class of `Forest`.

    Attributes
    ----------
    estimator_ : estimator or ForestArrays
        The fitted forest of scikit-learn; in a model that was read from a bundle, its arrays.
    """

    def _write_estimator(self, folder: Path) -> None:
        save_forest(self.estimator_, folder)

    @classmethod
    def _read_estimator(cls, folder: Path, n_inputs: int) -> ForestArrays:
        return load_forest(folder, n_inputs)

    def _check_estimator_read(self, folder: Path) -> None:
        if (len(self.estimator_.classes_) > 0) != (self.task == "classification"):
            raise InputError(f"{folder}: holds a forest for another task than {self.task}; train it again")


class Forest(ForestModel):
    """A random forest on 67 numbers of each place: object counts summed over its images, and the number of images.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Seed of the random number generator.
    n_estimators : int
        Number of trees.
    inputs : str
        Some of objects (object counts, summed over images), features (means over images) and covariates, separated by commas.
    max_features : int, optional
        Number of inputs, drawn at random, among which each split chooses. By default all inputs for values, and the
        square root of their number for labels. With a third of the inputs, fitting takes 0.4 times as long, and the
        forest is about as accurate, unless one or two inputs decide everything.

    Attributes
    ----------
    estimator_ : RandomForestRegressor, RandomForestClassifier or ForestArrays
        The fitted forest. It is a ForestArrays in a model that was read from a bundle.

    See Also
    --------
    geolive.CountModel : Any other scikit-learn estimator on the same inputs.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("goa", seed=0)
    >>> places = dataset.cluster_places(dataset.clusters)
    >>> forest = Forest(n_estimators=10).fit(places, dataset.clusters["pov"].to_numpy())
    >>> forest.predict(places).shape == (len(places),)
    True
    """

    kind = "forest"

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        n_estimators: int = 100,
        inputs: str = "objects",
        max_features: int | None = None,
    ) -> None:
        self.task = task
        self.random_state = random_state
        self.n_estimators = n_estimators
        self.inputs = inputs
        self.max_features = max_features

    @property
    def name(self) -> str:
        """The number of trees, and the inputs where they are not the object counts."""
        return f"clusterwise-forest-{self.n_estimators}" + self._ending

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the forest cannot use."""
        super().check_parameters()
        check_integer("n_estimators", self.n_estimators, 1)
        if self.max_features is not None:
            check_integer("max_features", self.max_features, 1)

    def make_estimator(self) -> Any:
        """Make an unfitted forest."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestRegressor if self.task == "regression" else RandomForestClassifier
        return kind(self.n_estimators, random_state=self.random_state)

    def _fit_estimator(self, table: np.ndarray, values: np.ndarray, weights: dict[str, np.ndarray]) -> None:
        if self.max_features is not None:
            self.estimator_.set_params(max_features=min(self.max_features, table.shape[1]))
        # trees have a seed each, so they grow the same on any number of cores; sums of predictions would not
        self.estimator_.set_params(n_jobs=-1).fit(table, values, **weights).set_params(n_jobs=1)


def weight_parameter(estimator: Any) -> str:
    """Return the name by which `fit` of an estimator, or of a pipeline, takes weights of rows; "" where it takes none.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> weight_parameter(make_pipeline(StandardScaler(), Ridge())), weight_parameter(Ridge())
    ('ridge__sample_weight', 'sample_weight')
    """
    from sklearn.utils.validation import has_fit_parameter

    last, prefix = (estimator[-1], f"{estimator.steps[-1][0]}__") if hasattr(estimator, "steps") else (estimator, "")
    return f"{prefix}sample_weight" if has_fit_parameter(last, "sample_weight") else ""


def mean_features(places: Places) -> np.ndarray:
    """Compute the mean of the features of each place's images, shape (n, f).

    Raises
    ------
    InputError
        The places have no image features, or some of these are not numbers.

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
            f"feature set {places.features.name!r}: an image of place {str(place)!r} has features that are not numbers; "
            "make the feature set again"
        )
    return means
