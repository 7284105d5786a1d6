"""The base class of every model, and the checks that models share."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.model_inputs import parse_inputs
from geolive.models.covariate_inputs import check_covariates
from geolive.places import Places

TASKS = ("regression", "classification")


class Model(BaseEstimator):
    """Base class of models that predict values of places, with the interface of scikit-learn.

    A model is a scikit-learn estimator whose samples are places (`geolive.places.Places`), not rows of an array. So
    `sklearn.base.clone`, `get_params`, `set_params`, `copy.copy` and `pickle.dumps` work on it. `train` and `evaluate`
    fit clones of an unfitted model, which is not changed.

    To write a model of your own, derive from this class. Take every parameter as a keyword of `__init__` and store it
    unchanged; write `fit` and `predict`. `fit` calls `check_parameters`, and sets attributes whose names end in an underscore;
    `predict` calls `check_fitted`.

    Parameters
    ----------
    task : {"regression", "classification"}
        Whether the model is fitted to values, or to labels 0 and 1; it then predicts the probability of 1.
    random_state : int
        Seed of the random number generator.

    Attributes
    ----------
    kind : str
        Name in `geolive.models.registry`; empty for models that are not registered there.
    tasks : tuple of str
        The tasks that the model can do.
    needs_images : bool
        Whether the model can only predict places with images.
    inputs : str or None
        Inputs of the model: some of objects (object counts), features (image features) and covariates, separated by
        commas; None if it uses only positions.
    takes_validation : bool
        Whether `fit` accepts `validation`, places and values that choose the best epoch.
    takes_sample_sizes : bool
        Whether `fit` accepts `sample_sizes`: for rates, the number of persons that each was measured of.
    takes_progress : bool
        Whether `fit` accepts `progress`, a callable that is called with sentences.
    covariate_names_ : tuple of str
        Names of the covariates of a fitted model, in order. Only models that use covariates have this attribute.
    input_words : str
        The inputs of the model, in words.

    See Also
    --------
    geolive.CountModel : Any scikit-learn estimator on the same inputs.
    geolive.train : Fit a model, with out-of-fold residuals.

    Examples
    --------
    >>> class Median(Model):
    ...     '''The median of all surveyed clusters.'''
    ...
    ...     needs_images = False
    ...
    ...     def __init__(self, task="regression", *, random_state=0):
    ...         self.task, self.random_state = task, random_state
    ...
    ...     def fit(self, places, values):
    ...         self.check_parameters()
    ...         self.median_ = np.median(values)
    ...         return self
    ...
    ...     def predict(self, places):
    ...         self.check_fitted()
    ...         return np.full(len(places), self.median_)
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[85.1, 25.6], [84.0, 25.0]]))
    >>> Median().fit(places, np.array([1.0, 2.0])).predict(places)
    array([1.5, 1.5])
    """

    kind: str = ""
    tasks: tuple[str, ...] = TASKS
    needs_images: bool = True
    inputs: str | None = None
    takes_validation: bool = False
    takes_sample_sizes: bool = False
    takes_progress: bool = False
    input_words: str = ""

    def __init__(self, task: str = "regression", *, random_state: int = 0) -> None:
        self.task = task
        self.random_state = random_state

    @property
    def name(self) -> str:
        """Name of the model in results."""
        return self.kind or type(self).__name__

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that results and cards show, as values that JSON can hold."""
        return {k: v for k, v in self.get_params(deep=False).items() if k not in ("task", "random_state")}

    @property
    def about(self) -> str:
        """What the model does, in one sentence for people: by default the first sentence of its docstring."""
        first = " ".join((type(self).__doc__ or type(self).__name__).strip().split("\n\n")[0].split())
        # a full stop after "et al" ends no sentence
        return re.split(r"(?<!\bal)\. ", first)[0].rstrip(".")

    def fit(self, places: Places, values: np.ndarray) -> "Model":
        """Fit to values, or to labels 0 and 1, of places, shape (n,)."""
        raise NotImplementedError(f"{type(self).__name__}.fit")

    def predict(self, places: Places) -> np.ndarray:
        """Predict values of places, or probabilities of label 1, shape (n,)."""
        raise NotImplementedError(f"{type(self).__name__}.predict")

    def prepared(self, places: Places) -> Places:
        """Return the places with the quantities that the model derives from each place alone, so that all folds share them.

        Predictions are the same without this call. A model that derives nothing returns the places themselves.
        """
        return places

    def uses(self, name: str) -> bool:
        """Return whether the model uses "objects", "features" or "covariates"."""
        return name in parse_inputs(self.inputs)

    def for_task(self, task: str, random_state: int) -> "Model":
        """Return an unfitted copy for this task, with this seed."""
        given = {"task": task, "random_state": random_state}
        own = self.get_params(deep=False)
        return clone(self).set_params(**{name: value for name, value in given.items() if name in own})

    def check_parameters(self) -> None:
        """Raise where a parameter has a value that the model cannot use; `fit` calls this first.

        Raises
        ------
        InputError
        """
        check_choice("task", self.task, self.tasks)
        if "random_state" in self.get_params(deep=False):
            check_integer("random_state", self.random_state, 0)
        parse_inputs(self.inputs)

    def check_fitted(self) -> None:
        """Raise where the model is not fitted.

        Raises
        ------
        sklearn.exceptions.NotFittedError
        """
        name = type(self).__name__
        check_is_fitted(self, msg=f"this {name} is not fitted yet; call fit(places, values) before you use it")

    def column(self, number: int) -> "Model":
        """Return the model of one of the indicators that it was trained on.

        Raises
        ------
        InputError
            The model can be trained on one indicator at a time.
        """
        raise InputError(f"{self.name} can be trained on one indicator at a time; use train in place of train_together")

    def unbounded(self) -> "Model":
        """Return the same model without limits on its predictions; a model without limits returns itself."""
        return self

    def last_checkpoint(self) -> "Model":
        """Return the same model with the weights of its last epoch, if a validation part chose an earlier epoch.

        A model without checkpoints, and one that was fitted without a validation part, returns itself; `column` is kept.
        """
        return self

    def predict_images(self, places: Places) -> tuple[np.ndarray, np.ndarray] | None:
        """Predict single images: the row of each image's place, and the image's prediction, both of shape (images,).

        Only models that average over predictions of single images do this; others return None.
        """
        return None

    @property
    def curves(self) -> list:
        """Learning curves of the networks that the model trained; empty for other models."""
        return []

    @property
    def importances_(self) -> np.ndarray | None:
        """Importance of each input of the model, shape (p,); None if the model has no importances."""
        return None

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the fitted model to `folder`, without pickle; `load` needs the returned settings.

        Raises
        ------
        InputError
            Models of this kind cannot be saved.
        """
        raise InputError(f"{self.name} cannot be saved in a bundle; fit it each time")

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "Model":
        """Read the model that `save` wrote, with the returned settings."""
        raise InputError(f"{cls.__name__} cannot be saved in a bundle; fit it each time")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise where a parameter is none of its choices.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_choice("task", "regresion", TASKS)
    Traceback (most recent call last):
    geolive.errors.InputError: task='regresion': must be 'regression' or 'classification'
    """
    if value not in choices:
        raise InputError(f"{name}={value!r}: must be {' or '.join(map(repr, choices))}", parameter=name)


def check_integer(name: str, value: Any, least: int) -> None:
    """Raise where a parameter is not an integer of at least so much.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_integer("n_estimators", 0, 1)
    Traceback (most recent call last):
    geolive.errors.InputError: n_estimators=0: must be an integer of at least 1
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise InputError(f"{name}={value!r}: must be an integer of at least {least}", parameter=name)


def check_positive(name: str, value: Any, *, zero: bool = False) -> None:
    """Raise where a parameter is not a number above 0, or, with `zero`, at least 0.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_positive("learning_rate", -1.0)
    Traceback (most recent call last):
    geolive.errors.InputError: learning_rate=-1.0: must be a number above 0
    """
    sound = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not sound or value < 0 or (value == 0 and not zero):
        raise InputError(f"{name}={value!r}: must be a number {'of at least' if zero else 'above'} 0", parameter=name)


@contextmanager
def settings_of_bundle(folder: Path, kind: type) -> Iterator[None]:
    """Name the file of settings in a bundle where no model can be made of them.

    Parameters
    ----------
    folder : Path
    kind : type
        Class of the model.

    Raises
    ------
    InputError
        The block raised KeyError, TypeError or ValueError. An InputError of its own is left as it is.

    Examples
    --------
    >>> with settings_of_bundle(Path("bundle"), dict):
    ...     int("many")
    Traceback (most recent call last):
    geolive.errors.InputError: bundle/card.json: not the settings of a model of the class dict; train it again
    """
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, ValueError):
        words = f"not the settings of a model of the class {kind.__name__}"
        raise InputError(f"{folder}/card.json: {words}; train it again") from None


def check_model(model: Any) -> None:
    """Raise where an object is not an unfitted geolive model with sound parameters.

    Raises
    ------
    InputError

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> check_model(Forest)
    Traceback (most recent call last):
    geolive.errors.InputError: model=Forest: is a class; give a model, for example Forest()
    """
    if isinstance(model, type):
        raise InputError(f"model={model.__name__}: is a class; give a model, for example {model.__name__}()", "model")
    if not isinstance(model, Model):
        remedy = "derive from geolive's Model, or wrap a scikit-learn estimator in CountModel(estimator)"
        raise InputError(f"model={type(model).__name__}: is not a geolive model; {remedy}", parameter="model")
    model.check_parameters()


def check_inputs(dataset: Dataset, model: Model, features: str | None) -> None:
    """Raise where a dataset lacks what a model uses (its `inputs`).

    Raises
    ------
    InputError

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.simulation.sample import make_sample
    >>> check_inputs(make_sample("goa", seed=0), Forest(), None)
    """
    if model.uses("objects") and "objects" not in dataset.features:
        if len(dataset.images):
            others = "image features (inputs='features'), covariates (inputs='covariates')"
            remedy = f"add them with detect, or use {others} or positions (model='kriging')"
        else:
            remedy = "it has no photos, so use positions (model='kriging') or covariates (inputs='covariates')"
        raise InputError(f"{dataset.name}: has no object counts for {model.name}; {remedy}")
    if model.uses("features") and features is None:
        raise InputError(f"{model.name} uses image features; name the feature set, features='NAME'")
    if model.uses("covariates"):
        check_covariates(dataset, getattr(model, "covariate_names_", None), model.name)
    if features is not None:
        dataset.feature_set(features)  # raises where there is none of that name


def check_images(places: Places, model: str) -> None:
    """Raise where a place has no image.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_images(Places.without_images(np.array(["a"]), np.zeros((1, 2))), "the forest")
    Traceback (most recent call last):
    geolive.errors.InputError: the forest needs images, and place 'a' has none; use a baseline, or add images
    """
    without = places.n_images == 0
    if without.any():
        name = places.ids[int(np.argmax(without))]
        raise InputError(f"{model} needs images, and place {str(name)!r} has none; use a baseline, or add images")
