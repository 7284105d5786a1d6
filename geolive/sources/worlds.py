"""Where in the simulated photos a place's wealth, density and nutrition show: a world for each way a model can look.

Models are compared in all of them (benchmarks/contestants.py), since nobody knows which is nearest to real photos. All
worlds share the countryside, the survey and the places where photos stand. Everything here is simulated.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DEFAULT_WORLD = "composition"
# `few`: one photo in so many tells, so much more strongly; its kind is known by two classes that are rare elsewhere
DECISIVE_SHARE, DECISIVE_STRENGTH = 1 / 12, 2.5
DECISIVE_MARKS, MARK_RATE = ("Banner", "Bench"), 40.0
# `arrangement`: how far the logarithm of a rate goes up on one side of a place, and down on the other
SIDE_STRENGTH = 0.9
# `alike`: every class tells a little
ALIKE_STRENGTH = 0.16


@dataclass(frozen=True)
class World:
    """Where the signal sits.

    Parameters
    ----------
    about : str
        In words.
    of_places : callable
        (latents, loadings) to what is added to the logarithm of each class's rate at a place, shape (places, 66).
    walks_differ : float
        1 where photos of a walk share surroundings of their own, 0 where all photos of a place are alike.
    of_photos : callable, optional
        (latents, loadings, place of each photo, km, generator) to factors of the rates, shape (images, 66).
    """

    about: str
    of_places: Callable[[np.ndarray, np.ndarray], np.ndarray]
    walks_differ: float = 1.0
    of_photos: Callable[..., np.ndarray] | None = None


def _composition(latents: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    return latents @ loadings.T


def _nothing(latents: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    return np.zeros((len(latents), len(loadings)))


def _every_class_a_little(latents: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    # which way a class goes is fixed by the loadings' own seed, through their numbers
    rng = np.random.Generator(np.random.PCG64(np.frombuffer(loadings.tobytes()[:1024], np.uint32)))
    return latents @ (ALIKE_STRENGTH * rng.choice([-1.0, 1.0], loadings.shape)).T


def _decisive_photos(latents, loadings, place, km, rng) -> np.ndarray:
    from geolive.tables import vistas_classes

    factors = np.ones((len(place), len(loadings)))
    decisive = rng.random(len(place)) < DECISIVE_SHARE
    factors[decisive] = np.exp(DECISIVE_STRENGTH * latents[place[decisive]] @ loadings.T)
    marks = np.flatnonzero(vistas_classes()["name"].isin(DECISIVE_MARKS))
    factors[:, marks] = np.where(decisive, MARK_RATE, 0.5)[:, None]
    return factors


def _sides(latents, loadings, place, km, rng) -> np.ndarray:
    """Telling classes stand on one side of a place or mixed over all of it; how many there are is the same."""
    logs = np.zeros((len(place), len(loadings)))
    for i in range(latents.shape[1]):
        bearing = rng.uniform(0, 2 * np.pi, len(latents))[place]
        along = km[:, 0] * np.cos(bearing) + km[:, 1] * np.sin(bearing)
        side = np.where(along > _medians(along, place, len(latents))[place], 1.0, -1.0)
        mixed = rng.choice([-1.0, 1.0], len(place))
        # the more of the latent, the more photos show what their side shows
        sorted_share = 1 / (1 + np.exp(-2 * latents[place, i]))
        shown = np.where(rng.random(len(place)) < sorted_share, side, mixed)
        logs += SIDE_STRENGTH * shown[:, None] * np.sign(loadings[:, i])
    return np.exp(logs - SIDE_STRENGTH**2 / 2 * (logs != 0))


def _medians(values: np.ndarray, group: np.ndarray, n: int) -> np.ndarray:
    import pandas as pd

    return pd.Series(values).groupby(group).median().reindex(np.arange(n)).to_numpy()


WORLDS = {
    "composition": World("in what there is at a place: sums of its objects", _composition),
    "few": World("in one photo of twelve, of a kind of its own", _nothing, of_photos=_decisive_photos),
    "arrangement": World("in whether like stands beside like; sums tell nothing", _nothing, of_photos=_sides),
    "alike": World("in all photos alike: every class tells a little, in every photo", _every_class_a_little, 0.0),
    "none": World("nowhere: photos tell nothing", _nothing),
}
