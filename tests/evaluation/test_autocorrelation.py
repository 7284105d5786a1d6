import numpy as np
import pytest
from scipy.spatial import cKDTree

from geolive.evaluation.autocorrelation import morans_i
from geolive.geodesy import unit_sphere

POSITIONS = np.random.default_rng(0).uniform([80, 25], [86, 29], (200, 2))


def test_it_is_the_textbooks_with_a_matrix():
    z = np.random.default_rng(1).normal(size=200)
    near = cKDTree(unit_sphere(POSITIONS)).query(unit_sphere(POSITIONS), k=9)[1][:, 1:]
    W = np.zeros((200, 200))
    W[np.arange(200)[:, None], near] = 1 / 8
    d = z - z.mean()
    assert morans_i(POSITIONS, z).value == pytest.approx(len(z) / W.sum() * (d @ W @ d) / (d @ d), abs=1e-12)


def test_it_is_esdas():
    esda = pytest.importorskip("esda", reason="esda is not installed, which this compares with")
    from libpysal.weights import KNN

    z = np.sin(3 * POSITIONS[:, 0])
    weights = KNN.from_array(unit_sphere(POSITIONS), k=8)
    weights.transform = "r"
    assert morans_i(POSITIONS, z).value == pytest.approx(esda.Moran(z, weights, permutations=0).I, abs=1e-12)


def test_errors_that_go_together_are_told_from_scattered_ones():
    together = morans_i(POSITIONS, np.sin(POSITIONS[:, 0]))
    assert together.value > 0.7
    assert together.p < 0.01
    p = [morans_i(POSITIONS, np.random.default_rng(i).normal(size=200)).p for i in range(40)]
    assert 0.3 < np.mean(p) < 0.7


def test_rows_at_one_place_are_one():
    twice = morans_i(np.repeat(POSITIONS, 2, axis=0), np.repeat(np.sin(POSITIONS[:, 0]), 2))
    assert twice.value == pytest.approx(morans_i(POSITIONS, np.sin(POSITIONS[:, 0])).value)
    assert twice.n == 200


def test_nothing_is_made_of_nothing():
    for positions, z in ((POSITIONS[:2], np.arange(2.0)), (POSITIONS, np.ones(200)), (POSITIONS, np.zeros(200))):
        assert np.isnan(morans_i(positions, z).value)
