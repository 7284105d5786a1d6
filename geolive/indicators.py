"""Indicators: their words, unit, direction and colours, and the classes of the legend."""

import itertools
import re
import tomllib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from geolive.errors import InputError, PluginWarning
from geolive.languages import phrase
from geolive.phrases import Phrase
from geolive.plugins import PluginGroup
from geolive.wording import decimal_text

MEANS_OF_AREAS = phrase("indicators.means_of_areas")


@dataclass(frozen=True)
class Indicator:
    """The column name of an indicator, and its words and colours for readers.

    Parameters
    ----------
    name : str
        The column in the clusters and districts tables.
    title, unit, direction : str
        Words for legends: what is measured, in which unit, and what a higher value means (may be empty).
    colours : tuple of str
        Five colours from the lowest class to the highest, which colour-blind readers can distinguish.
    meaning : str
        What the values are of, in a sentence.
    ranked_from : {"lowest", "highest"}
        Which value has rank 1. Ranks count from the end that is worse off; where neither is, from the lowest.
    first : {"poorest", "worst_off", "lowest", "highest", "densest"}
        What the place with rank 1 is called.

    Examples
    --------
    >>> indicator("pov").legend_title
    'Asset wealth (higher is wealthier)'
    """

    name: str
    title: str
    unit: str
    direction: str = ""
    colours: tuple[str, ...] = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
    meaning: str = MEANS_OF_AREAS
    ranked_from: str = "lowest"
    first: str = "lowest"

    @property
    def legend_title(self) -> str:
        """Title and direction, as a legend shows them."""
        return phrase("page.titled", title=self.title, direction=self.direction) if self.direction else self.title

    @property
    def title_in_text(self) -> str:
        """The title inside a sentence: geolive's own titles begin with a small letter there."""
        own = isinstance(self.title, Phrase) and f"{self.title.key}_in_text"
        return phrase(own) if own in _IN_TEXT else self.title

    @property
    def first_words(self) -> str:
        """What the place with rank 1 is, in words."""
        return phrase(f"first.{self.first}")

    @property
    def rank_words(self) -> str:
        """The head of a column of ranks, which says what the place with rank 1 is."""
        return phrase(f"ranks.{self.first}")

    @property
    def as_probability(self) -> "Indicator":
        """The indicator that a classifier maps: the probability of label 1."""
        title = self.title_in_text
        if not isinstance(title, Phrase):
            title = f"{title[:1].lower()}{title[1:]}"
        return replace(
            self,
            title=phrase("indicators.probability", title=title),
            unit=phrase("indicators.probability_unit"),
            direction="",
        )

    def with_words(
        self, *, label: str | None = None, unit: str | None = None, higher_is: str | None = None
    ) -> "Indicator":
        """Return the indicator with other words; where a higher value is worse, colours become darker with it.

        Parameters
        ----------
        label, unit : str, optional
            What is measured, and in which unit.
        higher_is : {"better", "worse"}, optional
            What a higher value means. Ranks count from the end that is worse off.

        Raises
        ------
        InputError
            `higher_is` is neither of the two, or a text is empty.

        Examples
        --------
        >>> stunted = indicator("stunted").with_words(label="Stunted children", unit="share of children", higher_is="worse")
        >>> stunted.legend_title
        'Stunted children (higher is worse)'
        """
        for name, text in (("label", label), ("unit", unit)):
            if text is not None and not text.strip():
                raise InputError(f"{name}: is empty; give some words, or leave it out", parameter=name)
        if higher_is not in (None, "better", "worse"):
            raise InputError(f"higher_is={higher_is!r}: must be 'better' or 'worse'", parameter="higher_is")
        return replace(
            self,
            title=self.title if label is None else label,
            unit=self.unit if unit is None else unit,
            direction=self.direction if higher_is is None else phrase(f"indicators.higher_is_{higher_is}"),
            colours=WORSE_COLOURS if higher_is == "worse" else self.colours,
            ranked_from={None: self.ranked_from, "better": "lowest", "worse": "highest"}[higher_is],
            first=self.first if higher_is is None else "worst_off",
        )


# from light to dark, so that what is worse stands out
WORSE_COLOURS = ("#ffffb2", "#fecc5c", "#fd8d3c", "#f03b20", "#bd0026")
WIDTH_COLOURS = ("#f2f0f7", "#cbc9e2", "#9e9ac8", "#756bb1", "#54278f")
NOT_SUPPORTED_COLOUR = "#d9d9d9"


def _own_words(name: str) -> tuple[str, str, str]:
    """Return title, unit and direction of an indicator that geolive knows."""
    return phrase(f"indicators.{name}"), phrase(f"indicators.{name}_unit"), phrase(f"indicators.{name}_direction")


_KNOWN = {
    known.name: known
    for known in (
        Indicator("pov", *_own_words("pov"), first="poorest"),
        Indicator(
            "pop",
            *_own_words("pop"),
            colours=("#ffffd4", "#fed98e", "#fe9929", "#d95f0e", "#993404"),
            ranked_from="highest",
            first="densest",
        ),
        Indicator("bmi", *_own_words("bmi"), colours=("#f0f9e8", "#bae4bc", "#7bccc4", "#43a2ca", "#0868ac")),
    )
}
_FIRST = ("poorest", "worst_off", "lowest", "highest", "densest")


def _name_fault(name: str) -> str:
    if name in _KNOWN:
        return "the name is geolive's own"
    try:
        check_indicator_names([name])
    except InputError as error:
        return str(error).partition(": ")[2].partition(";")[0]
    return ""


def _indicator_fault(loaded: Any, name: str) -> str:
    if not isinstance(loaded, Indicator):
        return f"it is no {Indicator.__module__}.Indicator"
    if loaded.name != name:
        return f"it has name = {loaded.name!r}, which must be the name of the entry point"
    if len(loaded.colours) != 5 or not all(re.fullmatch("#[0-9a-fA-F]{6}", colour) for colour in loaded.colours):
        return "its colours must be five, each as #rrggbb"
    if loaded.ranked_from not in ("lowest", "highest") or loaded.first not in _FIRST:
        return f"ranked_from must be lowest or highest, and first one of {', '.join(_FIRST)}"
    return ""


ADDED_INDICATORS = PluginGroup("geolive.indicators", "indicator", _name_fault, _indicator_fault)
_IN_TEXT = {f"indicators.{name}_in_text" for name in _KNOWN}


def indicator(name: str) -> Indicator:
    """Return the indicator of a given name; an unknown one is shown under its own name.

    Packages may add indicators in the group `geolive.indicators` of entry points. One that cannot be used is left out, with a
    `geolive.errors.PluginWarning`.

    Examples
    --------
    >>> indicator("pop").unit
    'people per km²'
    >>> indicator("asset_index").title
    'asset_index'
    """
    if name in _KNOWN:
        return _KNOWN[name]
    if name in ADDED_INDICATORS:
        try:
            return ADDED_INDICATORS.load(name)
        except InputError as error:
            warnings.warn(f"{error} (the indicator is shown under its own name)", PluginWarning, stacklevel=2)
    unknown = Indicator(name, name, phrase("indicators.as_in_survey"))
    # shares and gaps below a threshold, as `geolive.shares_below` and `ingest survey` name them
    return replace(unknown, ranked_from="highest", first="worst_off") if name.endswith(("_below", "_gap")) else unknown


def read_indicators(path: str | Path) -> dict[str, Indicator]:
    """Read words for indicators from a TOML file, which has a table for each indicator.

    Parameters
    ----------
    path : str or Path
        Each table may have `label`, `unit` and `higher_is` ("better" or "worse"), as `Indicator.with_words` takes them.

    Returns
    -------
    dict of str to Indicator

    Raises
    ------
    InputError
        There is no such file, it is no TOML, or a table holds anything else.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "indicators.toml"
    >>> _ = path.write_text('[stunted]\\nlabel = "Stunted children"\\nhigher_is = "worse"', encoding="utf-8")
    >>> read_indicators(path)["stunted"].title
    'Stunted children'
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check the name", parameter="indicators"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: is not a TOML file ({error}); see docs/outputs.md for an example",
            parameter="indicators",
        ) from error
    read = {}
    for name, words in tables.items():
        if not isinstance(words, dict) or not all(isinstance(text, str) for text in words.values()):
            raise InputError(
                f"{path}: {name}: give a table of texts, [{name}] with label, unit and higher_is", "indicators"
            )
        other = set(words) - {"label", "unit", "higher_is"}
        if other:
            raise InputError(
                f"{path}: [{name}] has {min(other)!r}; it may have label, unit and higher_is", "indicators"
            )
        try:
            read[name] = indicator(name).with_words(**words)
        except InputError as error:
            raise InputError(f"{path}: [{name}] {error}", parameter="indicators") from None
    return read


# columns of the tables of clusters, sites and districts, and of files that hold them
RESERVED = frozenset(
    {
        "unique_cluster", "country", "state", "district", "district_id", "urban", "split", "weight", "stratum", "psu", "year",
        "geometry", "geom", "wkb_geometry", "fid", "id", "key", "n_images", "n_sites", "n_clusters", "site_id", "supported",
        "simulated", "official", "rank_best", "rank_worst", "applicable", "surveyed", "n_households", "people",
        "people_supported",
    }
)  # fmt: skip
# each indicator has columns with these endings
ENDINGS = ("_label", "_lower", "_upper", "_direct", "_predicted", "_gamma", "_mse", "_se", "_n", "_unbenchmarked")


def check_indicator_names(names: Sequence[str]) -> None:
    """Check that each name differs from the other columns of every table and file that is made of a dataset.

    Raises
    ------
    InputError
        A name is no word, is that of another column (in any case, since GeoPackages and spreadsheets do not distinguish them), or
        is another indicator's with the ending of one of its columns.

    Examples
    --------
    >>> check_indicator_names(["pov", "access_to_water"])
    >>> check_indicator_names(["n_sites"])
    Traceback (most recent call last):
    geolive.errors.InputError: indicator 'n_sites': tables have another column of that name; choose another name
    """
    lower = [name.casefold() for name in names]
    for name, folded in zip(names, lower, strict=True):
        if not re.fullmatch(r"[^\W\d]\w*", name):
            raise InputError(f"indicator {name!r}: a name has only letters, digits and _; choose another name")
        stem = next((folded.removesuffix(end) for end in ENDINGS if folded.endswith(end)), None)
        if folded in RESERVED or stem in lower or stem in RESERVED or lower.count(folded) > 1:
            raise InputError(f"indicator {name!r}: tables have another column of that name; choose another name")


def class_breaks(values: np.ndarray, n_classes: int = 5, decimals: int | None = None) -> np.ndarray:
    """Find the edges of the legend's classes: round numbers with about the same number of values in each class.

    Parameters
    ----------
    values : array of float
        Values to show; NaN are left out.
    n_classes : int
        Largest number of classes.
    decimals : int, optional
        Decimals with which people see the values. The outer edges are then the least and the greatest value as they are seen,
        and values that are seen as equal make one class.

    Returns
    -------
    array of float, shape (classes + 1,)
        Strictly increasing edges that enclose every value, or every value as it is seen. A class includes its lower edge and
        excludes its upper edge; the last class includes both. There are two equal edges where all values are equal, and none
        where there is no value.

    Examples
    --------
    >>> class_breaks(np.array([0.0, 1.02, 2.04, 2.96, 4.0, 5.01]))
    array([0. , 1. , 2. , 3. , 4. , 5.1])
    >>> class_breaks(np.array([0.6357, 0.8, 1.1841]), 2, decimals=2)
    array([0.64, 0.8 , 1.18])
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if decimals is not None:
        values = np.round(values, decimals)
    if values.size == 0:
        return np.empty(0)
    low, high = values.min(), values.max()
    if low == high:
        return np.array([low, low])
    n_classes = min(n_classes, len(np.unique(values)))
    digits = int(np.ceil(np.log10(n_classes * 8 / (high - low))))
    if decimals is not None:
        digits = min(digits, decimals)
    scale = 10.0**digits
    inner = np.round(np.quantile(values, np.linspace(0, 1, n_classes + 1)[1:-1]) * scale) / scale
    if decimals is not None:
        return np.unique(np.round(np.concatenate([[low], np.clip(inner, low, high), [high]]), max(decimals, 0)))
    edges = np.concatenate([[np.floor(low * scale) / scale], inner, [np.ceil(high * scale) / scale]])
    return np.unique(np.round(edges, max(digits, 0)))


def class_labels(breaks: np.ndarray) -> list[str]:
    """Write the legend's words for the classes between breaks.

    Examples
    --------
    >>> class_labels(np.array([-1.5, 0.0, 1200.0]))
    ['−1.5 to 0.0', '0.0 to 1,200.0']
    >>> class_labels(np.array([2.0, 2.0]))
    ['2']
    """
    words = break_labels(breaks)
    if len(words) == 2 and words[0] == words[1]:
        return words[:1]
    return [f"{low} to {high}" for low, high in itertools.pairwise(words)]


def break_labels(breaks: np.ndarray) -> list[str]:
    """Write the edges of classes in words, all with the decimals that the finest of them needs.

    Examples
    --------
    >>> break_labels(np.array([0.25, 1000.0]))
    ['0.25', '1,000.00']
    """
    digits = break_digits(breaks)
    return [decimal_text(edge, digits) for edge in breaks]


def break_digits(breaks: np.ndarray) -> int:
    """Find how many decimals the edges of classes need, at most 9.

    Examples
    --------
    >>> break_digits(np.array([0.25, 1000.0]))
    2
    """
    exact = (d for d in range(9) if np.allclose(np.round(breaks, d), breaks, rtol=1e-12, atol=0))
    return next(exact, 9)


def class_of(values: np.ndarray, breaks: np.ndarray) -> np.ndarray:
    """Find the index of the legend class of each value; -1 for NaN.

    Examples
    --------
    >>> class_of(np.array([0.0, 1.5, 2.0, np.nan]), np.array([0.0, 1.0, 2.0]))
    array([ 0,  1,  1, -1])
    """
    values = np.asarray(values, float)
    if len(breaks) < 2:
        return np.full(values.shape, -1)
    index = np.searchsorted(breaks, values, side="right") - 1
    return np.where(np.isfinite(values), np.clip(index, 0, len(breaks) - 2), -1)


def class_colours(colours: tuple[str, ...], n_classes: int) -> list[str]:
    """Return a given number of colours from a scale, evenly spaced from its first to its last.

    Examples
    --------
    >>> class_colours(("#000000", "#777777", "#ffffff"), 2)
    ['#000000', '#ffffff']
    """
    at = np.linspace(0, len(colours) - 1, n_classes) if n_classes > 1 else [(len(colours) - 1) // 2]
    return [colours[round(float(i))] for i in at]


def border_colour(colours: Sequence[str]) -> str:
    """Return the colour of borders between areas: white, or grey where one of the areas' colours is nearly white.

    Examples
    --------
    >>> border_colour(["#440154", "#fde725"]), border_colour(["#f2f0f7"])
    ('#ffffff', '#7d8693')
    """
    red, green, blue = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours]).T ** 2.2
    return "#7d8693" if (0.2126 * red + 0.7152 * green + 0.0722 * blue).max() > 0.8 else "#ffffff"
