"""Occlusion: how the prediction of a place changes when a photo, or all objects of a class, are left out.

Source: Zeiler & Fergus 2014, arXiv 1311.2901, here with photos and classes in place of pixels. The models did not see
the place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from geolive.explain.inputs import Group
from geolive.model_inputs import parse_inputs
from geolive.models.clusterwise import mean_features
from geolive.models.cross_validation import FittedFold
from geolive.models.interface import Model
from geolive.places import ImageFeatures, Places

MOST_PLACES = 100
SHOWN = ("highest", "median", "lowest")


@dataclass(frozen=True)
class Weights:
    """How much photos and classes of objects change the predictions of places.

    Parameters
    ----------
    photos : DataFrame
        One photo in each row: `unique_cluster`, `key`, `cluster_prediction` and `change`, the prediction without the
        photo minus the prediction with it, both without the limits of the training values (null for the only photo of a
        place). For image-wise models also `prediction`, that of the photo itself, and `part`.
    objects : DataFrame or None
        One row for each input of a place: `unique_cluster`, `object`, `count` (number of objects; null for image features),
        `cluster_prediction` and `change`, when no photo shows these objects, or with the features of the average photo.
    shown : dict of str to str
        The clusters with the highest, median and lowest prediction.
    places : int
        Number of places; `photos` has at most 100 of them, evenly spread over the predictions.
    """

    photos: pd.DataFrame
    objects: pd.DataFrame | None
    shown: dict[str, str]
    places: int


def spread_over(predictions: np.ndarray, most: int = MOST_PLACES) -> np.ndarray:
    """Choose rows evenly spread over the ranked predictions, from lowest to highest, with the median among them.

    Examples
    --------
    >>> spread_over(np.array([5.0, 1.0, 3.0, 2.0, 4.0]), 3).tolist()
    [1, 2, 0]
    """
    ranked = np.argsort(predictions, kind="stable")
    most -= (most + 1) % 2  # an odd number has one in the middle
    if len(ranked) <= most:
        return ranked
    return ranked[np.linspace(0, len(ranked) - 1, most).round().astype(int)]


def shown_of(ids: Sequence[str] | np.ndarray) -> dict[str, str]:
    """Name the highest, median and lowest of places that are in ascending order of their predictions.

    Examples
    --------
    >>> shown_of(["a", "b", "c"])
    {'highest': 'c', 'median': 'b', 'lowest': 'a'}
    """
    return dict(zip(SHOWN, (str(ids[i]) for i in (-1, (len(ids) - 1) // 2, 0)), strict=True))


def weights_of(
    folds: list[FittedFold],
    places: Places,
    keys: np.ndarray,
    inputs: str,
    groups: dict[str, Group],
    names: list[str],
    progress: Callable[[str], None] | None = None,
) -> Weights:
    """Leave out photo after photo and class after class, and predict with models that did not see the place.

    Parameters
    ----------
    folds : list of FittedFold
    places : Places
        With image features where `inputs` names them.
    keys : array of str, shape (images,)
        Keys of the images of the places.
    inputs : str
    groups : dict of str to tuple of int
        Columns of image features, by the name of their group; each group is set to its average together.
    names : list of str
        Names of the 66 classes.
    progress : callable, optional

    Returns
    -------
    Weights

    Examples
    --------
    >>> from geolive.models.interface import Model
    >>> class Birds(Model):
    ...     def predict(self, places):
    ...         return places.counts()[:, 0]
    >>> where = np.zeros((3, 2))
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 3]), where, np.eye(3, 66, dtype=np.uint16))
    >>> fold = FittedFold(0, np.arange(0), np.array([0]), Birds())
    >>> weights = weights_of([fold], places, np.array(["k", "l", "m"]), "objects", {}, list("abc"))
    >>> weights.photos["change"].tolist(), weights.objects["change"].tolist()
    ([-1.0, 0.0, 0.0], [-1.0, 0.0, 0.0])
    """
    fold_of = {int(row): fold for fold in folds for row in fold.test}
    predicted = np.zeros(len(places))
    for fold in folds:
        predicted[fold.test] = fold.model.predict(places.take(fold.test))
    sums = mean_features(places) * places.n_images[:, None] if groups else None
    photos, objects = [], []
    rows = spread_over(predicted)
    for number, row in enumerate(rows):
        if progress:
            progress(f"leaving out photos and classes of place {number + 1} of {len(rows)}")
        fold, place = fold_of[int(row)], places.take(np.array([row]))
        # limited to the training values, a prediction at their ends would not change whatever is left out
        model = fold.model.unbounded()
        whole = model.predict(place)[0]
        own, at = {"unique_cluster": str(places.ids[row])}, {"cluster_prediction": predicted[row]}
        key = keys[places.offsets[row] : places.offsets[row + 1]]
        photos.append(pd.DataFrame(own | {"key": key} | at | {"change": _without_each_photo(model, place) - whole}))
        if "objects" in parse_inputs(inputs):
            counts = place.objects.sum(axis=0, dtype=np.int64)
            seen = np.flatnonzero(counts)
            of_class = {"object": [names[int(i)] for i in seen], "count": counts[seen].astype(float)}
            change = _without_each_class(model, place, seen) - whole
            objects.append(pd.DataFrame(own | of_class | at | {"change": change}))
        if sums is not None:
            average = sums[fold.train].sum(axis=0) / places.n_images[fold.train].sum()
            of_group = {"object": list(groups), "count": np.nan}
            change = _with_average(model, place, list(groups.values()), average) - whole
            objects.append(pd.DataFrame(own | of_group | at | {"change": change}))
    return Weights(
        pd.concat(photos, ignore_index=True),
        pd.concat(objects, ignore_index=True) if objects else None,
        shown_of(places.ids[rows]),
        len(places),
    )


def weights_in_means(places: Places, keys: np.ndarray, part: np.ndarray, n: int) -> Weights:
    """Compute the weights of photos where the prediction of a place is the mean over those of its photos.

    Parameters
    ----------
    places : Places
        Places with photos; the only image feature is the model's prediction of each photo.
    keys : array of str, shape (images,)
    part : array of str, shape (places,)
        Part of the training that each place was in, null where it is unknown.
    n : int
        Number of places in total.

    Returns
    -------
    Weights
        Without objects.

    Examples
    --------
    >>> where, of_photo = np.zeros((3, 2)), ImageFeatures("imagewise", np.array([[1.0], [2.0], [6.0]]), np.arange(3))
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 3]), where, np.zeros((3, 66), np.uint16), of_photo)
    >>> weights_in_means(places, np.array(["k", "l", "m"]), np.array(["test"]), 1).photos["change"].tolist()
    [1.0, 0.5, -1.5]
    """
    place, sizes = np.repeat(np.arange(len(places)), places.n_images), places.n_images
    if places.features is None:
        raise TypeError("the places have no predictions of photos")
    of_photo = places.features.read()[:, 0].astype(float)
    mean = np.bincount(place, of_photo, len(places)) / sizes
    order = np.argsort(mean, kind="stable")
    others = np.where(sizes > 1, sizes - 1, np.nan)
    columns = {"unique_cluster": places.ids[place], "key": keys, "part": part[place], "prediction": of_photo}
    change = (mean[place] - of_photo) / others[place]
    photos = pd.DataFrame(columns | {"cluster_prediction": mean[place], "change": change})
    photos = photos.iloc[np.argsort(np.argsort(order, kind="stable")[place], kind="stable")].reset_index(drop=True)
    return Weights(photos, None, shown_of(places.ids[order]), n)


def weightiest(table: pd.DataFrame, cluster: str, most: int) -> pd.DataFrame:
    """Find the rows that change the prediction of a cluster most.

    Examples
    --------
    >>> table = pd.DataFrame({"unique_cluster": list("aab"), "change": [0.1, -0.3, 9.0]})
    >>> weightiest(table, "a", 5)["change"].tolist()
    [-0.3, 0.1]
    """
    own = table[(table["unique_cluster"] == cluster) & table["change"].notna()]
    return own.iloc[np.argsort(-own["change"].abs().to_numpy(), kind="stable")[:most]]


def _without_each_photo(model: Model, place: Places) -> np.ndarray:
    n = len(place.objects)
    if n == 1:
        return np.array([np.nan])  # nothing would be left
    others = place.take(np.zeros(n, int)).keep_images(np.flatnonzero(~np.eye(n, dtype=bool).ravel()))
    return model.predict(others)


def _without_each_class(model: Model, place: Places, classes: np.ndarray) -> np.ndarray:
    if not len(classes):
        return np.zeros(0)
    changed = place.take(np.zeros(len(classes), int))
    objects = changed.objects.reshape(len(classes), len(place.objects), -1).copy()
    objects[np.arange(len(classes)), :, classes] = 0
    return model.predict(replace(changed, objects=objects.reshape(changed.objects.shape)))


def _with_average(model: Model, place: Places, groups: Sequence[Group], average: np.ndarray) -> np.ndarray:
    changed = place.take(np.zeros(len(groups), int))
    if changed.features is None or place.features is None:
        raise TypeError("the place has no image features")
    features = changed.features.read().reshape(len(groups), len(place.objects), -1)
    for number, group in enumerate(groups):
        features[number][:, group] = average[list(group)]
    flat = features.reshape(-1, len(average))
    own = ImageFeatures(place.features.name, flat, np.arange(len(flat)))
    return model.predict(replace(changed, features=own))
