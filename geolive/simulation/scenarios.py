"""Scenarios: where in the simulated photos the wealth, density and nutrition of a place show.

Models are compared in all scenarios (benchmarks/contestants.py), since nobody knows which one is nearest to real photos. All
scenarios share the countryside, the survey and the numbers of photos. Everything here is simulated.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DEFAULT_SCENARIO = "composition"
# `few`: one photo in twelve is informative, and strongly so; two classes that are rare elsewhere mark it
DECISIVE_SHARE, DECISIVE_STRENGTH = 1 / 12, 2.5
DECISIVE_MARKS, MARK_RATE = ("Banner", "Bench"), 40.0
# `arrangement`: the share of photos in a hamlet, its distance and the size of the village; how many more informative objects
# the informative photos show; how steeply the latent value decides whether these photos are in the hamlet
HAMLET_SHARE, HAMLET_KM, VILLAGE_SIZE = 0.3, 4.0, 0.3
SHOWN_STRENGTH, SORTING = 1.2, 2.0
# `alike`: every class is a little informative
ALIKE_STRENGTH = 0.16


@dataclass(frozen=True)
class Scenario:
    """Where the signal is.

    Parameters
    ----------
    of_places : callable
        Takes (latents, loadings) and returns what is added to the logarithm of each class's rate at a place, shape (places, 66).
    sequences_differ : float
        1 where the photos of a sequence share surroundings of their own, 0 where all photos of a place are alike.
    of_photos : callable, optional
        Takes (latents, loadings, place of each photo, generator) and returns factors of the rates, shape (images, 66).
    moved : callable, optional
        Takes (place of each photo, km, generator) and returns other positions of the photos, shape (images, 2), in kilometres
        from the middle of the place.
    """

    of_places: Callable[[np.ndarray, np.ndarray], np.ndarray]
    sequences_differ: float = 1.0
    of_photos: Callable[..., np.ndarray] | None = None
    moved: Callable[..., np.ndarray] | None = None


def _composition(latents: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    return latents @ loadings.T


def _nothing(latents: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    return np.zeros((len(latents), len(loadings)))


def _every_class_a_little(latents: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    # the numbers of the loadings are the seed of the signs, so that the sample's seed decides them
    rng = np.random.Generator(np.random.PCG64(np.frombuffer(loadings.tobytes()[:1024], np.uint32)))
    return latents @ (ALIKE_STRENGTH * rng.choice([-1.0, 1.0], loadings.shape)).T


def _decisive_photos(
    latents: np.ndarray, loadings: np.ndarray, place: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    from geolive.tables import vistas_classes

    factors = np.ones((len(place), len(loadings)))
    decisive = rng.random(len(place)) < DECISIVE_SHARE
    factors[decisive] = np.exp(DECISIVE_STRENGTH * latents[place[decisive]] @ loadings.T)
    marks = np.flatnonzero(vistas_classes()["name"].isin(DECISIVE_MARKS))
    factors[:, marks] = np.where(decisive, MARK_RATE, 0.5)[:, None]
    return factors


def _village_and_hamlet(place: np.ndarray, km: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw positions: most photos of a place are in a village, and the others in a hamlet away from it."""
    bearing = rng.uniform(0, 2 * np.pi, place.max(initial=-1) + 1)[place]
    away = np.where(_in_hamlet(place), HAMLET_KM, 0.0)
    return np.column_stack([away * np.cos(bearing), away * np.sin(bearing)]) + VILLAGE_SIZE * km


def _in_village_or_hamlet(
    latents: np.ndarray, loadings: np.ndarray, place: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Let a fixed share of photos show the informative classes, more of them in the hamlet where the latent value is higher."""
    hamlet, logs = _in_hamlet(place), np.zeros((len(place), len(loadings)))
    for i in range(latents.shape[1]):
        in_hamlet = rng.random(len(place)) < (1 / (1 + np.exp(-SORTING * latents[:, i])))[place]
        elsewhere = rng.random(len(place)) < (1 / (1 + np.exp(SORTING * latents[:, i])))[place] * (
            HAMLET_SHARE / (1 - HAMLET_SHARE)
        )
        shows = np.where(hamlet, in_hamlet, elsewhere)
        logs += SHOWN_STRENGTH * shows[:, None] * (loadings[:, i] != 0)
    return np.exp(logs)


def _in_hamlet(place: np.ndarray) -> np.ndarray:
    size = np.bincount(place)
    number = np.arange(len(place)) - (np.cumsum(size) - size)[place]
    return number < HAMLET_SHARE * size[place]


SCENARIOS = {
    # in the sums of objects at a place
    "composition": Scenario(_composition),
    # in one photo of twelve, which two rare classes mark
    "few": Scenario(_nothing, of_photos=_decisive_photos),
    # in where the informative objects are, in the village or in a hamlet; their sums are uninformative
    "arrangement": Scenario(_nothing, of_photos=_in_village_or_hamlet, moved=_village_and_hamlet),
    # in all photos alike: every class is a little informative in every photo
    "alike": Scenario(_every_class_a_little, sequences_differ=0.0),
    # nowhere: photos are uninformative
    "none": Scenario(_nothing),
}
