"""The best of several models, chosen within the training part or, as Lee et al. did, on the test part."""

from collections.abc import Sequence

import numpy as np

from geolive.models.cross_validation import cross_val_predict, fit_model
from geolive.models.inner_folds import inner_folds
from geolive.models.interface import Model
from geolive.places import Places

INNER_FOLDS = 3


class BestOf(Model):
    """The model of several that has the least squared error out of fold within the training part.

    Parameters
    ----------
    models : sequence of Model
        Unfitted.
    task : {"regression", "classification"}
    random_state : int
        Seed of the inner folds and of the models.

    Attributes
    ----------
    chosen_ : Model
        The fitted model that was chosen.

    Examples
    --------
    >>> from geolive.models.baselines import Mean, Neighbours
    >>> places = Places.without_images(np.arange(30).astype(str), np.column_stack([np.linspace(80, 83, 30), np.full(30, 25)]))
    >>> BestOf([Mean(), Neighbours(n_neighbors=2)]).fit(places, np.linspace(0, 3, 30)).chosen_.name
    'neighbours'
    """

    takes_validation = True
    takes_sample_sizes = True

    def __init__(self, models: Sequence[Model], task: str = "regression", *, random_state: int = 0) -> None:
        self.models = models
        self.task = task
        self.random_state = random_state

    @property
    def name(self) -> str:
        """Names of the models, joined."""
        return " or ".join(model.name for model in self.models)

    @property
    def params(self) -> dict:
        """The names of the models."""
        return {"models": [model.name for model in self.models]}

    @property
    def needs_images(self) -> bool:  # type: ignore[override]
        """Whether one of the models needs images."""
        return any(model.needs_images for model in self.models)

    def fit(
        self,
        places: Places,
        values: np.ndarray,
        validation: tuple[Places, np.ndarray] | None = None,
        *,
        sample_sizes: np.ndarray | None = None,
    ) -> "BestOf":
        """Choose and fit.

        Parameters
        ----------
        places : Places
        values : array, shape (n,)
        validation : tuple of Places and array, optional
            Choose by the error on these in place of inner folds: flattering where they are also the test part.
        sample_sizes : array of float, shape (n,), optional
            For rates: the number of persons that each was measured of.
        """
        self.check_parameters()
        candidates = [model.for_task(self.task, self.random_state) for model in self.models]
        if validation is None:
            folds = inner_folds(places.positions, INNER_FOLDS, self.random_state)
            errors = [
                _squared_error(cross_val_predict(one, places, values, folds, sample_sizes=sample_sizes), values)
                for one in candidates
            ]
            self.chosen_ = candidates[int(np.argmin(errors))]
            fit_model(self.chosen_, places, values, sample_sizes=sample_sizes)
            return self
        fitted = [one.fit(places, values) for one in candidates]
        errors = [_squared_error(one.predict(validation[0]), validation[1]) for one in fitted]
        self.chosen_ = fitted[int(np.argmin(errors))]
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Predict with the chosen model, shape (n,)."""
        self.check_fitted()
        return self.chosen_.predict(places)


def _squared_error(predictions: np.ndarray, values: np.ndarray) -> float:
    return float(((predictions - values) ** 2).mean())
