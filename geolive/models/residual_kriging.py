"""Regression kriging: a model plus kriging of what it leaves unexplained and neighbours share."""

from typing import Any

import numpy as np

from geolive.models.cross_validation import cross_val_predict, fit_model
from geolive.models.interface import Model, check_integer
from geolive.models.kriging import Kriging
from geolive.places import Places
from geolive.rates import binomial_variance
from geolive.splits import RandomSplit, fold_numbers

INNER_FOLDS = 3


class ResidualKriging(Model):
    """A model plus ordinary kriging of its residuals (regression kriging).

    The residuals are out of fold, from three random folds within the training clusters: those of the fitted model itself would be
    too small, and kriging would add nothing. A graph network with messages between neighbouring places learns mostly such
    smoothness, so models are compared with and without this.

    Source: Hengl et al. 2007, doi 10.1016/j.cageo.2007.05.001.

    Parameters
    ----------
    model : Model
        An unfitted model; it is not changed: clones are fitted.
    random_state : int
        Seed of the inner folds and of the kriging.

    Attributes
    ----------
    model_ : Model
        The fitted clone.
    kriging_ : Kriging
        Fitted to the residuals.

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> positions = np.column_stack([np.linspace(80, 83, 30), np.full(30, 25.0)])
    >>> places = Places.without_images(np.arange(30).astype(str), positions)
    >>> model = ResidualKriging(Mean()).fit(places, np.linspace(0, 3, 30))
    >>> model.name, model.predict(Places.without_images(np.array(["c"]), np.array([[81.03, 25.0]]))).round(1)
    ('mean+kriged', array([1.]))
    """

    kind = "residual-kriging"
    takes_sample_sizes = True

    def __init__(self, model: Model, *, random_state: int = 0) -> None:
        self.model = model
        self.random_state = random_state
        self._fitted: Model | None = None

    @property
    def task(self) -> str:  # type: ignore[override]
        """The task of the model."""
        return self.model.task

    @property
    def tasks(self) -> tuple[str, ...]:  # type: ignore[override]
        """The tasks of the model."""
        return self.model.tasks

    @property
    def needs_images(self) -> bool:  # type: ignore[override]
        """Whether the model needs images."""
        return self.model.needs_images

    @property
    def inputs(self) -> str | None:  # type: ignore[override]
        """What the model uses of images."""
        return self.model.inputs

    @property
    def input_words(self) -> str:  # type: ignore[override]
        """The inputs of the model, in words."""
        return f"{self.model.input_words}, positions of places".removeprefix(", ")

    @property
    def name(self) -> str:
        """The model's name, and "+kriged"."""
        return f"{self.model.name}+kriged"

    @property
    def params(self) -> dict[str, Any]:
        """The model's parameters, and whose residuals are kriged."""
        return self.model.params | {"kriged": f"residuals of {INNER_FOLDS} inner folds"}

    @property
    def about(self) -> str:
        """What the model does, and that its residuals are kriged."""
        return f"{self.model.about}, plus kriging of the residuals"

    @property
    def curves(self) -> list:
        """Learning curves of the model's networks."""
        return self.model_.curves

    def for_task(self, task: str, random_state: int) -> "ResidualKriging":
        """Return an unfitted copy for this task, with this seed."""
        return ResidualKriging(self.model.for_task(task, random_state), random_state=random_state)

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the model cannot use."""
        self.model.check_parameters()
        check_integer("random_state", self.random_state, 0)

    def prepared(self, places: Places) -> Places:
        """Return the places as the model prepares them."""
        return self.model.prepared(places)

    def reuse(self, fitted: Model) -> None:
        """Take a clone of the model that was fitted to the places and values that `fit` will be given.

        Evaluation fits the model with and without kriged residuals to the same folds; so one fit serves both.
        """
        self._fitted = fitted

    def fit(self, places: Places, values: np.ndarray, *, sample_sizes: np.ndarray | None = None) -> "ResidualKriging":
        """Fit the model, and the kriging to its residuals.

        Parameters
        ----------
        places : Places
        values : array of float, shape (n,)
        sample_sizes : array of float, shape (n,), optional
            For rates: the number of persons that each was measured of.
        """
        from sklearn.base import clone

        self.check_parameters()
        values = np.asarray(values, float)
        folds = fold_numbers(RandomSplit(n_splits=INNER_FOLDS, random_state=self.random_state), places.positions)
        predicted = cross_val_predict(self.model, places, values, folds, sample_sizes=sample_sizes)
        if self._fitted is None:
            self.model_ = clone(self.model)
            fit_model(self.model_, places, values, sample_sizes=sample_sizes)
        else:
            self.model_, self._fitted = self._fitted, None
        self.is_rate_ = sample_sizes is not None
        noise = None if sample_sizes is None else binomial_variance(predicted, np.asarray(sample_sizes, float))
        self.kriging_ = Kriging(random_state=self.random_state).fit(places, values - predicted, noise=noise)
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Predict values of places, or probabilities of label 1, shape (n,)."""
        self.check_fitted()
        predicted = self.model_.predict(places) + self.kriging_.predict(places)
        return np.clip(predicted, 0, 1) if self.task == "classification" or self.is_rate_ else predicted
