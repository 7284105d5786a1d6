"""What weighs in a place: how its prediction changes when a photo, or all objects of a class, are left out.

Occlusion (Zeiler & Fergus 2014, arXiv 1311.2901), of photos and classes in place of pixels, by models that did not see the place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from geolive.explain.inputs import Group, LeftOut
from geolive.models.clusterwise import mean_features
from geolive.models.interface import Model
from geolive.places import ImageFeatures, Places

MOST_PLACES = 100
SHOWN = ("highest", "median", "lowest")


@dataclass(frozen=True)
class Weights:
    """What weighs in the predictions of places.

    Parameters
    ----------
    photos : DataFrame
        A row a photo: `unique_cluster`, `key`, `cluster_prediction` and `change`, what is predicted without the photo less with
        it, before a value is kept within those of training (null for the only photo of a place); of image-wise models
        `prediction`, the photo's own, and `part` as well.
    objects : DataFrame or None
        A row an input of a place: `unique_cluster`, `object`, `count` (its objects; null for image features),
        `cluster_prediction` and `change`: with none of these objects in any photo, or features as on the average photo.
    shown : dict of str to str
        The clusters with the highest, median and lowest prediction.
    places : int
        How many there are; `photos` has at most 100 of them, evenly spread over the predictions.
    """

    photos: pd.DataFrame
    objects: pd.DataFrame | None
    shown: dict[str, str]
    places: int


def spread_over(predictions: np.ndarray, most: int = MOST_PLACES) -> np.ndarray:
    """Rows evenly spread over ranked predictions, lowest first, the lowest, median and highest among them.

    Examples
    --------
    >>> spread_over(np.array([5.0, 1.0, 3.0, 2.0, 4.0]), 3).tolist()
    [1, 2, 0]
    """
    ranked = np.argsort(predictions, kind="stable")
    most -= (most + 1) % 2  # of an odd number one is in the middle
    if len(ranked) <= most:
        return ranked
    return ranked[np.linspace(0, len(ranked) - 1, most).round().astype(int)]


def shown_of(ids: Sequence[str]) -> dict[str, str]:
    """The highest, median and lowest of places in ascending order of their predictions.

    Examples
    --------
    >>> shown_of(["a", "b", "c"])
    {'highest': 'c', 'median': 'b', 'lowest': 'a'}
    """
    return dict(zip(SHOWN, (str(ids[i]) for i in (-1, (len(ids) - 1) // 2, 0)), strict=True))


def weights_of(
    fits: list[LeftOut],
    places: Places,
    keys: np.ndarray,
    vertices: str,
    groups: dict[str, Group],
    names: Sequence[str],
    progress: Callable[[str], None] | None = None,
) -> Weights:
    """Leave out photo after photo and class after class, by models that did not see the place.

    Parameters
    ----------
    fits : list of LeftOut
    places : Places
        With image features where `vertices` has some.
    keys : array of str, shape (images,)
        Of the places' images.
    vertices : {"obj", "feats", "both"}
    groups : dict of str to tuple of int
        Columns of image features that are set to their average together, by name.
    names : sequence of str
        Of the 66 classes.
    progress : callable, optional

    Returns
    -------
    Weights

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> where = np.zeros((3, 2))
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 3]), where, np.eye(3, 66, dtype=np.uint16))
    >>> birds = SimpleNamespace(predict=lambda places: places.counts()[:, 0])
    >>> found = weights_of([LeftOut(np.array([0]), birds)], places, np.array(["k", "l", "m"]), "obj", {}, list("abc"))
    >>> found.photos["change"].tolist(), found.objects["change"].tolist()
    ([-1.0, 0.0, 0.0], [-1.0, 0.0, 0.0])
    """
    # at the ends of the range of training values a prediction would not move, whatever is left out
    fit_of = {int(row): fit for fit in fits for row in fit.rows}
    predicted = np.zeros(len(places))
    for fit in fits:
        predicted[fit.rows] = fit.model.predict(places.take(fit.rows))
    sums = mean_features(places) * places.n_images[:, None] if groups else None
    rows, photos, objects = spread_over(predicted), [], []
    for number, row in enumerate(rows):
        if progress:
            progress(f"leaving out what is in place {number + 1} of {len(rows)}")
        fit, place = fit_of[int(row)], places.take(np.array([row]))
        model = fit.model.unbounded() if hasattr(fit.model, "unbounded") else fit.model
        whole = model.predict(place)[0]
        own = {"unique_cluster": str(places.ids[row])}
        at = {"cluster_prediction": predicted[row]}
        change = _without_each_photo(model, place) - whole
        found = keys[places.offsets[row] : places.offsets[row + 1]]
        photos.append(pd.DataFrame(own | {"key": found} | at | {"change": change}))
        if vertices != "feats":
            counts = place.objects.sum(axis=0, dtype=np.int64)
            there = np.flatnonzero(counts)
            change = _without_each_class(model, place, there) - whole
            of_class = {"object": [names[i] for i in there], "count": counts[there].astype(float)}
            objects.append(pd.DataFrame(own | of_class | at | {"change": change}))
        if groups:
            learnt = np.setdiff1d(np.arange(len(places)), fit.rows)
            average = sums[learnt].sum(axis=0) / places.n_images[learnt].sum()
            change = _with_average(model, place, list(groups.values()), average) - whole
            of_group = {"object": list(groups), "count": np.nan}
            objects.append(pd.DataFrame(own | of_group | at | {"change": change}))
    return Weights(
        pd.concat(photos, ignore_index=True),
        pd.concat(objects, ignore_index=True) if objects else None,
        shown_of(places.ids[rows]),
        len(places),
    )


def weights_in_means(places: Places, keys: np.ndarray, part: np.ndarray, n: int) -> Weights:
    """The weights of photos where a place's prediction is the mean of what each photo says.

    Parameters
    ----------
    places : Places
        With what the model makes of each photo as the only image feature; each has a photo.
    keys : array of str, shape (images,)
    part : array of str, shape (places,)
        Of the training, null where it is not known.
    n : int
        How many places there are in all.

    Returns
    -------
    Weights
        Without objects.

    Examples
    --------
    >>> where, said = np.zeros((3, 2)), ImageFeatures("imagewise", np.array([[1.0], [2.0], [6.0]]), np.arange(3))
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 3]), where, np.zeros((3, 66), np.uint16), said)
    >>> weights_in_means(places, np.array(["k", "l", "m"]), np.array(["test"]), 1).photos["change"].tolist()
    [1.0, 0.5, -1.5]
    """
    place, sizes = np.repeat(np.arange(len(places)), places.n_images), places.n_images
    said = places.features.read()[:, 0].astype(float)
    mean = np.bincount(place, said, len(places)) / sizes
    order = np.argsort(mean, kind="stable")
    others = np.where(sizes > 1, sizes - 1, np.nan)
    columns = {"unique_cluster": places.ids[place], "key": keys, "part": part[place], "prediction": said}
    photos = pd.DataFrame(columns | {"cluster_prediction": mean[place], "change": (mean[place] - said) / others[place]})
    photos = photos.iloc[np.argsort(np.argsort(order, kind="stable")[place], kind="stable")].reset_index(drop=True)
    return Weights(photos, None, shown_of(places.ids[order]), n)


def weightiest(table: pd.DataFrame, cluster: str, most: int) -> pd.DataFrame:
    """The rows of a cluster that change its prediction most.

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
        return np.array([np.nan])  # nothing would be left to look at
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
    features = changed.features.read().reshape(len(groups), len(place.objects), -1)
    for number, group in enumerate(groups):
        features[number][:, group] = average[list(group)]
    features = features.reshape(-1, len(average))
    return model.predict(
        replace(changed, features=ImageFeatures(place.features.name, features, np.arange(len(features))))
    )
