"""Neighbours as libpysal finds them.

Its kNN is directed and takes no coincident points, and its distance bands are planar; edges here go both ways and have loops.
"""

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.graph import Graph

from geolive.geodesy import unit_sphere
from geolive.graphs.builders import distance_edges, knn_edges
from geolive.tables import points

EARTH_KM = 6371.0088


def pairs_of(edges):
    return {(i, j) for i, j in zip(edges.source.tolist(), edges.target.tolist(), strict=True) if i != j}


def both_ways(graph):
    table = graph.adjacency.reset_index()
    table = table[table["focal"] != table["neighbor"]]
    found = set(zip(table["focal"].tolist(), table["neighbor"].tolist(), strict=True))
    return found | {(j, i) for i, j in found}


def table_of(where):
    return gpd.GeoDataFrame(geometry=points(*where.T), crs=4326)


def great_circle_km(where):
    on_sphere = unit_sphere(where)
    chord = np.linalg.norm(on_sphere[:, None] - on_sphere, axis=2)
    return 2 * EARTH_KM * np.arcsin(np.minimum(chord / 2, 1))


@pytest.mark.parametrize("k", [1, 4, 8])
@pytest.mark.parametrize("area", [[85, 25, 85.1, 25.1], [-10, 55, 30, 72], [-180, -85, 180, 85]])
def test_knn_of_random_points_are_libpysals(k, area):
    where = np.random.default_rng(k).uniform(area[:2], area[2:], (300, 2))
    graph = Graph.build_knn(table_of(where), k=k, metric="haversine")
    assert pairs_of(knn_edges(where, k)) == both_ways(graph)


@pytest.mark.parametrize("degrees", [0.004, 0.01, 0.05])
def test_distance_edges_of_random_points_are_libpysals(degrees):
    # so near the equator the plane and the sphere differ by less than the distances of any two pairs
    where = np.random.default_rng(3).uniform([85, -0.05], [85.1, 0.05], (300, 2))
    graph = Graph.build_distance_band(table_of(where), threshold=degrees)
    found = pairs_of(distance_edges(where, np.radians(degrees) * EARTH_KM))
    assert len(found) > 300
    assert found == both_ways(graph)


@st.composite
def lattices(draw):
    """Points of a small grid, many of them several times, many distances equal."""
    cells = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=25))
    step = draw(st.sampled_from([0.001, 0.5]))
    return np.array(cells) * step + np.array([170.0, 0.0])


@given(where=lattices(), k=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_neighbours_of_degenerate_points_are_as_near_as_libpysals(where, k):
    # which of several equally distant points is taken is a matter of policy; how near the k nearest are is not
    km = great_circle_km(where)
    np.fill_diagonal(km, np.inf)
    k = min(k, len(where) - 1)
    joined = np.zeros(km.shape, bool)
    edges = knn_edges(where, k)
    joined[edges.target, edges.source] = True
    np.fill_diagonal(joined, False)
    nearest = np.sort(km, axis=1)[:, :k]
    own = np.sort(np.where(joined, km, np.inf), axis=1)[:, :k]
    np.testing.assert_allclose(own, nearest, atol=1e-5)
    # nobody is joined that is among the k nearest of neither
    reach = nearest[:, -1] + 1e-5
    assert (~joined | (km <= reach[:, None]) | (km <= reach)).all()
    distinct = np.unique(where, axis=0)
    if len(distinct) > k and len(distinct) > 2:
        graph = Graph.build_knn(table_of(distinct), k=k, metric="haversine")
        ours = great_circle_km(distinct)
        theirs = [np.sort(ours[i, graph[i].index]) for i in range(len(distinct))]
        np.fill_diagonal(ours, np.inf)
        np.testing.assert_allclose(np.sort(ours, axis=1)[:, :k], theirs, atol=1e-5)


@given(where=lattices(), cells=st.sampled_from([0.0, 0.5, 1.2, 1.7, 2.5, 3.3]))
@settings(max_examples=60, deadline=None)
def test_distance_edges_of_degenerate_points_are_libpysals(where, cells):
    step = 0.001 if np.ptp(where[:, 0]) < 0.1 and np.ptp(where[:, 1]) < 0.1 else 0.5
    graph = Graph.build_distance_band(table_of(where), threshold=cells * step)
    assert pairs_of(distance_edges(where, np.radians(cells * step) * EARTH_KM)) == both_ways(graph)
