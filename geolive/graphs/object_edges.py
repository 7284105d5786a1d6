"""Builders of edges from what images show: points with alike object counts are joined.

`geolive.graphs.builders` has the builders that use positions, and what all edges have in common.
"""

import numpy as np

from geolive.errors import InputError
from geolive.graphs.builders import Edges, check_pairs, symmetric_edges

SIMILARITIES = ("cosine", "jaccard")


def object_edges(objects: np.ndarray) -> list[Edges]:
    """Join points that show objects of one class, with one edge type for each class.

    The weight is the smaller of the two counts, divided by the largest count of the class at any point.

    Parameters
    ----------
    objects : array of int, shape (n, classes)
        Object counts.

    Returns
    -------
    list of Edges
        One for each class; points without the class have only their loop.

    Raises
    ------
    InputError
        The edges would fill the memory.

    Examples
    --------
    >>> cars, dogs = object_edges(np.array([[4, 0], [1, 0], [0, 2]]))
    >>> cars.matrix(3).toarray()[0].tolist(), len(dogs.weight)
    ([1.0, 0.25, 0.0], 3)
    """
    check_pairs(int(((objects > 0).sum(axis=0, dtype=np.int64) ** 2).sum()), "object edges")
    return [_of_class(np.asarray(counts, np.float64)) for counts in np.asarray(objects).T]


def similarity_edges(objects: np.ndarray, measure: str = SIMILARITIES[0]) -> Edges:
    """Join points that show alike objects, with their similarity as the weight.

    Points that share no class are not joined.

    Parameters
    ----------
    objects : array of int, shape (n, classes)
        Object counts.
    measure : {"cosine", "jaccard"}
        cosine: the cosine of the angle between the two points' counts, Σ aᵢ bᵢ / (‖a‖ ‖b‖). jaccard: the number of classes
        that both points show, divided by the number that one of them shows.

    Returns
    -------
    Edges

    Raises
    ------
    InputError
        There is no such measure, or the edges would fill the memory.

    Notes
    -----
    Lee et al. (2021) define both measures in their code (`--obj_sim`). There a list of classes is filled up with zeros before
    the Jaccard similarity, so that each point seems to show class 0; here it does not.

    Examples
    --------
    >>> counts = np.array([[3, 4, 0], [3, 0, 0], [0, 0, 2]])
    >>> similarity_edges(counts, "cosine").matrix(3).toarray().astype(float).round(2).tolist()
    [[1.0, 0.6, 0.0], [0.6, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> similarity_edges(counts, "jaccard").matrix(3).toarray()[0].tolist()
    [1.0, 0.5, 0.0]
    """
    from scipy.sparse import csr_array, triu

    if measure not in SIMILARITIES:
        raise InputError(f"measure={measure!r}: must be {' or '.join(SIMILARITIES)}", parameter="measure")
    counts = np.asarray(objects, np.float64)
    check_pairs(int(np.count_nonzero(counts.any(axis=1))) ** 2, "similarity edges")
    rows = counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1) if measure == "cosine" else counts > 0
    table = csr_array(rows, dtype=np.float64)
    shared = triu(table @ table.T, 1, format="coo")
    first, second = (array.astype(np.int64) for array in (shared.row, shared.col))
    weight = shared.data
    if measure == "jaccard":
        classes = rows.sum(axis=1)
        weight = weight / (classes[first] + classes[second] - weight)
    return symmetric_edges(first, second, len(counts), np.minimum(weight, 1).astype(np.float32))


def _of_class(counts: np.ndarray) -> Edges:
    there = np.flatnonzero(counts)
    first, second = np.triu_indices(len(there), 1)
    first, second = there[first], there[second]
    weight = np.minimum(counts[first], counts[second]) / counts.max(initial=1)
    return symmetric_edges(first, second, len(counts), weight.astype(np.float32))
