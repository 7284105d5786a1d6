"""Places made for tests of graphs and of models that look at images."""

import numpy as np

from geolive.places import Places


def make_places(sizes, seed=0, wealth=None):
    """Places of these numbers of images, whose counts are overdispersed and follow `wealth` where it is given.

    The link between wealth and counts is the same for every seed.
    """
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    n = len(sizes)
    base, loading = np.exp(fixed.normal(-1, 1.5, 66)), fixed.normal(0, 0.2, 66)
    of_place = rng.normal(0, 0.5, (n, 66)) + loading * (np.zeros(n) if wealth is None else wealth)[:, None]
    place = np.repeat(np.arange(n), sizes)
    rate = base * np.exp(of_place[place] + rng.normal(0, 0.7, (len(place), 66)))
    counts = np.minimum(rng.poisson(rng.gamma(1, rate)), 1000).astype(np.uint16)
    middle = rng.uniform([83, 24], [88, 27], (n, 2))
    where = middle[place] + rng.normal(0, 0.012, (len(place), 2))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return Places(np.array([f"place-{i}" for i in range(n)]), middle, offsets, where, counts)
