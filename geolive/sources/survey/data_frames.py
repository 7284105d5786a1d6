"""Read the rows of a survey from a DataFrame or GeoDataFrame, by the rules for files."""

from pathlib import Path

import geopandas as gpd
import pandas as pd

from geolive.errors import InputError
from geolive.sources.survey.labelled_files import Chooser
from geolive.sources.survey.tables import SurveyTable, as_text, positions_of_points


def name_of_frame(frame: pd.DataFrame) -> Path:
    """Return what messages call a data frame, in place of the name of a file.

    Examples
    --------
    >>> str(name_of_frame(pd.DataFrame())), str(name_of_frame(gpd.GeoDataFrame(geometry=[])))
    ('DataFrame', 'GeoDataFrame')
    """
    return Path("GeoDataFrame" if isinstance(frame, gpd.GeoDataFrame) else "DataFrame")


def read_frame(frame: pd.DataFrame, choose: Chooser, with_positions: bool, crs: str | None = None) -> SurveyTable:
    """Read the chosen columns of a data frame as texts; rows count from 1, and the index is not used.

    Parameters
    ----------
    frame : DataFrame or GeoDataFrame
    choose : callable
        Takes the column names and returns those wanted, or raises InputError.
    with_positions : bool
        Whether to take positions from the geometry.
    crs : str, optional
        Coordinate reference system in place of the one that the geometry names.

    Raises
    ------
    InputError
        The frame has no rows or no geometry, or its geometry is not of points.

    Examples
    --------
    >>> frame = pd.DataFrame({"wealth": [0.5, None], "zone": ["U", "R"]})
    >>> read_frame(frame, lambda header: header, with_positions=False).texts
    {'wealth': ['0.5', ''], 'zone': ['U', 'R']}
    """
    path = name_of_frame(frame)
    geometry = frame.geometry if with_positions and isinstance(frame, gpd.GeoDataFrame) else None
    table = pd.DataFrame(frame).drop(columns=[] if geometry is None else [geometry.name])
    chosen = [*dict.fromkeys(choose([str(name) for name in table.columns]))]
    if table.empty:
        raise InputError(f"{path}: has no rows; it needs a row for each surveyed place")
    table = table.set_axis([str(name) for name in table.columns], axis="columns")[chosen]
    whole = table.astype(object).where(table.notna(), None)
    texts = {name: [as_text(cell) for cell in whole[name]] for name in chosen}
    reasons: list[str | None] = [None] * len(table)
    positions = None if geometry is None else positions_of_points(path, geometry, reasons, crs)
    return SurveyTable(path, "row", list(range(1, len(table) + 1)), texts, reasons, positions)
