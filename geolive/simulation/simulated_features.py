"""Simulated image features, as a vision network might give them, so that features can be tried without photos."""

import numpy as np

NAME = "simfeats"
SIZE = 16
# noise of places and of photos in standard units of the indicators; independent of the noise in object counts
PLACE_NOISE, PHOTO_NOISE = 0.9, 1.5


def draw_features(latents: np.ndarray, place: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw features of photos: the latent values of their place with noise, mixed with uninformative numbers.

    Parameters
    ----------
    latents : array, shape (places, m)
        In standard units; zeros give features without information.
    place : array of int, shape (images,)
        The place of each image.
    rng : numpy Generator

    Returns
    -------
    array of float16, shape (images, 16)

    Examples
    --------
    >>> draw_features(np.zeros((2, 3)), np.array([0, 0, 1]), np.random.default_rng(0)).shape
    (3, 16)
    """
    mixing = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0]
    shown = np.zeros((len(latents), SIZE))
    shown[:, : latents.shape[1]] = latents
    shown += PLACE_NOISE * rng.standard_normal(shown.shape)
    photos = shown[place] + PHOTO_NOISE * rng.standard_normal((len(place), SIZE))
    return (photos @ mixing).astype(np.float16)
