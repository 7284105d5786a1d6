"""Labels of clusters: whether an indicator's value is at least the median."""

import geopandas as gpd


def add_labels(clusters: gpd.GeoDataFrame, indicators: list[str]) -> tuple[gpd.GeoDataFrame, dict[str, float]]:
    """Add a label for each indicator: 1 where the value is at least the median of all clusters with a value, else 0.

    Returns
    -------
    clusters : GeoDataFrame
        A copy with `NAME_label`.
    thresholds : dict of str to float

    Examples
    --------
    >>> import pandas as pd
    >>> table, thresholds = add_labels(pd.DataFrame({"pov": [1.0, 2.0, 3.0]}), ["pov"])
    >>> table.pov_label.tolist(), thresholds
    ([0.0, 1.0, 1.0], {'pov': 2.0})
    """
    clusters, thresholds = clusters.copy(), {}
    for name in indicators:
        thresholds[name] = float(clusters[name].median())
        clusters[f"{name}_label"] = (clusters[name] >= thresholds[name]).astype(float).where(clusters[name].notna())
    return clusters, thresholds
