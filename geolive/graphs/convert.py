"""Conversion of graphs to torch_geometric and back, to networkx, and to lines on a map."""

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import torch

from geolive.errors import InputError
from geolive.geodesy import chord_to_km, unit_sphere
from geolive.graphs.builders import Edges
from geolive.tables import CRS, lonlat

if TYPE_CHECKING:
    import networkx
    from torch_geometric.data import Data

# the attribute of `Data` that keeps the table itself
_TABLE = "table"


def to_data(
    table: gpd.GeoDataFrame, edges: list[Edges], features: np.ndarray | None = None, columns: list[str] | None = None
) -> "Data":
    """Convert a table of points and their edges to `torch_geometric.data.Data`.

    Parameters
    ----------
    table : GeoDataFrame
        Points, EPSG:4326; row i is vertex i.
    edges : list of Edges
        One for each edge type.
    features : array, shape (n, f), optional
        Vertex features `x`; where they are not given, the numeric columns `columns` become `x`.
    columns : list of str, optional
        Columns that become `x`, where `features` is not given.

    Returns
    -------
    Data
        `pos` (n, 2) float64, longitude and latitude; `edge_index` (2, edges), source above target; `edge_attr` (edges,) float32,
        the weight; `edge_type` (edges,) int64; `x`, where there are features; and `table`, the table itself, which `from_data`
        gives back.

    Raises
    ------
    InputError
        A geometry is not a point, the table is not in longitude and latitude, or features or edges do not fit the table.

    Examples
    --------
    >>> from geolive.graphs.builders import knn_edges
    >>> points = gpd.GeoDataFrame({"name": list("abc")}, geometry=gpd.points_from_xy([85, 85, 85], [25, 25.1, 25.3]), crs=4326)
    >>> data = to_data(points, [knn_edges(lonlat(points.geometry), k=1)])
    >>> data.edge_index.shape, data.pos[1].tolist(), from_data(data)[0].equals(points)
    (torch.Size([2, 7]), [85.0, 25.1], True)
    """
    from torch_geometric.data import Data

    _check_points(table)
    n = len(table)
    for own in edges:
        if len(own.source) and max(own.source.max(), own.target.max()) >= n:
            raise InputError(f"an edge ends at vertex {max(own.source.max(), own.target.max())}, and there are {n}")
    if features is None and columns:
        features = table[columns].to_numpy(np.float64)
    if features is not None and len(features) != n:
        raise InputError(f"features have {len(features)} rows, the table has {n}")
    index = np.concatenate([np.zeros((2, 0), np.int64), *(np.stack([e.source, e.target]) for e in edges)], axis=1)
    weights = np.concatenate([np.zeros(0, np.float32), *(e.weight for e in edges)])
    types = np.repeat(np.arange(len(edges)), [len(e.source) for e in edges])
    data = Data(
        pos=torch.from_numpy(lonlat(table.geometry).reshape(n, 2).copy()),
        edge_index=torch.from_numpy(index),
        edge_attr=torch.from_numpy(weights),
        edge_type=torch.from_numpy(types),
        num_nodes=n,
    )
    if features is not None:
        data.x = torch.from_numpy(np.array(features))
    data.n_edge_types = len(edges)
    data[_TABLE] = table.copy()
    return data


def from_data(data: "Data") -> tuple[gpd.GeoDataFrame, list[Edges]]:
    """Convert `torch_geometric.data.Data` to a table of points and edges.

    Parameters
    ----------
    data : Data
        From `to_data`, or from elsewhere with `pos` and `edge_index`; then the features become columns `x0`, `x1`, …

    Returns
    -------
    table : GeoDataFrame
    edges : list of Edges
        One for each edge type, sorted by target, then source.

    Raises
    ------
    InputError
        The data have no positions, or their table does not have one row for each vertex.

    Examples
    --------
    >>> from torch_geometric.data import Data
    >>> plain = Data(x=torch.ones(2, 1), pos=torch.tensor([[85.0, 25.0], [85.1, 25.0]]), edge_index=torch.tensor([[0], [1]]))
    >>> table, (edges,) = from_data(plain)
    >>> table.columns.tolist(), edges.target.tolist(), edges.weight.tolist()
    (['x0', 'geometry'], [1], [1.0])
    """
    if data.pos is None or data.pos.shape[1] != 2:
        raise InputError("the graph has no positions of vertices; add pos, the longitude and latitude of each")
    table = data[_TABLE].copy() if _TABLE in data else _table_of(data)
    if len(table) != len(data.pos):
        raise InputError(f"the graph has {len(data.pos)} vertices, its table has {len(table)} rows")
    source, target = data.edge_index.cpu().numpy()
    weight = np.ones(len(source), np.float32) if data.edge_attr is None else data.edge_attr.cpu().numpy().reshape(-1)
    kinds = data.edge_type.cpu().numpy() if "edge_type" in data else np.zeros(len(source), np.int64)
    n_types = data.n_edge_types if "n_edge_types" in data else int(kinds.max(initial=0)) + 1
    edges = []
    for kind in range(n_types):
        rows = np.flatnonzero(kinds == kind)
        rows = rows[np.lexsort((source[rows], target[rows]))]
        edges.append(Edges(source[rows], target[rows], weight[rows].astype(np.float32)))
    return table, edges


def to_networkx(table: gpd.GeoDataFrame, edges: list[Edges]) -> "networkx.MultiDiGraph":
    """Convert a table of points and their edges to networkx: vertices have the table's columns, edges a `weight`.

    Examples
    --------
    >>> from geolive.graphs.builders import knn_edges
    >>> points = gpd.GeoDataFrame({"name": list("abc")}, geometry=gpd.points_from_xy([85, 85, 85], [25, 25.1, 25.3]), crs=4326)
    >>> graph = to_networkx(points, [knn_edges(lonlat(points.geometry), k=1)])
    >>> graph.nodes[1]["name"], graph.number_of_edges(), graph[0][1][0]["weight"]
    ('b', 7, 1.0)
    """
    try:
        import networkx
    except ImportError:
        raise InputError("networkx is not installed; install it with: pip install networkx") from None
    _check_points(table)
    graph = networkx.MultiDiGraph()
    graph.add_nodes_from(enumerate(table.to_dict("records")))
    for kind, own in enumerate(edges):
        ends = zip(own.source.tolist(), own.target.tolist(), own.weight.tolist(), strict=True)
        graph.add_edges_from((source, target, kind, {"weight": weight}) for source, target, weight in ends)
    return graph


def edge_lines(table: gpd.GeoDataFrame, edges: list[Edges]) -> gpd.GeoDataFrame:
    """Convert edges to lines for a map: one line for each pair of vertices and edge type, without loops.

    Parameters
    ----------
    table : GeoDataFrame
        Points, EPSG:4326; row i is vertex i.
    edges : list of Edges
        One for each edge type.

    Returns
    -------
    GeoDataFrame
        `source`, `target` (row numbers, the lower first), `edge_type`, `weight`, `km` (great circle) and `geometry`: a
        LineString, or a MultiLineString where an edge crosses the antimeridian.

    Examples
    --------
    >>> from geolive.graphs.builders import knn_edges
    >>> points = gpd.GeoDataFrame(geometry=gpd.points_from_xy([179.9, -179.9], [0, 0]), crs=4326)
    >>> lines = edge_lines(points, [knn_edges(lonlat(points.geometry), k=1)])
    >>> lines.km.round(1).tolist(), [line.wkt for line in lines.geometry]
    ([22.2], ['MULTILINESTRING ((179.9 0, 180 0), (-180 0, -179.9 0))'])
    """
    _check_points(table)
    where = lonlat(table.geometry).reshape(-1, 2)
    parts = []
    for kind, own in enumerate(edges):
        # edges exist in both directions; edges from elsewhere in one direction are drawn as well
        low, high = np.minimum(own.source, own.target), np.maximum(own.source, own.target)
        pairs = pd.DataFrame({"source": low, "target": high, "edge_type": kind, "weight": own.weight})
        parts.append(pairs[low < high].drop_duplicates(["source", "target"]))
    empty = pd.DataFrame({"source": [], "target": [], "edge_type": []}, dtype=np.int64).assign(
        weight=np.zeros(0, np.float32)
    )
    lines = pd.concat([part for part in parts if len(part)] or [empty], ignore_index=True)
    start, end = where[lines["source"].to_numpy()], where[lines["target"].to_numpy()]
    chord = np.linalg.norm(unit_sphere(start) - unit_sphere(end), axis=1)
    return gpd.GeoDataFrame(lines.assign(km=chord_to_km(chord)), geometry=_lines(start, end), crs=CRS)


def _lines(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    lines = shapely.linestrings(np.stack([start, end], axis=1)) if len(start) else np.zeros(0, object)
    for row in np.flatnonzero(np.abs(start[:, 0] - end[:, 0]) > 180):
        (lon, lat), (far_lon, far_lat) = start[row], end[row]
        side = np.copysign(180.0, lon)
        beyond = far_lon + 2 * side
        crossing = lat + (far_lat - lat) * (side - lon) / (beyond - lon)
        here, there = [(lon, lat), (side, crossing)], [(-side, crossing), (far_lon, far_lat)]
        lines[row] = shapely.MultiLineString([here, there])
    return lines


def _table_of(data: "Data") -> gpd.GeoDataFrame:
    where = data.pos.cpu().numpy().astype(np.float64)
    values = {} if data.x is None else {f"x{i}": column for i, column in enumerate(data.x.cpu().numpy().T)}
    return gpd.GeoDataFrame(values, geometry=gpd.points_from_xy(*where.T), crs=CRS)


def _check_points(table: gpd.GeoDataFrame) -> None:
    if table.crs is None or not table.crs.equals(CRS):
        raise InputError("the points are not in longitude and latitude (EPSG:4326); convert them with to_crs(4326)")
    wrong = (table.geom_type != "Point").to_numpy()
    if wrong.any():
        raise InputError(f"row {int(np.argmax(wrong))}: its geometry is not a point; leave it out")
