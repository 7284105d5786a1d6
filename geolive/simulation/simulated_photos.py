"""Simulated street photos of a place: where they were taken, along which walk, and what stands in them.

Everything here is simulated. Counts are over-dispersed; photos of one walk share their surroundings; a place has its own
character, which has nothing to do with what is to be predicted.
"""

from dataclasses import dataclass

import numpy as np

from geolive.simulation.countryside import INDICATORS, generator
from geolive.simulation.scenarios import DEFAULT_WORLD, SCENARIOS
from geolive.tables import N_CLASSES, vistas_classes

MOST_IMAGES = 200
FARTHEST_KM = 4.9
PHOTOS_A_WALK = 25
EMPTY_SHARE = 0.02

# mean number an image where a class is common; every other class appears once in some 200 images
RATES = {
    "Vegetation": 3.5,
    "Building": 2.4,
    "Sky": 1.3,
    "Road": 1.2,
    "Person": 1.1,
    "Motorcycle": 0.7,
    "Pole": 1.0,
    "Utility Pole": 0.6,
    "Car": 0.6,
    "Wall": 0.6,
    "Terrain": 0.8,
    "Fence": 0.25,
    "Traffic Sign (Back)": 0.05,
    "Traffic Sign (Front)": 0.12,
    "Billboard": 0.2,
    "Banner": 0.15,
    "Motorcyclist": 0.3,
    "Bicycle": 0.3,
    "Bicyclist": 0.2,
    "Truck": 0.15,
    "Bus": 0.06,
    "Other Vehicle": 0.2,
    "Sidewalk": 0.15,
    "Curb": 0.1,
    "Street Light": 0.12,
    "Ground Animal": 0.12,
    "Water": 0.06,
    "Sand": 0.05,
    "Lane Marking - General": 0.12,
    "Trash Can": 0.05,
    "Bench": 0.04,
    "Wheeled Slow": 0.05,
    "Junction Box": 0.04,
    "Ego Vehicle": 0.3,
    "Mountain": 0.03,
}
RARE_RATE = 0.005
VOID_RATE = 0.8

# how strongly the objects that tell of an indicator follow it: calibrated with benchmarks/sample_difficulty.py
STRENGTH = {"pov": 0.37, "pop": 0.65, "bmi": 0.42}
TELLING_CLASSES = 12
PLACE_SPREAD = 0.45
WALK_SPREAD = 0.6
IMAGE_SHAPE = 1.5


@dataclass(frozen=True)
class Photos:
    """Photos of places, in the order of the places.

    Parameters
    ----------
    place : array of int, shape (images,)
    walk : array of int, shape (images,)
        Number of the walk, over all places.
    step : array of int, shape (images,)
        Number of the photo in its walk.
    km : array, shape (images, 2)
        East and north of the place, in kilometres.
    objects : array of uint16, shape (images, 66)
    """

    place: np.ndarray
    walk: np.ndarray
    step: np.ndarray
    km: np.ndarray
    objects: np.ndarray


def draw_loadings(seed: int) -> np.ndarray:
    """How the logarithm of each class's rate follows each indicator; fixed by the seed.

    Returns
    -------
    array, shape (66, 3)
        A dozen of the more common classes tell of each indicator, half of them more, half less; one class may tell of two.

    Examples
    --------
    >>> (draw_loadings(0) != 0).sum(axis=0).tolist()
    [12, 12, 12]
    """
    rng = generator(seed, "loadings")
    common = np.flatnonzero(base_rates()[:65] >= 0.1)
    loadings = np.zeros((N_CLASSES, len(INDICATORS)))
    for i, name in enumerate(INDICATORS):
        telling = rng.choice(common, TELLING_CLASSES, replace=False)
        size = STRENGTH[name] * np.linspace(0.5, 1.5, TELLING_CLASSES)
        loadings[telling, i] = size * np.where(np.arange(TELLING_CLASSES) % 2, 1, -1)
    return loadings


def base_rates() -> np.ndarray:
    """Mean number of each class an image, shape (66,).

    Examples
    --------
    >>> base_rates().shape
    (66,)
    """
    rates = [RATES.get(name, RARE_RATE) for name in vistas_classes()["name"]]
    return np.array([*rates, VOID_RATE])


def draw_sizes(n_places: int, median: float, rng: np.random.Generator) -> np.ndarray:
    """Numbers of images of places: log-normal, from 1 to 200.

    Examples
    --------
    >>> sizes = draw_sizes(1000, 400.0, generator(0, "sizes"))
    >>> int(sizes.min()) >= 1, int(sizes.max())
    (True, 200)
    """
    return np.clip(np.exp(rng.normal(np.log(median), 1.3, n_places)), 1, MOST_IMAGES).astype(int)


def draw_photos(
    latents: np.ndarray, sizes: np.ndarray, loadings: np.ndarray, rng: np.random.Generator, world: str = DEFAULT_WORLD
) -> Photos:
    """Photos of places whose objects follow the places' latents.

    Parameters
    ----------
    latents : array, shape (places, 3)
        In standard units.
    sizes : array of int, shape (places,)
        Images a place.
    loadings : array, shape (66, 3)
    rng : numpy Generator
    world : str
        Where in the photos the latents show: see `geolive.simulation.scenarios`.

    Examples
    --------
    >>> photos = draw_photos(np.zeros((2, 3)), np.array([30, 5]), draw_loadings(0), generator(0, "photos"))
    >>> photos.objects.shape, int(np.hypot(*photos.km.T).max()) < 5
    ((35, 66), True)
    """
    place, walk, step = _walks(sizes)
    km = _wander(place, walk, step, rng)
    world_of = SCENARIOS[world]
    place_part = world_of.of_places(latents, loadings) + rng.normal(0, PLACE_SPREAD, (len(sizes), N_CLASSES))
    walk_part = rng.normal(0, WALK_SPREAD, (walk[-1] + 1 if len(walk) else 0, N_CLASSES)) * world_of.walks_differ
    # so that the mean rate stays the base rate, whatever the spreads
    level = base_rates() * np.exp(-(PLACE_SPREAD**2 + WALK_SPREAD**2) / 2)
    rates = np.exp(place_part[place] + walk_part[walk]) * level
    rates *= rng.gamma(IMAGE_SHAPE, 1 / IMAGE_SHAPE, (len(place), 1))
    rates[rng.random(len(place)) < EMPTY_SHARE] = 0
    if world_of.of_photos:
        rates *= world_of.of_photos(latents, loadings, place, rng)
    if world_of.moved:
        km = world_of.moved(place, km, rng)
    return Photos(place, walk, step, km, np.minimum(rng.poisson(rates), 65535).astype(np.uint16))


def _walks(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    place = np.repeat(np.arange(len(sizes)), sizes)
    number = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    step = number % PHOTOS_A_WALK
    return place, np.cumsum(step == 0) - 1, step


def _wander(place: np.ndarray, walk: np.ndarray, step: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions about the middle of the place: walks start within a few kilometres and turn slowly."""
    n_walks = walk[-1] + 1 if len(walk) else 0
    start = rng.normal(0, 1.0, (n_walks, 2))
    heading = rng.uniform(0, 2 * np.pi, n_walks)[walk] + 0.15 * rng.standard_normal(len(walk)) * np.sqrt(step)
    stride = rng.uniform(0.015, 0.045, len(walk))[:, None] * np.column_stack([np.cos(heading), np.sin(heading)])
    path = np.cumsum(stride, axis=0)
    first = np.flatnonzero(step == 0)
    km = start[walk] + path - path[first][walk]
    far = np.hypot(*km.T)
    return km * np.minimum(1, FARTHEST_KM / np.maximum(far, 1e-9))[:, None]
