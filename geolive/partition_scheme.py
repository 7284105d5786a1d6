"""How the images of a dataset are divided into partitions: by country, and by quadkey or H3 cell."""

import re
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from geolive.errors import InputError
from geolive.extras import require_extra

# Web Mercator, in which quadkeys divide the Earth, ends here
_MOST_LATITUDE = 85.05112878
_MOST_LEVEL = {"quadkey": 23, "h3": 15}
# a country's code that is empty, as that of images without one
NO_COUNTRY = "none"


@dataclass(frozen=True)
class PartitionScheme:
    """A division of images by country, or by country and cell.

    Parameters
    ----------
    kind : {"country", "quadkey", "h3"}
    level : int
        Zoom level of quadkeys (1 to 23), or resolution of H3 (0 to 15). A quadkey of level z is 360 / 2**z degrees wide. By
        country there is no level, and it is 0.

    Examples
    --------
    >>> scheme = PartitionScheme("quadkey", 6)
    >>> str(scheme), scheme.names(np.array(["ia", ""]), np.array([[85.1, 25.6], [85.1, 25.6]])).tolist()
    ('quadkey:6', ['ia/123133', 'none/123133'])
    """

    kind: str
    level: int = 0

    def __str__(self) -> str:
        return self.kind if self.kind == "country" else f"{self.kind}:{self.level}"

    def names(self, country: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return the name of the partition of each image.

        Parameters
        ----------
        country : array of str, shape (n,)
        positions : array of float, shape (n, 2)
            Longitude and latitude, degrees.

        Returns
        -------
        array of str, shape (n,)
            COUNTRY, or COUNTRY/CELL: parts of a path of files.
        """
        codes, code = np.unique(np.asarray(country, str), return_inverse=True)
        folders = np.array([_as_file_name(one) for one in codes] or [""])
        of_image = folders[code]
        if self.kind == "country":
            return of_image
        cells = (quadkeys if self.kind == "quadkey" else h3_cells)(positions, self.level)
        return np.char.add(np.char.add(of_image, "/"), cells)


def parse_scheme(text: str) -> PartitionScheme:
    """Read a division of images from `country`, `quadkey:LEVEL` or `h3:RESOLUTION`.

    Raises
    ------
    InputError
        The text is none of these.

    Examples
    --------
    >>> parse_scheme("h3:4")
    PartitionScheme(kind='h3', level=4)
    """
    if text == "country":
        return PartitionScheme("country")
    match = re.fullmatch(r"(quadkey|h3):(\d{1,2})", text)
    lowest = 1 if match and match[1] == "quadkey" else 0
    if match is None or not lowest <= int(match[2]) <= _MOST_LEVEL[match[1]]:
        raise InputError(
            f"by={text!r}: must be country, quadkey:LEVEL (1 to {_MOST_LEVEL['quadkey']}) or h3:RESOLUTION (0 to "
            f"{_MOST_LEVEL['h3']}), for example quadkey:6",
            parameter="by",
        )
    return PartitionScheme(match[1], int(match[2]))


def quadkeys(positions: np.ndarray, level: int) -> np.ndarray:
    """Return the quadkey of each position: the tile of Web Mercator that it lies in, a digit for each level.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude and latitude, degrees.
    level : int
        Zoom level, 1 to 23.

    Returns
    -------
    array of str, shape (n,)
        Source: Schwartz 2018, "Bing Maps Tile System", learn.microsoft.com/bingmaps/articles/bing-maps-tile-system.

    Examples
    --------
    >>> quadkeys(np.array([[85.1, 25.6], [-0.1, 51.5]]), 5).tolist()
    ['12313', '03131']
    """
    tiles = 1 << level
    lon, lat = np.asarray(positions, float).reshape(-1, 2).T
    sine = np.sin(np.radians(np.clip(lat, -_MOST_LATITUDE, _MOST_LATITUDE)))
    x = (lon + 180) / 360 * tiles
    y = (0.5 - np.log((1 + sine) / (1 - sine)) / (4 * np.pi)) * tiles
    column, row = (np.clip(np.floor(axis), 0, tiles - 1).astype(np.int64) for axis in (x, y))
    digits = np.empty((len(lon), level), "U1")
    for place in range(level):
        bit = level - 1 - place
        digits[:, place] = ((column >> bit & 1) + 2 * (row >> bit & 1)).astype("U1")
    return digits.view(f"U{level}").reshape(-1)


def h3_cells(positions: np.ndarray, resolution: int) -> np.ndarray:
    """Return the H3 cell of each position, as its index in hexadecimal digits.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude and latitude, degrees.
    resolution : int
        0 to 15; cells of resolution 4 have 1,770 km² on average.

    Returns
    -------
    array of str, shape (n,)

    Raises
    ------
    MissingExtraError
        The package h3 is not installed.

    Examples
    --------
    >>> from geolive.extras import has_extra
    >>> h3_cells(np.array([[85.1, 25.6]]), 3).tolist() if has_extra("h3") else ['833c13fffffffff']
    ['833c13fffffffff']
    """
    require_extra("h3")
    import h3

    cells = [h3.latlng_to_cell(lat, lon, resolution) for lon, lat in np.asarray(positions, float).tolist()]
    return np.array(cells, str)


def _as_file_name(country: str) -> str:
    """A country's code as the name of a folder; names that begin with a dot or an underscore would be hidden from readers."""
    name = quote(country, safe="")
    if name[:1] in (".", "_"):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return name or NO_COUNTRY
