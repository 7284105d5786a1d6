"""The default model: ridge regressions on summaries of photos and a forest, weighted by their predictions of left-out places."""

from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from geolive.errors import InputError
from geolive.model_inputs import canonical_inputs, photo_inputs, short_name
from geolive.models.array_files import ArrayTypes, load_arrays, save_arrays, unreadable
from geolive.models.covariate_inputs import checked_names, covariate_words, covariates_as_trained, training_covariates
from geolive.models.forest_arrays import FOREST_TYPES, ForestArrays, checked_forest
from geolive.models.inner_folds import inner_folds
from geolive.models.interface import Model, check_images, check_integer, settings_of_bundle
from geolive.models.photo_summaries import PhotoSummaries, fit_summaries, summary_types, view_names
from geolive.models.photo_sums import with_sums
from geolive.models.ridge import Ridge, combine, fit_ridge
from geolive.places import Places
from geolive.processors import one_library_thread
from geolive.rates import rate_weights
from geolive.tables import N_CLASSES
from geolive.worker_processes import is_worker_process

INNER_FOLDS = 3
# share of the inputs that each question of a tree chooses from
_INPUTS_OF_A_QUESTION = 1 / 3
# what the forest uses, and which inputs these are; the number of photos follows
_OF_FOREST, _IN_TABLE = ("object rates", "feature means", "covariates"), ("objects", "features", "covariates")
_PLACES_FOR_THREADS = 500
# places that are predicted together
_PLACES = 8192


class Ensemble(Model):
    """Ridge regressions on five summaries of a place's photos and a random forest, stacked.

    Each predictor predicts training places to which it was not fitted; whole cells of near places are left out
    together. These predictions decide its weight. The predictors are a ridge regression on each summary of the photos
    (`geolive.models.photo_summaries`), one on covariates where these are used, and a forest on the first summary, the
    number of photos and the covariates. If the inputs do not predict the values, all weights are near 0, and the
    prediction is the mean of the training values. The model needs no torch, and takes about as long as a forest.

    Source: stacking, Wolpert 1992, doi 10.1016/S0893-6080(05)80023-1; non-negative weights, Breiman 1996, doi 10.1007/BF00117832.

    Parameters
    ----------
    task : {"regression", "classification"}
        Labels are fitted as numbers.
    random_state : int
        Seed of the inner folds, of the kinds of photos and of the forest.
    n_estimators : int
        Number of trees that are fitted without each of three inner folds. The forest has three times as many trees.
    inputs : str
        Objects (object counts), features (image features) or both, and optionally covariates, separated by commas.

    Attributes
    ----------
    weights_ : array, shape (p,)
        The weight of each predictor, between 0 and 1: the regressions on summaries and covariates, and the forest.
    predictors_ : tuple of str
        Their names.
    left_out_ : array, shape (n,)
        Weighted predictions of the training places by predictors that were not fitted to them.

    See Also
    --------
    geolive.models.stacked.StackedNetwork : The same idea with networks of photos.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10)
    >>> places, values = dataset.cluster_places(dataset.clusters), dataset.clusters["pov"].to_numpy()
    >>> model = Ensemble().fit(places, values)
    >>> model.predictors_[0], model.predictors_[-1], bool(np.corrcoef(model.predict(places), values)[0, 1] > 0.6)
    ('object rates', 'forest', True)
    """

    kind = "ensemble"
    inputs: str = "objects"
    takes_sample_sizes = True

    def __init__(
        self, task: str = "regression", *, random_state: int = 0, n_estimators: int = 20, inputs: str = "objects"
    ) -> None:
        self.task = task
        self.random_state = random_state
        self.n_estimators = n_estimators
        self.inputs = inputs

    @property
    def name(self) -> str:
        """ "ensemble", and the inputs where they are not the object counts."""
        short = short_name(self.inputs)
        return "ensemble" if short == "obj" else f"ensemble-{short}"

    @property
    def input_words(self) -> str:  # type: ignore[override]
        """The inputs of the model, in words."""
        words = {"objects": "object counts of each image", "features": "image features of each image"}
        own = [text for name, text in words.items() if self.uses(name)]
        return ", ".join([*own, "positions of images", *covariate_words(self)])

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the model cannot use."""
        super().check_parameters()
        check_integer("n_estimators", self.n_estimators, 1)
        if not photo_inputs(self.inputs):
            raise InputError(
                f"inputs={self.inputs!r}: {self.kind} needs photos; add objects or features, or use a forest or ridge regression",
                parameter="inputs",
            )

    def prepared(self, places: Places) -> Places:
        """Return places with the sums over their photos, which fits of several folds share."""
        # imported here, so that processes that fit folds need not each import them
        import sklearn.cluster
        import sklearn.ensemble  # noqa: F401

        check_images(places, self.name)
        return with_sums(places, self.inputs)

    def fit(self, places: Places, values: np.ndarray, *, sample_sizes: np.ndarray | None = None) -> "Ensemble":
        """Fit to places that have images.

        Parameters
        ----------
        places : Places
        values : array of float, shape (n,)
            Values, labels 0 and 1, or rates.
        sample_sizes : array of float, shape (n,), optional
            For rates: the number of persons that each was measured of. Rates of more persons then weigh more.

        Raises
        ------
        InputError
            A parameter has no such value, a place has no images, or its image features or a covariate are missing.
        """
        self.check_parameters()
        places, values = self.prepared(places), np.asarray(values, float)
        self.covariate_names_: tuple[str, ...] = ()
        if self.uses("covariates"):
            training_covariates(places, self.name)
            self.covariate_names_ = places.covariate_names
        rows = None if sample_sizes is None else rate_weights(values, np.asarray(sample_sizes, float))
        # small matrices gain nothing from threads, which wait for each other on a busy machine
        with one_library_thread():
            self._fit(places, values, rows)
        return self

    def _fit(self, places: Places, values: np.ndarray, rows: np.ndarray | None) -> None:
        """Fit with weights of rows, shape (n,), or with none."""
        self.summaries_ = fit_summaries(places, self.inputs, self.random_state)
        views = self._views(places)
        self.mean_ = float(np.average(values, weights=rows))
        self.limits_ = (float(values.min()), float(values.max()))
        folds = inner_folds(places.positions, INNER_FOLDS, self.random_state)
        table = self._table(places, views)
        self.predictors_ = (*views, "forest")
        if np.bincount(folds, minlength=INNER_FOLDS).min() >= 2:
            self._fit_weights(views, table, values, folds, rows)
            return
        # too few to leave some out: the forest alone predicts
        self.forest_, _ = self._fit_forest(table, values, np.full(len(values), -1), rows)
        self.regressions_ = {name: _no_line(view.shape[1], self.mean_) for name, view in views.items()}
        self.weights_, self.left_out_ = np.r_[np.zeros(len(views)), 1.0], np.full(len(values), np.nan)
        self.importances_of_inputs_ = self._importances(views, self.weights_)

    def _fit_weights(
        self,
        views: dict[str, np.ndarray],
        table: np.ndarray,
        values: np.ndarray,
        folds: np.ndarray,
        rows: np.ndarray | None,
    ) -> None:
        """Fit all predictors, and find their weights by predictions of left-out folds."""
        lines = {name: fit_ridge(view, values, folds, weights=rows) for name, view in views.items()}
        self.regressions_ = {name: line for name, (line, _) in lines.items()}
        self.forest_, of_forest = self._fit_forest(table, values, folds, rows)
        left_out = np.column_stack([*(found for _, found in lines.values()), of_forest])
        counts = np.ones(len(values)) if rows is None else rows
        means = [np.average(values[folds != fold], weights=counts[folds != fold]) for fold in range(INNER_FOLDS)]
        without = np.array(means)[folds]
        from_mean, root = left_out - without[:, None], np.sqrt(counts)
        self.weights_ = combine(from_mean * root[:, None], (values - without) * root)
        self.left_out_ = np.clip(without + from_mean @ self.weights_, *self.limits_)
        self.importances_of_inputs_ = self._importances(views, self.weights_ * from_mean.std(axis=0))

    def _views(self, places: Places) -> dict[str, np.ndarray]:
        """Return what the regressions use of places: the summaries of their photos, and their covariates."""
        views = self.summaries_.of(places)
        if self.uses("covariates"):
            views["covariates"] = covariates_as_trained(places, self.covariate_names_, self.name)
        return views

    def _table(self, places: Places, views: dict[str, np.ndarray]) -> np.ndarray:
        """Return what the forest uses of places, shape (n, q): a summary of each input, and the number of photos."""
        return np.column_stack([*(views[name] for name in _OF_FOREST if name in views), np.log(places.n_images)])

    def _fit_forest(
        self, table: np.ndarray, values: np.ndarray, folds: np.ndarray, rows: np.ndarray | None
    ) -> tuple[ForestArrays, np.ndarray]:
        """Fit trees without each fold; return them all, and the predictions of left-out places."""
        from sklearn.ensemble import RandomForestRegressor

        trees, left_out = [], np.full(len(values), np.nan)
        # without folds each third of the trees learns from all places
        for fold in range(INNER_FOLDS):
            learn, own = folds != fold, {} if rows is None else {"sample_weight": rows[folds != fold]}
            # trees have a seed each, so they grow the same on any number of cores; few places are not worth the threads, and
            # where folds are fitted in several processes, these use all cores
            forest = RandomForestRegressor(
                self.n_estimators,
                max_features=_INPUTS_OF_A_QUESTION,
                random_state=self.random_state + fold,
                n_jobs=-1 if len(values) > _PLACES_FOR_THREADS and not is_worker_process() else 1,
            )
            trees.append(ForestArrays.of(forest.fit(table[learn], values[learn], **own)))
            if not learn.all():
                left_out[~learn] = trees[-1].predict(table[~learn])
        return ForestArrays.joined(trees), left_out

    def predict(self, places: Places) -> np.ndarray:
        """Predict values of places, or probabilities of label 1, shape (n,); NaN where a place lacks a covariate."""
        self.check_fitted()
        check_images(places, self.name)
        if not len(places):
            return np.empty(0)
        with one_library_thread("blas"):
            return np.concatenate([self._predict(part) for part in places.parts(_PLACES)])

    def _predict(self, places: Places) -> np.ndarray:
        views = self._views(places)
        table = self._table(places, views)
        known = np.isfinite(table).all(axis=1)
        found = [line.predict(views[name]) - line.mean for name, line in self.regressions_.items()]
        of_forest = np.full(len(places), np.nan)
        of_forest[known] = self.forest_.predict(table[known]) - self.mean_
        return np.clip(self.mean_ + np.column_stack([*found, of_forest]) @ self.weights_, *self.limits_)

    @property
    def importances_(self) -> np.ndarray | None:
        """Importance of each input, summing to 1, in the order of `aoa_features`; None where all weights are 0."""
        self.check_fitted()
        return self.importances_of_inputs_

    def _importances(self, views: dict[str, np.ndarray], sizes: np.ndarray) -> np.ndarray | None:
        """Return how much each input matters, summing to 1, in the order of `geolive.models.aoa_features`.

        A predictor of size s gives its inputs shares of s: a regression by the squared change of the prediction with a standard
        deviation of each of its columns, and the forest by how much each input lowers the error. Shares of kinds have none.
        """
        wide = {"objects": N_CLASSES, "features": 0, "covariates": len(self.covariate_names_)}
        if self.uses("features"):
            wide["features"] = views["feature means"].shape[1]
        if not self.uses("objects"):
            wide["objects"] = 0
        of_input = {name: np.zeros(width) for name, width in wide.items()}
        for (name, line), size in zip(self.regressions_.items(), sizes, strict=False):
            part = "covariates" if name == "covariates" else f"{name.split()[0]}s"
            changes = np.square(line.weights * views[name].std(axis=0))
            whole = len(changes) // wide[part] * wide[part]
            if changes.sum() > 0:
                of_input[part] += size * changes[:whole].reshape(-1, wide[part]).sum(axis=0) / changes.sum()
        forest = np.split(self.forest_.feature_importances_ * sizes[-1], np.cumsum([wide[p] for p in _IN_TABLE]))
        of_input = {part: of_input[part] + forest[number] for number, part in enumerate(_IN_TABLE)}
        found = np.concatenate([of_input["features"], of_input["objects"], forest[-1], of_input["covariates"]])
        return found / found.sum() if found.sum() > 0 else None

    def unbounded(self) -> "Ensemble":
        """Return the same model, whose predictions may leave the range of the training values."""
        self.check_fitted()
        free = copy(self)
        free.limits_ = (-np.inf, np.inf)
        return free

    def as_unfitted(self) -> "Ensemble":
        """Return an unfitted model with these parameters."""
        return clone(self)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the fitted model to `folder`; `load` needs the returned settings."""
        self.check_fitted()
        arrays = {f"summaries.{name}": array for name, array in self.summaries_.arrays().items()}
        arrays |= {f"forest.{name}": getattr(self.forest_, name) for name in FOREST_TYPES}
        for name, line in self.regressions_.items():
            arrays |= {f"{name}.centre": line.centre, f"{name}.weights": line.weights}
        arrays["means"] = np.array([self.mean_, *self.limits_])
        arrays["weights"] = self.weights_
        arrays["importances"] = np.empty(0) if self.importances_ is None else self.importances_
        save_arrays(arrays, folder)
        names = {"covariate_names": list(self.covariate_names_)} if self.uses("covariates") else {}
        return {**self.get_params(deep=False), "inputs": canonical_inputs(self.inputs), **names}

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "Ensemble":
        """Read the model that `save` wrote, with the returned settings.

        Raises
        ------
        InputError
            The file is damaged or holds something else, or the settings are not those of `save`.
        """
        settings = dict(settings)
        with settings_of_bundle(folder, cls):
            names = settings.pop("covariate_names", ())
            model = cls(**settings)
            model.check_parameters()
            model.covariate_names_ = checked_names(names) if model.uses("covariates") else ()
        arrays = load_arrays(folder, _array_types(model), "an ensemble")
        try:
            model._set_arrays(arrays)
        except ValueError as error:
            raise unreadable(folder, "an ensemble", error) from error
        return model

    def _set_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Take the arrays of `save`; ValueError where their shapes do not fit together, or a number is not finite."""
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("a number in it is not finite")
        own = {name.removeprefix("summaries."): a for name, a in arrays.items() if name.startswith("summaries.")}
        self.summaries_ = PhotoSummaries.of_arrays(self.inputs, own)
        wide = self.summaries_.widths() | {"covariates": len(self.covariate_names_)}
        self.regressions_ = {}
        for name in _view_names(self):
            centre, weights = arrays[f"{name}.centre"], arrays[f"{name}.weights"]
            if centre.shape != (wide[name],) or weights.shape != (wide[name],):
                raise ValueError(f"the regression on {name} has other inputs")
            self.regressions_[name] = Ridge(centre, weights, float(arrays["means"][0]))
        self.predictors_ = (*self.regressions_, "forest")
        if arrays["means"].shape != (3,) or arrays["weights"].shape != (len(self.predictors_),):
            raise ValueError("it has other weights than predictors")
        self.mean_, self.weights_ = float(arrays["means"][0]), arrays["weights"]
        self.limits_ = (float(arrays["means"][1]), float(arrays["means"][2]))
        trees = {name.removeprefix("forest."): a for name, a in arrays.items() if name.startswith("forest.")}
        self.forest_ = checked_forest(trees, sum(wide[name] for name in _OF_FOREST if name in wide) + 1)
        self.importances_of_inputs_ = arrays["importances"] if len(arrays["importances"]) else None


def _view_names(model: Ensemble) -> tuple[str, ...]:
    """Return the names of what the regressions use."""
    return (*view_names(model.inputs), *(("covariates",) if model.uses("covariates") else ()))


def _array_types(model: Ensemble) -> ArrayTypes:
    """Return the types of the arrays in a bundle."""
    types = {f"summaries.{name}": kind for name, kind in summary_types(model.inputs).items()}
    types |= {f"forest.{name}": kind for name, kind in FOREST_TYPES.items()}
    types |= {f"{name}.{own}": ("float64", 1) for name in _view_names(model) for own in ("centre", "weights")}
    return types | dict.fromkeys(("means", "weights", "importances"), ("float64", 1))


def _no_line(n_inputs: int, mean: float) -> Ridge:
    """Return a line that predicts the mean everywhere."""
    return Ridge(np.zeros(n_inputs), np.zeros(n_inputs), mean)
