"""One line of the paper's data.csv becomes one row, or the reason why it cannot be used.

Each line is a row: no field of this table holds a line break, so a stray quote spoils only its own line.
"""

import csv
import json
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from geolive.sources.paper.lines import LONGEST_LINE
from geolive.tables import not_located

INDICATORS = ("pov", "pop", "bmi")
COUNTRIES = ("ia", "ke")
LAST_CLASS, VOID_INDEX = 64, 255
LONGEST_NAME = 200
LISTS = ("features", "features_name", "confidence")
REQUIRED = (
    "key",
    "unique_cluster",
    "ilon",
    "ilat",
    *LISTS,
    *(f"{n}{end}" for n in INDICATORS for end in ("", "_label")),
)
OPTIONAL = ("country", "lon", "lat", "img_path")
SIMULATED_PREFIX = "simulated-"

_SURVEYED = tuple(f"{name}{end}" for name in INDICATORS for end in ("", "_label"))
_CLASSES = {*range(LAST_CLASS + 1), VOID_INDEX}


class BadRow(Exception):
    """A line cannot be used; the message is the reason."""


class Cluster(NamedTuple):
    """Facts about a cluster that a row gives; None where the table has no value.

    `surveyed` holds the value and the label of pov, of pop, and of bmi.
    """

    unique_cluster: str
    country: str
    position: tuple[float, float] | None
    surveyed: tuple[float | None, ...]


# key, longitude and latitude of the image, number of its Cluster in RowReader.clusters, a byte for each object (its class
# index), img_path; a plain tuple, because there may be a million of them
Row = tuple[str, float, float, int, bytes, str]


@dataclass
class RowReader:
    """Reads the lines of one table strictly, and keeps what they say about clusters and the names of classes.

    Parameters
    ----------
    header : sequence of str
        The names of the columns; each of `REQUIRED` must be among them, once.

    Attributes
    ----------
    clusters : list of Cluster
        All different statements of lines about their cluster.
    class_names : dict of int to str
        The first name of each class index.
    other_names : dict of (int, str) to array of int
        Every other name of a class index, and the lines that give it.
    cluster_columns : list of str
        The columns that describe the cluster.

    Examples
    --------
    >>> reader = RowReader("key,unique_cluster,ilon,ilat,features,features_name,confidence,"
    ...                    "pov,pov_label,pop,pop_label,bmi,bmi_label".split(","))
    >>> key, lon, lat, cluster, classes, _ = reader.read(
    ...     b'a,ia_50001,85.1,25.6,"[2, 255]","[""Wall"", ""Void""]","[0.9, 0.8]",-0.5,0,900.5,1,20.1,0', 2)
    >>> key, list(classes), dict(sorted(reader.class_names.items()))
    ('a', [2, 255], {2: 'Wall', 255: 'Void'})
    >>> reader.clusters[cluster].surveyed
    (-0.5, 0.0, 900.5, 1.0, 20.1, 0.0)
    >>> reader.read(b'b,ia_50001,85.1,25.6,"[2]","[""Wall""]","[]",-0.5,0,900.5,1,20.1,0', 3)
    Traceback (most recent call last):
    geolive.sources.paper.rows.BadRow: features, features_name, confidence: differ in length
    """

    header: Sequence[str]
    clusters: list[Cluster] = field(default_factory=list, init=False)
    class_names: dict[int, str] = field(default_factory=dict, init=False)
    other_names: dict[tuple[int, str], array] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        column = {name: i for i, name in reversed([*enumerate(self.header)])}
        self.cluster_columns = [n for n in ("unique_cluster", "country", "lon", "lat", *_SURVEYED) if n in column]
        self._of_cluster = itemgetter(*(column[name] for name in self.cluster_columns))
        self._of_image = itemgetter(*(column[name] for name in ("key", "ilon", "ilat")))
        self._lists_of = itemgetter(*(column[name] for name in LISTS))
        self._img_path = column.get("img_path")
        self._number_of_texts: dict[tuple[str, ...], int] = {}
        self._number_of_cluster: dict[Cluster, int] = {}

    def read(self, line: bytes, number: int) -> Row:
        """Return the row that a line holds.

        Parameters
        ----------
        line : bytes
            Without its line break.
        number : int
            Its number in the file, for messages.

        Raises
        ------
        BadRow
            The line cannot be used.
        """
        fields, classes, names = self._fields(line)
        key, lon, lat = self._of_image(fields)
        if not key:
            raise BadRow("key: empty")
        x, y = _position(lon, lat, "ilon, ilat")
        cluster = self.cluster_number(self._of_cluster(fields))
        self._learn(classes, names, number)
        return key, x, y, cluster, classes, "" if self._img_path is None else fields[self._img_path]

    def cluster_number(self, texts: tuple[str, ...]) -> int:
        """Return the position in `clusters` of what a row says about its cluster.

        Parameters
        ----------
        texts : tuple of str
            The row's fields in `cluster_columns`.

        Raises
        ------
        BadRow
            One of the values cannot be used.
        """
        number = self._number_of_texts.get(texts)
        if number is None:
            cluster = _cluster(dict(zip(self.cluster_columns, texts, strict=True)))
            number = self._number_of_cluster.setdefault(cluster, len(self.clusters))
            if number == len(self.clusters):
                self.clusters.append(cluster)
            self._number_of_texts[texts] = number
        return number

    def _fields(self, line: bytes) -> tuple[list[str], bytes, list[str]]:
        """Return all fields of a line, its class indexes and its class names."""
        if len(line) > LONGEST_LINE:
            raise BadRow("line: too long")
        try:
            fields = next(csv.reader((line.decode(),), strict=True), [])
        except UnicodeDecodeError:
            raise BadRow("line: not UTF-8") from None
        except csv.Error:
            raise BadRow("line: quotes do not match, or a field is too long") from None
        if len(fields) != len(self.header):
            raise BadRow("line: wrong number of fields")
        indexes, names, confidence = map(_json_list, LISTS, self._lists_of(fields))
        if not all(type(i) is int for i in indexes):
            raise BadRow("features: not a list of class indexes")
        if not _CLASSES.issuperset(indexes):
            raise BadRow("features: class index out of range")
        if not all(isinstance(name, str) for name in names):
            raise BadRow("features_name: not a list of names")
        if any(len(name) > LONGEST_NAME for name in names):
            raise BadRow("features_name: a name is too long")
        if not all(type(number) in (int, float) for number in confidence):
            raise BadRow("confidence: not a list of numbers")
        if not len(indexes) == len(names) == len(confidence):
            raise BadRow("features, features_name, confidence: differ in length")
        return fields, bytes(indexes), names

    def _learn(self, classes: bytes, names: list[str], number: int) -> None:
        """Keep the names of classes; which of several names is right is decided when all lines are read."""
        given = set(zip(classes, names, strict=True))
        if len({index for index, _ in given}) < len(given):
            raise BadRow("features_name: two names for one class")
        for index, name in given:
            if self.class_names.setdefault(index, name) != name:
                self.other_names.setdefault((index, name), array("q")).append(number)


def _cluster(text: dict[str, str]) -> Cluster:
    """Parse what a row says about its cluster."""
    unique_cluster = text["unique_cluster"]
    if not unique_cluster:
        raise BadRow("unique_cluster: empty")
    country = text.get("country", unique_cluster.partition("_")[0])
    if country not in COUNTRIES:
        raise BadRow("country: neither ia nor ke")
    lon, lat = text.get("lon", ""), text.get("lat", "")
    position = _position(lon, lat, "lon, lat") if lon or lat else None
    surveyed = [part for name in INDICATORS for part in _measured(name, text, country)]
    return Cluster(unique_cluster, country, position, tuple(surveyed))


def _json_list(column: str, text: str) -> list:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadRow(f"{column}: bad JSON") from None
    if not isinstance(value, list):
        raise BadRow(f"{column}: not a list")
    return value


def _refuse_constant(constant: str) -> None:
    raise ValueError(constant)  # Python reads NaN and Infinity, which JSON does not have


def _number(text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:  # Python reads 8_5 as 85
        raise BadRow(f"{column}: not a number")
    return value


def _position(lon: str, lat: str, columns: str) -> tuple[float, float]:
    try:
        x, y = float(lon), float(lat)
    except ValueError:
        x = y = math.nan
    if -180 <= x <= 180 and -90 <= y <= 90 and "_" not in lon and "_" not in lat:
        if not_located(x, y):
            raise BadRow(f"{columns}: not located, 0, 0")
        return x, y
    _number(lon, columns), _number(lat, columns)
    raise BadRow(f"{columns}: out of range")


def _measured(name: str, text: dict[str, str], country: str) -> tuple[float | None, float | None]:
    """Parse value and label of an indicator; the table of Kenya has 0 where the body-mass index was not measured."""
    column = f"{name}_label"
    value = _number(text[name], name) if text[name] else None
    label = _number(text[column], column) if text[column] else None
    if label not in (None, 0, 1):
        raise BadRow(f"{column}: neither 0 nor 1")
    if (country == "ke" and name == "bmi" and value == 0) or (value is None and label is None):
        return None, None
    if value is None:
        raise BadRow(f"{column}: without a value")
    return value, label
