"""Compute the checksum of a dataset in memory from its content."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.partitioned_array import FeatureArray
from geolive.tables import lonlat

# so many rows of a feature set are read at once
_ROWS_AT_ONCE = 65_536


def content_checksum(
    tables: Sequence[pd.DataFrame], features: Mapping[str, FeatureArray], facts: Mapping[str, Any]
) -> str:
    """Return the SHA-256 of tables, features and facts; equal content gives an equal checksum.

    Parameters
    ----------
    tables : sequence of DataFrame
        Tables of points, and tables without positions.
    features : dict of str to array
    facts : dict
        Values that JSON can hold, or that have a text.

    Examples
    --------
    >>> from geolive.tables import points
    >>> one, other = (gpd.GeoDataFrame({"key": [key]}, geometry=points([85.1], [25.6])) for key in "ab")
    >>> content_checksum([one], {}, {}) == content_checksum([other], {}, {})
    False
    """
    digest = hashlib.sha256()
    digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
    for table in tables:
        columns = table.columns
        if isinstance(table, gpd.GeoDataFrame):
            digest.update(np.ascontiguousarray(lonlat(table.geometry)).tobytes())
            columns = columns.drop(table.geometry.name)
        for name in columns:
            digest.update(f"{name}: {table[name].dtype}".encode())
            digest.update(_column_hashes(table[name]).tobytes())
    for name in sorted(features):
        array = features[name]
        digest.update(f"{name}: {array.dtype} {array.shape}".encode())
        for start in range(0, len(array), _ROWS_AT_ONCE):
            digest.update(np.ascontiguousarray(array[start : start + _ROWS_AT_ONCE]).tobytes())
    return digest.hexdigest()


def _column_hashes(column: pd.Series) -> np.ndarray:
    try:
        return pd.util.hash_pandas_object(column, index=False, categorize=False).to_numpy()
    except TypeError:  # cells that cannot be hashed, lists for example
        return pd.util.hash_pandas_object(column.map(repr), index=False, categorize=False).to_numpy()
