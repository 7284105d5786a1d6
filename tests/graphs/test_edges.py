"""Edges between points. Not tested here: what a network makes of them."""

import itertools

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import jaccard_score
from sklearn.metrics.pairwise import cosine_similarity

from geolive.errors import InputError
from geolive.geodesy import unit_sphere
from geolive.graphs.builders import delaunay_edges, distance_edges, knn_edges, random_edges, sequence_edges
from geolive.graphs.edges import Points, parse_edges, place_edges
from geolive.places import group_images
from geolive.tables import points
from tests.graphs.places import make_places

KINDS = ["distance", "knn:1", "knn:3", "random:0.3", "delaunay", "complete"]
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
    (edges,) = parse_edges(kind).build(Points(positions), d_max_km=20.0, seed=1)
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
    (edges,) = parse_edges(kind).build(Points(np.array([[85.0, 25.0]])), d_max_km=5.0)
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


def test_kinds_by_position_are_the_same_across_the_antimeridian_and_over_a_pole():
    rng = np.random.default_rng(2)
    near = rng.normal(0, 0.05, (60, 2))
    # the equator at 20 degrees east, and the same turned to the antimeridian
    home, away = near + np.array([20, 0]), near + np.array([180, 0])
    away[:, 0] = (away[:, 0] + 180) % 360 - 180
    assert away[:, 0].min() < -179 < 179 < away[:, 0].max()
    for kind in ("distance", "knn:4", "delaunay"):
        at_home, there = (parse_edges(kind).build(Points(where), d_max_km=8.0)[0] for where in (home, away))
        assert np.array_equal(at_home.source, there.source)
        np.testing.assert_allclose(at_home.weight, there.weight, atol=1e-6)
    # around the pole, every longitude is near
    pole = np.column_stack([np.arange(0, 360, 45.0) - 180, np.full(8, 89.99)])
    ring = dense(knn_edges(pole, k=2), 8)
    assert all(ring[i, (i + 1) % 8] == ring[(i + 1) % 8, i] == 1 for i in range(8))
    assert (dense(distance_edges(pole, d_max_km=2.3), 8) > 0).all()
    assert (dense(distance_edges(np.array([[0.0, 90.0], [120.0, 90.0]]), d_max_km=0.0), 2) == 1).all()


def planar_sides(points):
    """Sides of triangles whose circle holds no other point, looked for one by one."""
    n, found = len(points), set()
    for a, b, c in itertools.combinations(range(n), 3):
        rows = points[[a, b, c]]
        normal = np.cross(rows[1] - rows[0], rows[2] - rows[0])
        height = (points - rows[0]) @ (normal * np.sign(normal @ rows[0]))
        if (np.delete(height, [a, b, c]) < 0).all():
            found |= {(a, b), (a, c), (b, c)}
    return found


@pytest.mark.parametrize("spread", [0.001, 1.0, 60.0])
@pytest.mark.parametrize("seed", range(3))
def test_delaunay_sides_are_those_of_circles_on_the_sphere_that_hold_no_other_point(spread, seed):
    where = np.random.default_rng(seed).normal([178.0, 20.0], spread, (14, 2)).clip([-1000, -85], [1000, 85])
    edges = delaunay_edges(where)
    joined = {(i, j) for i, j in zip(edges.source.tolist(), edges.target.tolist(), strict=True) if i < j}
    wanted = planar_sides(unit_sphere(where))
    if spread < 60:
        assert joined == wanted
    else:
        # around the whole sphere, or the triangles within the hull of a hemisphere
        assert joined <= wanted
        assert len(joined) >= 14


def test_delaunay_of_coincident_and_of_aligned_points():
    square = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.12], [0.13, 0.15]])
    twice = dense(delaunay_edges(np.concatenate([square, square[:1]])), 5)
    once = dense(delaunay_edges(square), 4)
    assert np.array_equal(twice[:4, :4], once)
    assert np.array_equal(np.delete(twice[4], [0, 4]), np.delete(twice[0], [0, 4]))
    assert twice[0, 4] == 1
    # the equator and a meridian are great circles: a chain, in their order
    for line in (np.array([[3.0, 0], [1, 0], [2, 0], [7, 0]]), np.array([[5.0, 3], [5, 1], [5, 2], [5, 7]])):
        chain = dense(delaunay_edges(line), 4) - np.eye(4)
        assert chain.tolist() == [[0, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]
    assert dense(delaunay_edges(np.full((5, 2), 25.0)), 5).all()
    around = dense(delaunay_edges(np.array([[0.0, 0], [90, 0], [180, 0], [-90, 0], [0, 90], [0, -90]])), 6)
    assert around.sum(axis=0).tolist() == [5] * 6


def test_images_of_a_walk_are_joined_in_their_order_whoever_else_is_between():
    sequences = np.array([[4, 10], [2, 11], [4, 12], [-1, 13], [2, 5], [4, 11], [-1, 14]])
    found = dense(sequence_edges(sequences), 7) - np.eye(7)
    assert sorted(map(tuple, np.argwhere(np.triu(found)).tolist())) == [(0, 5), (1, 4), (2, 5)]
    assert np.array_equal(found, found.T)
    # without the middle image its neighbours follow each other
    left = dense(sequence_edges(np.delete(sequences, 5, axis=0)), 6)
    assert left[0, 2] == 1


def test_walks_come_with_the_images_of_places():
    taken = pd.to_datetime(
        ["2024-01-01 10:02", "2024-01-01 10:00", "2024-01-01 10:01", None, "2024-01-01 10:03"], utc=True
    )
    columns = {"key": list("abcde"), "sequence_id": ["s", "s", "s", None, "t"], "captured_at": taken}
    images = gpd.GeoDataFrame(columns, geometry=points([85.0] * 5, [25.0] * 5))
    counts = np.arange(5 * 66).reshape(5, 66).astype(np.uint16)
    of_place = pd.Series(["p", "p", "p", "p", "p"])
    places = group_images(np.array(["q", "p"]), np.zeros((2, 2)), images, counts, of_place)
    row = {int(first) // 66: i for i, first in enumerate(places.objects[:, 0])}
    found = dense(sequence_edges(places.take(np.array([1])).sequences), 5)
    assert found[row[1], row[2]] == found[row[2], row[0]] == 1
    assert found.sum() == 5 + 4
    assert places.joined(places).sequences.shape == (10, 2)
    plain = group_images(np.array(["p"]), np.zeros((1, 2)), images.drop(columns="sequence_id"), counts, of_place)
    assert plain.sequences is None
    with pytest.raises(InputError, match="sequence_id"):
        parse_edges("sequence").build(Points(plain.image_positions))


def test_each_class_of_objects_is_a_type_of_edges():
    counts = np.zeros((4, 66), int)
    counts[:, 3] = [4, 1, 0, 2]
    found = parse_edges("objects").build(Points(np.zeros((4, 2)), objects=counts))
    assert len(found) == 66
    assert dense(found[3], 4).tolist() == [[1, 0.25, 0, 0.5], [0.25, 1, 0, 0.25], [0, 0, 1, 0], [0.5, 0.25, 0, 1]]
    assert all(np.array_equal(dense(edges, 4), np.eye(4)) for c, edges in enumerate(found) if c != 3)


counts_of_few_classes = arrays(
    np.uint16, st.tuples(st.integers(0, 9), st.just(5)), elements=st.sampled_from([0, 0, 1, 2, 65535])
)


@given(counts=counts_of_few_classes)
@settings(max_examples=60, deadline=None)
def test_similarities_are_those_of_scikit_learn(counts):
    n = len(counts)
    cosine, jaccard = (
        dense(parse_edges(f"similarity:{measure}").build(Points(np.zeros((n, 2)), objects=counts))[0], n)
        for measure in ("cosine", "jaccard")
    )
    if n:
        expected = cosine_similarity(counts.astype(float))
        seen = (counts > 0).astype(int)
        # a point without objects is like no other, and every point has its loop
        alike = [[jaccard_score(a, b) if (a & b).any() else 0.0 for b in seen] for a in seen]
        for found, wanted in ((cosine, expected), (jaccard, np.array(alike))):
            np.fill_diagonal(wanted, 1)
            np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_complete_edges_join_all_with_weight_one():
    (edges,) = parse_edges("complete").build(Points(np.zeros((7, 2))))
    assert (dense(edges, 7) == 1).all()


def test_similarity_of_places_and_images_without_objects():
    with pytest.raises(InputError, match=r"edges='similarity': the points have no object counts"):
        parse_edges("similarity:jaccard").build(Points(np.zeros((2, 2))))
    (edges,) = place_edges(make_places(np.array([3, 4, 5])), parse_edges("similarity"))
    assert dense(edges, 3).min() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_no_point_has_no_edge(kind):
    assert len(parse_edges(kind).build(Points(np.zeros((0, 2))), d_max_km=5.0)[0].source) == 0


@pytest.mark.parametrize("kind", ["distance", "knn:1", "delaunay"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, 91.0])
def test_positions_that_are_none_end_in_one_line(kind, wrong):
    with pytest.raises(InputError, match=r"row 1: .* leave that point out"):
        parse_edges(kind).build(Points(np.array([[1.0, 2.0], [3.0, wrong]])), d_max_km=5.0)


def test_one_big_graph_joins_places():
    places = make_places(np.array([3, 2, 1, 4, 0, 2]))
    near, shared = place_edges(places, parse_edges("knn:2+random:0.5"), seed=3)
    assert np.array_equal(near.source, knn_edges(places.positions, 2).source)
    assert np.array_equal(shared.source, random_edges(places.positions, 0.5, seed=3).source)
    cars = place_edges(places, parse_edges("objects"))[10]
    counts = places.counts()[:, 10]
    for i, j, weight in zip(cars.source, cars.target, cars.weight, strict=True):
        assert weight == 1 if i == j else weight == pytest.approx(min(counts[i], counts[j]) / counts.max())
    with pytest.raises(InputError, match="there are 6 places, and k must be below that"):
        place_edges(places, parse_edges("knn:6"))
    with pytest.raises(InputError, match="sequence"):
        place_edges(places, parse_edges("sequence"))


def test_edges_that_would_fill_the_memory_are_refused():
    where = np.zeros((20_000, 2))
    for kind in ("distance", "random:0.9", "delaunay", "complete"):
        with pytest.raises(InputError, match="would fill the memory"):
            parse_edges(kind).build(Points(where), d_max_km=5.0)
    assert len(knn_edges(where, k=3).source) < 20_000 * 10


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("distance", "distance"),
        ("knn", "knn:8"),
        ("knn:3", "knn:3"),
        ("random", "random:0.05"),
        ("random:0.2", "random:0.2"),
        ("delaunay", "delaunay"),
        ("sequence+objects", "sequence+objects"),
        ("distance+knn+knn:3", "distance+knn:8+knn:3"),
        ("similarity+complete", "similarity:cosine+complete"),
        ("distance+similarity:jaccard", "distance+similarity:jaccard"),
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
        "distance+",
        "distance knn",
        "delaunay:2",
        "complete:2",
        "similarity:euclid",
    ],
)
def test_unknown_kinds_end_in_one_line(text):
    with pytest.raises(InputError, match=r"choose distance, knn:K .* random:SHARE .* or several joined by \+") as error:
        parse_edges(text)
    assert "\n" not in str(error.value)


def test_a_kind_named_twice_ends_in_one_line():
    with pytest.raises(InputError, match="name each once"):
        parse_edges("knn+knn:8")
