"""Graphs as other libraries hold them, and back. Not tested here: what edges there are."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import torch
from geopandas.testing import assert_geodataframe_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.graphs.builders import Edges
from geolive.graphs.convert import edge_lines, from_data, to_data, to_networkx
from geolive.graphs.edges import Points, parse_edges
from geolive.tables import lonlat, points


def make_table(n, seed=0):
    rng = np.random.default_rng(seed)
    columns = {
        "key": pd.Series([f"k{i}" for i in range(n)], dtype="str"),
        "number": rng.integers(0, 2**62, n),
        "small": rng.normal(size=n).astype(np.float32),
        "maybe": pd.array([None if i % 3 else bool(i % 2) for i in range(n)], dtype="boolean"),
        "taken": pd.to_datetime(rng.integers(0, 2**60, n), utc=True),
    }
    table = gpd.GeoDataFrame(columns, geometry=points(rng.uniform(-180, 180, n), rng.uniform(-90, 90, n)), crs=4326)
    return table.set_index(pd.Index(rng.permutation(n) * 7, name="row"))


def edges_of(table, kind="knn:3+distance+random:0.3"):
    return parse_edges(kind).build(Points(lonlat(table.geometry)), d_max_km=4000.0)


@given(n=st.integers(0, 30), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_table_and_edges_come_back_whole(n, seed):
    table = make_table(n, seed)
    before, edges = table.copy(), edges_of(table)
    data = to_data(table, edges, features=np.eye(n, 4, dtype=np.float16))
    assert data.validate()
    assert (data.num_nodes, data.x.dtype) == (n, torch.float16)
    back, same = from_data(data)
    assert_geodataframe_equal(back, table)
    assert_geodataframe_equal(before, table)
    for one, other in zip(edges, same, strict=True):
        for name in ("source", "target", "weight"):
            found = getattr(other, name)
            assert found.dtype == getattr(one, name).dtype
            assert np.array_equal(found, getattr(one, name))


def test_positions_are_exact_and_edges_point_from_source_to_target():
    table = make_table(5)
    data = to_data(table, [Edges(np.array([4, 1]), np.array([0, 2]), np.float32([0.5, 1]))], columns=["small"])
    assert data.pos.dtype == torch.float64
    assert np.array_equal(data.pos, lonlat(table.geometry))
    assert data.edge_index.tolist() == [[4, 1], [0, 2]]
    assert np.array_equal(data.x[:, 0], table["small"].to_numpy(float))
    assert data.edge_attr.tolist() == [0.5, 1.0]


def test_types_without_an_edge_are_kept():
    table = make_table(2)
    nothing = Edges(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    assert len(from_data(to_data(table, [nothing, *edges_of(table, "knn:1"), nothing]))[1]) == 3
    assert from_data(to_data(table, []))[1] == []


def test_networkx_has_the_same_vertices_and_edges():
    table = make_table(12)
    edges = edges_of(table)
    graph = to_networkx(table, edges)
    assert graph.number_of_nodes() == 12
    assert [graph.nodes[i]["key"] for i in range(12)] == table["key"].tolist()
    assert graph.number_of_edges() == sum(len(e.source) for e in edges)
    for kind, found in enumerate(edges):
        for source, target, weight in zip(found.source, found.target, found.weight, strict=True):
            assert graph[source][target][kind]["weight"] == weight


def test_lines_are_drawn_once_with_their_length_and_never_around_the_world():
    where = points([179.9, -179.9, 179.9, 85.0], [10.0, 10.2, 10.1, 25.0])
    table = gpd.GeoDataFrame(geometry=where, crs=4326)
    lines = edge_lines(table, parse_edges("random:1.0+knn:1").build(Points(lonlat(table.geometry))))
    every = lines[lines["edge_type"] == 0]
    assert list(zip(every["source"], every["target"], strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert (lines["source"] < lines["target"]).all()
    assert every["km"].iloc[1] == pytest.approx(11.1195, abs=1e-3)
    first = every.geometry.iloc[0]
    assert [list(part.coords) for part in first.geoms] == [
        [(179.9, 10.0), (180.0, 10.1)],
        [(-180.0, 10.1), (-179.9, 10.2)],
    ]
    assert every.geometry.iloc[2].geom_type == "LineString"
    assert lines.crs == table.crs
    assert len(edge_lines(table.iloc[:1], parse_edges("knn:1").build(Points(np.zeros((1, 2)))))) == 0


def test_what_is_no_graph_of_points_ends_in_one_line():
    table = make_table(3)
    with pytest.raises(InputError, match="to_crs"):
        to_data(table.to_crs(3857), [])
    with pytest.raises(InputError, match="row 1: its geometry is not a point"):
        edge_lines(gpd.GeoDataFrame(geometry=[table.geometry.iloc[0], table.geometry.iloc[1].buffer(1)], crs=4326), [])
    with pytest.raises(InputError, match="vertex 7, and there are 3"):
        to_data(table, [Edges(np.array([7]), np.array([0]), np.float32([1]))])
    with pytest.raises(InputError, match="features have 2 rows, the table has 3"):
        to_data(table, [], features=np.zeros((2, 1)))
    data = to_data(table, [])
    data.pos = None
    with pytest.raises(InputError, match="no positions"):
        from_data(data)
