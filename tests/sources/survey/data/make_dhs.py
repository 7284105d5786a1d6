"""Make a tiny survey in the DHS Program's formats: a Shapefile of clusters (GE), household and women's recodes in Stata's format.

Five clusters: 1 and 2 have households and women, 3 stands at 0, 0, 4 has only rows without a value, 5 none at all; the recodes
also have a cluster 9 that the Shapefile lacks. As a script: python make_dhs.py FOLDER.
"""

import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

CLUSTERS = pd.DataFrame(
    {
        "DHSID": ["IA202000000001", "IA202000000002", "IA202000000003", "IA202000000004", "IA202000000005"],
        "DHSCC": "IA",
        "DHSYEAR": 2020.0,
        "DHSCLUST": [1.0, 2.0, 3.0, 4.0, 5.0],
        "ADM1NAME": ["Bihar", "Bihar", "NULL", "Bihar", "Bihar"],
        "SOURCE": ["GPS", "GPS", "MIS", "GPS", "GPS"],
        "URBAN_RURA": ["U", "R", "R", "R", "R"],
        "LATNUM": [25.6, 25.0, 0.0, 25.2, 25.3],
        "LONGNUM": [85.1, 84.0, 0.0, 84.5, 84.6],
        "DATUM": "WGS84",
    }
)
HOUSEHOLDS = pd.DataFrame(
    [
        # cluster, weight × 10⁶, wealth × 10⁵, people
        (1, 500_000, 100_000, 4),
        (1, 1_500_000, -50_000, 6),
        (1, 1_000_000, 99_999_998, 98),
        (2, 2_000_000, -100_000, 3),
        (3, 1_000_000, 20_000, 2),
        (4, 0, 30_000, 2),
        (9, 1_000_000, 40_000, 2),
    ],
    columns=["hv001", "hv005", "hv271", "hv009"],
)
WOMEN = pd.DataFrame(
    [
        # cluster, weight × 10⁶, index × 100, pregnant, months since the last birth
        (1, 1_000_000, 2000, 0, np.nan),
        (1, 3_000_000, 2400, 0, 2),
        (1, 1_000_000, 3500, 1, np.nan),
        (1, 1_000_000, 3600, 0, 1),
        (1, 1_000_000, 9994, 0, np.nan),
        (2, 1_000_000, 2150, np.nan, 40),
        (2, 1_000_000, np.nan, 0, 40),
        (4, 1_000_000, 9998, 0, 3),
    ],
    columns=["v001", "v005", "v445", "v213", "v222"],
)


def write_gps(path: Path, clusters: pd.DataFrame = CLUSTERS) -> Path:
    places = gpd.points_from_xy(clusters["LONGNUM"], clusters["LATNUM"], crs="EPSG:4326")
    gpd.GeoDataFrame(clusters, geometry=places).to_file(path)
    return path


def write_recode(path: Path, rows: pd.DataFrame, survey: str = "IA7", **columns) -> Path:
    """The rows with the survey's code, and further columns, as a Stata file."""
    code = "hv000" if "hv001" in rows else "v000"
    rows.assign(**{code: survey}, **columns).to_stata(path, write_index=False, version=114)
    return path


def make_dhs(folder: Path) -> dict[str, Path]:
    return {
        "gps": write_gps(folder / "IAGE7AFL.shp"),
        "households": write_recode(folder / "IAHR7EFL.DTA", HOUSEHOLDS),
        # other surveys' files have names in upper case
        "women": write_recode(
            folder / "IAIR7EFL.DTA", WOMEN.rename(columns=str.upper).rename(columns={"V001": "v001"})
        ),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for path in make_dhs(folder).values():
        print(path)
