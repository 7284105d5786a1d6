"""Simulated street photos of a place: where they were taken, in which sequence, and which objects they show.

Everything here is simulated. Counts are over-dispersed. Photos of one sequence share their surroundings. Each place has a
character of its own, which is unrelated to the indicators.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from geolive.simulation.countryside import INDICATORS, generator
from geolive.simulation.scenarios import DEFAULT_SCENARIO, SCENARIOS
from geolive.tables import N_CLASSES, vistas_classes

MOST_IMAGES = 200
FARTHEST_KM = 4.9
PHOTOS_PER_SEQUENCE = 25
EMPTY_SHARE = 0.02

# mean number per image of the common classes; every other class appears once in about 200 images
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

# how strongly the informative classes of an indicator follow it: calibrated with benchmarks/sample_difficulty.py
STRENGTH = {"pov": 0.37, "pop": 0.65, "bmi": 0.42}
INFORMATIVE_CLASSES = 12
PLACE_SPREAD = 0.45
SEQUENCE_SPREAD = 0.6
IMAGE_SHAPE = 1.5
_BLOCK = 4096


@dataclass(frozen=True)
class Photos:
    """Photos of places, in the order of the places.

    Parameters
    ----------
    place : array of int, shape (images,)
        Row of the place.
    sequence : array of int, shape (images,)
        Number of the sequence, counted over all places.
    step : array of int, shape (images,)
        Number of the photo in its sequence.
    km : array, shape (images, 2)
        Position east and north of the place, in kilometres.
    objects : array of uint16, shape (images, 66)
        Object counts.
    """

    place: np.ndarray
    sequence: np.ndarray
    step: np.ndarray
    km: np.ndarray
    objects: np.ndarray


def draw_loadings(seed: int) -> np.ndarray:
    """Return how the logarithm of each class's rate follows each indicator; the seed decides.

    Returns
    -------
    array, shape (66, 3)
        Twelve of the more common classes are informative of each indicator: six of them increase with it, six decrease. A class
        may be informative of two indicators.

    Examples
    --------
    >>> (draw_loadings(0) != 0).sum(axis=0).tolist()
    [12, 12, 12]
    """
    rng = generator(seed, "loadings")
    common = np.flatnonzero(base_rates()[:65] >= 0.1)
    loadings = np.zeros((N_CLASSES, len(INDICATORS)))
    for i, name in enumerate(INDICATORS):
        informative = rng.choice(common, INFORMATIVE_CLASSES, replace=False)
        size = STRENGTH[name] * np.linspace(0.5, 1.5, INFORMATIVE_CLASSES)
        loadings[informative, i] = size * np.where(np.arange(INFORMATIVE_CLASSES) % 2, 1, -1)
    return loadings


def base_rates() -> np.ndarray:
    """Return the mean number of objects of each class per image, shape (66,).

    Examples
    --------
    >>> base_rates().shape
    (66,)
    """
    rates = [RATES.get(name, RARE_RATE) for name in vistas_classes()["name"]]
    return np.array([*rates, VOID_RATE])


def draw_sizes(n_places: int, median: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the numbers of images of places from a log-normal distribution, cut to 1 to 200.

    Examples
    --------
    >>> sizes = draw_sizes(1000, 400.0, generator(0, "sizes"))
    >>> int(sizes.min()) >= 1, int(sizes.max())
    (True, 200)
    """
    return np.clip(np.exp(rng.normal(np.log(median), 1.3, n_places)), 1, MOST_IMAGES).astype(int)


def draw_photos(
    latents: np.ndarray,
    sizes: np.ndarray,
    loadings: np.ndarray,
    rng: np.random.Generator,
    scenario: str = DEFAULT_SCENARIO,
    kept: np.ndarray | None = None,
) -> Photos:
    """Draw photos of places whose objects follow the latent values of the places.

    Parameters
    ----------
    latents : array, shape (places, 3)
        In standard units.
    sizes : array of int, shape (places,)
        Number of images of each place.
    loadings : array, shape (66, 3)
        As `draw_loadings` returns them.
    rng : numpy Generator
    scenario : str
        Where in the photos the signal is (`geolive.simulation.scenarios`).
    kept : array of int, optional
        Ascending numbers of the photos to return. All photos are drawn, so that these are the same as without `kept`.

    Returns
    -------
    Photos

    Examples
    --------
    >>> photos = draw_photos(np.zeros((2, 3)), np.array([30, 5]), draw_loadings(0), generator(0, "photos"))
    >>> photos.objects.shape, int(np.hypot(*photos.km.T).max()) < 5
    ((35, 66), True)
    """
    place, sequence, step = _number_photos(sizes)
    n_sequences = sequence[-1] + 1 if len(sequence) else 0
    walks = _draw_walks(n_sequences, len(place), rng)
    rules = SCENARIOS[scenario]
    place_part = rules.of_places(latents, loadings) + rng.normal(0, PLACE_SPREAD, (len(sizes), N_CLASSES))
    logs = rng.normal(0, SEQUENCE_SPREAD, (n_sequences, N_CLASSES)) * rules.sequences_differ
    logs += place_part[place[step == 0]]
    # the mean rate stays the base rate, whatever the spreads
    level = base_rates() * np.exp(-(PLACE_SPREAD**2 + SEQUENCE_SPREAD**2) / 2)
    rates = np.exp(logs, out=logs) * level
    factors = [rng.gamma(IMAGE_SHAPE, 1 / IMAGE_SHAPE, (len(place), 1))]
    factors[0][rng.random(len(place)) < EMPTY_SHARE] = 0
    if rules.of_photos:
        factors.append(rules.of_photos(latents, loadings, place, rng))
    with ThreadPoolExecutor(1) as beside:
        # counts are drawn one after the other, on one processor
        where = beside.submit(_positions, *walks, sequence, step, None if rules.moved else kept)
        moved = rules.moved(place, where.result(), rng) if rules.moved else None
        objects = _draw_objects(rates, sequence, factors, rng, kept)
        km = where.result() if moved is None else moved if kept is None else moved[kept]
    if kept is None:
        return Photos(place, sequence, step, km, objects)
    return Photos(place[kept], sequence[kept], step[kept], km, objects)


def _draw_objects(
    rates: np.ndarray,
    sequence: np.ndarray,
    factors: list[np.ndarray],
    rng: np.random.Generator,
    kept: np.ndarray | None,
) -> np.ndarray:
    """Draw the object counts of all photos in blocks, whose memory is bounded, and return those of the photos that are kept.

    The rates of the sequences, shape (sequences, 66), are multiplied by each of the factors, shape (images, 1 or 66).
    """
    drawn = [np.zeros((0, N_CLASSES), np.uint16)]
    for start in range(0, len(sequence), _BLOCK):
        block = slice(start, start + _BLOCK)
        of_photos = rates[sequence[block]]
        for factor in factors:
            of_photos *= factor[block]
        # a flat array is drawn a little faster
        counts = rng.poisson(of_photos.ravel()).reshape(of_photos.shape)
        if kept is not None:
            first, last = np.searchsorted(kept, [start, start + _BLOCK])
            counts = counts[kept[first:last] - start]
        drawn.append(np.minimum(counts, 65535).astype(np.uint16))
    return np.concatenate(drawn)


def _number_photos(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return place, sequence and step of each photo."""
    place = np.repeat(np.arange(len(sizes)), sizes)
    number = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    step = number % PHOTOS_PER_SEQUENCE
    return place, np.cumsum(step == 0) - 1, step


def _draw_walks(
    n_sequences: int, n_images: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw the start, in km, and the heading of each sequence, and the turn and the length in km of each step."""
    start, heading = rng.normal(0, 1.0, (n_sequences, 2)), rng.uniform(0, 2 * np.pi, n_sequences)
    return start, heading, 0.15 * rng.standard_normal(n_images), rng.uniform(0.015, 0.045, n_images)


def _positions(
    start: np.ndarray,
    heading: np.ndarray,
    turn: np.ndarray,
    length: np.ndarray,
    sequence: np.ndarray,
    step: np.ndarray,
    kept: np.ndarray | None,
) -> np.ndarray:
    """Return positions around the middle of the place: sequences start within a few kilometres of it and turn slowly.

    All photos are on one path, of which each sequence is a part. It is followed in blocks, whose memory is bounded.
    """
    end, at_first = np.zeros(2), np.zeros_like(start)
    found = [np.zeros((0, 2))]
    for first in range(0, len(step), _BLOCK):
        block = slice(first, first + _BLOCK)
        of_block, steps = sequence[block], step[block]
        towards = heading[of_block] + turn[block] * np.sqrt(steps)
        strides = length[block, None] * np.column_stack([np.cos(towards), np.sin(towards)])
        path = np.cumsum(np.concatenate([end[None], strides]), axis=0)[1:]
        end = path[-1]
        begins = steps == 0
        at_first[of_block[begins]] = path[begins]
        if kept is not None:
            chosen = kept[slice(*np.searchsorted(kept, [first, first + _BLOCK]))] - first
            of_block, path = of_block[chosen], path[chosen]
        km = start[of_block] + path - at_first[of_block]
        distance = np.hypot(*km.T)
        found.append(km * np.minimum(1, FARTHEST_KM / np.maximum(distance, 1e-9))[:, None])
    return np.concatenate(found)
