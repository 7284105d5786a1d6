"""Any model with its residuals kriged: what it leaves unexplained and neighbours share is added back."""

from collections.abc import Callable

import numpy as np

from geolive.models.cross_validation import out_of_fold
from geolive.models.interface import MakeModel, Model
from geolive.models.kriging import Kriging
from geolive.places import Places
from geolive.splits import RandomSplit, fold_numbers

INNER_FOLDS = 3


class ResidualKriging:
    """A model plus ordinary kriging of its residuals (regression kriging).

    The residuals are out of fold, from three random folds within the training clusters: those of the fitted model itself would be
    too small, and kriging would add nothing. A graph network with messages between neighbouring places learns mostly such
    smoothness, so models are compared with and without this.

    Source: Hengl et al. 2007, doi 10.1016/j.cageo.2007.05.001.

    Parameters
    ----------
    make_model : callable
        Makes the unfitted model.
    seed : int
        For the inner folds.

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> positions = np.column_stack([np.linspace(80, 83, 30), np.full(30, 25.0)])
    >>> places = Places.without_images(np.arange(30).astype(str), positions)
    >>> model = ResidualKriging(Mean).fit(places, np.linspace(0, 3, 30))
    >>> model.name, model.predict(Places.without_images(np.array(["c"]), np.array([[81.03, 25.0]]))).round(1)
    ('mean+kriged', array([1.]))
    """

    def __init__(self, make_model: MakeModel | Callable[[], Model], seed: int = 0) -> None:
        self._make, self.seed = make_model, seed
        self._model = make_model()
        self.task, self.name = self._model.task, f"{self._model.name}+kriged"
        self.params = self._model.params | {"kriged": f"residuals of {INNER_FOLDS} inner folds"}

    @property
    def curve(self):
        """How the model's networks were trained; None for other models."""
        return getattr(self._model, "curve", None)

    def fit(self, places: Places, values: np.ndarray) -> "ResidualKriging":
        """Fit the model, and the kriging to its residuals."""
        values = np.asarray(values, float)
        folds = fold_numbers(RandomSplit(n_splits=INNER_FOLDS, random_state=self.seed), places.positions)
        residuals = values - out_of_fold(self._make, places, values, folds)
        self._model.fit(places, values)
        self._kriging = Kriging("regression", self.seed).fit(places, residuals)
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Values of places, or the probability of label 1; shape (n,)."""
        found = self._model.predict(places) + self._kriging.predict(places)
        return np.clip(found, 0, 1) if self.task == "classification" else found
