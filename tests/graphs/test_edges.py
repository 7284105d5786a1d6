"""Edges between points. Not tested here: what a network makes of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geolive.errors import InputError
from geolive.graphs.edges import distance_edges, knn_edges, parse_edges, random_edges

KINDS = ["distance", "knn:1", "knn:3", "random:0.3"]
# a few positions only, so that many points coincide or are equally far
coarse = arrays(float, st.tuples(st.integers(0, 12), st.just(2)), elements=st.sampled_from([-80.0, 0.0, 0.01, 60.0]))
fine = arrays(float, st.tuples(st.integers(0, 12), st.just(2)), elements=st.floats(-80, 80))


def dense(edges, n):
    matrix = np.zeros((n, n))
    matrix[edges.target, edges.source] = edges.weight
    return matrix


@pytest.mark.parametrize("kind", KINDS)
@given(positions=st.one_of(coarse, fine))
@settings(max_examples=60, deadline=None)
def test_every_kind_gives_a_symmetric_graph_with_loops_sorted_without_repetition(kind, positions):
    n = len(positions)
    edges = parse_edges(kind).build(positions, d_max_km=20.0, seed=1)
    pairs = list(zip(edges.target.tolist(), edges.source.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    matrix = dense(edges, n)
    assert np.array_equal(matrix, matrix.T)
    assert (np.diag(matrix) == 1).all()
    assert ((edges.weight > 0) & (edges.weight <= 1)).all()


def test_distance_weights_are_those_of_the_formula_on_the_sphere():
    # 0.01 degrees along the equator are 1.11195 km, on the parallel of 60 degrees half of that
    matrix = dense(distance_edges(np.array([[0.0, 0.0], [0.01, 0.0], [0.1, 0.0]]), d_max_km=5.0), 3)
    assert matrix[0, 1] == pytest.approx(1 - 1.11195 / 5, abs=1e-5)
    assert matrix[0, 2] == 0
    north = dense(distance_edges(np.array([[0.0, 60.0], [0.01, 60.0]]), d_max_km=5.0), 2)
    assert north[0, 1] == pytest.approx(1 - 1.11195 / 2 / 5, abs=1e-5)


def test_distance_works_across_the_antimeridian():
    matrix = dense(distance_edges(np.array([[179.995, 0.0], [-179.995, 0.0]]), d_max_km=5.0), 2)
    assert matrix[0, 1] == pytest.approx(1 - 1.11195 / 5, abs=1e-5)


def test_coincident_points_are_at_distance_zero():
    positions = np.array([[85.0, 25.0], [85.0, 25.0], [85.01, 25.0]])
    assert dense(distance_edges(positions, d_max_km=5.0), 3)[0, 1] == 1
    assert dense(distance_edges(positions, d_max_km=0.0), 3).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_point_has_its_loop_only(kind):
    edges = parse_edges(kind).build(np.array([[85.0, 25.0]]), d_max_km=5.0)
    assert (edges.source.tolist(), edges.target.tolist(), edges.weight.tolist()) == ([0], [0], [1.0])


@pytest.mark.parametrize("n", [2, 40])
@pytest.mark.parametrize("k", [1, 5, 39])
def test_knn_joins_each_to_its_k_nearest_and_nobody_else(n, k):
    positions = np.random.default_rng(n + k).uniform([10, 50], [10.1, 50.1], (n, 2))
    radians = np.radians(positions)
    lon, lat = radians.T
    angle = np.sin(lat)[:, None] * np.sin(lat) + np.cos(lat)[:, None] * np.cos(lat) * np.cos(lon[:, None] - lon)
    km = np.arccos(np.clip(angle, -1, 1))
    np.fill_diagonal(km, -1)
    nearest = np.argsort(km, axis=1)[:, : k + 1]
    expected = np.zeros((n, n))
    np.put_along_axis(expected, nearest, 1, axis=1)
    assert np.array_equal(dense(knn_edges(positions, k), n), np.maximum(expected, expected.T))


def test_knn_is_by_great_circle_not_by_degrees():
    # at 70 degrees north, 0.02 degrees of longitude are nearer than 0.01 of latitude
    matrix = dense(knn_edges(np.array([[0.0, 70.0], [0.02, 70.0], [0.0, 70.01], [0.0, 70.012]]), k=1), 4)
    assert matrix[0].tolist() == [1, 1, 0, 0]


def test_knn_of_coincident_points_joins_k_of_them():
    matrix = dense(knn_edges(np.zeros((30, 2)), k=4), 30)
    assert matrix[29].sum() == 5
    assert matrix[29, :4].tolist() == [1, 1, 1, 1]


def test_random_edges_have_the_density_asked_for_and_follow_the_seed():
    positions = np.zeros((300, 2))
    edges = random_edges(positions, share=0.2, seed=3)
    share = (len(edges.source) - 300) / (300 * 299)
    # 44,850 pairs: three standard errors are 0.006
    assert abs(share - 0.2) < 0.006
    assert np.array_equal(edges.source, random_edges(positions, share=0.2, seed=3).source)
    assert not np.array_equal(edges.source, random_edges(positions, share=0.2, seed=4).source)


def test_share_of_one_joins_all():
    assert dense(random_edges(np.zeros((6, 2)), share=1.0), 6).all()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("distance", "distance"),
        ("knn", "knn:8"),
        ("knn:3", "knn:3"),
        ("random", "random:0.05"),
        ("random:0.2", "random:0.2"),
    ],
)
def test_kinds_are_read_and_named(text, name):
    assert str(parse_edges(text)) == name
    assert parse_edges(name) == parse_edges(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "knn:0",
        "knn:-1",
        "knn:2.5",
        "knn:",
        "knn:x",
        "random:0",
        "random:1.1",
        "random:nan",
        "distance:3",
        "KNN",
        "x:1",
    ],
)
def test_unknown_kinds_end_in_one_line(text):
    with pytest.raises(InputError, match=r"choose distance, knn:K .* or random:SHARE") as error:
        parse_edges(text)
    assert "\n" not in str(error.value)
