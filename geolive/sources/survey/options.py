"""What a user asks of a survey's file: checks before it is read, and the command that records it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from geolive.command_line import command_line
from geolive.errors import InputError
from geolive.indicators import check_indicator_names
from geolive.sources.survey.tables import is_geospatial


def check_positions_named(path: Path, lon: str | None, lat: str | None) -> None:
    """Raise InputError where positions are not named as the kind of file needs.

    Examples
    --------
    >>> check_positions_named(Path("a.csv"), "x", None)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: a.csv: lon and lat belong together; ...
    """
    if (lon is None) != (lat is None):
        raise InputError(
            f"{path}: lon and lat belong together; give lon='COLUMN' and lat='COLUMN', or neither for a geospatial file"
        )
    if lon is None or lat is None:
        if not is_geospatial(path):
            raise InputError(
                f"{path}: files of this kind have no positions; name their columns with lon='COLUMN' and lat='COLUMN', "
                "give a .gpkg, .geojson, .shp, .fgb or .parquet file, or a second file with positions='FILE' and on='COLUMN'"
            )
        return
    if lon == lat:
        raise InputError(f"{path}: column {lon!r} is given as longitude and as latitude; give each its own column")
    if lon.lower().startswith("lat") or lat.lower().startswith("lon"):
        raise InputError(
            f"{path}: column {lon!r} as longitude and {lat!r} as latitude look swapped; exchange the two columns, or "
            "rename the columns if they are right"
        )


def check_names(path: Path, values: dict[str, str]) -> None:
    """Raise InputError where no indicator is named, or one cannot have its name.

    Examples
    --------
    >>> check_names(Path("a.csv"), {})
    Traceback (most recent call last):
    geolive.errors.InputError: a.csv: no column of measured values is given; add values={'NAME': 'COLUMN'}
    """
    if not values:
        raise InputError(f"{path}: no column of measured values is given; add values={{'NAME': 'COLUMN'}}")
    check_value_names(list(values))


def check_value_names(names: list[str]) -> None:
    """Raise InputError if an indicator cannot have its name; the message names the parameter that chooses another.

    Examples
    --------
    >>> check_value_names(["year"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: indicator 'year': ... choose another name with values={'NAME': 'COLUMN'}
    """
    try:
        check_indicator_names(names)
    except InputError as error:
        raise InputError(f"{error} with values={{'NAME': 'COLUMN'}}") from None


def checked_thresholds(path: Path, values: dict[str, str], thresholds: Mapping[str, float]) -> dict[str, float]:
    """Return the thresholds, or raise InputError if one is not a number or names no indicator.

    Examples
    --------
    >>> checked_thresholds(Path("a.csv"), {"pov": "wealth"}, {"bmi": 18.5})
    Traceback (most recent call last):
    geolive.errors.InputError: a.csv: a threshold is given for 'bmi', which is not an indicator; give one of: pov
    """
    if not isinstance(thresholds, Mapping):
        raise InputError(f"thresholds={thresholds!r}: must give a number for each indicator", parameter="thresholds")
    for name, threshold in thresholds.items():
        if taken := [name + end for end in ("_below", "_gap") if name + end in values]:
            raise InputError(
                f"{path}: a threshold of {name!r} makes {taken[0]!r}, which is an indicator already; choose another name for it",
                parameter="thresholds",
            )
        if name not in values:
            raise InputError(
                f"{path}: a threshold is given for {name!r}, which is not an indicator; give one of: {', '.join(values)}",
                parameter="thresholds",
            )
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not np.isfinite(threshold):
            raise InputError(f"thresholds: {name}={threshold!r}: must be a number", parameter="thresholds")
    return dict(thresholds)


def check_households(path: Path, id: str | None, households: str | None, size: str | None) -> None:
    """Raise InputError where options about households do not go together.

    Examples
    --------
    >>> check_households(Path("a.csv"), "id", "cluster", None)
    Traceback (most recent call last):
    geolive.errors.InputError: a.csv: households='cluster' names the places already; leave id out
    """
    if size and not households:
        raise InputError(
            f"{path}: household_size={size!r} needs rows that are households; name the column of their places with "
            "households='COLUMN'",
            parameter="household_size",
        )
    if households and id:
        raise InputError(
            f"{path}: households={households!r} names the places already; leave id out",
            parameter="id",
        )


def recorded_command(
    path: Path,
    lon: str | None,
    lat: str | None,
    values: Mapping[str, str],
    drop_invalid: bool,
    options: Mapping[str, str | None],
    missing: Sequence[float],
    thresholds: Mapping[str, float],
    where: Mapping[str, Sequence[str]],
) -> str:
    """Return the command that reads a survey as these options do.

    Examples
    --------
    >>> recorded_command(Path("a.csv"), "x", "y", {"pov": "wealth"}, False, {}, [], {"pov": 0.5}, {})
    'geolive ingest survey a.csv --lon x --lat y --value pov=wealth --threshold pov=0.5 --out survey'
    """
    words: list[object] = ["ingest", "survey", path]
    if lon and lat:
        words += ["--lon", lon, "--lat", lat]
    for name, column in values.items():
        words += ["--value", name if name == column else f"{name}={column}"]
    for option, named in options.items():
        words += [f"--{option}", named] if named else []
    for column, wanted in where.items():
        words += [word for value in wanted for word in ("--where", f"{column}={value}")]
    for name, threshold in thresholds.items():
        words += ["--threshold", f"{name}={threshold:g}"]
    for code in missing:
        words += ["--missing", f"{code:g}"]
    return command_line(*words, *(["--drop-invalid"] if drop_invalid else []), "--out", "survey")
