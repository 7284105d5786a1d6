"""Folds within the training places, for early stopping and the choice of settings; places near each other share a fold."""

import numpy as np

from geolive.splits import place_numbers

CELLS_A_FOLD = 5


def inner_folds(positions: np.ndarray, n_folds: int, random_state: int = 0) -> np.ndarray:
    """Divide places into folds of whole cells of near places.

    Cells are halved along their longer side until there are five for each fold.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees; rows at one position share a fold.
    n_folds : int
    random_state : int
        Seed of the assignment of cells to folds.

    Returns
    -------
    array of int, shape (n,)
        Fold of each place, from 0; there are fewer than `n_folds` where there are fewer distinct positions.

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
    order = np.random.default_rng(random_state).permutation(len(cells))
    fold_of = np.empty(len(where), int)
    for number, cell in enumerate(order):
        fold_of[cells[cell]] = number % n_folds
    return fold_of[place]
