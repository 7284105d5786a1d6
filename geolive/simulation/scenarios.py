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
# `arrangement`: so many photos stand in a hamlet so far away; what telling photos show more of, and how steeply the latent
# decides whether they are the hamlet's
HAMLET_SHARE, HAMLET_KM, VILLAGE_SIZE = 0.3, 4.0, 0.3
SHOWN_STRENGTH, SORTING = 1.2, 2.0
# `alike`: every class tells a little
ALIKE_STRENGTH = 0.16


@dataclass(frozen=True)
class Scenario:
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
        (latents, loadings, place of each photo, generator) to factors of the rates, shape (images, 66).
    moved : callable, optional
        (place of each photo, km, generator) to other positions of the photos, shape (images, 2), kilometres from the middle.
    """

    about: str
    of_places: Callable[[np.ndarray, np.ndarray], np.ndarray]
    walks_differ: float = 1.0
    of_photos: Callable[..., np.ndarray] | None = None
    moved: Callable[..., np.ndarray] | None = None


def _composition(latents: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    return latents @ loadings.T


def _nothing(latents: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    return np.zeros((len(latents), len(loadings)))


def _every_class_a_little(latents: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    # which way a class goes is fixed by the loadings' own seed, through their numbers
    rng = np.random.Generator(np.random.PCG64(np.frombuffer(loadings.tobytes()[:1024], np.uint32)))
    return latents @ (ALIKE_STRENGTH * rng.choice([-1.0, 1.0], loadings.shape)).T


def _decisive_photos(latents, loadings, place, rng) -> np.ndarray:
    from geolive.tables import vistas_classes

    factors = np.ones((len(place), len(loadings)))
    decisive = rng.random(len(place)) < DECISIVE_SHARE
    factors[decisive] = np.exp(DECISIVE_STRENGTH * latents[place[decisive]] @ loadings.T)
    marks = np.flatnonzero(vistas_classes()["name"].isin(DECISIVE_MARKS))
    factors[:, marks] = np.where(decisive, MARK_RATE, 0.5)[:, None]
    return factors


def _village_and_hamlet(place: np.ndarray, km: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions where most photos of a place stand in a village, and the others in a hamlet away from it."""
    bearing = rng.uniform(0, 2 * np.pi, place.max(initial=-1) + 1)[place]
    away = np.where(_in_hamlet(place), HAMLET_KM, 0.0)
    return np.column_stack([away * np.cos(bearing), away * np.sin(bearing)]) + VILLAGE_SIZE * km


def _in_village_or_hamlet(latents, loadings, place, rng) -> np.ndarray:
    """As many photos as the hamlet has show telling classes: the more of the latent, the more of these stand in the hamlet."""
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
    "composition": Scenario("in what there is at a place: sums of its objects", _composition),
    "few": Scenario("in one photo of twelve, of a kind of its own", _nothing, of_photos=_decisive_photos),
    "arrangement": Scenario(
        "in where telling things stand, in the village or out in a hamlet; sums tell nothing",
        _nothing,
        of_photos=_in_village_or_hamlet,
        moved=_village_and_hamlet,
    ),
    "alike": Scenario("in all photos alike: every class tells a little, in every photo", _every_class_a_little, 0.0),
    "none": Scenario("nowhere: photos tell nothing", _nothing),
}
