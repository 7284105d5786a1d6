"""The loop over folds: a clone of a model is fitted to the places outside of each fold and predicts those in it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from geolive.models.interface import Model
from geolive.places import Places

Pairs = Iterable[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class FittedFold:
    """A model that was fitted without a fold.

    Parameters
    ----------
    number : int
        Number of the fold in the order in which folds are fitted, from 0.
    train, test : array of int
        Row numbers of the places that the model was fitted to, and of the places that were left out.
    model : Model
        Fitted to the rows `train`.
    """

    number: int
    train: np.ndarray
    test: np.ndarray
    model: Model


def fold_pairs(folds: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the training and test rows of each fold.

    Use it wherever something other than a `Model` is fitted fold by fold.

    Parameters
    ----------
    folds : array of int, shape (n,)
        Fold of each row, as `geolive.splits.fold_numbers` gives it.

    Returns
    -------
    list of (array of int, array of int)
        One pair a fold, in ascending order of folds.

    Examples
    --------
    >>> [(train.tolist(), test.tolist()) for train, test in fold_pairs(np.array([0, 2, 0]))]
    [([1], [0, 2]), ([0, 2], [1])]
    """
    folds = np.asarray(folds)
    return [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]


def fit_folds(
    model: Model,
    places: Places,
    values: np.ndarray,
    folds: np.ndarray | Pairs,
    *,
    sample_sizes: np.ndarray | None = None,
    prepare: Callable[[Model, int], object] | None = None,
    validate: bool = False,
    progress: Callable[[str], None] | None = None,
    what: str = "fold",
) -> Iterator[FittedFold]:
    """Fit a clone of a model for each fold, to the places outside it, one after the other.

    Use it where the fitted models are needed; where predictions are enough, use `cross_val_predict`.

    Parameters
    ----------
    model : Model
        An unfitted model; it is not changed: clones are fitted.
    places : Places
    values : array of float, shape (n,) or (n, m)
        Measured values, or labels 0 and 1; m columns for a model that is trained on m indicators together.
    folds : array of int, shape (n,), or iterable of (train, test)
        Fold of each row, or the pairs of row numbers that a splitter yields.
    sample_sizes : array of float, shape (n,), optional
        For rates: the number of persons that each was measured of; for models that take them.
    prepare : callable, optional
        Called with each unfitted clone and the number of its fold, to change parameters fold by fold:
        `lambda model, fold: model.set_params(random_state=fold)`.
    validate : bool
        Give the places that are left out to models that take a validation part. Scores on them then flatter; use it only to
        repeat evaluations that did so.
    progress : callable, optional
        Called with a sentence before each fold.
    what : str
        The word for a fold in these sentences.

    Yields
    ------
    FittedFold

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> places = Places.without_images(np.array(list("abc")), np.array([[80.0, 25.0], [81.0, 25.0], [82.0, 25.0]]))
    >>> fits = fit_folds(Mean(), places, np.array([0.0, 1.0, 5.0]), np.array([0, 0, 1]))
    >>> [(fit.test.tolist(), fit.model.predict(places)[0].item()) for fit in fits]
    [([0, 1], 5.0), ([2], 0.5)]
    """
    values, places = np.asarray(values), model.prepared(places)
    pairs = fold_pairs(folds) if isinstance(folds, np.ndarray) else list(folds)
    for number, (train, test) in enumerate(pairs):
        if progress:
            progress(f"leaving out {what} {number + 1} of {len(pairs)}")
        copy = clone(model)
        if prepare:
            prepare(copy, number)
        if validate and copy.takes_validation:
            held_out = (places.take(test), values[test])
            copy.fit(places.take(train), values[train], validation=held_out)
        else:
            sizes = None if sample_sizes is None else sample_sizes[train]
            fit_model(copy, places.take(train), values[train], progress, sizes)
        yield FittedFold(number, train, test, copy)


def cross_val_predict(
    model: Model,
    places: Places,
    values: np.ndarray,
    folds: np.ndarray | Pairs,
    *,
    sample_sizes: np.ndarray | None = None,
    prepare: Callable[[Model, int], object] | None = None,
    progress: Callable[[str], None] | None = None,
    what: str = "fold",
) -> np.ndarray:
    """Predict each place by a clone of a model that was fitted to the places outside its fold.

    The parameters are those of `fit_folds`.

    Returns
    -------
    array of float, of the shape of `values`
        NaN where no fold tests a row.

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> places = Places.without_images(np.array(list("abc")), np.array([[80.0, 25.0], [81.0, 25.0], [82.0, 25.0]]))
    >>> cross_val_predict(Mean(), places, np.array([0.0, 1.0, 5.0]), np.array([0, 0, 1]))
    array([5. , 5. , 0.5])
    """
    predictions = np.full(np.shape(values), np.nan)
    options: dict[str, Any] = {"sample_sizes": sample_sizes, "prepare": prepare, "progress": progress, "what": what}
    for fit in fit_folds(model, places, values, folds, **options):
        predictions[fit.test] = fit.model.predict(places.take(fit.test))
    return predictions


def fit_model(
    model: Model,
    places: Places,
    values: np.ndarray,
    progress: Callable[[str], None] | None = None,
    sample_sizes: np.ndarray | None = None,
) -> None:
    """Fit a model, with the progress callable and the sample sizes of rates where its `fit` accepts them."""
    options: dict[str, Any] = {"progress": progress} if progress is not None and model.takes_progress else {}
    if sample_sizes is not None and model.takes_sample_sizes:
        options["sample_sizes"] = sample_sizes
    model.fit(places, values, **options)
