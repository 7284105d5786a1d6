"""Folds inside the training places, for early stopping and for settings: near places stay together here, too."""

import numpy as np

from geolive.splits import place_numbers

CELLS_A_FOLD = 5


def inner_folds(positions: np.ndarray, n_folds: int, seed: int = 0) -> np.ndarray:
    """Fold of each place: cells of near places, halved along their longer side until there are five for each fold.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees; rows at one position share a fold.
    n_folds : int
    seed : int
        Deals the cells to the folds.

    Returns
    -------
    array of int, shape (n,)
        From 0; fewer folds than asked for where there are fewer distinct positions.

    Examples
    --------
    >>> inner_folds(np.column_stack([np.arange(12), np.zeros(12)]), 2).tolist()
    [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    """
    place = place_numbers(positions)
    _, first = np.unique(place, return_index=True)
    where = np.asarray(positions, float)[first]
    where = where * [np.cos(np.radians(where[:, 1].mean())), 1.0]
    cells = [np.arange(len(where))]
    while len(cells) < CELLS_A_FOLD * n_folds:
        widest = max(range(len(cells)), key=lambda i: len(cells[i]))
        if len(cells[widest]) < 2:
            break
        cell = cells.pop(widest)
        along = cell[np.argsort(where[cell, np.ptp(where[cell], axis=0).argmax()], kind="stable")]
        cells += [along[: len(along) // 2], along[len(along) // 2 :]]
    order = np.random.default_rng(seed).permutation(len(cells))
    fold_of = np.empty(len(where), int)
    for number, cell in enumerate(order):
        fold_of[cells[cell]] = number % n_folds
    return fold_of[place]
